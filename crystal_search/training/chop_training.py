"""The training loop on a dataset's chops: steps, validation, checkpoints, early stopping, exact resuming.

The random numbers of a step depend on the seed and on the step alone, and all that is remembered from step to step
is in the checkpoint, so that a training that was killed ends with the weights of one that was not.
"""

import logging
import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from crystal_search.errors import UserError
from crystal_search.training.checkpoints import BEST, CHECKPOINT, load_checkpoint, save_checkpoint
from crystal_search.training.chop_source import Batch, ChopSource, PlainChops, batches
from crystal_search.training.distributed import Group
from crystal_search.training.learning_curve import CURVE, append_row, cut_curve, draw_curve
from crystal_search.training.losses import chop_loss, hits
from crystal_search.training.precision import computing_in
from crystal_search.training.schedules import Schedule
from crystal_search.training.tensorboard import add_events

log = logging.getLogger(__name__)

LARGEST_GRADIENT = 5.0  #: norm to which gradients are cut
STEPS_PER_CHECK = {"cpu": 1, "cuda": 20}  #: between looks whether the loss is a number; a look makes a GPU wait
SUMS = 4  #: what is summed over steps: loss, hits, hits among five, chops
Means = tuple[float, float, float]  #: loss, accuracy, top-5 accuracy of chops


@dataclass(frozen=True, slots=True, kw_only=True)
class ChopPlan:
    """How to train on chops."""

    batch_size: int  #: of all processes together
    seed: int = 0
    steps: int | None = None  #: None: until time is over or nothing more is gained
    seconds: float | None = None  #: training time, resumed parts together
    validate_every: int  #: steps
    checkpoint_seconds: float = 300.0
    label_smoothing: float = 0.0
    precision: str = "float32"
    workers: int = 0  #: processes that decode and change chops

    def progress(self, step: int, seconds: float) -> float:
        """Return the share of the training that is done after `step` steps and so many seconds."""
        of_steps = step / self.steps if self.steps else 0.0
        return max(of_steps, seconds / self.seconds if self.seconds else 0.0)


@dataclass
class ChopTraining:
    """A network being trained on chops in one folder."""

    network: nn.Module
    source: ChopSource
    validation: PlainChops
    plan: ChopPlan
    schedule: Schedule
    folder: Path
    group: Group
    title: str = ""  #: of the picture of the learning curve
    quiet: bool = True  #: no progress bar
    _lowest: float = math.inf  #: validation loss so far
    _seconds: float = 0.0  #: training time up to `_since`
    _validated_at: float = 0.0  #: training time at the last validation
    _since: float = field(default_factory=time.monotonic)
    _saved: float = 0.0  #: when the last checkpoint was written, by the monotonic clock

    def __post_init__(self) -> None:
        self._sums = torch.zeros(SUMS, dtype=torch.float64, device=self.group.device)
        self._parallel = self.group.wrapped(self.network)
        self._optimiser = self.schedule.optimiser([each for each in self.network.parameters() if each.requires_grad])
        self._scaler = torch.amp.GradScaler(self.group.device.type, enabled=self.plan.precision == "fp16")

    def run(self, *, resume: bool = False) -> int:
        """Train to the end and return how many steps were made.

        Raises
        ------
        UserError
            If the loss is no number any more, memory or the disk is full, or the checkpoint is of other options.
        ModelError
            If the checkpoint cannot be read.
        """
        done = self._resume() if resume else self._save(0)
        self._since = self._saved = time.monotonic()
        for step, batch in self._progress_bar(done):
            progress = self._step(step, batch)
            done = step + 1
            validates = done % self.plan.validate_every == 0
            if validates:
                self._validate(done)
            if validates or self._checkpoint_is_due(done):
                self._save(done)
            if self.schedule.ended or progress >= 1:
                break
        if float(self.group.total(self._sums.clone())[-1]):  # steps since the last validation
            self._validate(done)
            self._save(done)
        return done

    def _checkpoint_is_due(self, done: int) -> bool:
        if done % STEPS_PER_CHECK[self.group.device.type]:
            return False
        return self.group.of_first(time.monotonic() - self._saved) > self.plan.checkpoint_seconds

    def _progress_bar(self, first: int) -> Iterator[tuple[int, Batch]]:
        """Yield steps with their batches until the plan's end, none when that is reached already."""
        from tqdm import tqdm

        if self.schedule.ended or self._progress(first) >= 1:
            return
        steps = range(first, self.plan.steps or sys.maxsize)  # no iterator: it is gone through twice
        ahead = batches(self.source, steps, self.plan.batch_size, workers=self.plan.workers)
        hidden = True if self.quiet or not self.group.is_first else None  # None: where standard error is no terminal
        yield from zip(
            steps, tqdm(ahead, "training", self.plan.steps, initial=first, unit="step", disable=hidden), strict=False
        )

    def _elapsed(self) -> float:
        return self._seconds + time.monotonic() - self._since

    def _progress(self, step: int) -> float:
        seconds = self.group.of_first(self._elapsed()) if self.plan.seconds else 0.0
        return self.plan.progress(step, seconds)

    def _step(self, step: int, batch: Batch) -> float:
        torch.manual_seed((self.plan.seed << 32) + step * self.group.size + self.group.rank)
        progress = self._progress(step + 1)
        rate = self.schedule.rate(progress)
        for options in self._optimiser.param_groups:
            options["lr"] = rate
        self._parallel.train()
        views, labels = self._placed(batch)
        with memory_explained(self.plan.batch_size):
            chops = self._chops(self._parallel, views)
            loss = chop_loss(chops, labels, self.plan.label_smoothing)
            self._sums += _numbers(loss.detach(), chops.detach(), labels)
            if step % STEPS_PER_CHECK[self.group.device.type] == 0:
                self._check(step, rate)
            self._descend(loss)
        return progress

    def _descend(self, loss: Tensor) -> None:
        self._optimiser.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self._scaler.unscale_(self._optimiser)
        nn.utils.clip_grad_norm_(self.network.parameters(), LARGEST_GRADIENT)
        self._scaler.step(self._optimiser)
        self._scaler.update()

    def _placed(self, batch: Batch) -> Batch:
        views, labels = (each.to(self.group.device, non_blocking=True) for each in batch)
        return views.contiguous(memory_format=torch.channels_last), labels

    def _chops(self, network: nn.Module, views: Tensor) -> Tensor:
        with computing_in(self.plan.precision, self.group.device):
            cells: Tensor = network(views)  # (N, classes, h, w)
        return cells.float().mean(dim=(2, 3))  # (N, classes)

    def _check(self, step: int, rate: float) -> None:
        loss = float(self.group.total(self._sums[:1].clone()))
        if not math.isfinite(loss):
            raise UserError(
                f"the loss is no number any more at step {step}, rate {rate:.2g}; train with a lower --rate"
                f"{', or --precision bf16' if self.plan.precision == 'fp16' else ''}; "
                f"{self.folder / CHECKPOINT} is of before"
            )

    def _validate(self, done: int) -> None:
        """Look at the validation chops, keep the weights if they are the best, and write down how it goes."""
        self._check(done, self._optimiser.param_groups[0]["lr"])
        trained_for = self._elapsed() - self._validated_at
        train, self._sums = self._means(self._sums), torch.zeros_like(self._sums)
        validation = self._means(self._validation_sums())
        self.schedule.validated(validation[0])
        if validation[0] < self._lowest:
            self._lowest = validation[0]
            self._keep_best(done)
        steps = done % self.plan.validate_every or self.plan.validate_every
        self._report(done, train, validation, steps * self.plan.batch_size / max(trained_for, 1e-9))
        self._validated_at = self._elapsed()

    @torch.inference_mode()
    def _validation_sums(self) -> Tensor:
        self.network.eval()
        sums = torch.zeros_like(self._sums)
        size = max(1, self.plan.batch_size // self.group.size)
        steps = range(math.ceil(len(self.validation.rows) / size))
        for batch in batches(self.validation, steps, size, workers=self.plan.workers):
            views, labels = self._placed(batch)
            with memory_explained(self.plan.batch_size):
                chops = self._chops(self.network, views)
            sums += _numbers(chop_loss(chops, labels, 0.0), chops, labels)
        return sums

    def _means(self, sums: Tensor) -> Means:
        loss, right, among_five, chops = self.group.total(sums.clone()).tolist()
        return loss / chops, right / chops, among_five / chops

    def _report(self, done: int, train: Means, validation: Means, chops_per_second: float) -> None:
        if not self.group.is_first:
            return
        row = {
            "step": done,
            "epoch": round(done * self.plan.batch_size / len(self.source.rows), 4),
            "rate": self._optimiser.param_groups[0]["lr"],
            "train_loss": round(train[0], 6),
            "train_accuracy": round(train[1], 6),
            "validation_loss": round(validation[0], 6),
            "validation_accuracy": round(validation[1], 6),
            "validation_top5": round(validation[2], 6),
            "seconds": round(self._elapsed(), 1),
            "chops_per_second": round(chops_per_second, 1),
        }
        append_row(self.folder / CURVE, row)
        draw_curve(self.folder, self.title)
        add_events(self.folder, done, row)
        log.info("%s", ", ".join(f"{name.replace('_', ' ')} {number:g}" for name, number in row.items()))

    def _keep_best(self, done: int) -> None:
        if self.group.is_first:
            settings = {"validation_loss": self._lowest}
            save_checkpoint(self.folder, done, self.network, None, settings, name=BEST)

    def _save(self, done: int) -> int:
        """Write a checkpoint after `done` steps, unless the loss is no number; return `done`."""
        self._check(done, self._optimiser.param_groups[0]["lr"])
        sums = self.group.total(self._sums.clone()).tolist()
        if self.group.is_first:
            save_checkpoint(self.folder, done, self.network, self._optimiser, self._settings(sums))
        self._saved = time.monotonic()
        return done

    def _settings(self, sums: list[float]) -> dict[str, Any]:
        return {
            "shards": self.source.names(),
            "options": self._options(),
            "schedule": self.schedule.state(),
            "scaler": self._scaler.state_dict(),
            "lowest": self._lowest,
            "seconds": self._elapsed(),
            "validated_at": self._validated_at,
            "sums": sums,
        }

    def _options(self) -> dict[str, Any]:
        """Return what must be the same for a training to go on; how long it goes may be changed."""
        plan = asdict(self.plan)
        same = {name: plan[name] for name in ("batch_size", "seed", "label_smoothing", "precision", "validate_every")}
        return same | {
            "balance": self.source.balance,
            "classes": len(self.source.classes),
            "schedule": type(self.schedule).__name__,
        }

    def _resume(self) -> int:
        done, settings = load_checkpoint(self.folder, self.network, self._optimiser)
        for name, now in self._options().items():
            if (began := settings["options"].get(name)) != now:
                option = name.replace("_", " ")
                raise UserError(
                    f"the training in {self.folder} began with {option} {began}, not {now}; "
                    "resume it with the options it began with, or name another folder"
                )
        self.source.use(settings["shards"])
        self.schedule.restore(settings["schedule"])
        self._scaler.load_state_dict(settings["scaler"])
        self._lowest, self._seconds = settings["lowest"], settings["seconds"]
        self._validated_at = settings["validated_at"]
        if self.group.is_first:  # the sums of all processes, once
            self._sums += torch.tensor(settings["sums"], dtype=torch.float64, device=self.group.device)
            cut_curve(self.folder / CURVE, done)
        return done


def _numbers(loss: Tensor, chops: Tensor, labels: Tensor) -> Tensor:
    """Return what a batch adds to the sums, (4,) float64."""
    count = torch.tensor(len(labels), device=loss.device)
    return torch.stack([loss * count, hits(chops, labels, 1), hits(chops, labels, 5), count]).double()


@contextmanager
def memory_explained(batch_size: int) -> Iterator[None]:
    """Say what to do when memory is full.

    Raises
    ------
    UserError
        If it is.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise UserError(_less_memory("the GPU's memory", batch_size)) from error
    except RuntimeError as error:
        if "can't allocate memory" not in str(error):  # torch has no class for it on processors
            raise
        raise UserError(_less_memory("this machine's memory", batch_size)) from error


def _less_memory(where: str, batch_size: int) -> str:
    return (
        f"{where} does not hold a batch of {batch_size} chops; train with "
        f"--batch-size {max(1, batch_size // 2)}, or with --precision bf16, or end other programs that use it"
    )
