"""Making a classifier's probabilities mean what the threshold of the ranked score asks of them.

One temperature for all logits (Guo et al., 2017, arXiv:1706.04599): that under which the labels of chops never trained
on are most probable. Where whole wells are known, too, each group's logits get a constant, so that as many wells as
possible fall into their group under the rule that scores wells.
"""

from collections.abc import Sequence
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from crystal_search.datasets.cell_labels import IGNORED
from crystal_search.exporting.rendered_chops import ScoredWell
from crystal_search.group_rule import doubt_of, winning_group
from crystal_search.metrics import reliability
from crystal_search.outcomes import GROUPS, OUTCOMES, THRESHOLD, Group
from crystal_search.scoring.classify import probabilities
from crystal_search.scoring.ranking import group_columns

LOWEST, HIGHEST = 0.05, 20.0  #: temperatures that can be found
HALVINGS = 60
SHIFTS = tuple(np.arange(-3.0, 3.01, 0.25).tolist())  #: added to a group's logits, after the temperature
NEIGHBOURS = (1 / 9, 2 / 9, 3 / 9, 2 / 9, 1 / 9)  #: how much neighbouring shifts count
PRICE = 0.003  #: accuracy that a shift of 1 must be worth
RAISED = (1.0, 1.15, 1.3)  #: temperatures tried, of the fitted one
MOST_FALSE_CRYSTALS = 0.03  #: of wells without crystals, called crystal
LOWERED = tuple(np.arange(0, 3.01, 0.05).tolist())  #: by which crystals' logits are lowered for it, the first that does
ROUNDS = 2  #: of the search through the groups' shifts


Logits = NDArray[np.float64]  #: (chops, classes)
Labels = NDArray[np.int64]  #: (chops,), positions in the classes


def likeliest_temperature(logits: Logits, labels: Labels) -> float:
    """Return the temperature of greatest likelihood, within `LOWEST` and `HIGHEST`.

    The mean negative logarithm of the likelihood is convex in the inverse temperature: its slope has one zero,
    which is found by halving.
    """
    low, high = 1 / HIGHEST, 1 / LOWEST
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if _slope(logits, labels, middle) > 0:
            high = middle
        else:
            low = middle
    return 2 / (low + high)


def _slope(logits: Logits, labels: Labels, inverse: float) -> float:
    """Return the derivative of the mean negative log-likelihood by the inverse temperature."""
    expected = (probabilities(logits, 1 / inverse) * logits).sum(axis=1)
    return float((expected - logits[np.arange(len(labels)), labels]).mean())


def calibration_error(found: NDArray[np.float64], labels: Labels) -> float:
    """Return by how much confidence and accuracy differ in the mean, in [0, 1], for probabilities (chops, classes).

    >>> calibration_error(np.array([[0.9, 0.1], [0.9, 0.1]]), np.array([0, 1])).__round__(6)
    0.4
    """
    return reliability(found.max(axis=1), found.argmax(axis=1) == labels).ece


def fitted_temperature(wells: Sequence[ScoredWell]) -> float:
    """Return the temperature at which the labels of the chops of wells are most probable."""
    logits, labels = (np.concatenate([getattr(well, name) for well in wells]) for name in ("logits", "labels"))
    return likeliest_temperature(logits[labels != IGNORED], labels[labels != IGNORED])


def group_of(well: ScoredWell, temperature: float, shifts: NDArray[np.float64]) -> Group:
    """Return the group that the ranked score gives a well.

    Parameters
    ----------
    well
        Its chops.
    temperature
        By which logits are divided.
    shifts
        Added to the divided logits, one for each class.
    """
    return ranked(probabilities(well.logits / temperature + shifts, 1.0))[0]


def ranked(shares: NDArray[np.float64]) -> tuple[Group, float]:
    """Return the group that the ranked score gives a well, and the doubt in it, from its chops' (chops, classes)."""
    peaks = group_columns(shares).max(axis=0).tolist()
    group, above_threshold = winning_group(peaks, shares.mean(axis=0).tolist(), THRESHOLD)
    return group, doubt_of(group, peaks, above_threshold=above_threshold)


def well_accuracy(wells: Sequence[ScoredWell], temperature: float, shifts: NDArray[np.float64]) -> float:
    """Return the share of wells that the ranked score puts into their own group."""
    return float(np.mean([group_of(well, temperature, shifts) is well.group for well in wells]))


def calibrated(wells: Sequence[ScoredWell]) -> tuple[float, NDArray[np.float64]]:
    """Return the temperature, and for each class what to add to its divided logit.

    A well's score is the surest of many chops, which is surer than a chop on its own should be: somewhat higher
    temperatures than the chops' own are tried as well.
    """
    fitted = fitted_temperature(wells)
    tried = [(fitted * raised, fitted_shifts(wells, fitted * raised)) for raised in RAISED]
    temperature, shifts = max(tried, key=lambda pair: well_accuracy(wells, *pair))
    return temperature, with_few_false_crystals(wells, temperature, shifts)


def with_few_false_crystals(
    wells: Sequence[ScoredWell], temperature: float, shifts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the shifts with crystals made as much less probable as keeps false alarms below `MOST_FALSE_CRYSTALS`."""
    others = [well for well in wells if well.group is not Group.CRYSTAL]
    crystals = np.array([outcome.group is Group.CRYSTAL for outcome in OUTCOMES])
    for lowered in LOWERED:
        careful: NDArray[np.float64] = shifts - lowered * crystals
        false = sum(group_of(well, temperature, careful) is Group.CRYSTAL for well in others)
        if false <= MOST_FALSE_CRYSTALS * len(others):
            return careful
    return shifts


def fitted_shifts(wells: Sequence[ScoredWell], temperature: float) -> NDArray[np.float64]:
    """Return for each class what to add to its logit: one constant a group, none for clear.

    A constant is as good as its neighbours are on average, so that no single well decides; and it has a price,
    so that none is taken without need.
    """
    by_group = dict.fromkeys(GROUPS, 0.0)
    for _, group in product(range(ROUNDS), GROUPS[:-1]):
        scores = [well_accuracy(wells, temperature, _by_class(by_group | {group: shift})) for shift in SHIFTS]
        half = len(NEIGHBOURS) // 2
        smooth = np.convolve(np.pad(scores, half, mode="edge"), NEIGHBOURS, mode="valid")
        by_group[group] = SHIFTS[int(np.argmax(smooth - PRICE * np.abs(SHIFTS)))]
    return _by_class(by_group)


def _by_class(by_group: dict[Group, float]) -> NDArray[np.float64]:
    return np.array([by_group[outcome.group] for outcome in OUTCOMES])


def shift_logits(network: nn.Module, shifts: NDArray[np.float64], temperature: float) -> None:
    """Add `shifts`, meant for logits divided by `temperature`, to the constants of the network's last layer."""
    bias = network.get_parameter("head.bias")
    with torch.no_grad():
        bias.add_(torch.from_numpy(shifts * temperature).to(bias))
