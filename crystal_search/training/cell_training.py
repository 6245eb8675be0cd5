"""The training loop on rendered wells: steps, learning rate, checkpoints, learning curve, exact resuming.

The random numbers of a step depend on the seed and on the step alone, never on how often the training was
stopped in between.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from tqdm import tqdm

from crystal_search.errors import UserError
from crystal_search.training.checkpoints import CHECKPOINT, load_checkpoint, load_weights, save_checkpoint
from crystal_search.training.learning_curve import CURVE, append_row, cut_curve
from crystal_search.training.precision import computing_in
from crystal_search.training.run_record import RunRecord, check_free, write_run
from crystal_search.training.schedules import BETAS, one_cycle

__all__ = ("CURVE", "BatchSource", "LossFunction", "Plan", "Training", "Whereabouts")

log = logging.getLogger(__name__)

LARGEST_GRADIENT = 5.0  #: norm to which gradients are cut

LossFunction = Callable[[nn.Module, Tensor, Tensor], dict[str, Tensor]]


class BatchSource(Protocol):
    """Where batches come from; it may grow, and says of what it is made."""

    def names(self) -> list[str]:
        """Return the names of the shards in use."""

    def refresh(self) -> None:
        """Take up the shards that were written since."""

    def use(self, names: list[str]) -> None:
        """Draw from exactly these shards from now on."""

    def batch(self, step: int, size: int) -> tuple[Tensor, Tensor]:
        """Return inputs and truth; the same step gives the same batch."""


class Examiner(Protocol):
    """Who looks at a network while it is being trained."""

    @property
    def ended(self) -> bool:
        """Whether nothing more is to be gained."""

    def examine(self, step: int, network: nn.Module) -> Mapping[str, float]:
        """Return figures for the learning curve, the same at every step; step 0 is before the first."""

    def state(self) -> dict[str, float]:
        """Return what is remembered, for a checkpoint."""

    def restore(self, state: Mapping[str, float]) -> None:
        """Remember what a checkpoint says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long and how fast to train."""

    steps: int  #: at most
    batch_size: int
    peak_rate: float
    seed: int = 0
    weight_decay: float = 1e-3
    steps_per_epoch: int = 100  #: after so many, new shards are taken up and a line is logged
    steps_per_checkpoint: int = 300
    seconds: float | None = None  #: of training, resumed parts together; None: until the last step
    precision: str = "float32"

    def progress(self, step: int, seconds: float) -> float:
        """Return the share of the training that is done after `step` steps and so many seconds."""
        return max(step / self.steps, seconds / self.seconds if self.seconds else 0.0)

    def rate(self, step: int, seconds: float = 0.0) -> float:
        """Return the learning rate of a step: one rise, one cosine fall."""
        return self.peak_rate * one_cycle(self.progress(step + 1, seconds))


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where a training keeps its checkpoint, and where it begins."""

    folder: Path
    resume: bool = False  #: go on from the checkpoint in the folder
    start_from: Path | None = None  #: folder of a training whose weights to begin with


@dataclass
class Training:
    """One network being trained in one folder."""

    network: nn.Module
    source: BatchSource
    losses: LossFunction
    plan: Plan
    where: Whereabouts
    record: RunRecord | None = None  #: written into the folder at the beginning
    examiner: Examiner | None = None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    _seconds: float = 0.0  #: of training before `_began`
    _began: float = field(default_factory=time.monotonic)
    _sums: dict[str, Tensor] = field(default_factory=dict)
    _steps: int = 0  #: in the sums
    _since: float = field(default_factory=time.monotonic)

    def run(self) -> nn.Module:
        """Train to the end of the plan and return the network, set to evaluation.

        Raises
        ------
        UserError
            If the folder holds a training that was not to be resumed.
        """
        self.network.to(self.device)
        optimiser = AdamW(
            self.network.parameters(), lr=self.plan.peak_rate, betas=BETAS, weight_decay=self.plan.weight_decay
        )
        first = self._begin(optimiser)
        self._began = self._since = time.monotonic()
        steps = range(first, self.plan.steps)
        for step in tqdm(steps, "training", self.plan.steps, initial=first, unit="step", disable=None):
            if self._ended:
                break
            if step % self.plan.steps_per_epoch == 0:
                self.source.refresh()
            self._step(step, optimiser)
            done = step + 1
            last = self.plan.progress(done, self._elapsed) >= 1
            if done % self.plan.steps_per_epoch == 0 or last:
                self._report(done)
            if done % self.plan.steps_per_checkpoint == 0 or last or self._ended:
                save_checkpoint(self.where.folder, done, self.network, optimiser, self._settings())
            if last:
                break
        return self.network.eval()

    @property
    def _ended(self) -> bool:
        return self.examiner is not None and self.examiner.ended

    def _begin(self, optimiser: Optimizer) -> int:
        if not self.where.resume:
            if (self.where.folder / CHECKPOINT).exists():
                raise UserError(f"{self.where.folder} holds a training; resume it, or name another folder")
            check_free(self.where.folder)
            self.where.folder.mkdir(parents=True, exist_ok=True)
            (self.where.folder / CURVE).write_text("", encoding="utf-8")
            if self.record is not None:
                write_run(self.where.folder, self.record)
            if self.where.start_from is not None:
                load_weights(self.where.start_from, self.network)
            if self.examiner is not None:
                log.info("before the first step: %s", self.examiner.examine(0, self.network))
            return 0
        first, settings = load_checkpoint(self.where.folder, self.network, optimiser)
        self.source.use(settings["shards"])
        self._seconds = settings.get("seconds", 0.0)
        cut_curve(self.where.folder / CURVE, first)
        if self.examiner is not None:
            self.examiner.restore(settings["examiner"])
        return first

    @property
    def _elapsed(self) -> float:
        """Seconds of training so far, resumed parts together."""
        return self._seconds + time.monotonic() - self._began

    def _settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = {"shards": self.source.names(), "seconds": self._elapsed}
        return settings if self.examiner is None else settings | {"examiner": self.examiner.state()}

    def _step(self, step: int, optimiser: Optimizer) -> None:
        torch.manual_seed((self.plan.seed << 32) + step)
        for group in optimiser.param_groups:
            group["lr"] = self.plan.rate(step, self._elapsed if self.plan.seconds else 0.0)
        inputs, truth = self.source.batch(step, self.plan.batch_size)
        self.network.train()
        with computing_in(self.plan.precision, self.device):
            losses = self.losses(self.network, inputs.contiguous(memory_format=torch.channels_last), truth)
        optimiser.zero_grad(set_to_none=True)
        losses["loss"].backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), LARGEST_GRADIENT)
        optimiser.step()
        for name, loss in losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + loss.detach().double()
        self._steps += 1

    def _report(self, done: int) -> None:
        steps, self._steps = self._steps, 0
        means = {name: round(float(total) / steps, 5) for name, total in self._sums.items()}
        seconds = time.monotonic() - self._since
        self._sums.clear()
        self._since = time.monotonic()
        row = {"step": done, "seconds_per_step": round(seconds / steps, 3), "shards": len(self.source.names())} | means
        if self.examiner is not None:
            row |= self.examiner.examine(done, self.network)
        append_row(self.where.folder / CURVE, row)
        log.info("step %d of %d: %s", done, self.plan.steps, ", ".join(f"{k} {v}" for k, v in row.items()))
