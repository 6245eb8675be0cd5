"""What labels make of the shipped score on their imager. `adapted` is the function to read first."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from crystal_search.adaptation.bent import can_bend
from crystal_search.adaptation.calibrating import (
    Calibration,
    Trust,
    calibrated_by,
    calibrated_held_out,
    calibration_of,
    is_enough,
    trust_in,
    with_calibration,
)
from crystal_search.adaptation.gain import Gain, gained, missing_labels, more_labels
from crystal_search.adaptation.held_out import HeldOut, chosen, held_out, learnt
from crystal_search.adaptation.labelled import CRYSTAL, Labelled, Seen, kept
from crystal_search.adaptation.logistic import sigmoid
from crystal_search.adaptation.new_plates import plate_means
from crystal_search.adaptation.readout import Readout, groups_with_labels, scale_of, told_of
from crystal_search.adaptation.triage import Promise, Triage, triage
from crystal_search.metrics import Floats
from crystal_search.outcomes import GROUPS

LEVEL = 1e-6  #: below its threshold a well is still looked at: where a curve is level all wells have the same logit


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Adapted:
    """A readout of labels, and what labels held out say of it."""

    readout: Readout  #: of all labels, calibrated
    held_out: HeldOut  #: logits calibrated, those of crystals plate by plate on the others
    gain: Gain
    shipped: Trust  #: in the shipped score's probabilities of crystals
    trust: Trust  #: in the readout's
    triage: Triage
    plates: Floats  #: means of the inputs of each plate, (P, D + ANSWERS)
    advice: tuple[str, ...]  #: which labels would help most, in sentences


def adapted(
    labelled: Labelled, everything: Seen, promise: Promise | None = None, *, prior: Floats | None = None
) -> Adapted:
    """Return what labels make of the shipped score.

    Parameters
    ----------
    labelled
        Images of one imager with their labels.
    everything
        Images of that imager, labelled or not, which say how its numbers are spread.
    promise
        For the triage; None: the usual one.
    prior
        What readouts of the same classifier have in common at other imagers, where that is known (`imager_prior`).
    """
    scale = scale_of(everything, prior)
    found = held_out(labelled, scale)
    readout = learnt(labelled, scale, chosen(labelled, scale))
    gain = gained(labelled, found)
    each = [_calibration(labelled, found, group) for group in range(len(GROUPS))]
    crystals = calibrated_held_out(found.logits[:, CRYSTAL], labelled)
    logits = np.column_stack([one.of(found.logits[:, group]) for group, one in enumerate(each)])
    logits[:, CRYSTAL] = crystals
    more = more_labels(gain)
    return Adapted(
        readout=with_calibration(readout, tuple(each)),
        held_out=replace(found, logits=logits),
        gain=gain,
        shipped=trust_in(labelled.seen.peaks[:, CRYSTAL], labelled),
        trust=trust_in(sigmoid(crystals), labelled),
        triage=promised(labelled, found.logits[:, CRYSTAL], each[CRYSTAL], promise or Promise()),
        plates=np.array(list(plate_means(labelled.seen, labelled.plates).values())),
        advice=(*missing_labels(labelled), *([more] if more else []), *_library(labelled)),
    )


def promised(labelled: Labelled, logits: Floats, calibration: Calibration, promise: Promise) -> Triage:
    """Return from which calibrated logit on wells must be looked at, by logits (N,) of crystals held out.

    The calibration was fitted to these labels, so the threshold is sought before it, and calibrated then: by a line or
    a curve that never falls, none that was to be looked at is left out. Where it is level, some more are looked at.

    Parameters
    ----------
    labelled
        The N images.
    logits
        Of crystals, each by a readout that never saw its plate, not calibrated.
    calibration
        Of the readout that is used.
    promise
        To give.
    """
    truth = labelled.crystal
    made = triage(logits[truth], kept(labelled.plates, truth), promise)
    if made.threshold is None:
        return made
    return replace(made, threshold=float(calibration.of(np.array([made.threshold]))[0]) - LEVEL)


def _library(labelled: Labelled) -> list[str]:
    """Return which library would help, in a sentence, where one is missing."""
    if not is_enough(labelled.crystal, labelled.plates) or can_bend():
        return []
    return ["labels are enough to calibrate by a curve, if that is better: pip install 'crystal-search[adapt]'"]


def _calibration(labelled: Labelled, found: HeldOut, group: int) -> Calibration:
    """Return what makes the logits of a group mean what they say; with many labels that of crystals may be a curve."""
    logits, truth = _told(labelled, found, group)
    if group == CRYSTAL and len(logits):
        return calibration_of(logits, truth, labelled.plates)
    return calibrated_by(logits, truth)


def _told(labelled: Labelled, found: HeldOut, group: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the held-out logits of a group and the truth, of the images of which it is known."""
    if group not in groups_with_labels(labelled):
        return np.zeros(0), np.zeros(0, np.bool_)
    told = told_of(labelled, group)
    return found.logits[told, group], labelled.groups[told] == group
