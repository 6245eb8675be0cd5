"""Lists that send a dispenser into drops, as other programs read them; a registry by name (docs/exports.md).

Whoever knows where to hit drops makes one: the viewer of ticked drops, ``crystals`` of image files.
"""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from crystal_search.columns import Cell, harmless
from crystal_search.dispensers.crystal_plates import (
    CRYSTAL_PLATES,
    CrystalPlate,
    check_drop,
    dispenser_well,
    lettered_well,
)
from crystal_search.errors import UserError
from crystal_search.known_names import among
from crystal_search.wells import WellKey, is_well

DROPLET_NL = 2.5  #: an Echo's droplet; volumes are multiples of it
MOST_NL = 100_000  #: into a drop
MOST_TOLD = 5  #: drops that a message names
ECHO = (
    "Source Plate Name",
    "Source Well",
    "Destination Plate Name",
    "Destination Well",
    "Transfer Volume",
    "Destination Well X Offset",
    "Destination Well Y Offset",
)


def in_address(option: str) -> str:
    """Return how an address of the viewer says an option.

    >>> in_address("volume_nl")
    'volume_nl='
    """
    return f"{option}="


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOptions:
    """What somebody says of a list beside its drops; a list asks for what it needs."""

    plate_kind: str = ""  #: a name in ``crystal_plates.CRYSTAL_PLATES``
    volume_nl: float | None = None  #: to dispense into each drop
    source_plate: str = ""
    source_well: str = ""
    said_by: Callable[[str], str] = in_address  #: how people say an option, by its name in `TransferList.needs`

    @property
    def plate(self) -> CrystalPlate:
        """The kind of plate.

        Raises
        ------
        UserError
            If none was said, or one that is not known.
        """
        if not self.plate_kind:
            known = ", ".join(CRYSTAL_PLATES)
            raise UserError(f"say by {self.said_by('plate')} which kind of plate it is: {known}")
        return among(CRYSTAL_PLATES, self.plate_kind, "kind of plate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """Where a dispenser is to hit a drop."""

    key: WellKey
    offsets_um: tuple[tuple[float, float], ...]  #: down and to the right of the image's centre


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferList:
    """A kind of list."""

    title: str
    meaning: str
    write: Callable[[Sequence[Aim], ListOptions], str]  #: its text
    needs: tuple[str, ...]  #: names of options without which there is no such list
    check_options: Callable[[ListOptions], None] = lambda _: (
        None
    )  #: of those but the kind of plate; raises what `check` does
    one_plate: bool = False  #: whether a list has the drops of one plate only

    def check(self, keys: Sequence[WellKey], options: ListOptions) -> None:
        """Refuse drops and options that no such list can have, before it is known where to hit them.

        Raises
        ------
        UserError
            That says which, and what to do.
        """
        if self.one_plate:
            check_one_plate(self.title, keys)
        plate = options.plate
        self.check_options(options)
        for key in keys:
            check_drop(plate, key)


def check_one_plate(title: str, keys: Iterable[WellKey]) -> None:
    """Refuse drops of several plates.

    Raises
    ------
    UserError
        That names the plates.
    """
    plates = dict.fromkeys(key.plate for key in keys)
    if len(plates) > 1:
        raise UserError(f"{title} has the drops of one plate; ask once for each of {', '.join(plates)}")


def nowhere(refused: Sequence[str]) -> UserError:
    """Return the error that of no drop it is known where to hit it; each is told with its reason."""
    more = [f"and {len(refused) - MOST_TOLD} more"] if len(refused) > MOST_TOLD else []
    told = "; ".join([*refused[:MOST_TOLD], *more])
    return UserError(f"there is no place to dispense at in any of these drops: {told}")


def robot_table(rows: Iterable[Sequence[Cell]]) -> str:
    """Return rows as robots read them."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerows([harmless(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return text.getvalue()


def _check_echo(options: ListOptions) -> None:
    said = options.said_by
    if options.volume_nl is None or not 0 < options.volume_nl <= MOST_NL or options.volume_nl % DROPLET_NL:
        wanted = f"a multiple of {DROPLET_NL:g} nl, at most {MOST_NL}"
        got = "" if options.volume_nl is None else f"; got {options.volume_nl}"
        raise UserError(f"say by {said('volume_nl')} how much to dispense, {wanted}{got}")
    if not (options.source_plate and options.source_well):
        raise UserError(f"say by {said('source_plate')} and {said('source_well')} what to dispense from")
    if not is_well(options.source_well):
        raise UserError(
            f"no plate of 96, 384 or 1536 wells has a well {options.source_well!r:.40}; "
            f"say by {said('source_well')} one as A1, P24 or AF48"
        )


def volume_cell(volume_nl: float) -> str:
    """Return a volume in whole droplets as robots read it, with all its digits and without an exponent.

    >>> [volume_cell(volume_nl) for volume_nl in (25, 2.5, 99997.5, 1000002.5)]
    ['25', '2.5', '99997.5', '1000002.5']
    """
    return f"{volume_nl:.1f}".removesuffix(".0")


def _echo(aims: Sequence[Aim], options: ListOptions) -> str:
    source, volume = (options.source_plate, options.source_well), volume_cell(options.volume_nl or 0)
    rows: list[tuple[Cell, ...]] = []
    for aim in aims:
        target = (aim.key.plate, dispenser_well(options.plate, aim.key))
        for down, right in aim.offsets_um:
            rows.append((*source, *target, volume, round(right), -round(down)))
    return robot_table([ECHO, *rows])


def _soakdb(aims: Sequence[Aim], options: ListOptions) -> str:
    rows: list[tuple[Cell, ...]] = []
    for aim in aims:
        down, right = aim.offsets_um[0]
        rows.append((lettered_well(options.plate, aim.key), round(right), round(down)))
    return robot_table(rows)


TRANSFER_LISTS: Mapping[str, TransferList] = {
    "echo": TransferList(
        title="Echo transfer list",
        meaning="for acoustic dispensing: offsets from the image's centre in micrometres, right and up",
        write=_echo,
        needs=("plate", "um_per_px", "volume_nl", "source_plate", "source_well"),
        check_options=_check_echo,
    ),
    "soakdb": TransferList(
        title="XChem targets",
        meaning="for SoakDB, as echolocator writes them: sub-well, and micrometres right and down",
        write=_soakdb,
        needs=("plate", "um_per_px"),
        one_plate=True,
    ),
}
