"""Whether more images of an imager are strange than the bound on false alarms explains."""

from collections.abc import Sequence

import numpy as np

from crystal_search.sentinel.evidence import Evidence
from crystal_search.sentinel.imager_faults import IMAGES_TO_FALSE_ALARM, Alarm

STRANGE = "more strange images than chance explains"
UNLUCKY = 1e-3  #: share of histories with which ordinary images are farther than all of theirs more often than said
STRANGE_BETS = (0.03, 0.1, 0.3)  #: what happens to one image in 1000 is suspicious long before it happens to most


def strange_at_most(distances: int) -> float:
    """Return how often an ordinary image is farther away than all of so many of its imager's history, at most.

    That holds with all but `UNLUCKY` of histories: a rate r has n distances of ordinary images all below it with a
    probability of (1 - r)^n (Vovk 2012, Conditional validity of inductive conformal predictors, section 3). Over all
    histories it happens to 1 image in n + 1.

    >>> round(strange_at_most(999), 4)
    0.0069
    """
    return float(-np.expm1(np.log(UNLUCKY) / distances))


def strange_often(strange: Sequence[bool], distances: int) -> list[Alarm]:
    """Return by which images it becomes known that more are strange than chance explains.

    Parameters
    ----------
    strange
        Whether each image, in order, is farther away than all `distances` of the history.
    distances
        Of images that neither centre nor spread was made from.

    Returns
    -------
    list of Alarm
        Where images are ordinary, `IMAGES_TO_FALSE_ALARM` of them pass before one, on average, at least.
    """
    evidence = Evidence(np.array([strange_at_most(distances)]), STRANGE_BETS)
    found = []
    for each in strange:
        beyond = evidence.add(np.array([each])) >= np.log(IMAGES_TO_FALSE_ALARM)
        if beyond[0]:
            found.append(Alarm(kind=STRANGE, image=evidence.images, since=evidence.since(0)))
        evidence.forget(beyond)
    return found
