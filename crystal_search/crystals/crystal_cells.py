"""The columns that tell a crystal, wherever it stands: rows of files, records for programs (docs/columns.md)."""

import math

from crystal_search.columns import PLACES, Cell
from crystal_search.crystal import Crystal

PLACE_COLUMNS = (
    *("crystal", "probability", "centre_row_px", "centre_column_px", "long_px", "short_px", "angle_degrees"),
    *("aspect", "area_px2", "middle_row_px", "middle_column_px", *(f"upright_{side}" for side in PLACES["SIDE"])),
    *("cut_off", "contrast", "faint", "long_um", "short_um", "area_um2", "um_per_px"),
)


def crystal_cells(crystal: Crystal, size_px: tuple[int, int], um_per_px: float | None) -> dict[str, Cell]:
    """Return the columns of a crystal in an image of a height and width, but for its number.

    Those in micrometres are missing where the scale is not known.
    """
    middle_row, middle_column = crystal.middle
    upright = crystal.upright.clipped(*size_px)
    cells: dict[str, Cell] = {
        "probability": round(crystal.probability, 4),
        "centre_row_px": round(crystal.row, 2),
        "centre_column_px": round(crystal.column, 2),
        "long_px": round(crystal.long_px, 2),
        "short_px": round(crystal.short_px, 2),
        "angle_degrees": round(math.degrees(crystal.angle_rad), 1),
        "aspect": round(crystal.aspect, 2),
        "area_px2": round(crystal.area_px2, 1),
        "middle_row_px": round(middle_row, 2),
        "middle_column_px": round(middle_column, 2),
        **{f"upright_{side}": edge for side, edge in upright._asdict().items()},
        "cut_off": crystal.is_cut_off(*size_px),
        "contrast": None if crystal.contrast is None else round(crystal.contrast, 4),
        "faint": None if crystal.contrast is None else crystal.is_faint,
    }
    return cells | (lengths_in_um(crystal, um_per_px) if um_per_px else {})


def lengths_in_um(crystal: Crystal, um_per_px: float) -> dict[str, Cell]:
    """Return the columns of a crystal in micrometres."""
    return {
        "long_um": round(crystal.long_px * um_per_px, 2),
        "short_um": round(crystal.short_px * um_per_px, 2),
        "area_um2": round(crystal.area_px2 * um_per_px**2, 1),
        "um_per_px": um_per_px,
    }


def length_cells(name: str, px: float, um_per_px: float | None) -> dict[str, Cell]:
    """Return the columns of a length, in micrometres where the scale is known; none of one that is infinite.

    >>> length_cells("gap", 4, 2.5)
    {'gap_px': 4, 'gap_um': 10.0}
    """
    if not math.isfinite(px):
        return {}
    cells: dict[str, Cell] = {f"{name}_px": round(px, 1)}
    return cells | ({f"{name}_um": round(px * um_per_px, 1)} if um_per_px else {})
