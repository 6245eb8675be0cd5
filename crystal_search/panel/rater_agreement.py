"""How far several people agree who put the same images into classes.

Answers are an array (raters, images) of positions of classes, `NO_ANSWER` where somebody gave none. Intervals come from
drawing images again; each is of another drop.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crystal_search.bootstrap import Draws, Interval, drawn, interval
from crystal_search.metrics import Floats, ratio

NO_ANSWER = -1

Answers = NDArray[np.int64]  #: (raters, images), or (images,) of one of them


def draws_of(images: int) -> Draws:
    """Return draws of images, with replacement."""
    return drawn([f"{each:09d}" for each in range(images)])


def same(first: Answers, second: Answers, draws: Draws) -> tuple[Interval, int]:
    """Return the share of images that two raters call the same, (images,) each, and how many both answered."""
    both = (first != NO_ANSWER) & (second != NO_ANSWER)
    return draws.mean(first == second, both), int(both.sum())


def cohen_kappa(first: Answers, second: Answers, classes: int, draws: Draws) -> Interval:
    """Return how far two raters agree beyond chance, at most 1; 0 is what chance gives (Cohen 1960).

    NaN where chance alone makes them agree on everything.
    """
    both = (first != NO_ANSWER) & (second != NO_ANSWER)
    agreed = draws_and_all(draws, (first == second) & both)
    whole = draws_and_all(draws, both)
    shares = [
        ratio(draws_and_all(draws, both & (first == each)), whole)
        * ratio(draws_and_all(draws, both & (second == each)), whole)
        for each in range(classes)
    ]
    return _beyond(ratio(agreed, whole), np.sum(shares, axis=0))


@dataclass(frozen=True, slots=True, eq=False)
class FleissKappa:
    """Agreement of several raters beyond chance; at most 1, 0 is what chance gives."""

    overall: Interval
    by_class: tuple[Interval, ...]  #: how far each class is told from all others; NaN for one that nobody named
    images: int  #: that every rater answered


def fleiss_kappa(answers: Answers, classes: int, draws: Draws) -> FleissKappa:
    """Return Fleiss' kappa of the images that every rater answered.

    With n raters of whom n_ij put image i into class j, and p_j the share of class j among all answers: the raters
    agree about image i to P_i = (sum_j n_ij^2 - n) / (n (n - 1)); kappa is (mean P_i - sum_j p_j^2) / (1 - sum_j
    p_j^2), and that of class j is 1 - sum_i n_ij (n - n_ij) / (N n (n - 1) p_j (1 - p_j)) (Fleiss 1971, Psychological
    Bulletin 76, 378-382).

    Parameters
    ----------
    answers
        (raters, images), of at least two raters.
    classes
        How many there are.
    draws
        Of the images.
    """
    raters = len(answers)
    whole = (answers != NO_ANSWER).all(axis=0)  # (images,)
    counts = np.stack([(answers == each).sum(axis=0) * whole for each in range(classes)])  # (classes, images)
    pairs = raters * (raters - 1)
    images = draws_and_all(draws, whole)  # (1 + draws,), as all below
    alike = ratio(draws_and_all(draws, (counts * (counts - 1)).sum(axis=0) / pairs), images)
    shares = [ratio(draws_and_all(draws, each), images * raters) for each in counts]
    mixed = [ratio(draws_and_all(draws, each * (raters - each) / pairs), images) for each in counts]
    return FleissKappa(
        overall=_beyond(alike, np.sum(np.square(shares), axis=0)),
        by_class=tuple(
            _with_bounds(1 - ratio(each, share * (1 - share))) for each, share in zip(mixed, shares, strict=True)
        ),
        images=int(whole.sum()),
    )


def draws_and_all(draws: Draws, values: NDArray[np.generic]) -> Floats:
    """Return the sum of values (images,) over all images, then over those of each draw, (1 + draws,)."""
    numbers = np.asarray(values, np.float64)
    return np.concatenate([[numbers.sum()], draws.sums(numbers)])


def _beyond(agreed: Floats, by_chance: Floats) -> Interval:
    return _with_bounds(ratio(agreed - by_chance, 1 - by_chance))


def _with_bounds(values: Floats) -> Interval:
    return interval(float(values[0]), values[1:])
