"""What pages and programs get of the crystals that the machine found in an image, one by one."""

from typing import Any

from crystal_search.crystals.crystal_cells import crystal_cells
from crystal_search.result import ImageScore

#: What is told of each, beside its outline.
TOLD = (
    *("crystal", "probability", "centre_row_px", "centre_column_px", "long_px", "short_px", "angle_degrees"),
    *("area_px2", "middle_row_px", "middle_column_px", "cut_off", "faint", "long_um", "short_um"),
)


def crystal_records(found: ImageScore, um_per_px: float | None) -> list[dict[str, Any]] | None:
    """Return the crystals of an image with this scale, the most probable first; None where nobody looked for them."""
    if found.crystals is None:
        return None
    size = found.height_px, found.width_px
    rows = [{"crystal": at, **crystal_cells(each, size, um_per_px)} for at, each in enumerate(found.crystals, start=1)]
    return [
        {name: row.get(name) for name in TOLD} | {"outline": each.outline}
        for row, each in zip(rows, found.crystals, strict=True)
    ]
