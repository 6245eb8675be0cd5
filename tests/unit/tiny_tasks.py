"""A task that takes no time: a tiny network learns the mean of random numbers."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from crystal_search.training.distributed import Group
from crystal_search.training.loop import Plan, Training
from crystal_search.training.machine import Machine
from crystal_search.training.run_record import RunRecord
from crystal_search.training.schedules import OneCycle, Schedule
from crystal_search.training.task import Losses, Task

CPU = torch.device("cpu")
ALONE = Group(CPU)
RECORD = RunRecord(
    role="classifier", architecture="tiny", classes=("mean",), normalisation="centred-1", working_width_px=4,
    data="numbers", task="cells", command="typed", seed=0,
)  # fmt: skip


class StoppedError(Exception):
    """The power is off."""


@dataclass
class Numbers:
    """A source that grows by one shard whenever it is asked, and fails at a step when told to."""

    fails_at: int = -1
    shards: list[str] = field(default_factory=list)

    def names(self) -> list[str]:
        return list(self.shards)

    def refresh(self) -> None:
        self.shards.append(f"train-{len(self.shards):05d}")

    def use(self, names: list[str]) -> None:
        self.shards = list(names)

    def batch(self, step: int, size: int) -> tuple[Tensor, Tensor]:
        if step == self.fails_at:
            raise StoppedError
        generator = np.random.default_rng([step, len(self.shards)])
        inputs = torch.from_numpy(generator.normal(size=(size, 1, 4, 4)).astype(np.float32))
        return inputs, inputs.mean(dim=(1, 2, 3))


def tiny() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Flatten(), nn.Linear(16, 1))


def squared(network: nn.Module, inputs: Tensor, truth: Tensor) -> Losses:
    return {"loss": (network(inputs)[:, 0] - truth).square().mean()}


def tiny_task(**changes: Any) -> Task:
    usual: dict[str, Any] = {
        "record": RECORD, "title": "numbers", "build": tiny, "source": Numbers(), "losses": squared, "judge": None,
        "panels": {"loss": ("loss",)}, "peak_rate": 1e-2, "grows": True,
    }  # fmt: skip
    return Task(**(usual | changes))


def training(
    folder: Path,
    task: Task,
    schedule: Schedule | None = None,
    steps: int = 6,
    *,
    group: Group = ALONE,
    precision: str = "float32",
    **planned: Any,
) -> Training:
    """Return a training of three samples a step that is validated and saved every second step, if not `planned`."""
    machine = Machine(group=group, batch_size=3, precision=precision)
    plan = Plan(**{"steps": steps, "validate_every": 2} | planned)
    return Training(task, task.build(), plan, schedule or OneCycle(task.peak_rate, 0), machine, folder)
