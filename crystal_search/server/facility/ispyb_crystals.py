"""Giving ISPyB crystals: points and boxes in images as sub-samples of source ``auto``.

They are only added: what a person drew, queued or measured stays, and so do automatic ones of before, for data may
belong to them. A crystal that is there is not added again, so that giving it twice makes one of it.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from crystal_search.crystal import Crystal
from crystal_search.geometry import Box
from crystal_search.server.facility import ispyb_statements as statements
from crystal_search.server.facility.foreign_sql import is_of_row
from crystal_search.server.facility.ispyb_paths import ImageThere, PathsThere
from crystal_search.server.facility.ispyb_schema import IspybTables
from crystal_search.server.imaging.adding_rules import batches
from crystal_search.server.imaging.imaging_database import ScoredImage

BATCH = 500  #: images in one condition
SAME_PX = 2.0  #: points and corners so far apart, along either side, are of the same crystal
SAME_OVERLAP = 0.5  #: intersection over union from which on boxes are of the same crystal
MOST_CRYSTALS = 20  #: of an image that are given: each is a sub-sample, which people see in lists
SOURCE = "auto"

Corners = tuple[float, float, float | None, float | None]  #: x and y from the top left, and of a box's other corner


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundCrystal:
    """A crystal in an image: its middle, and its box where that is known."""

    row_px: float  #: of its middle, in stored pixels
    column_px: float
    box: Box | None = None

    @property
    def corners(self) -> Corners:
        """What ISPyB keeps: the middle, or a box's first and last corner; columns before rows."""
        if self.box is None:
            return self.column_px, self.row_px, None, None
        return self.box.left, self.box.top, self.box.right, self.box.bottom


def crystals_to_give(scores: Sequence[ScoredImage]) -> dict[str, list[FoundCrystal]]:
    """Return by path the most probable crystals of images in which some were found, but for what is too faint."""
    found: dict[str, list[FoundCrystal]] = {}
    for each in scores:
        score = each.score.found
        sure = [crystal for crystal in score.crystals or () if not crystal.is_faint]
        if sure:
            size = score.height_px, score.width_px
            found[each.image.path] = [_found(crystal, size) for crystal in sure[:MOST_CRYSTALS]]
    return found


def _found(crystal: Crystal, size_px: tuple[int, int]) -> FoundCrystal:
    row, column = crystal.middle
    return FoundCrystal(row_px=row, column_px=column, box=crystal.upright.clipped(*size_px))


@dataclass(frozen=True, slots=True)
class CrystalWriter:
    """Gives crystals; the procedure ends its transaction by itself, so what is given is given one by one."""

    tables: IspybTables
    connection: Connection
    paths: PathsThere
    by_procedure: bool

    def push(self, crystals: Mapping[str, Sequence[FoundCrystal]]) -> Iterator[tuple[str, str]]:
        """Give the crystals of images, by path; yield the path of each whose crystals are not taken, and a sentence."""
        known = self.paths.images(self.connection, self.tables, list(crystals))
        there = self._there([each for each in known.values() if isinstance(each, ImageThere)])
        for path, found in crystals.items():
            image = known[path]
            if isinstance(image, str):
                yield path, f"{path}: {image}"
                continue
            try:
                self._add(image, [each.corners for each in found], there[image.id])
            except DBAPIError as error:
                if not is_of_row(error):
                    raise
                yield path, f"{path}: {' '.join(str(error.orig).split())}"

    def _there(self, images: Sequence[ImageThere]) -> dict[int, list[Corners]]:
        found: dict[int, list[Corners]] = defaultdict(list)
        for batch in batches([each.id for each in images], BATCH):
            for row in self.connection.execute(statements.crystals_of(self.tables, batch)):
                found[row.image].append(_corners(row))
        return found

    def _add(self, image: ImageThere, wanted: Sequence[Corners], there: list[Corners]) -> None:
        """Add the crystals of an image that were not there before; those that cross each other are two."""
        before = tuple(there)
        for corners in wanted:
            if any(_same(corners, each) for each in before):
                continue
            with nullcontext() if self.by_procedure else self.connection.begin_nested():
                self._add_one(image, corners)
            there.append(corners)

    def _add_one(self, image: ImageThere, corners: Corners) -> None:
        x1, y1, x2, y2 = corners
        if self.by_procedure:
            values = {"path": image.path, "x1": x1, "y1": y1, "x2": x2, "y2": y2}
            self.connection.execute(statements.ADD_CRYSTAL, values)
            return
        second = None if x2 is None or y2 is None else self._position(x2, y2)
        row = {
            "blsampleid": image.sample,
            "blsampleimageid": image.id,
            "source": SOURCE,
            "positionid": self._position(x1, y1),
            "position2id": second,
        }
        self.connection.execute(self.tables["BLSubSample"].insert().values(row))

    def _position(self, x: float, y: float) -> int:
        inserted = self.connection.execute(self.tables["Position"].insert().values(posx=x, posy=y))
        return int(inserted.lastrowid)


def _corners(row: Any) -> Corners:
    second = (None, None) if row.x2 is None else (float(row.x2), float(row.y2))
    return float(row.x1), float(row.y1), *second


def _same(one: Corners, other: Corners) -> bool:
    """Tell whether two points, or two boxes, are of the same crystal, which another model may have found otherwise."""
    return _overlap(one, other) >= SAME_OVERLAP or all(
        (a is None and b is None) or (a is not None and b is not None and abs(a - b) <= SAME_PX)
        for a, b in zip(one, other, strict=True)
    )


def _overlap(one: Corners, other: Corners) -> float:
    """Return the intersection of two boxes over their union; 0 with a point."""
    left, top, right, bottom = one
    x1, y1, x2, y2 = other
    if right is None or bottom is None or x2 is None or y2 is None:
        return 0.0
    width, height = min(right, x2) - max(left, x1), min(bottom, y2) - max(top, y1)
    shared = max(0.0, width) * max(0.0, height)
    whole = (right - left) * (bottom - top) + (x2 - x1) * (y2 - y1) - shared
    return shared / whole if whole > 0 else 0.0
