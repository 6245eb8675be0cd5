"""Which drops to label next, so that few labels teach much.

A drop is worth a label when the score is unsure of it, or takes it for a crystal, for crystals are rare and without
some of them nothing can be learnt; when it looks unlike those that have labels and unlike the others that are asked
for; and when its plate has few. Drops are taken one after the other, each the one that is worth most then; uncertainty
and distance as in Brinker (2003, ICML, Incorporating diversity in active learning).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from crystal_search.adaptation.held_out import chosen, learnt
from crystal_search.adaptation.labelled import CRYSTAL, Labelled, Seen, together
from crystal_search.adaptation.logistic import sigmoid
from crystal_search.adaptation.readout import Readout, Scale, inputs, scale_of
from crystal_search.metrics import Floats

SURE = 0.05  #: what a drop is worth of which the score is quite sure: it may be quite wrong
TOP = 10  #: power of ranks: 0.9 becomes 0.35
NUMBERS_SHARE = 0.5  #: of the inputs' square length that the classifier's numbers have, when drops are compared


def asked_for(
    labelled: Labelled, others: Seen, plates: Sequence[str], count: int, *, prior: Floats | None = None
) -> list[int]:
    """Return which of N images without labels to label next, the most useful first, by a readout of the labels.

    Parameters
    ----------
    labelled
        The labels that there are, which may be none: then the shipped score tells what is likely, and of what it is
        unsure.
    others
        What the shipped models say of images without labels.
    plates
        The plate of each of these.
    count
        How many are wanted.
    prior
        What readouts of the same classifier have in common at other imagers, where that is known (`imager_prior`).
    """
    everything = together(labelled.seen, others)
    scale = scale_of(everything, prior)
    found = next_to_label(
        everything,
        learnt(labelled, scale, chosen(labelled, scale)),
        scale,
        plates=(*labelled.plates, *plates),
        has_label=np.arange(len(everything)) < len(labelled),
        count=count,
    )
    return [each - len(labelled) for each in found]


def next_to_label(
    seen: Seen, readout: Readout, scale: Scale, *, plates: Sequence[str], has_label: NDArray[np.bool_], count: int
) -> list[int]:
    """Return which of N images to label next, the most useful first; fewer than `count` where there are no more.

    Parameters
    ----------
    seen
        What the shipped models say of the images.
    readout
        That scores them now; the shipped one where there is no other.
    scale
        How their inputs are standardised.
    plates
        The plate of each.
    has_label
        (N,), which have one already.
    count
        How many are wanted.
    """
    places = (inputs(seen) - scale.mean) / scale.divisors(NUMBERS_SHARE)  # (N, D + ANSWERS)
    logits = readout.logits(seen)[:, CRYSTAL]
    worth = [SURE + (1 - SURE) * each for each in (likely(logits), unsureness(logits))]  # by turns, (N,) each
    _, plate_of = np.unique(np.array(plates, dtype=np.str_), return_inverse=True)
    on_plate = np.bincount(plate_of, has_label, minlength=int(plate_of.max(initial=0)) + 1)
    nearest = _nearest(places, places[has_label])
    taken = has_label.copy()
    chosen: list[int] = []
    while len(chosen) < count and not taken.all():
        value = np.where(taken, -1.0, worth[len(chosen) % 2] * nearest / (1 + on_plate[plate_of]))
        best = int(value.argmax())
        chosen.append(best)
        taken[best] = True
        on_plate[plate_of[best]] += 1
        nearest = np.minimum(nearest, _nearest(places, places[[best]]))
    return chosen


def likely(logits: Floats) -> Floats:
    """Return how high each score stands among all, in [0, 1], the top tenth far above the rest.

    >>> likely(np.array([0.0, 1.0, 2.0])).round(2).tolist()
    [0.0, 0.0, 1.0]
    """
    ranks = logits.argsort().argsort() / max(len(logits) - 1, 1)
    return np.asarray(ranks**TOP)


def unsureness(logits: Floats) -> Floats:
    """Return how unsure a score is, in [0, 1]: 1 in the middle of what it says of these images, 0 far from it.

    Few labels move where crystals begin more than how images are ordered, so that the middle is not a probability of
    one half but the logit that as many images exceed as the score expects crystals.

    >>> unsureness(np.array([-4.0, 0.0, 4.0])).round(2).tolist()
    [0.07, 1.0, 0.07]
    """
    shares = sigmoid(logits)
    expected = float(np.clip(shares.mean(), 1 / len(shares), 1 - 1 / len(shares)))
    middle = float(np.quantile(logits, 1 - expected))
    shares = sigmoid(logits - middle)
    return np.asarray(4 * shares * (1 - shares))


def _nearest(places: Floats, others: Floats) -> Floats:
    """Return the distance of each place (N, K) to the nearest of others (M, K); 1 where there are none."""
    if not len(others):
        return np.ones(len(places))
    squares = (places**2).sum(axis=1)[:, None] + (others**2).sum(axis=1) - 2 * places @ others.T
    return np.asarray(np.sqrt(np.maximum(squares, 0).min(axis=1)))
