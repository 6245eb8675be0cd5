"""Whether more images of an imager are strange than the bound on false alarms explains."""

from collections.abc import Sequence
from math import comb, floor

import numpy as np

from crystal_search.sentinel.evidence import Evidence
from crystal_search.sentinel.imager_faults import IMAGES_TO_FALSE_ALARM, Alarm

STRANGE = "more strange images than chance explains"
UNLUCKY = 1e-3  #: share of histories with which ordinary images are strange more often than said
HALVINGS = 50  #: of the interval that holds the bound


def strange_at_most(rare: float, distances: int) -> float:
    """Return how often an ordinary image has a p-value of at most `rare`, with so many distances of the history.

    That holds with all but `UNLUCKY` of histories: the rate is above r only if fewer of the distances than make up
    `rare` are in the farthest share r of ordinary images (Vovk 2012, Conditional validity of inductive conformal
    predictors, section 3). Over all histories it happens to a share of `rare`.

    >>> round(strange_at_most(0.05, 288), 3), round(strange_at_most(0.001, 999), 4)
    (0.096, 0.0069)
    """
    fewer = range(floor(rare * (distances + 1) + 1e-9))
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        rate = (low + high) / 2
        chance = sum(comb(distances, each) * rate**each * (1 - rate) ** (distances - each) for each in fewer)
        low, high = (rate, high) if chance > UNLUCKY else (low, rate)
    return high


def strange_often(strange: Sequence[bool], rare: float, distances: int) -> list[Alarm]:
    """Return by which images it becomes known that more are strange than chance explains.

    Parameters
    ----------
    strange
        Whether the p-value of each image, in order, is at most `rare`.
    rare
        Share of ordinary images that may be called strange.
    distances
        Of images of the history that neither centre nor spread was made from.

    Returns
    -------
    list of Alarm
        Where images are ordinary, `IMAGES_TO_FALSE_ALARM` of them pass before one, on average, at least.
    """
    evidence = Evidence(np.array([strange_at_most(rare, distances)]))
    found = []
    for each in strange:
        beyond = evidence.add(np.array([each])) >= np.log(IMAGES_TO_FALSE_ALARM)
        if beyond[0]:
            found.append(Alarm(kind=STRANGE, image=evidence.images, since=evidence.since(0)))
        evidence.forget(beyond)
    return found
