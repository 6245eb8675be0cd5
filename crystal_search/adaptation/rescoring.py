"""Scoring images anew by a readout, and which of them need no look."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from crystal_search.adaptation.labelled import CRYSTAL, Seen
from crystal_search.adaptation.new_plates import is_another, plate_means
from crystal_search.adaptation.readout import Readout, shares_of
from crystal_search.adaptation.triage import Triage
from crystal_search.metrics import Floats

Answer = Literal["in", "out", "cannot_promise"]  #: look at it; no need to; nothing is promised of it
NOTHING: Answer = "cannot_promise"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Rescoring:
    """A readout with what it promises, as its file holds them."""

    readout: Readout
    triage: Triage
    plates: Floats  #: means of the inputs of each plate that the labels are of, (P, D + ANSWERS)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Rescored:
    """What a readout says of N images."""

    shares: Floats  #: (N, groups), probabilities that add up to 1
    answers: tuple[Answer, ...]  #: (N,)


def rescored(rescoring: Rescoring, seen: Seen, plates: Sequence[str]) -> Rescored:
    """Return what a readout says of images; `plates` names the plate of each.

    Nothing is promised where the labels were too few, or the plate is unlike those that they are of.
    """
    logits = rescoring.readout.logits(seen)
    if rescoring.triage.threshold is None:
        return Rescored(shares=shares_of(logits), answers=(NOTHING,) * len(seen))
    others = {plate for plate, mean in plate_means(seen, plates).items() if is_another(rescoring.plates, mean)}
    look: list[bool] = np.asarray(logits[:, CRYSTAL] >= rescoring.triage.threshold).tolist()
    answers = (_answer(plate in others, each) for plate, each in zip(plates, look, strict=True))
    return Rescored(shares=shares_of(logits), answers=tuple(answers))


def _answer(is_other: bool, look: bool) -> Answer:
    if is_other:
        return NOTHING
    return "in" if look else "out"
