"""Whether a readout tells crystals better than the shipped score does, and what labels are missing."""

from dataclasses import dataclass

import numpy as np

from crystal_search.adaptation.folds import Unit
from crystal_search.adaptation.held_out import HeldOut
from crystal_search.adaptation.labelled import CRYSTAL, NOT_CRYSTAL, Labelled
from crystal_search.bootstrap import Interval, drawn
from crystal_search.metrics import Floats, auroc_by_weights
from crystal_search.outcomes import GROUPS
from crystal_search.plurals import counted

LEAST_PLATES = 5  #: before plates are drawn again; of fewer, drops are, and the interval says less of new plates
FEW = 5  #: labels of a group that are too few to know how it looks
MANY = 1000  #: labels that nobody gives for the sake of a proof
ALIKE = 0.97  #: AUROC of the shipped score above which there is little to gain


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateGain:
    """How crystals were told from the rest on one plate, by AUROC; NaN where it has only one of both."""

    plate: str
    labels: int
    crystals: int
    shipped: Interval
    readout: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """How crystals were told from the rest in images held out, by AUROC, with 95 % intervals."""

    held_out: Unit  #: what was held out
    drawn: Unit  #: what was drawn again for the intervals
    labels: int
    crystals: int
    plates: tuple[PlateGain, ...]
    shipped: Interval
    readout: Interval
    difference: Interval  #: paired: both on the same draws

    @property
    def counts(self) -> bool:
        """Whether the readout is proven better: the interval of the difference lies above zero."""
        return self.difference.low > 0


def gained(labelled: Labelled, found: HeldOut) -> Gain:
    """Return how a readout and the shipped score compare on images held out."""
    plates = sorted(set(labelled.plates))
    unit: Unit = "plate" if len(plates) >= LEAST_PLATES else "drop"
    draws = drawn(labelled.plates if unit == "plate" else labelled.drops)
    truth, new = labelled.crystal, found.logits[:, CRYSTAL]
    before, after = auroc_by_weights(labelled.seen.peaks[:, CRYSTAL], truth), auroc_by_weights(new, truth)
    return Gain(
        held_out=found.unit,
        drawn=unit,
        labels=len(labelled),
        crystals=int(truth.sum()),
        plates=tuple(_on_plate(plate, labelled, new) for plate in plates),
        shipped=draws.figure(before),
        readout=draws.figure(after),
        difference=draws.figure(lambda times: after(times) - before(times)),
    )


def _on_plate(plate: str, labelled: Labelled, new: Floats) -> PlateGain:
    here = np.array([each == plate for each in labelled.plates])
    mine, scores = labelled.of(here), new[here]
    draws, truth = drawn(mine.drops), mine.crystal
    return PlateGain(
        plate=plate,
        labels=len(mine),
        crystals=int(truth.sum()),
        shipped=draws.figure(auroc_by_weights(mine.seen.peaks[:, CRYSTAL], truth)),
        readout=draws.figure(auroc_by_weights(scores, truth)),
    )


def missing_labels(labelled: Labelled) -> list[str]:
    """Return which labels are missing, in sentences, those that would help most first; none where there are enough.

    Examples
    --------
    >>> from crystal_search.adaptation.labelled import Seen
    >>> seen = Seen(features=np.zeros((14, 2)), peaks=np.zeros((14, 4)), means=np.zeros((14, 13)))
    >>> groups, plates = np.repeat([0, 3], 7), tuple("abcdefg" * 2)
    >>> missing_labels(Labelled(seen=seen, groups=groups, plates=plates, drops=plates))
    ['no precipitate among 14 labels: score 5', 'no other among 14 labels: score 5']
    """
    total, crystals = len(labelled), int(labelled.crystal.sum())
    said = []
    if crystals < FEW:
        said.append(_too_few("crystal", crystals, total))
    if total - crystals < FEW:
        said.append(_too_few("drop without crystals", total - crystals, total))
    if len(plates := set(labelled.plates)) < LEAST_PLATES:
        said.append(
            f"labels are of {counted(len(plates), 'plate')}: score drops of "
            f"{LEAST_PLATES - len(plates)} more, for what holds on one plate may not on the next"
        )
    if (labelled.groups[~labelled.crystal] != NOT_CRYSTAL).any():
        counts = np.bincount(labelled.groups[labelled.groups != NOT_CRYSTAL], minlength=len(GROUPS))
        said += [
            _too_few(str(name), int(count), total)
            for group, (name, count) in enumerate(zip(GROUPS, counts, strict=True))
            if group != CRYSTAL and count < FEW
        ]
    return said


def _too_few(what: str, count: int, total: int) -> str:
    return f"{count or 'no'} {what} among {counted(total, 'label')}: score {FEW - count}{' more' if count else ''}"


def more_labels(gain: Gain) -> str:
    """Return how many labels more might prove what was seen, in a sentence.

    Empty where that is proven already, and where nothing can be compared. The interval of a difference shrinks with
    the square root of the number of labels.
    """
    value, low, _ = gain.difference
    if gain.counts or np.isnan(value):
        return ""
    if gain.shipped.value >= ALIKE:
        return f"the shipped score tells crystals already ({gain.shipped.value:.3f}): there is little to gain here"
    if not value > 0:
        return "nothing was gained so far: labels of drops that the shipped score gets wrong help most"
    more = max(1, round(gain.labels * ((value - low) / value) ** 2 - gain.labels))
    if more > MANY:
        return f"a gain of {value:.3f} is too small for {MANY} more labels to prove it"
    return f"about {counted(more, 'more label')} would prove a gain of this size, if it is there"
