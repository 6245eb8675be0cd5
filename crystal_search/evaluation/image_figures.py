"""Figures of whole images, with intervals from drawing wells again; a figure of nothing is left out."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from crystal_search.bootstrap import Draws, Interval, drawn
from crystal_search.evaluation.image_verdicts import DropVerdict, ImageVerdict
from crystal_search.evaluation.judge import Figure
from crystal_search.evaluation.known_images import UNKNOWN, KnownImage
from crystal_search.metrics import Floats, auroc
from crystal_search.outcomes import Group

GOOD, USABLE = 0.9, 0.5  #: intersection over union
Chosen = NDArray[np.bool_]
Statistic = Callable[[Draws, Floats, Chosen], Interval]


class Counting:
    """Figures of some of the images of verdicts; those that cannot be read are in none."""

    def __init__(self, verdicts: Sequence[ImageVerdict] | Sequence[DropVerdict]) -> None:
        self._known = [each.known for each in verdicts]
        self._readable = np.array([each.readable for each in verdicts], np.bool_)
        self.draws = drawn([each.drawn_with for each in self._known])

    def those(self, chosen: Callable[[KnownImage], bool]) -> Chosen:
        """Return which images are `chosen` and can be read."""
        return np.array([chosen(each) for each in self._known], np.bool_) & self._readable

    def figure(self, measure: str, values: ArrayLike, among: Chosen, how: Statistic = Draws.mean) -> list[Figure]:
        """Return the mean of `values`, or what `how` makes of them, of the images `among`; nothing, if it is none."""
        if not among.any() or np.isnan((interval := how(self.draws, np.asarray(values, np.float64), among)).value):
            return []
        return [Figure(measure, interval, int(among.sum()))]


def drop_figures(verdicts: Sequence[ImageVerdict] | Sequence[DropVerdict]) -> list[Figure]:
    """Return the figures of a drop locator."""
    count = Counting(verdicts)
    full = count.those(lambda known: not known.empty and known.label != UNKNOWN)
    empty, unknown = count.those(lambda known: known.empty), count.those(lambda known: known.label == UNKNOWN)
    masked = full & np.array([each.overlap is not None for each in verdicts], np.bool_)
    overlaps = np.array([each.overlap or 0.0 for each in verdicts])
    found = np.array([each.drop_found for each in verdicts], np.bool_)
    return [
        *count.figure("mean intersection over union of drops", overlaps, masked),
        *count.figure("median intersection over union of drops", overlaps, masked, _median),
        *count.figure(f"drops with at least {GOOD}", overlaps >= GOOD, masked),
        *count.figure(f"drops with at least {USABLE}", overlaps >= USABLE, masked),
        *count.figure("drops found", found, full),
        *count.figure("empty wells reported empty", ~found, empty),
        *count.figure("empty wells with a false drop", found, empty),
        *count.figure("images with a drop found", found, unknown),
    ]


def classifier_figures(verdicts: Sequence[ImageVerdict]) -> list[Figure]:
    """Return the figures of a classifier, with the drops that its locator found."""
    count = Counting(verdicts)
    grouped, exact = count.those(lambda known: known.group is not None), count.those(lambda known: bool(known.outcome))
    crystal, unknown = count.those(lambda known: known.crystal), count.those(lambda known: known.label == UNKNOWN)
    others = count.those(lambda known: not known.crystal and not known.empty and known.label != UNKNOWN)
    called = np.array([each.called is Group.CRYSTAL for each in verdicts], np.bool_)
    right = [each.called is each.known.group for each in verdicts]
    same = [each.score.outcome == each.known.outcome for each in verdicts]
    peaks = [each.crystal_peak for each in verdicts]

    def separation(draws: Draws, scores: Floats, among: Chosen) -> Interval:
        """Return the area under the ROC curve of the crystal score."""
        if not crystal.any() or (crystal | ~among).all():
            return Interval(*[float("nan")] * 3)
        return draws.figure(lambda times: auroc(scores, crystal, times * among))

    return [
        *count.figure("4-group accuracy of wells with a drop", right, grouped),
        *count.figure("12-outcome accuracy of wells with a drop", same, exact),
        *count.figure("crystal wells called crystal", called, crystal),
        *count.figure("other wells called crystal", called, others),
        *count.figure("AUROC of crystal against no crystal", peaks, count.those(_labelled), separation),
        *count.figure("images called crystal", called, unknown),
    ]


def reading_figures(verdicts: Sequence[ImageVerdict]) -> list[Figure]:
    """Return how many images cannot be read, and how long one takes here; nothing that belongs into a card."""
    count = Counting(verdicts)
    unreadable = np.array([not each.readable for each in verdicts], np.float64)
    return [
        Figure("images that cannot be read", count.draws.mean(unreadable), len(verdicts)),
        *count.figure("seconds an image", [each.seconds for each in verdicts], count.those(lambda _: True)),
    ]


def _labelled(known: KnownImage) -> bool:
    return known.label != UNKNOWN


def _median(draws: Draws, values: Floats, among: Chosen) -> Interval:
    def median(times: Floats) -> float:
        chosen = np.repeat(values[among], times[among].astype(np.int64))
        return float(np.median(chosen)) if len(chosen) else float("nan")

    return draws.figure(median)
