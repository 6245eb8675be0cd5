"""Image files that are sections of stacks: a row for each crystal with its volume, as `crystals.stacks` joins them."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from crystal_search.columns import Cell
from crystal_search.crystals.section_areas import SECTION_AREAS
from crystal_search.crystals.stacks import StackedCrystal, joined
from crystal_search.direct.crystal_files import SearchedFile
from crystal_search.direct.target_files import NO_SCALE
from crystal_search.formats.scale import UNEQUAL
from crystal_search.model_card import CrystalCard

COLUMNS = (
    *("path", "crystal", "probability", "first_section", "sections", "centre_row_px", "centre_column_px"),
    *("long_um", "short_um", "angle_degrees", "height_um", "volume_um3", "cut_off", "um_per_px", "scale_from"),
    *("section_um", "error"),
)


@dataclass(frozen=True, slots=True)
class Scale:
    """How large a pixel of a section is, and how far it is to the next section."""

    um_per_px: float
    section_um: float


def stacked_rows(found: Iterable[SearchedFile], section_um: float, card: CrystalCard) -> Iterator[dict[str, Cell]]:
    """Yield a row for each crystal of each stack, or one for a stack without any, by the names of `COLUMNS`.

    Parameters
    ----------
    found
        Files in order: those of one folder, one after the other, are the sections of a stack from the bottom upwards.
        One that was not searched, or whose scale nobody says, leaves its stack without volumes; the row says so.
    section_um
        From section to section.
    card
        Of the detector that found them, which says how areas are read.
    """
    for folder, files in groupby(found, key=lambda each: each.path.parent):
        yield from _rows_of(folder, tuple(files), section_um, card)


def _rows_of(
    folder: Path, sections: Sequence[SearchedFile], section_um: float, card: CrystalCard
) -> Iterator[dict[str, Cell]]:
    nothing: dict[str, Cell] = dict.fromkeys(COLUMNS) | {"path": str(folder), "section_um": section_um}
    error, said = _error_of(sections), sections[0].scale
    if error or said is None:
        yield nothing | {"error": error or NO_SCALE}
        return
    nothing |= {"um_per_px": said.um_per_px, "scale_from": said.said_by}
    crystals = joined([each.crystals for each in sections])
    if not crystals:
        yield nothing
    size_px = sections[0].height_px, sections[0].width_px
    for number, crystal in enumerate(crystals, start=1):
        yield nothing | {"crystal": number} | _cells_of(crystal, size_px, Scale(said.um_per_px, section_um), card)


def _error_of(sections: Sequence[SearchedFile]) -> str | None:
    """Return why no stack can be made of sections; None where it can."""
    unsearched = [each for each in sections if each.unsearched]
    if unsearched:
        return f"{unsearched[0].path.name}: {unsearched[0].unsearched}"
    sizes = {(each.height_px, each.width_px) for each in sections}
    if len(sizes) > 1:
        return f"sections of {len(sizes)} different sizes; a stack has one, keep each in a folder of its own"
    scales = [each.um_per_px for each in sections]
    if None in scales:
        return NO_SCALE
    told = sorted(filter(None, scales))
    if told[-1] > told[0] * (1 + UNEQUAL):
        return f"sections have {told[0]:.4g} to {told[-1]:.4g} micrometres a pixel; say --um-per-px for all"
    return None


def _cells_of(crystal: StackedCrystal, size_px: tuple[int, int], scale: Scale, card: CrystalCard) -> dict[str, Cell]:
    largest, section_um = crystal.largest, scale.section_um
    area, pixel_px = SECTION_AREAS[card.decoding], size_px[1] / card.sight.width_of(size_px[1])
    volume_um3 = crystal.volume_um3(scale.um_per_px, section_um, area=area, pixel_px=pixel_px)
    return {
        "probability": round(max(each.probability for each in crystal.parts), 4),
        "first_section": crystal.first + 1,
        "sections": len(crystal.parts),
        "centre_row_px": round(largest.row, 2),
        "centre_column_px": round(largest.column, 2),
        "long_um": round(largest.long_px * scale.um_per_px, 2),
        "short_um": round(largest.short_px * scale.um_per_px, 2),
        "angle_degrees": round(math.degrees(largest.angle_rad), 1),
        "height_um": round(crystal.height_um(section_um), 2),
        "volume_um3": round(volume_um3, 2),
        "cut_off": any(each.is_cut_off(*size_px) for each in crystal.parts),
    }
