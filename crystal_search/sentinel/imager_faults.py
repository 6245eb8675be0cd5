"""Faults of an imager over time: defocus, a lamp that drifts, dirt that stays in place, empty wells, other classes."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from crystal_search.outcomes import GROUPS
from crystal_search.sentinel.evidence import Evidence
from crystal_search.sentinel.usual import CLASSES, DIRT, KINDS, Look, Usual

IMAGES_TO_FALSE_ALARM = 10_000  #: that pass on average, at least, of all kinds of faults together


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """That something is the matter with an imager."""

    kind: str  #: of fault
    image: int  #: by which it was noticed; the first is 1
    since: int  #: image after which it seems to have begun
    what: str = ""  #: which class, or where
    places: tuple[tuple[int, int], ...] = ()  #: of dirt: (row, column) of the shade map


@dataclass(slots=True, eq=False)
class ImagerWatch:
    """Looks at the images of one imager, one after the other, in the order in which they were taken.

    Each kind of fault has the same share of the false alarms that there may be, and within a kind each thing.
    The bound holds as long as no limit is passed more often than `Usual.bounds` says, whatever came before; what
    plates do to it is measured, not proven.
    """

    usual: Usual
    evidence: Evidence = field(init=False)
    needed: NDArray[np.float64] = field(init=False)  #: logarithm of the evidence that makes an alarm, (things,)

    def __post_init__(self) -> None:
        """Begin with nothing."""
        self.evidence = Evidence(self.usual.bounds)
        kinds = (*KINDS, *[DIRT] * self.usual.shade_low.size)
        things = Counter(kinds)
        counts = np.array([things[kind] for kind in kinds], np.float64)
        self.needed = np.log(IMAGES_TO_FALSE_ALARM * len(things) * counts)

    def look(self, look: Look) -> tuple[Alarm, ...]:
        """Take note of one image, and return what it makes known; of what it does the evidence begins anew."""
        beyond = self.evidence.add(self.usual.happened(look)) >= self.needed
        alarms = [self._alarm(int(thing)) for thing in np.flatnonzero(beyond[: len(KINDS)])]
        if beyond[len(KINDS) :].any():
            alarms.append(self._dirt(beyond))
        self.evidence.forget(beyond)
        return tuple(alarms)

    def _alarm(self, thing: int) -> Alarm:
        kind = KINDS[thing]
        what = str(GROUPS[thing - KINDS.index(CLASSES)]) if kind == CLASSES else ""
        return Alarm(kind=kind, image=self.evidence.images, since=self.evidence.since(thing), what=what)

    def _dirt(self, beyond: NDArray[np.bool_]) -> Alarm:
        columns = self.usual.shade_low.shape[1]
        things = [int(each) for each in np.flatnonzero(beyond) if each >= len(KINDS)]
        places = tuple(divmod(each - len(KINDS), columns) for each in things)
        row, column = places[0]
        return Alarm(
            kind=DIRT,
            image=self.evidence.images,
            since=min(map(self.evidence.since, things)),
            what=f"{round(100 * (column + 0.5) / columns)} % from the left, "
            f"{round(100 * (row + 0.5) / self.usual.shade_low.shape[0])} % from the top",
            places=places,
        )
