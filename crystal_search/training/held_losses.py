"""The judge that most tasks have: the losses on samples that are not trained on, always the same ones."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from crystal_search.training.machine import Machine
from crystal_search.training.task import Batches, LossFunction, Taught, Verdict, batches


@dataclass(frozen=True, slots=True, eq=False)
class HeldLosses:
    """Judges a network by its mean losses on held samples, of which ``loss`` must fall."""

    held: Batches
    samples: int  #: of this process; at least one
    losses: LossFunction
    machine: Machine

    def __call__(self, network: nn.Module) -> Verdict:
        """Return the means over the samples of all processes, each figure as ``validation_NAME``."""
        taught, group = Taught(network, self.losses), self.machine.group
        size = max(1, self.machine.batch_size // group.size)
        sums: dict[str, Tensor] = {}
        count = 0
        for batch in batches(self.held, range(math.ceil(self.samples / size)), size, workers=self.machine.workers):
            for name, loss in self.machine.losses(taught, batch).items():
                sums[name] = sums.get(name, 0.0) + loss.double() * len(batch[0])
            count += len(batch[0])
        counted = torch.tensor(count, dtype=torch.float64, device=group.device)
        *totals, samples = group.total(torch.stack([*sums.values(), counted])).tolist()
        means = {f"validation_{name}": total / samples for name, total in zip(sums, totals, strict=True)}
        return Verdict(means, means["validation_loss"])
