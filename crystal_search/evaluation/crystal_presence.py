"""Whether images show crystals at all, said by what a detector finds in them: one crystal that counts is enough."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crystal_search.bootstrap import Interval, drawn, interval
from crystal_search.evaluation.crystal_verdicts import CrystalVerdict
from crystal_search.evaluation.judge import Figure
from crystal_search.metrics import Floats, ratio

CLASSES = ("crystals", "no crystals")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PresenceRates:
    """How right a detector is about images of one class."""

    name: str  #: of `CLASSES`
    images: int  #: of the class
    precision: Interval  #: of those called so, how many are
    recall: Interval  #: of those that are, how many are called so
    f1: Interval


@dataclass(frozen=True, slots=True, eq=False)
class Presence:
    """How right a detector is about crystals or none in images of which that is known."""

    classes: tuple[PresenceRates, ...]  #: in the order of `CLASSES`
    accuracy: Interval
    images: int

    @property
    def tells(self) -> bool:
        """Whether there are images of both classes, so that there is something to tell apart."""
        return all(each.images for each in self.classes)


def presence(verdicts: Sequence[CrystalVerdict]) -> Presence:
    """Return how right verdicts are, with intervals from drawing wells again (King et al. 2024, Tables 7 and 9)."""
    known = [each for each in verdicts if each.has_crystals is not None]
    truth = np.array([bool(each.has_crystals) for each in known], np.bool_)
    called = np.array([bool(each.counted) for each in known], np.bool_)
    draws = drawn([each.known.drawn_with for each in known])

    def counted(which: Floats) -> Floats:
        """Return how many images are of a kind, then how many in every draw."""
        return np.concatenate(([which.sum()], draws.sums(which)))

    both, missed, false, neither = (
        counted(each.astype(np.float64))
        for each in (truth & called, truth & ~called, ~truth & called, ~truth & ~called)
    )
    return Presence(
        classes=(_rates(CLASSES[0], both, false, missed), _rates(CLASSES[1], neither, missed, false)),
        accuracy=_interval(ratio(both + neither, both + missed + false + neither)),
        images=len(known),
    )


def _rates(name: str, right: Floats, wrongly: Floats, missed: Floats) -> PresenceRates:
    return PresenceRates(
        name=name,
        images=int(right[0] + missed[0]),
        precision=_interval(ratio(right, right + wrongly)),
        recall=_interval(ratio(right, right + missed)),
        f1=_interval(ratio(2 * right, 2 * right + wrongly + missed)),
    )


def _interval(rates: Floats) -> Interval:
    return interval(float(rates[0]), rates[1:])


def presence_figures(verdicts: Sequence[CrystalVerdict]) -> list[Figure]:
    """Return how right a detector is about crystals or none; nothing where all images are of one class."""
    found = presence(verdicts)
    if not found.tells:
        return []
    crystals = found.classes[0]
    return [
        Figure("accuracy of crystals or none in an image", found.accuracy, found.images),
        Figure("precision of images called crystals", crystals.precision, found.images),
        Figure("recall of images with crystals", crystals.recall, found.images),
        Figure("F1 of images with crystals", crystals.f1, found.images),
    ]
