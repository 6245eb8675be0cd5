"""What a readout learns from: numbers of images, what the shipped models say of them, and what people do."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crystal_search.errors import ModelMismatchError
from crystal_search.metrics import Floats, Labels
from crystal_search.outcomes import GROUPS, Group
from crystal_search.result import ImageScore

CRYSTAL = GROUPS.index(Group.CRYSTAL)
NOT_CRYSTAL = -1  #: instead of a position in GROUPS, where people said no more than that there is no crystal
Chosen = NDArray[np.bool_] | NDArray[np.int64]  #: which of N


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Seen:
    """What the shipped models say of N images."""

    features: Floats  #: (N, D), the classifier's numbers of each image
    peaks: Floats  #: (N, groups), each group's probability in its best chop, in GROUPS order
    means: Floats  #: (N, classes), each outcome's probability, mean over the chops, in class order

    def __len__(self) -> int:
        return len(self.features)

    def of(self, which: Chosen) -> "Seen":
        """Return some of them."""
        return Seen(features=self.features[which], peaks=self.peaks[which], means=self.means[which])


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Labelled:
    """N images with labels; all of one imager."""

    seen: Seen
    groups: Labels  #: (N,), positions in GROUPS, or `NOT_CRYSTAL`
    plates: tuple[str, ...]  #: the plate of each
    drops: tuple[str, ...]  #: the drop of each; inspections of one drop have the same

    def __len__(self) -> int:
        return len(self.groups)

    @property
    def crystal(self) -> NDArray[np.bool_]:
        """Which show crystals, (N,)."""
        return np.asarray(self.groups == CRYSTAL)

    def of(self, which: NDArray[np.bool_]) -> "Labelled":
        """Return those for which `which` (N,) is true."""
        return Labelled(
            seen=self.seen.of(which),
            groups=self.groups[which],
            plates=kept(self.plates, which),
            drops=kept(self.drops, which),
        )


def seen_of(scores: Sequence[ImageScore]) -> Seen:
    """Return what the shipped models say of images that all have features.

    Raises
    ------
    ModelMismatchError
        If one has none, or another number of them: the classifier is no one whose features travel with its scores.
    """
    features = [score.features for score in scores]
    if len({None if each is None else len(each) for each in features} | {None}) != 2:
        raise ModelMismatchError(
            "the classifier gives no features of these images, without which nothing can be learnt"
        )
    return Seen(
        features=np.array(features, np.float64),
        peaks=np.array([score.group_peaks for score in scores]),
        means=np.array([score.class_probabilities for score in scores]),
    )


def together(one: Seen, other: Seen) -> Seen:
    """Return what the shipped models say of all images of both."""
    return Seen(
        features=np.concatenate([one.features, other.features]),
        peaks=np.concatenate([one.peaks, other.peaks]),
        means=np.concatenate([one.means, other.means]),
    )


def kept(names: Sequence[str], which: NDArray[np.bool_]) -> tuple[str, ...]:
    """Return the names for which `which` is true."""
    return tuple(name for name, there in zip(names, which, strict=True) if there)
