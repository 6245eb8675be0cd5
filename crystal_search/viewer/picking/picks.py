"""The drops that somebody ticked, and where in each picture the robot is to go."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from crystal_search.crystal import Crystal
from crystal_search.crystals.dispensing import DispensePoint
from crystal_search.geometry import Box
from crystal_search.polygons import depths
from crystal_search.result import ImageScore
from crystal_search.server.imaging.imaging_database import DropScores
from crystal_search.server.imaging.marks import DISPENSE, PICK, Mark
from crystal_search.viewer.about_plates import AboutPlate
from crystal_search.viewer.context import Viewer
from crystal_search.viewer.reading import Board
from crystal_search.wells import CHANNELS, WellKey

MOST_DIGITS = 15  #: of an image's number
MOST_PICKS = 500  #: of a list: its address must fit into the head of a request
Origin = Literal["pick mark", "dispense mark", "farthest from crystals", "crystal", "best chop", "drop"]
BORDER_PX = 1.0  #: how far outside of an outline a mark is still of the crystal: marks are of whole pixels
_MARKS: dict[str, Origin] = {PICK: "pick mark", DISPENSE: "dispense mark"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A point of an image, in stored pixels from its top left corner."""

    row_px: float
    column_px: float
    origin: Origin  #: what it is the centre of, or why it is there
    person: str = ""  #: who marked it; empty for the machine
    crystal: Crystal | None = None  #: that the machine found there
    number: int = 0  #: of that crystal among those of the image, from 1
    clear: DispensePoint | None = None  #: how far a place to dispense at, that the machine found, is from everything


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """A drop that somebody ticked."""

    drop: DropScores
    about: AboutPlate
    um_per_px: float | None = None  #: scale of the image, as the settings say for its imager; None: they do not

    @property
    def name(self) -> str:
        """What people call it: ``P1 C07 drop 2``."""
        key = self.drop.image.key
        return f"{key.plate} {key.well} drop {key.drop}"

    @property
    def size_px(self) -> tuple[int, int] | None:
        """Height and width of the image; None where nobody scored it."""
        found = self.drop.current.found if self.drop.current else None
        return (found.height_px, found.width_px) if found and found.height_px else None

    def positions(self, kinds: Sequence[str]) -> list[Position]:
        """Return where to go: the marks of the first of these kinds that there are, else where the machine points.

        Marks that lie outside the image count for nothing. The machine points at each crystal that it found one by
        one, the most probable first, and where there is none at one place.
        """
        for kind in kinds:
            if marked := self.marked(kind):
                return [self._with_crystal(each) for each in marked]
        if self._crystals:
            return [_of_crystal(each, number) for number, each in enumerate(self._crystals, start=1)]
        pointed = position_in(self.drop.current.found) if self.drop.current else None
        return [pointed] if pointed else []

    def marked(self, kind: str) -> list[Position]:
        """Return the marks of a kind, but for those that lie outside the image."""
        return list(filter(self._may_hold, (_of_mark(mark) for mark in self.drop.marks if mark.kind == kind)))

    @property
    def _crystals(self) -> tuple[Crystal, ...]:
        return (self.drop.current.found.crystals or ()) if self.drop.current else ()

    def _with_crystal(self, position: Position) -> Position:
        """Return a marked position with the smallest of the machine's crystals in which it lies, if any.

        It may lie on a larger one; the drop page shows the same one there.
        """
        at = (position.row_px, position.column_px)
        holding = [(number, each) for number, each in enumerate(self._crystals, start=1) if holds(each, at)]
        if not holding:
            return position
        number, crystal = min(holding, key=lambda each: each[1].area_px2)
        return replace(position, crystal=crystal, number=number)

    def _may_hold(self, position: Position) -> bool:
        """Tell whether a position lies in the image, or its size is not known."""
        if self.size_px is None:
            return True
        height, width = self.size_px
        return position.row_px < height and position.column_px < width

    def offset_px(self, position: Position) -> tuple[float, float] | None:
        """Return how far down and right of the image's centre a position is; None where the size is not known."""
        if self.size_px is None:
            return None
        height, width = self.size_px
        return position.row_px - height / 2, position.column_px - width / 2


def holds(crystal: Crystal, at: tuple[float, float]) -> bool:
    """Tell whether a point, row and column, lies in the outline of a crystal, or at its border."""
    return bool(depths(crystal.outline, [at])[0] >= -BORDER_PX) if crystal.outline else False


def _of_crystal(crystal: Crystal, number: int) -> Position:
    row_px, column_px = (round(each, 1) for each in crystal.middle)
    return Position(row_px=row_px, column_px=column_px, origin="crystal", crystal=crystal, number=number)


def position_in(found: ImageScore) -> Position | None:
    """Return the centre of the chop that speaks most for the score, or else of the drop; None without both."""
    if found.best_chops:
        return _centre(found.best_chops[0].box, "best chop")
    return _centre(found.drop.box, "drop") if found.drop else None


def _of_mark(mark: Mark) -> Position:
    origin = _MARKS[mark.kind]
    if isinstance(mark.place, Box):
        return _centre(mark.place, origin, mark.person)
    if mark.place is None:
        raise ValueError(f"a mark {mark.kind!r} has a place")
    row_px, column_px = mark.place.row + 0.5, mark.place.column + 0.5  # the middle of the pixel
    return Position(row_px=row_px, column_px=column_px, origin=origin, person=mark.person)


def _centre(box: Box, origin: Origin, person: str = "") -> Position:
    row_px, column_px = (box.top + box.bottom) / 2, (box.left + box.right) / 2
    return Position(row_px=row_px, column_px=column_px, origin=origin, person=person)


def numbers_in(text: str) -> list[int]:
    """Return the numbers of images in an address, each once, in its order.

    Raises
    ------
    ValueError
        If there are none, too many, or something else among them.

    >>> numbers_in("12,7,12")
    [12, 7]
    """
    words = text.split(",")
    if not all(word.isascii() and word.isdigit() and len(word) <= MOST_DIGITS for word in words):
        raise ValueError(text)
    numbers = list(dict.fromkeys(map(int, words)))
    if len(numbers) > MOST_PICKS:
        raise ValueError(text)
    return numbers


def picks_of(viewer: Viewer, image_ids: Collection[int]) -> list[Pick]:
    """Return the drops with these images, by plate, row, column, drop.

    Raises
    ------
    HTTPException
        404 if there is no such image.
    """
    reader = viewer.reader
    keys = [reader.image(image_id).key for image_id in image_ids]
    boards = sorted({Board(key.plate, key.inspection, key.channel) for key in keys})
    drops = {drop.image.id: drop for board in boards for drop in reader.drops(board)}
    found = [_pick(viewer, drops[image_id]) for image_id in image_ids if image_id in drops]
    return sorted(found, key=lambda pick: pick.drop.image.key)


def _pick(viewer: Viewer, drop: DropScores) -> Pick:
    scale = viewer.micrometres_per_pixel.get(viewer.imagers.of(drop.image))
    return Pick(drop=drop, about=viewer.reader.about(drop.image.key.plate), um_per_px=scale)


def drops_in(picks: Sequence[Pick]) -> list[Pick]:
    """Return each drop once, by its newest image of these; of one inspection, the visible image."""
    newest: dict[WellKey, Pick] = {}
    for pick in sorted(picks, key=_age):
        key = pick.drop.image.key
        newest[replace(key, inspection=1, channel=CHANNELS[0])] = pick
    kept = {pick.drop.image.id for pick in newest.values()}
    return [pick for pick in picks if pick.drop.image.id in kept]


def _age(pick: Pick) -> tuple[int, bool]:
    key = pick.drop.image.key
    return key.inspection, key.channel == CHANNELS[0]


def plates_in(picks: Sequence[Pick]) -> list[str]:
    """Return the plates on which the drops are, each once."""
    return list(dict.fromkeys(pick.drop.image.key.plate for pick in picks))
