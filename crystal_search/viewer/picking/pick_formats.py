"""The files that a list of ticked drops becomes; a registry by name (docs/exports.md).

Ours takes its columns from `columns`; the others are named, ordered and counted as the programs want them that read
them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from crystal_search.columns import Cell, csv_text
from crystal_search.crystals.crystal_cells import crystal_cells, length_cells
from crystal_search.dispensers.crystal_plates import check_drop
from crystal_search.dispensers.transfer_lists import (
    TRANSFER_LISTS,
    Aim,
    ListOptions,
    TransferList,
    check_one_plate,
    nowhere,
    robot_table,
)
from crystal_search.errors import UserError
from crystal_search.known_names import among
from crystal_search.server.imaging.marks import DISPENSE, PICK
from crystal_search.viewer.about_plates import CONDITION_COLUMNS, FACT_COLUMNS, about_cells
from crystal_search.viewer.picking.dispensing_places import places_to_dispense
from crystal_search.viewer.picking.picks import Pick, Position, drops_in
from crystal_search.viewer.score_table import KEY_COLUMNS, auto_cells, image_cells, manual_cells, said_cells

TO_HARVEST = (PICK, DISPENSE)  #: kinds of marks, those that are wanted first
SHIFTER_PLACE = "AM"  #: where on the Shifter the plate lies
_SCORES = ("auto_outcome", "auto_probability", "manual_outcome", "manual_person", "opinions", "comments")
_PLACE = ("x_px", "y_px", "x_um", "y_um", "offset_right_um", "offset_up_um", "um_per_px", "position_from", "marked_by")
_CRYSTAL = ("crystal", "long_px", "short_px", "long_um", "short_um", "cut_off")
_CLEAR = ("to_crystal_px", "to_crystal_um", "to_border_px", "to_border_um")
COLUMNS = (*KEY_COLUMNS, *_PLACE, *_CRYSTAL, *_SCORES, *FACT_COLUMNS, *CONDITION_COLUMNS)
DISPENSE_COLUMNS = (*KEY_COLUMNS, *_PLACE, *_CLEAR, "refused")
SHIFTER = (
    ";PlateType",
    "PlateID",
    "LocationShifter",
    "PlateRow",
    "PlateColumn",
    "PositionSubWell",
    "Comment",
    "CrystalID",
    "TimeArrival",
    "TimeDeparture",
    "PickDuration",
    "DestinationName",
    "DestinationLocation",
    "Barcode",
    "ExternalComment",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PickOptions(ListOptions):
    """What somebody says of a list beside its drops; a format asks for what it needs."""

    um_per_px: float | None = None  #: micrometres a stored pixel, for imagers of which the settings say none

    def scale_of(self, pick: Pick) -> float | None:
        """Return how many micrometres a pixel of an image is; None where nobody says so."""
        return self.um_per_px if pick.um_per_px is None else pick.um_per_px


@dataclass(frozen=True, slots=True, kw_only=True)
class PickFile:
    """What a list became."""

    text: str
    left_out: int = 0  #: drops of the list that are not in it, since it is not known where to dispense into them


@dataclass(frozen=True, slots=True, kw_only=True)
class PickFormat:
    """A kind of file."""

    title: str
    meaning: str
    write: Callable[[Sequence[Pick], PickOptions], PickFile]
    needs: tuple[str, ...] = ()  #: names of options without which there is no such file
    one_plate: bool = False  #: whether a file has the drops of one plate only

    def file(self, picks: Sequence[Pick], options: PickOptions) -> PickFile:
        """Return the file, which holds each drop at most once: a robot is to go there once.

        Raises
        ------
        UserError
            If the drops or the options cannot become such a file.
        """
        if self.one_plate:
            check_one_plate(self.title, (pick.drop.image.key for pick in picks))
        return self.write(drops_in(picks), options)


def _harvest(picks: Sequence[Pick], options: PickOptions) -> PickFile:
    rows = [
        _harvest_row(pick, position, options.scale_of(pick))
        for pick in picks
        for position in pick.positions(TO_HARVEST) or (None,)
    ]
    return PickFile(text=csv_text(COLUMNS, rows))


def _harvest_row(pick: Pick, position: Position | None, um_per_px: float | None) -> dict[str, Cell]:
    told = auto_cells(pick.drop.current) | manual_cells(pick.drop.manual) | said_cells(pick.drop)
    scores = {name: told[name] for name in _SCORES if name in told}
    place = _place_cells(pick, position, um_per_px) if position else {}
    return image_cells(pick.drop.image) | place | scores | about_cells(pick.about, pick.drop.image.key)


def _place_cells(pick: Pick, position: Position, um_per_px: float | None) -> dict[str, Cell]:
    x, y = position.column_px, position.row_px
    cells: dict[str, Cell] = {"x_px": x, "y_px": y, "position_from": position.origin, "marked_by": position.person}
    if position.crystal and pick.size_px:
        told = crystal_cells(position.crystal, pick.size_px, um_per_px)
        cells |= {"crystal": position.number} | {name: told.get(name) for name in _CRYSTAL[1:]}
    offset = pick.offset_px(position)
    if um_per_px is None or offset is None:
        return cells
    down, right = offset
    lengths = {"x_um": x, "y_um": y, "offset_right_um": right, "offset_up_um": -down}
    return cells | {"um_per_px": um_per_px} | {name: round(um_per_px * px, 1) for name, px in lengths.items()}


def _dispense(picks: Sequence[Pick], options: PickOptions) -> PickFile:
    rows: list[dict[str, Cell]] = []
    for pick in picks:
        scale, cells = options.scale_of(pick), image_cells(pick.drop.image)
        places = places_to_dispense(pick, scale)
        if places.refused:
            rows.append(cells | {"refused": places.refused})
        for position in places.positions:
            rows.append(cells | _place_cells(pick, position, scale) | _clear_cells(position, scale))
    return PickFile(text=csv_text(DISPENSE_COLUMNS, rows))


def _clear_cells(position: Position, um_per_px: float | None) -> dict[str, Cell]:
    if (clear := position.clear) is None:
        return {}
    to_crystal = length_cells("to_crystal", clear.to_crystal_px, um_per_px)
    return to_crystal | length_cells("to_border", clear.to_border_px, um_per_px)


def _transfers(kind: TransferList) -> PickFormat:
    def write(picks: Sequence[Pick], options: PickOptions) -> PickFile:
        kind.check([pick.drop.image.key for pick in picks], options)
        aims = _aims(picks, options)
        return PickFile(text=kind.write(aims, options), left_out=len(picks) - len(aims))

    return PickFormat(title=kind.title, meaning=kind.meaning, write=write, needs=kind.needs, one_plate=kind.one_plate)


def _shifter(picks: Sequence[Pick], options: PickOptions) -> PickFile:
    plate = options.plate
    if not plate.shifter:
        raise UserError(f"what the Shifter calls a plate of the kind {plate.title!r} is not known; take the CSV table")
    rows: list[tuple[Cell, ...]] = []
    for pick in picks:
        key = pick.drop.image.key
        check_drop(plate, key)
        letters = key.well.rstrip("0123456789")
        place = (letters, key.column + 1, plate.letters[key.drop - 1])
        rows.append((plate.shifter, key.plate, SHIFTER_PLACE, *place, *[""] * (len(SHIFTER) - 6)))
    return PickFile(text=robot_table([SHIFTER, *rows]))


def _aims(picks: Sequence[Pick], options: PickOptions) -> list[Aim]:
    """Return where to hit those drops of which it is known.

    Raises
    ------
    UserError
        If it is known of none, or a scale is not.
    """
    aims: list[Aim] = []
    refused: list[str] = []
    for pick in picks:
        scale = options.scale_of(pick)
        if scale is None:
            raise UserError("the scale of the images is not known: say by um_per_px= how many micrometres a pixel is")
        places = places_to_dispense(pick, scale)
        if places.refused:
            refused.append(f"{pick.name}: {places.refused}")
        else:
            offsets_px = filter(None, map(pick.offset_px, places.positions))
            offsets_um = tuple((scale * down, scale * right) for down, right in offsets_px)
            aims.append(Aim(key=pick.drop.image.key, offsets_um=offsets_um))
    if not aims:
        raise nowhere(refused)
    return aims


PICK_FORMATS: dict[str, PickFormat] = {
    "harvest": PickFormat(
        title="CSV table",
        meaning="well, drop, position, scores, owner and condition, in the words of all our tables",
        write=_harvest,
    ),
    "dispense": PickFormat(
        title="Places to dispense at",
        meaning="CSV table: where Echo and SoakDB are sent, how far that is from crystals, or why a drop is left out",
        write=_dispense,
    ),
    **{name: _transfers(kind) for name, kind in TRANSFER_LISTS.items()},
    "shifter": PickFormat(
        title="Shifter list",
        meaning="for the Crystal Shifter: which sub-wells to go to",
        write=_shifter,
        needs=("plate",),
        one_plate=True,
    ),
}


def pick_format(name: str) -> PickFormat:
    """Return a kind of file by its name.

    Raises
    ------
    UnknownNameError
        If there is none.
    """
    return among(PICK_FORMATS, name, "format")
