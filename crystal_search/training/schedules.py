"""How the learning rate goes, and when a training has ended: the paper's steps, and one cycle."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import nn
from torch.optim import SGD, AdamW, Optimizer

WARM_UP = 0.1  #: share of a cycle in which the learning rate rises
FINAL_RATE = 0.005  #: of the peak rate
BETAS = (0.9, 0.98)  #: the first gradients are large, and should be forgotten within a hundred steps
PAPER_RATES = (1e-2, 1e-3, 1e-4, 1e-5)  #: Thielmann et al. (2023), section 2.3
PAPER_MOMENTUM, PAPER_WEIGHT_DECAY = 0.9, 5e-4
SMALLEST_GAIN = 1e-3  #: of a validation loss, relative to the best before; less is stagnation


def one_cycle(progress: float) -> float:
    """Return the learning rate as a part of its peak: one rise, one cosine fall.

    >>> [round(one_cycle(progress), 3) for progress in (0.05, 0.1, 0.55, 1.0)]
    [0.5, 1.0, 0.502, 0.005]
    """
    if progress < WARM_UP:
        return progress / WARM_UP
    fall = 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - WARM_UP) / (1 - WARM_UP))))
    return FINAL_RATE + (1 - FINAL_RATE) * fall


@dataclass
class Schedule(ABC):
    """What decides on learning rates, and when nothing more is to be gained; all that it remembers is in its state."""

    REMEMBERED: ClassVar[tuple[str, ...]] = ("best", "since")
    best: float = field(default=math.inf, kw_only=True)  #: what a judge said
    since: int = field(default=0, kw_only=True)  #: validations after the best one

    @property
    @abstractmethod
    def ended(self) -> bool:
        """Whether nothing more is to be gained."""

    @abstractmethod
    def optimiser(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        """Return the optimiser that goes with the schedule."""

    @abstractmethod
    def rate(self, progress: float) -> float:
        """Return the learning rate when a share `progress` of the training is done."""

    def validated(self, falls: float) -> None:
        """Take notice of what a judge said."""
        if falls < self.best * (1 - SMALLEST_GAIN):
            self.best, self.since = falls, 0
        else:
            self.since += 1

    def state(self) -> dict[str, Any]:
        """Return what is remembered, for a checkpoint."""
        return {name: getattr(self, name) for name in self.REMEMBERED}

    def restore(self, state: dict[str, Any]) -> None:
        """Remember what a checkpoint says."""
        for name in self.REMEMBERED:
            setattr(self, name, state[name])


@dataclass
class OneCycle(Schedule):
    """AdamW; the rate rises once and falls to almost nothing by the end; stops early when validation stagnates."""

    peak_rate: float
    patience: int  #: validations without a gain after which to stop; 0: never
    weight_decay: float = 1e-2

    @property
    def ended(self) -> bool:
        """Whether validation has stagnated for too long."""
        return bool(self.patience) and self.since >= self.patience

    def optimiser(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        """Return AdamW, fused: ten times as fast on a processor."""
        return AdamW(parameters, lr=self.peak_rate, betas=BETAS, weight_decay=self.weight_decay, fused=True)

    def rate(self, progress: float) -> float:
        """Return the learning rate when a share `progress` of the training is done."""
        return self.peak_rate * one_cycle(progress)


@dataclass
class StepwiseRates(Schedule):
    """The paper's way: momentum; the rate is lowered whenever validation stagnates, and after the last one it ends."""

    REMEMBERED = (*Schedule.REMEMBERED, "stage")
    patience: int  #: validations without a gain after which the rate is lowered
    rates: tuple[float, ...] = PAPER_RATES
    stage: int = 0  #: position of the rate in use; as many as there are rates when all is done

    @property
    def ended(self) -> bool:
        """Whether validation has stagnated at the last rate."""
        return self.stage >= len(self.rates)

    def optimiser(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        """Return gradient descent with momentum."""
        return SGD(parameters, self.rates[0], momentum=PAPER_MOMENTUM, weight_decay=PAPER_WEIGHT_DECAY, fused=True)

    def rate(self, progress: float) -> float:
        """Return the learning rate in use."""
        return self.rates[min(self.stage, len(self.rates) - 1)]

    def validated(self, falls: float) -> None:
        """Take notice of what a judge said, and lower the rate when it has stagnated."""
        super().validated(falls)
        if self.since >= self.patience:
            self.stage += 1
            self.since = 0
