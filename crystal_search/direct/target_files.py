"""Where to shoot at the crystals of image files, and where to dispense: rows of CSV files."""

from collections.abc import Iterator

from crystal_search.columns import Cell
from crystal_search.crystals.crystal_cells import length_cells
from crystal_search.crystals.dispensing import DispensePoint, DispensingUm
from crystal_search.crystals.targets import Target
from crystal_search.direct.crystal_files import SearchedFile
from crystal_search.direct.named_drops import NamedDrops

_PLACE = ("x_px", "y_px", "x_um", "y_um", "offset_right_um", "offset_up_um", "um_per_px")
TARGET_COLUMNS = (
    *("path", "point", "crystal", *_PLACE, "to_outline_px", "to_outline_um", "gap_px", "gap_um", "alone", "refused"),
)
DISPENSE_COLUMNS = (
    *("path", "plate", "well", "drop", "candidate", *_PLACE),
    *("to_crystal_px", "to_crystal_um", "to_border_px", "to_border_um", "refused", "left_out"),
)
SAY_SCALE = "say by --um-per-px, or in settings, how many micrometres a pixel is"
NO_SCALE = f"the scale of the image is not known: {SAY_SCALE}"


def target_rows(found: SearchedFile) -> Iterator[dict[str, Cell]]:
    """Yield a row for each target of a file, or one that says why there is none."""
    if not found.targets:
        why = found.error or (NO_SCALE if found.targets is None else found.none_because)
        yield {"path": str(found.path), "refused": why}
    for number, target in enumerate(found.targets or (), start=1):
        yield {
            "path": str(found.path),
            "point": number,
            "crystal": target.crystal + 1,
            **place_cells(target, found),
            **length_cells("to_outline", target.depth_px, found.um_per_px),
            **length_cells("gap", target.gap_px, found.um_per_px),
            "alone": target.is_alone,
        }


def dispense_rows(
    found: SearchedFile, rule: DispensingUm, drops: NamedDrops | None = None
) -> Iterator[dict[str, Cell]]:
    """Yield a row for each place to dispense at in a file, or one that says why there is none.

    `drops` are those that lists for dispensers may have, where some were asked for.
    """
    points = found.dispense.points if found.dispense else ()
    image: dict[str, Cell] = {"path": str(found.path)}
    if drops:
        image |= drops.cells_of(found.path)
    if not points:
        yield image | {"refused": why_not(found, rule)}
    for number, point in enumerate(points, start=1):
        yield image | {
            "candidate": number,
            **place_cells(point, found),
            **length_cells("to_crystal", point.to_crystal_px, found.um_per_px),
            **length_cells("to_border", point.to_border_px, found.um_per_px),
        }


def why_not(found: SearchedFile, rule: DispensingUm) -> str:
    """Return why there is no place to dispense at in a file."""
    if found.error:
        return found.error
    if found.um_per_px is None:
        return NO_SCALE
    if found.dispense is None:
        return "no drop was found"
    return rule.why_not(found.dispense, found.um_per_px)


def place_cells(place: Target | DispensePoint, found: SearchedFile) -> dict[str, Cell]:
    """Return where a point is: from the upper left corner, and from the centre of the image."""
    lengths = {
        "x_um": place.column,
        "y_um": place.row,
        "offset_right_um": place.column - found.width_px / 2,
        "offset_up_um": found.height_px / 2 - place.row,
    }
    scale = found.um_per_px
    in_um = {name: round(scale * px, 1) for name, px in lengths.items()} if scale else {}
    return {"x_px": round(place.column, 1), "y_px": round(place.row, 1), **in_um, "um_per_px": scale}
