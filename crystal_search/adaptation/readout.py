"""A readout: what one imager's images are, by the numbers of the shipped classifier and by what it answered.

Applying it is a dot product. The logit of each group against the rest is that of the shipped score, weighted, and what
the inputs add to it, fitted by `logistic`.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crystal_search.adaptation.bent import Bent
from crystal_search.adaptation.labelled import CRYSTAL, NOT_CRYSTAL, Labelled, Seen
from crystal_search.adaptation.logistic import Minimum, Span, logit, minimum, sigmoid, spanned, with_bias
from crystal_search.metrics import Floats
from crystal_search.outcomes import GROUPS, OUTCOMES

ANSWERS = len(GROUPS) + len(OUTCOMES)  #: inputs that are what the shipped classifier answered
LEAST_SHARE = 0.001  #: no shipped probability counts as nearer to 0 or 1
LEAST_LABELS = 2  #: of a group, and of the rest, before inputs may say something of it
LEAST_SPREAD = 1e-3  #: of an input, in its own unit; what hardly varies says nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What is not fitted but chosen."""

    penalty: float  #: on what the inputs of an image add, together
    trust: float  #: weight of the shipped score's logit, from which only labels move it
    numbers: float  #: how much of the inputs' square length the classifier's numbers have, in [0, 1]; answers the rest
    prior: float = 0.0  #: weight of what readouts of other imagers have in common, from which only labels move it


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Scale:
    """How inputs are standardised: over the images of the imager, labelled or not, they have mean 0 and spread 1."""

    mean: Floats  #: (D + ANSWERS,)
    spread: Floats  #: (D + ANSWERS,)
    prior: Floats | None = None
    """(D + ANSWERS,), what standardised inputs add to the log-odds of crystals at any imager; None: that is unknown."""

    def divisors(self, numbers: float) -> Floats:
        """Return by what inputs are divided, so that those of an image have the mean square length 1 together."""
        count = len(self.spread) - ANSWERS
        shares = np.repeat([numbers / count, (1 - numbers) / ANSWERS], [count, ANSWERS])
        return np.asarray(self.spread / np.sqrt(np.maximum(shares, 1e-12)))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Readout:
    """Weights that make log-odds of inputs; groups in GROUPS order."""

    bias: Floats  #: (groups,)
    weights: Floats  #: (groups, D + ANSWERS)
    bent: Bent | None = None  #: what the logit of crystals becomes then; None: it stays

    def logits(self, seen: Seen) -> Floats:
        """Return the log-odds of each group against the rest, (N, groups)."""
        logits = np.asarray(self.bias + inputs(seen) @ self.weights.T)
        if self.bent:
            logits[:, CRYSTAL] = self.bent.of(logits[:, CRYSTAL])
        return logits

    def probabilities(self, seen: Seen) -> Floats:
        """Return probabilities of the groups, (N, groups), rows adding up to 1."""
        return shares_of(self.logits(seen))


def shares_of(logits: Floats) -> Floats:
    """Return probabilities for log-odds of each group against the rest, (N, groups) both, rows adding up to 1.

    That of crystals is its own; the others share the rest as their own are to each other.

    >>> shares_of(np.zeros((1, 4))).round(3).tolist()
    [[0.5, 0.167, 0.167, 0.167]]
    """
    shares = sigmoid(logits)  # (N, groups)
    others = np.maximum(np.delete(shares, CRYSTAL, axis=1), 1e-12)  # (N, groups - 1)
    rest = (1 - shares[:, [CRYSTAL]]) * others / others.sum(axis=1, keepdims=True)
    return np.insert(rest, CRYSTAL, shares[:, CRYSTAL], axis=1)


def inputs(seen: Seen) -> Floats:
    """Return what a readout is fitted to, (N, D + ANSWERS).

    These are the classifier's numbers, the log-odds of its groups' peaks, and the logarithms of its mean probabilities.
    """
    peaks, means = logit(seen.peaks, least=LEAST_SHARE), np.log(seen.means + LEAST_SHARE)
    return np.column_stack([np.asarray(seen.features, np.float64), peaks, means])


def scale_of(seen: Seen, prior: Floats | None = None) -> Scale:
    """Return the scale of the inputs of an imager's images, with the `prior` that there is for them."""
    there = inputs(seen)
    return Scale(mean=there.mean(axis=0), spread=np.maximum(there.std(axis=0), LEAST_SPREAD), prior=prior)


def begun(scale: Scale, choice: Choice) -> Floats:
    """Return the weights of inputs from which labels move a readout, (groups, D + ANSWERS)."""
    weights = choice.trust * shipped_readout(len(scale.mean) - ANSWERS).weights
    if scale.prior is not None:
        weights[CRYSTAL] += choice.prior * scale.prior / scale.spread
    return weights


def shipped_readout(numbers: int) -> Readout:
    """Return the readout that says what the shipped models say, for a classifier with so many numbers of an image."""
    groups = len(GROUPS)
    weights = np.zeros((groups, numbers + ANSWERS))
    weights[:, numbers : numbers + groups] = np.eye(groups)
    return Readout(bias=np.zeros(groups), weights=weights)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Design:
    """Labelled images as fits to all or some of them take them, for one share of the classifier's numbers."""

    labelled: Labelled
    shipped: Floats  #: (N, groups), logits of the shipped score
    divisors: Floats  #: (D + ANSWERS,), of the inputs
    span: Span  #: of the standardised inputs
    columns: Floats  #: (N, 1 + K), their coordinates behind ones
    prior: Floats  #: (N, groups), what the scale's prior adds to the logits; 0 where there is none

    def least(self, group: int, rows: NDArray[np.bool_], choice: Choice, near: Minimum | None = None) -> Minimum:
        """Return what the inputs add to the shipped score of a group, fitted to the chosen rows (N,)."""
        truth = self.labelled.groups[rows] == group
        return minimum(self.columns[rows], truth, self.known(group, rows, choice), penalty=choice.penalty, near=near)

    def logits(self, group: int, rows: NDArray[np.bool_], choice: Choice, least: Minimum) -> Floats:
        """Return the logits of a group in the chosen rows."""
        return np.asarray(self.known(group, rows, choice) + self.columns[rows] @ least.found)

    def known(self, group: int, rows: NDArray[np.bool_], choice: Choice) -> Floats:
        """Return the logits of a group from which labels move those of the chosen rows."""
        return np.asarray(choice.trust * self.shipped[rows, group] + choice.prior * self.prior[rows, group])


def design_of(labelled: Labelled, scale: Scale, numbers: float) -> Design:
    """Return labelled images ready for fits whose inputs have this share of the classifier's numbers."""
    divisors = scale.divisors(numbers)
    span = spanned((inputs(labelled.seen) - scale.mean) / divisors)
    prior = np.zeros(labelled.seen.peaks.shape)
    if scale.prior is not None:
        prior[:, CRYSTAL] = (inputs(labelled.seen) - scale.mean) @ (scale.prior / scale.spread)
    return Design(
        labelled=labelled,
        shipped=shipped_readout(len(scale.mean) - ANSWERS).logits(labelled.seen),
        divisors=divisors,
        span=span,
        columns=with_bias(span.coordinates),
        prior=prior,
    )


def fitted_readout(
    labelled: Labelled, scale: Scale, choice: Choice, *, groups: Collection[int] = range(len(GROUPS))
) -> Readout:
    """Return the readout of labels, fitted for those of `groups` for which there are labels.

    A group with fewer than `LEAST_LABELS` labels, or as few of the rest, keeps its shipped score, and so does one that
    is not among `groups`.
    """
    shipped = shipped_readout(len(scale.mean) - ANSWERS)
    bias, weights = shipped.bias.copy(), shipped.weights.copy()
    design, start = design_of(labelled, scale, choice.numbers), begun(scale, choice)
    for group in sorted(set(groups_with_labels(labelled)) & set(groups)):
        found = design.least(group, told_of(labelled, group), choice).found
        added = found[1:] @ design.span.directions / design.divisors
        weights[group] = start[group] + added
        bias[group] = found[0] - (weights[group] - choice.trust * shipped.weights[group]) @ scale.mean
    return Readout(bias=bias, weights=weights)


def groups_with_labels(labelled: Labelled) -> list[int]:
    """Return the positions of the groups that can be fitted."""
    found = []
    for group in range(len(GROUPS)):
        here = labelled.groups[told_of(labelled, group)] == group
        if min(here.sum(), (~here).sum()) >= LEAST_LABELS:
            found.append(group)
    return found


def told_of(labelled: Labelled, group: int) -> NDArray[np.bool_]:
    """Return of which images it is known whether they show the group, (N,)."""
    return np.asarray((labelled.groups != NOT_CRYSTAL) | (group == CRYSTAL))
