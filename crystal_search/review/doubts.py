"""The images of a dataset whose labels a network doubts, worst first.

An image counts with the mean loss of its chops against their labels. The highest loss would be the wrong measure:
every chop carries the label of its image, so that a rightly labelled image mostly has some chop which shows something
else, and the more chops an image has, the higher is the highest of them. A classifier of
whole images has one loss for each.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crystal_search.class_schemes import Scheme, columns_by_outcome, in_outcomes, scheme_of
from crystal_search.datasets.packed import ChopRow, SampleRow
from crystal_search.metrics import losses
from crystal_search.outcomes import CHOPS_ONLY, OUTCOME_NAMES
from crystal_search.scoring.classify import probabilities
from crystal_search.scoring.ranking import ranked_score
from crystal_search.training.chop_scores import ChopScores
from crystal_search.training.image_scores import ImageScores
from crystal_search.work_unit import Parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubtedChop:
    """One chop of an image, and what the network says of it."""

    row: ChopRow
    says: str  #: the network's most probable class
    probability: float  #: of that class
    loss: float  #: cross-entropy against the label, nats


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """An image, its label, and what the network says instead."""

    image: str
    well: str
    plate: str
    outcome: str  #: its label, one of the 13
    suggestion: str  #: outcome by the rule that scores wells; the label itself where the two agree
    probability: float  #: of the suggestion's group in the chop that speaks most for it
    loss: float  #: mean over its chops, nats
    chops: tuple[DoubtedChop, ...]  #: all of them, those that speak most against the label first; () of a whole image


def suspects(scores: ChopScores, classes: Sequence[str], labels: Mapping[str, str]) -> list[Suspect]:
    """Return the images of scored chops, the one whose label is doubted most first.

    Parameters
    ----------
    scores
        What a network says of all chops of the images.
    classes
        Of the network, those of a trainable scheme.
    labels
        The outcome of each image by its name, where known; else the chops' own tell it.

    Raises
    ------
    UnknownNameError
        If `classes` are those of no scheme.
    """
    scheme = scheme_of(classes)
    shares = probabilities(scores.logits.astype(np.float64), 1.0)
    doubts = losses(shares, scores.labels)
    places: defaultdict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(scores.rows):
        places[row.image].append(place)
    found = []
    for image, at in places.items():
        outcome = labels.get(image) or image_label(scores.rows[place].outcome for place in at)
        chops = _doubted([scores.rows[place] for place in at], shares[at], doubts[at], classes)
        loss = float(np.mean([chop.loss for chop in chops]))
        found.append(_suspect(chops[0].row, outcome, shares[at], scheme, loss=loss, chops=tuple(chops)))
    return _most_doubted_first(found)


def image_suspects(scores: ImageScores, classes: Sequence[str]) -> list[Suspect]:
    """Return the images of scored whole images, the one whose label is doubted most first.

    Parameters
    ----------
    scores
        What a network says of the images.
    classes
        Of the network, those of a trainable scheme.

    Raises
    ------
    UnknownNameError
        If `classes` are those of no scheme.
    """
    scheme = scheme_of(classes)
    shares = probabilities(scores.logits.astype(np.float64), 1.0)
    doubts = losses(shares, scores.labels)
    found = (
        _suspect(row, row.outcome, share[None], scheme, loss=float(loss))
        for row, share, loss in zip(scores.rows, shares, doubts, strict=True)
    )
    return _most_doubted_first(found)


def _most_doubted_first(found: Iterable[Suspect]) -> list[Suspect]:
    return sorted(found, key=lambda each: (-each.loss, each.image))


def image_label(outcomes: Iterable[str]) -> str:
    """Return what an image is called whose chops are called `outcomes`; only chops of clear drops can be rims."""
    counts = Counter(outcome for outcome in outcomes if outcome != CHOPS_ONLY)
    return counts.most_common(1)[0][0] if counts else "clear"


def _doubted(
    rows: Sequence[ChopRow], shares: NDArray[np.float64], doubts: NDArray[np.float64], classes: Sequence[str]
) -> list[DoubtedChop]:
    chops = [
        DoubtedChop(row=row, says=classes[int(share.argmax())], probability=float(share.max()), loss=float(loss))
        for row, share, loss in zip(rows, shares, doubts, strict=True)
    ]
    return sorted(chops, key=lambda chop: -chop.loss)


def _suspect(
    row: SampleRow,
    outcome: str,
    shares: NDArray[np.float64],
    scheme: Scheme,
    *,
    loss: float,
    chops: tuple[DoubtedChop, ...] = (),
) -> Suspect:
    score = ranked_score(in_outcomes(shares, scheme), Parameters().threshold)
    return Suspect(
        image=row.image,
        well=row.well,
        plate=row.plate,
        outcome=outcome,
        suggestion=outcome if _same_class(outcome, score.outcome, scheme) else score.outcome,
        probability=score.probability,
        loss=loss,
        chops=chops,
    )


def _same_class(outcome: str, other: str, scheme: Scheme) -> bool:
    """Tell whether a network of `scheme` cannot tell two outcomes apart."""
    columns = columns_by_outcome(scheme)
    return outcome in OUTCOME_NAMES and columns[outcome] == columns[other]
