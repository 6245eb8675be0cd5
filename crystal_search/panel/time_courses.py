"""Which images a panel is shown: one of each time course, as many of each class (King et al. 2024, section 3.1.5)."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path

import numpy as np

from crystal_search.archives.csv_rows import read_rows
from crystal_search.errors import UserError
from crystal_search.outcomes import BY_NAME
from crystal_search.panel.panel_set import CLASSES
from crystal_search.server.imaging.imaging_database import ImagingDatabase

NEEDED = ("path", "plate", "well", "drop", "inspection", "outcome")
LEAST_INSPECTIONS = 2  #: a drop that was photographed once is no time course


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An image that a machine has scored."""

    plate: str
    well: str
    drop: int
    inspection: int
    path: str
    outcome: str  #: by the machine; may be none of the 13
    image_id: int = 0  #: 0 where it is from a list

    @property
    def drawn_as(self) -> str | None:
        """The class that it is drawn as; None for what has none, such as ``no_drop``."""
        found = BY_NAME.get(self.outcome)
        return str(found.group) if found else None


def in_database(imaging: ImagingDatabase) -> Iterator[Seen]:
    """Yield every visible-light image of an installation that has an automatic score, plate by plate."""
    for summary in imaging.plates():
        for inspection in summary.inspections:
            for drop in imaging.drops(summary.plate, inspection=inspection):
                if drop.current is not None:
                    key = drop.image.key
                    yield Seen(
                        plate=key.plate,
                        well=key.well,
                        drop=key.drop,
                        inspection=key.inspection,
                        path=drop.image.path,
                        outcome=drop.current.outcome,
                        image_id=drop.image.id,
                    )


def in_lists(paths: Iterable[Path]) -> Iterator[Seen]:
    """Yield the images of lists of scores, such as ``finalize`` writes, by plate.

    Raises
    ------
    UserError
        If a list cannot be read, lacks a column, or has a number that is none.
    """
    rows = [seen for path in paths for seen in _in_list(path)]
    yield from sorted(rows, key=attrgetter("plate"))


def _in_list(path: Path) -> Iterator[Seen]:
    for row in read_rows(path, {name: (name,) for name in NEEDED}, NEEDED):
        try:
            drop, inspection = int(row["drop"]), int(row["inspection"])
        except ValueError as error:
            raise UserError(f"{path} line {row.line}: drop and inspection must be whole numbers ({error})") from error
        yield Seen(
            plate=row["plate"],
            well=row["well"],
            drop=drop,
            inspection=inspection,
            path=str((path.parent / row["path"]).absolute()),
            outcome=row["outcome"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """The images that were drawn, and of how many."""

    images: tuple[Seen, ...]
    courses: int  #: time courses from which one image each could be taken
    available: Mapping[str, int]  #: by class, how many of these images there were to choose from


def drawn_set(seen: Iterable[Seen], *, count: int, inspections: range, seed: int) -> Drawn:
    """Draw images for a panel.

    Parameters
    ----------
    seen
        Scored images, those of a plate together.
    count
        How many images; the same number of each class. A class that has fewer gives all that it has.
    inspections
        Those from which the one image of a drop is taken at random; the paper's are 2 to 7.
    seed
        Of the random numbers. The same images and seed give the same set.

    Raises
    ------
    UserError
        If there is nothing to draw from.
    """
    rng = np.random.default_rng(seed)
    by_class: defaultdict[str, list[Seen]] = defaultdict(list)
    for each in one_of_each(seen, inspections, rng):
        by_class[each.drawn_as or ""].append(each)
    available = {name: len(by_class[name]) for name in CLASSES}
    if not sum(available.values()):
        raise UserError(
            f"no drop has {LEAST_INSPECTIONS} inspections or more and a scored image among inspections "
            f"{inspections.start} to {inspections.stop - 1}; score more plates, or give another --inspection-range"
        )
    chosen = [each for name in CLASSES for each in _sample(by_class[name], -(-count // len(CLASSES)), rng)]
    order = rng.permutation(len(chosen))[:count]
    return Drawn(images=tuple(chosen[at] for at in order), courses=sum(available.values()), available=available)


def one_of_each(seen: Iterable[Seen], inspections: range, rng: np.random.Generator) -> Iterator[Seen]:
    """Yield of each drop with two inspections or more one image at random, of those whose class is known.

    Images of one drop resemble each other; a set with several of them would count some drops more than others.
    """
    for _, of_plate in groupby(seen, attrgetter("plate")):
        courses: defaultdict[tuple[str, int], list[Seen]] = defaultdict(list)
        for each in of_plate:
            courses[each.well, each.drop].append(each)
        for _, course in sorted(courses.items()):
            mine = sorted(course, key=attrgetter("inspection"))
            fit = [each for each in mine if each.inspection in inspections and each.drawn_as]
            if len({each.inspection for each in mine}) >= LEAST_INSPECTIONS and fit:
                yield fit[int(rng.integers(len(fit)))]


def _sample(images: Sequence[Seen], most: int, rng: np.random.Generator) -> list[Seen]:
    return [images[at] for at in sorted(rng.permutation(len(images))[:most])]
