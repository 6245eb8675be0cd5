"""What a panel calls its images: unambiguous and mostly unambiguous test sets (King et al. 2024, section 3.1.5)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crystal_search.panel.experts import AnswerSheet
from crystal_search.panel.panel_set import CLASSES
from crystal_search.panel.rater_agreement import NO_ANSWER, Answers

UNAMBIGUOUS, MOSTLY = "unambiguous", "mostly unambiguous"
TEST_SETS = (UNAMBIGUOUS, MOSTLY)


@dataclass(frozen=True, slots=True, eq=False)
class Opinions:
    """What the experts of a panel say of its images."""

    experts: tuple[str, ...]
    first: Answers  #: (experts, images): what each said when the image was shown for the first time
    again: Answers  #: (experts, images): what each said the second time, `NO_ANSWER` where it was not shown twice

    @property
    def counts(self) -> NDArray[np.int64]:
        """How many experts put each image into each class, (images, classes)."""
        return np.stack([(self.first == each).sum(axis=0) for each in range(len(CLASSES))], axis=1)

    @property
    def answered(self) -> NDArray[np.bool_]:
        """Which images every expert answered, (images,)."""
        return np.asarray((self.first != NO_ANSWER).all(axis=0))


def opinions_of(sheets: Sequence[AnswerSheet], images: int) -> Opinions:
    """Return what experts said of the images of a panel, in its order."""
    shape = (len(sheets), images)
    first, again = np.full(shape, NO_ANSWER, np.int64), np.full(shape, NO_ANSWER, np.int64)
    for row, sheet in enumerate(sheets):
        shown: set[int] = set()
        for place, image in enumerate(sheet.shown):
            given = sheet.answers.get(place)
            if given is not None:
                (again if image in shown else first)[row, image] = CLASSES.index(given.answer)
            shown.add(image)
    return Opinions(tuple(sheet.expert.name for sheet in sheets), first, again)


@dataclass(frozen=True, slots=True, eq=False)
class Consensus:
    """The class of each image on which experts agree."""

    labels: Answers  #: (images,): the class that more than half of the experts named; `NO_ANSWER` where there is none
    in_set: Mapping[str, NDArray[np.bool_]]  #: test set -> (images,), whether the image is in it


def consensus_of(opinions: Opinions) -> Consensus:
    """Return the test sets: images of which all experts say the same, and those of which more than half do.

    More than half is two of three, as in the paper. Only images that every expert answered are in a set.
    """
    experts, counts = len(opinions.experts), opinions.counts
    most, answered = counts.max(axis=1, initial=0), opinions.answered
    mostly = answered & (2 * most > experts)
    labels = np.where(mostly, counts.argmax(axis=1), NO_ANSWER)
    return Consensus(labels, {UNAMBIGUOUS: answered & (most == experts), MOSTLY: mostly})
