"""What a network is taught: where batches come from, the loss of one, who judges, which record is left.

The loop (`loop.Training`) knows no more of chops, cells or drops than this.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from crystal_search.training.run_record import RunRecord

Batch = tuple[Tensor, Tensor]  #: inputs and truth
Losses = dict[str, Tensor]  #: numbers by name; ``loss`` is descended, all are in the learning curve
LossFunction = Callable[[nn.Module, Tensor, Tensor], Losses]  #: of network, inputs and truth


class Batches(Protocol):
    """What can be asked for batches by number."""

    def batch(self, step: int, size: int) -> Batch:
        """Return a batch of `size`; the same step gives the same batch."""


class Source(Batches, Protocol):
    """Where the batches of a training come from; it may grow, and says of what it is made."""

    def names(self) -> list[str]:
        """Return the names of the shards in use."""

    def refresh(self) -> None:
        """Take up the shards that were written since."""

    def use(self, names: list[str]) -> None:
        """Draw from exactly these shards from now on."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a judge says of a network."""

    figures: Mapping[str, float]  #: columns of the learning curve, the same every time
    falls: float  #: the lower the better


Judge = Callable[[nn.Module], Verdict]  #: asked by all processes at once, and the same in each of them


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Task:
    """One network and what it is taught."""

    record: RunRecord
    title: str  #: of the picture of the learning curve
    build: Callable[[], nn.Module]  #: the network, weights drawn from torch's global generator
    begin: Callable[[nn.Module], None] | None = None  #: puts weights that were learnt before into it
    prepare: Callable[[nn.Module, int], None] | None = None  #: says what of the network learns in a step
    source: Source
    losses: LossFunction
    judge: Judge | None  #: None: there is nothing to judge by, and the last weights are kept
    panels: Mapping[str, tuple[str, ...]]  #: of the picture: figures by what they have in common
    samples: int | None = None  #: in an epoch; None: every step draws anew, and there are no epochs
    usual_steps: int | None = None  #: where it is not said how long to train; None: by epochs
    peak_rate: float  #: of one cycle, where no other is asked for
    weight_decay: float = 1e-3  #: of one cycle
    grows: bool = False  #: the source is asked for more while the training goes on
    workers: int = 0  #: processes that make batches
    same: Mapping[str, Any] = field(default_factory=dict)  #: what else must not change when a training goes on


class Taught(nn.Module):
    """A network with its loss in one module, so that several processes can share the gradients."""

    def __init__(self, network: nn.Module, losses: LossFunction) -> None:
        super().__init__()
        self.network, self.losses = network, losses

    def forward(self, inputs: Tensor, truth: Tensor) -> Losses:
        """Return the losses of a batch by name."""
        return self.losses(self.network, inputs, truth)


class _ByStep(Dataset[Batch]):
    def __init__(self, source: Batches, size: int, rank: int, ranks: int) -> None:
        self.source, self.size, self.rank, self.ranks = source, size // ranks, rank, ranks

    def __getitem__(self, step: int) -> Batch:
        return self.source.batch(step * self.ranks + self.rank, self.size)


def batches(
    source: Batches, steps: Iterable[int], size: int, *, workers: int = 0, rank: int = 0, ranks: int = 1
) -> Iterator[Batch]:
    """Yield the batches of `steps` in order, made ahead by `workers` processes; their number changes nothing.

    Of several trainings beside each other, each draws a part of every batch: that of its `rank`, smaller batches whose
    numbers no other one asks for.
    """
    parts = _ByStep(source, size, rank, ranks)
    if not workers:
        return (parts[step] for step in steps)
    pinned = torch.cuda.is_available()
    return iter(DataLoader(parts, None, sampler=steps, num_workers=workers, pin_memory=pinned))
