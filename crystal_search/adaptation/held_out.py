"""What a readout says of images that it did not learn from: cross-validation within cross-validation.

The outer one holds plates out and scores them. The inner one, among the plates that are left, chooses what is not
fitted. So nothing about a plate decides how it is scored (Varma and Simon, 2006, BMC Bioinformatics 7:91).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crystal_search.adaptation.folds import Unit, folds
from crystal_search.adaptation.labelled import CRYSTAL, Labelled
from crystal_search.adaptation.logistic import balanced, sigmoid
from crystal_search.adaptation.readout import (
    ANSWERS,
    LEAST_LABELS,
    Choice,
    Design,
    Readout,
    Scale,
    design_of,
    fitted_readout,
    groups_with_labels,
    shipped_readout,
)
from crystal_search.metrics import Floats, Labels
from crystal_search.outcomes import GROUPS

OUTER, INNER = 10, 5  #: parts
FEW = 40  #: labels, of which a few that happen to lie well decide a comparison
SURE, SURE_OF_FEW = 2, 3  #: standard errors that speak clearly
#: The first is taken unless labels speak clearly for another.
CHOICES = (
    Choice(penalty=3, trust=0.5, numbers=0.2),
    Choice(penalty=1, trust=0.5, numbers=0.2),
    Choice(penalty=10, trust=0.5, numbers=0.2),
    Choice(penalty=1, trust=0.5, numbers=0.8),
    Choice(penalty=0.3, trust=0.25, numbers=0.8),
    Choice(penalty=1, trust=0, numbers=0.8),
    Choice(penalty=0.1, trust=0, numbers=0.8),
)
#: The first where readouts of other imagers are known to have something in common.
FROM_PRIOR = Choice(penalty=1, trust=0.6, numbers=0.5, prior=1)


def choices_for(scale: Scale) -> tuple[Choice, ...]:
    """Return what can be chosen for the labels of an imager, the usual choice first."""
    return CHOICES if scale.prior is None else (FROM_PRIOR, *CHOICES)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class HeldOut:
    """Every labelled image scored by a readout that never saw its plate, or its drop."""

    unit: Unit
    logits: Floats  #: (N, groups)
    choices: tuple[Choice, ...]  #: one of each part


def held_out(labelled: Labelled, scale: Scale, choices: Sequence[Choice] | None = None) -> HeldOut:
    """Return the logits of all labelled images, each part's by a readout of the others."""
    outer = folds(labelled, OUTER)
    logits, taken = np.zeros(labelled.seen.peaks.shape), []
    for part in range(outer.parts):
        here = outer.part == part
        rest = labelled.of(~here)
        taken.append(chosen(rest, scale, choices))
        logits[here] = learnt(rest, scale, taken[-1]).logits(labelled.seen.of(here))
    return HeldOut(unit=outer.unit, logits=logits, choices=tuple(taken))


def learnt(
    labelled: Labelled, scale: Scale, choice: Choice, *, groups: Collection[int] = range(len(GROUPS))
) -> Readout:
    """Return the readout of labels; one that adds nothing where they are too few to say anything of crystals."""
    if CRYSTAL not in groups_with_labels(labelled):
        return shipped_readout(len(scale.mean) - ANSWERS)
    return fitted_readout(labelled, scale, choice, groups=groups)


def chosen(labelled: Labelled, scale: Scale, choices: Sequence[Choice] | None = None) -> Choice:
    """Return the choice by which crystals are told best in parts held out, the first of `choices` when in doubt.

    Without `choices` it is one of `choices_for` the scale.

    Another one is taken where its loss is lower by more than two standard errors of the difference, three with few
    labels. That is stricter than the usual rule of one (Hastie, Tibshirani and Friedman, The Elements of Statistical
    Learning, 2nd edition, section 7.10), by which ten labels made the scores of foreign imagers worse.
    """
    choices = choices_for(scale) if choices is None else choices
    inner = folds(labelled, INNER)
    if inner.parts < 2 or len(choices) == 1:
        return choices[0]
    designs = {share: design_of(labelled, scale, share) for share in {choice.numbers for choice in choices}}
    losses = np.stack([_losses(designs[choice.numbers], choice, inner.part) for choice in choices])  # (choices, N)
    best = int(losses.sum(axis=1).argmin())
    differences = losses[0] - losses[best]
    error = differences.std() * len(differences) ** 0.5
    clearly = (SURE_OF_FEW if len(labelled) < FEW else SURE) * error
    return choices[best] if differences.sum() > clearly else choices[0]


def _losses(design: Design, choice: Choice, part: Labels) -> Floats:
    """Return each image's cross entropy, crystals and the rest weighing the same, when its part is held out."""
    truth = design.labelled.crystal
    logits = design.shipped[:, CRYSTAL].copy()
    near = design.least(CRYSTAL, np.ones(len(part), np.bool_), choice) if _says(truth) else None
    for each in range(int(part.max()) + 1):
        here = part == each
        if _says(truth[~here]):
            least = design.least(CRYSTAL, ~here, choice, near)
            logits[here] = design.logits(CRYSTAL, here, choice, least)
    shares = np.clip(sigmoid(logits), 1e-6, 1 - 1e-6)
    return -np.log(np.where(truth, shares, 1 - shares)) * (balanced(truth) if truth.any() and not truth.all() else 1)


def _says(crystal: NDArray[np.bool_]) -> bool:
    """Tell whether labels are enough to say something of crystals."""
    return min(int(crystal.sum()), int((~crystal).sum())) >= LEAST_LABELS
