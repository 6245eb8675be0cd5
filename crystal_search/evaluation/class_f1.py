"""F1 of every group, with intervals: Table 5 of King et al. (2024)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crystal_search.bootstrap import Draws, Interval, interval
from crystal_search.metrics import ClassRates, Labels, class_rates
from crystal_search.outcomes import GROUPS

NO_ANSWER = -1  #: of an image that is left out


@dataclass(frozen=True, slots=True, eq=False)
class ClassF1:
    """How right one model is on one test set."""

    f1: tuple[Interval, ...]  #: by class; NaN for a class that the set lacks
    mean: Interval  #: over the classes that are there
    rates: ClassRates
    images: int  #: of the set that it scored


def class_f1(labels: Labels, answers: Labels, among: NDArray[np.bool_], draws: Draws) -> ClassF1:
    """Return the F1 of a model's answers.

    Parameters
    ----------
    labels, answers
        (images,): positions of groups; an answer that is none of them is right for nobody, and images with
        `NO_ANSWER` are left out.
    among
        (images,): which images count.
    draws
        Of the images.
    """
    used = among & (answers != NO_ANSWER)
    classes = len(GROUPS)
    cells = np.where(used, labels * (classes + 1) + answers, 0)
    counted = np.stack([used & (cells == each) for each in range(classes * (classes + 1))])  # (cells, images)
    rates = class_rates(_confusion(counted.sum(axis=1)))
    of_draws = np.stack([draws.sums(each) for each in counted], axis=1)  # (draws, cells)
    drawn_rates = [class_rates(_confusion(each)) for each in of_draws]
    by_class = np.array([each.f1 for each in drawn_rates]).reshape(-1, classes)
    return ClassF1(
        f1=tuple(interval(float(rates.f1[each]), by_class[:, each]) for each in range(classes)),
        mean=interval(rates.macro_f1, np.array([each.macro_f1 for each in drawn_rates])),
        rates=rates,
        images=int(used.sum()),
    )


def _confusion(cells: NDArray[np.generic]) -> NDArray[np.float64]:
    return np.asarray(cells, np.float64).reshape(len(GROUPS), len(GROUPS) + 1)
