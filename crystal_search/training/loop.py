"""The training loop of every task: steps, validation, checkpoints, early stopping, exact resuming.

The random numbers of a step depend on the seed and on the step alone, and all that is remembered from step to step
is in the checkpoint, so that a training that was killed ends with the weights of one that was not.
"""

import logging
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from crystal_search.errors import UserError
from crystal_search.training.averaging import MeanWeights
from crystal_search.training.checkpoints import BEST, CHECKPOINT, load_checkpoint, save_checkpoint
from crystal_search.training.learning_curve import CURVE, add_events, append_row, cut_curve, draw_curve
from crystal_search.training.machine import Machine, memory_explained
from crystal_search.training.schedules import Schedule
from crystal_search.training.task import Batch, Task, Taught, batches

log = logging.getLogger(__name__)

LARGEST_GRADIENT = 5.0  #: norm to which gradients are cut
STEPS_PER_CHECK = {"cpu": 1, "cuda": 20}  #: between looks whether the loss is a number; a look makes a GPU wait
STEPS_PER_REFRESH = 100  #: after so many, a source that grows is asked for more
STATE_VERSION = 2  #: of what a checkpoint remembers


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long to train, how often to look, and what is kept."""

    seed: int = 0
    steps: int | None = None  #: None: until time is over or nothing more is gained
    seconds: float | None = None  #: training time, resumed parts together
    validate_every: int  #: steps
    checkpoint_seconds: float = 300.0
    ema: float = 0.0  #: how much of the mean of the weights is left after a step; 0: weights are kept as they are

    def progress(self, step: int, seconds: float) -> float:
        """Return the share of the training that is done after `step` steps and so many seconds."""
        of_steps = step / self.steps if self.steps else 0.0
        return max(of_steps, seconds / self.seconds if self.seconds else 0.0)


@dataclass
class Training:
    """A network being trained in one folder."""

    task: Task
    network: nn.Module
    plan: Plan
    schedule: Schedule
    machine: Machine
    folder: Path
    quiet: bool = True  #: no progress bar
    _sums: dict[str, Tensor] = field(default_factory=dict)  #: of losses since the last validation
    _steps: int = 0  #: in the sums
    _lowest: float = math.inf  #: what the judge said of the best weights
    _seconds: float = 0.0  #: training time up to `_since`
    _validated_at: float = 0.0  #: training time at the last validation
    _since: float = field(default_factory=time.monotonic)
    _saved: float = 0.0  #: when the last checkpoint was written, by the monotonic clock

    def __post_init__(self) -> None:
        self._group = self.machine.group
        self._mean = MeanWeights(self.network, self.plan.ema) if self.plan.ema else None
        in_parts = self.task.prepare is not None
        self._taught = self._group.wrapped(Taught(self.network, self.task.losses), in_parts=in_parts)
        self._optimiser = self.schedule.optimiser([each for each in self.network.parameters() if each.requires_grad])
        self._scaler = torch.amp.GradScaler(self._group.device.type, enabled=self.machine.precision == "fp16")

    def run(self, *, resume: bool = False) -> int:
        """Train to the end and return how many steps were made.

        Raises
        ------
        UserError
            If the loss is no number any more, memory or the disk is full, or the checkpoint is of other options.
        ModelError
            If the checkpoint cannot be read.
        """
        done = self._resume() if resume else self._begin()
        self._since = self._saved = time.monotonic()
        for step, batch in self._batches(done):
            progress = self._step(step, batch)
            done = step + 1
            validates = done % self.plan.validate_every == 0
            if validates:
                self._validate(done)
            if validates or self._checkpoint_is_due(done):
                self._save(done)
            if self.schedule.ended or progress >= 1:
                break
        if self._steps:  # since the last validation
            self._validate(done)
            self._save(done)
        return done

    def _begin(self) -> int:
        if self.task.begin is not None and (figures := self._judged(0)):
            log.info("before the first step: %s", _in_words(figures))
        return self._save(0)

    def _checkpoint_is_due(self, done: int) -> bool:
        if done % STEPS_PER_CHECK[self._group.device.type]:
            return False
        return self._group.of_first(time.monotonic() - self._saved) > self.plan.checkpoint_seconds

    def _batches(self, first: int) -> Iterator[tuple[int, Batch]]:
        """Yield steps with their batches until the plan's end, none when that is reached already."""
        from tqdm import tqdm

        if self.schedule.ended or self._progress(first) >= 1:
            return
        hidden = True if self.quiet or not self._group.is_first else None  # None: where standard error is no terminal
        with tqdm(desc="training", total=self.plan.steps, initial=first, unit="step", disable=hidden) as bar:
            for steps in self._stretches(first):
                ahead = batches(
                    *(self.task.source, steps, self.machine.batch_size),
                    workers=self.task.workers,
                    rank=self._group.rank,
                    ranks=self._group.size,
                )
                for step, batch in zip(steps, ahead, strict=False):
                    yield step, batch
                    bar.update()

    def _stretches(self, first: int) -> Iterator[range]:
        """Yield the steps from `first` on in stretches, at whose beginnings a source that grows is asked for more."""
        last, every = self.plan.steps or sys.maxsize, STEPS_PER_REFRESH if self.task.grows else sys.maxsize
        while first < last:
            if first % every == 0:
                self.task.source.refresh()
            end = min(last, (first // every + 1) * every)
            yield range(first, end)  # no iterator: it is gone through twice
            first = end

    def _elapsed(self) -> float:
        return self._seconds + time.monotonic() - self._since

    def _progress(self, step: int) -> float:
        seconds = self._group.of_first(self._elapsed()) if self.plan.seconds else 0.0
        return self.plan.progress(step, seconds)

    def _step(self, step: int, batch: Batch) -> float:
        torch.manual_seed(drawing_seed(self.plan.seed, step, self._group.rank))
        progress = self._progress(step + 1)
        rate = self.schedule.rate(progress)
        for options in self._optimiser.param_groups:
            options["lr"] = rate
        self._taught.train()
        if self.task.prepare is not None:
            self.task.prepare(self.network, step)
        losses = self.machine.losses(self._taught, batch)
        for name, loss in losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + loss.detach().double()
        self._steps += 1
        if step % STEPS_PER_CHECK[self._group.device.type] == 0:
            self._check(step, rate)
        with memory_explained(self.machine.batch_size):
            self._descend(losses["loss"])
        if self._mean is not None:
            self._mean.follow(self.network, step)
        return progress

    def _descend(self, loss: Tensor) -> None:
        self._optimiser.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self._scaler.unscale_(self._optimiser)
        nn.utils.clip_grad_norm_(self.network.parameters(), LARGEST_GRADIENT)
        self._scaler.step(self._optimiser)
        self._scaler.update()

    def _check(self, step: int, rate: float) -> None:
        if "loss" not in self._sums or math.isfinite(float(self._group.total(self._sums["loss"].clone()))):
            return
        raise UserError(
            f"the loss is no number any more at step {step}, rate {rate:.2g}; train with a lower --rate"
            f"{', or --precision bf16' if self.machine.precision == 'fp16' else ''}; "
            f"{self.folder / CHECKPOINT} is of before"
        )

    def _validate(self, done: int) -> None:
        """Have the network judged, keep the weights if they are the best, and write down how it goes."""
        self._check(done, self._rate)
        trained_for, samples = self._elapsed() - self._validated_at, self._steps * self.machine.batch_size
        train = {f"train_{name}": total / (self._steps * self._group.size) for name, total in self._totals().items()}
        self._sums, self._steps = {}, 0
        self._report(done, train | self._judged(done), samples / max(trained_for, 1e-9))
        self._validated_at = self._elapsed()

    def _judged(self, done: int) -> dict[str, float]:
        if self.task.judge is None:
            return {}
        network = (self.network if self._mean is None else self._mean.network).eval()
        with torch.inference_mode():
            verdict = self.task.judge(network)
        falls = float(verdict.falls)  # a checkpoint holds no numbers of numpy
        figures = {name: float(figure) for name, figure in verdict.figures.items()}
        self.schedule.validated(falls)
        if falls < self._lowest:
            self._lowest = falls
            if self._group.is_first:
                save_checkpoint(self.folder, done, network, None, figures, name=BEST)
        return figures

    def _totals(self) -> dict[str, float]:
        """Return the sums over all processes."""
        if not self._sums:
            return {}
        totals = self._group.total(torch.stack([*self._sums.values()])).tolist()
        return dict(zip(self._sums, totals, strict=True))

    @property
    def _rate(self) -> float:
        return float(self._optimiser.param_groups[0]["lr"])

    def _report(self, done: int, figures: dict[str, float], samples_per_second: float) -> None:
        if not self._group.is_first:
            return
        samples, source = self.task.samples, self.task.source
        row: dict[str, float] = {"step": done}
        row |= {"epoch": round(done * self.machine.batch_size / samples, 4)} if samples else {}
        row |= {"shards": len(source.names())} if self.task.grows else {}
        row |= {"rate": self._rate} | {name: round(figure, 6) for name, figure in figures.items()}
        row |= {"seconds": round(self._elapsed(), 1), "samples_per_second": round(samples_per_second, 1)}
        append_row(self.folder / CURVE, row)
        draw_curve(self.folder, self.task.title, self.task.panels)
        add_events(self.folder, done, row)
        log.info("%s", _in_words(row))

    def _save(self, done: int) -> int:
        """Write a checkpoint after `done` steps, unless the loss is no number; return `done`."""
        self._check(done, self._rate)
        sums = self._totals()
        if self._group.is_first:
            mean = None if self._mean is None else self._mean.network
            save_checkpoint(self.folder, done, self.network, self._optimiser, self._state(sums), mean=mean)
        self._saved = time.monotonic()
        return done

    def _state(self, sums: dict[str, float]) -> dict[str, Any]:
        return {
            "version": STATE_VERSION,
            "shards": self.task.source.names(),
            "options": self._options(),
            "schedule": self.schedule.state(),
            "scaler": self._scaler.state_dict(),
            "lowest": self._lowest,
            "seconds": self._elapsed(),
            "validated_at": self._validated_at,
            "sums": sums,
            "steps": self._steps,
        }

    def _options(self) -> dict[str, Any]:
        """Return what must be the same for a training to go on; how long it goes may be changed."""
        return {
            "batch_size": self.machine.batch_size,
            "seed": self.plan.seed,
            "precision": self.machine.precision,
            "validate_every": self.plan.validate_every,
            "schedule": type(self.schedule).__name__,
            "ema": self.plan.ema or None,
            **self.task.same,
        }

    def _resume(self) -> int:
        done, state = load_checkpoint(self.folder, self.network, self._optimiser)
        self._check_same(state)
        if self._mean is not None:
            load_checkpoint(self.folder, self._mean.network)
        self.task.source.use(state["shards"])
        self.schedule.restore(state["schedule"])
        self._scaler.load_state_dict(state["scaler"])
        self._lowest, self._seconds, self._validated_at, self._steps = (
            state[name] for name in ("lowest", "seconds", "validated_at", "steps")
        )
        part = 1.0 if self._group.is_first else 0.0  # the sums of all processes, once
        self._sums = {
            name: torch.tensor(part * total, dtype=torch.float64, device=self._group.device)
            for name, total in state["sums"].items()
        }
        if self._group.is_first:
            cut_curve(self.folder / CURVE, done)
        return done

    def _check_same(self, state: dict[str, Any]) -> None:
        if state.get("version") != STATE_VERSION:
            raise UserError(
                f"an older version began the training in {self.folder}; begin another with its weights: "
                f"--start-from {self.folder} and a new --out"
            )
        for name, now in self._options().items():
            if (began := state["options"].get(name)) != now:
                raise UserError(
                    f"the training in {self.folder} began with {name.replace('_', ' ')} {began}, not {now}; "
                    "resume it with the options it began with, or name another folder"
                )


def drawing_seed(*numbers: int) -> int:
    """Return a number of 64 bits made of `numbers`; processors take no more than its lower half for a seed.

    >>> drawing_seed(0, 7, 1) % 2**32 == drawing_seed(1, 7, 1) % 2**32
    False
    """
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])


def _in_words(figures: dict[str, float]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {number:g}" for name, number in figures.items())
