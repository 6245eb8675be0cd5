"""Batches of a packed dataset's chops; which ones, and how they are changed, depends on seed and step alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from crystal_search.datasets.packed import CHOPS, ChopRow, PackedDataset
from crystal_search.errors import UserError
from crystal_search.images import View, normalised
from crystal_search.scoring.classify import channels_first
from crystal_search.training.chop_augmentation import chop_seen_differently
from crystal_search.training.chop_scores import chop_view, labels_of
from crystal_search.training.epochs import CHANGES, SAMPLE, EpochSource
from crystal_search.training.task import Batch


@dataclass
class ChopSource(EpochSource):
    """Batches of chops to train on."""

    kind, samples = CHOPS, "chops"

    def _labelled(self) -> tuple[Sequence[ChopRow], NDArray[np.int64]]:
        rows = self.dataset.chops(self.split)
        return rows, labels_of(rows, self.classes)

    def _view(self, row: ChopRow, place: int) -> View:
        generator = np.random.default_rng([self.seed, CHANGES, place])
        pixels, box = chop_seen_differently(self.dataset.patch(row), self.dataset.box(row), generator)
        return normalised(pixels, self.dataset.about.normalisation)[box.slices]


@dataclass
class PlainChops:
    """Chops as they are, in order; what validation sees."""

    dataset: PackedDataset
    rows: Sequence[ChopRow]
    labels: NDArray[np.int64]

    def batch(self, step: int, size: int) -> Batch:
        """Return the chops of the `step`-th `size`."""
        part = slice(step * size, (step + 1) * size)
        views = np.stack([chop_view(self.dataset, row) for row in self.rows[part]])
        return torch.from_numpy(channels_first(views)), torch.from_numpy(self.labels[part])


def validation_chops(
    dataset: PackedDataset, classes: tuple[str, ...], most: int, *, rank: int = 0, ranks: int = 1
) -> PlainChops:
    """Return a rank's part of a sample of at most `most` chops of the validation split, always the same one.

    Raises
    ------
    UserError
        If there are none.
    """
    rows = dataset.chops("validation")
    if not rows:
        raise UserError(f"{dataset.folder} has no validation chops; build it with a part for validation")
    drawn = np.sort(np.random.default_rng([SAMPLE]).permutation(len(rows))[:most])[rank::ranks]
    mine = [rows[position] for position in drawn]
    return PlainChops(dataset, mine, labels_of(mine, classes))
