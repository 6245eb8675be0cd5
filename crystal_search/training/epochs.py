"""Samples of a dataset in epochs: each as often as its class's share allows, in an order that the seed decides.

The tasks ``chops`` and ``images`` draw so; `EpochSource` is what their sources have in common.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from crystal_search.datasets.packed import AGAIN, ShardFile, ShardsInUse
from crystal_search.errors import UserError
from crystal_search.images import View
from crystal_search.known_names import among
from crystal_search.scoring.classify import channels_first
from crystal_search.training.task import Batch

#: By the name of a balance, the power of a class's size that its share of an epoch goes with.
BALANCES = {"none": 1.0, "sqrt": 0.5, "equal": 0.0}
#: Of random numbers, so that no two kinds of draws share a generator.
ORDER, CHANGES, SAMPLE = 1, 2, 3


def class_shares(counts: NDArray[np.int64], balance: str) -> NDArray[np.float64]:
    """Return each class's share of an epoch, from how many samples it has; a class without any has none.

    Raises
    ------
    UnknownNameError
        If there is no such balance; the message lists those there are.

    >>> class_shares(np.array([900, 100, 0]), "sqrt").tolist()
    [0.75, 0.25, 0.0]
    """
    power = among(BALANCES, balance, "class balance")
    weights = np.where(counts > 0, np.maximum(counts, 1) ** power, 0.0)
    return np.asarray(weights / weights.sum())


def epoch_order(
    labels: NDArray[np.int64], shares: NDArray[np.float64], generator: np.random.Generator
) -> NDArray[np.int64]:
    """Return as many positions of samples as there are samples, in random order, classes in their shares.

    Within a class all samples come equally often, give or take one.
    """
    ends = np.rint(np.cumsum(shares) * len(labels)).astype(np.int64)
    drawn = [
        _repeated(np.flatnonzero(labels == label), int(count), generator)
        for label, count in enumerate(np.diff(ends, prepend=0))
        if count
    ]
    return np.asarray(generator.permutation(np.concatenate(drawn)))


def _repeated(positions: NDArray[np.int64], count: int, generator: np.random.Generator) -> NDArray[np.int64]:
    whole, rest = divmod(count, len(positions))
    return np.concatenate([np.tile(positions, whole), generator.permutation(positions)[:rest]])


@dataclass
class EpochSource(ShardsInUse):
    """Batches of samples to train on, one after another of an endless row of epochs.

    Raises
    ------
    UserError
        If there are samples of one class only, or none.
    """

    samples: ClassVar[str]  #: what people call them
    classes: tuple[str, ...]
    seed: int
    balance: str = "sqrt"
    _orders: dict[int, NDArray[np.int64]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.shards = list(self.dataset.shards(self.kind, self.split))
        self.rows, self.labels = self._labelled()
        counts = np.bincount(self.labels, minlength=len(self.classes))
        if (counts > 0).sum() < 2:
            there = ", ".join(f"{count} of {self.classes[label]}" for label, count in enumerate(counts) if count)
            raise UserError(
                f"{self.dataset.folder} has training {self.samples} of one class only ({there or 'none at all'}); "
                "nothing can be told apart: add images of another class and build the dataset again"
            )
        self._shares = class_shares(counts, self.balance)

    @abstractmethod
    def _labelled(self) -> tuple[Sequence[Any], NDArray[np.int64]]:
        """Return the rows of the split's samples, and the position of each one's class."""

    @abstractmethod
    def _view(self, row: Any, place: int) -> View:
        """Return a sample as it is shown at a place of the row of epochs, changed by a generator of that place."""

    def refresh(self) -> None:
        """Do nothing: an epoch is all samples that there are in the beginning."""

    def _take_up(self, shard: ShardFile) -> None:
        raise UserError(f"{shard.file} was added to {self.dataset.folder}; an epoch does not grow: {AGAIN}")

    def batch(self, step: int, size: int) -> Batch:
        """Return a batch of `size` samples; the same step gives the same batch.

        Views are (n, channels, side, side) float32, labels (n,) int64.
        """
        positions = self.positions(step, size)
        views = [self._view(self.rows[each], place) for place, each in enumerate(positions, start=step * size)]
        return torch.from_numpy(channels_first(np.stack(views))), torch.from_numpy(self.labels[positions])

    def positions(self, step: int, size: int) -> NDArray[np.int64]:
        """Return which samples of the training split are in a batch, (size,)."""
        count = len(self.rows)
        places = np.arange(step * size, (step + 1) * size)
        orders = {epoch: self._order(epoch) for epoch in range(int(places[0] // count), int(places[-1] // count) + 1)}
        self._orders = orders
        return np.array([orders[int(place // count)][place % count] for place in places], dtype=np.int64)

    def _order(self, epoch: int) -> NDArray[np.int64]:
        if epoch in self._orders:
            return self._orders[epoch]
        return epoch_order(self.labels, self._shares, np.random.default_rng([self.seed, ORDER, epoch]))
