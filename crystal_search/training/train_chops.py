"""Training of a classifier on the chops of a packed dataset: what ``crystal-search train classifier`` does."""

import logging
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from crystal_search.class_schemes import TRAINABLE, scheme_named
from crystal_search.datasets.packed import PackedDataset, open_dataset
from crystal_search.errors import UserError
from crystal_search.files import write_whole
from crystal_search.images import channels_of
from crystal_search.networks.architectures import architecture_named
from crystal_search.networks.pretrained import load_imagenet
from crystal_search.training.checkpoints import CHECKPOINT, load_weights
from crystal_search.training.chop_source import ChopSource, validation_chops
from crystal_search.training.chop_training import ChopPlan, ChopTraining
from crystal_search.training.distributed import Group, joined
from crystal_search.training.learning_curve import CURVE
from crystal_search.training.precision import precision_for
from crystal_search.training.run_record import TRACES, RunRecord, check_free, read_run, write_run
from crystal_search.training.schedules import OneCycle, Schedule, StepwiseRates

log = logging.getLogger(__name__)

#: Peak learning rates of one cycle with AdamW at 32 chops a step.
PEAK_RATES = {"alexnet": 5e-4, "vgg16": 3e-4, "resnet50": 1e-3, "squeezenet": 2e-3}
PEAK_RATE = 1e-3  #: of any other network
EPOCHS = {"one-cycle": 10.0, "steps": 100.0}  #: where neither epochs, steps nor hours are asked for
PATIENCE = {"one-cycle": 10, "steps": 3}  #: validations


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A training as it was asked for; None and ``auto`` leave the choice to the program."""

    network: str
    data: Path
    out: Path
    command: str  #: as it was typed
    classes: int | None = None  #: 13, 5 or 4
    balance: str = "sqrt"
    schedule: str = "one-cycle"
    rate: float | None = None  #: peak rate of one cycle, first rate of steps
    patience: int | None = None
    epochs: float | None = None
    steps: int | None = None
    hours: float | None = None
    batch_size: int = 32
    seed: int = 0
    label_smoothing: float = 0.05
    precision: str = "auto"
    device: str = "auto"
    workers: int | None = None
    validation_chops: int = 2000
    validate_every: int | None = None
    checkpoint_minutes: float = 5.0
    resume: bool = False
    start_from: Path | None = None
    pretrained: bool = False
    quiet: bool = False


def train_on_chops(request: Request) -> int:
    """Train as `request` says and return how many steps were made, resumed ones included.

    Raises
    ------
    UserError
        If something that was asked for is not there or does not fit.
    ModelError
        If a checkpoint cannot be used.
    """
    architecture_named(request.network)
    dataset = open_dataset(request.data)
    log.info("%s learns from %s", request.network, "; ".join(dataset.about.sources))
    classes = classes_for(request.classes, dataset)
    record = _record(request, dataset, classes)
    goes_on = _check_folder(request, record)
    with joined(request.device) as group:
        training = _training(request, dataset, classes, group, begins=not goes_on)
        if group.is_first and not goes_on:
            write_run(request.out, record)
            write_whole(request.out / CURVE, "")
        return training.run(resume=goes_on)


def classes_for(asked: int | None, dataset: PackedDataset) -> tuple[str, ...]:
    """Return the classes to train: the `asked` number of them, by default the finest that all labels have.

    Raises
    ------
    UserError
        If the dataset's labels are coarser than that.

    Notes
    -----
    A scheme is as fine as the number of classes that its labels fall into.
    """
    there = _falls_into(dataset)
    if asked is None:
        return scheme_named(TRAINABLE[max(number for number in TRAINABLE if number in there)]).class_names
    if asked not in there:
        raise UserError(
            f"{dataset.folder} has labels of the scheme {dataset.about.scheme}, too coarse for {asked} classes; "
            f"train {' or '.join(str(number) for number in TRAINABLE if number in there)} classes, "
            "or build the dataset from images with finer scores"
        )
    return scheme_named(TRAINABLE[asked]).class_names


def _falls_into(dataset: PackedDataset) -> set[int]:
    """Return the numbers of classes that the dataset's labels suffice for."""
    has_rim = any(row.outcome == "rim" for row in dataset.chops("train"))
    if dataset.about.scheme in (TRAINABLE[13], "vmxi-10"):
        return {13, 5, 4}
    return {5, 4} if dataset.about.scheme == TRAINABLE[5] or has_rim else {4}


def _record(request: Request, dataset: PackedDataset, classes: tuple[str, ...]) -> RunRecord:
    return RunRecord(
        kind="classifier",
        architecture=request.network,
        classes=classes,
        normalisation=dataset.about.normalisation,
        working_width_px=dataset.about.working_width_px,
        data=os.path.abspath(request.data),
        taught_by="chops",
        command=request.command,
        seed=request.seed,
    )


def _check_folder(request: Request, record: RunRecord) -> bool:
    """Return whether there is a checkpoint to go on from; refuse a folder that holds another training."""
    there = [name for name in TRACES if (request.out / name).exists()]
    if not request.resume:
        if there:
            raise UserError(f"{request.out} holds a training; go on with --resume, or name another folder with --out")
        check_free(request.out)
        return False
    began = read_run(request.out)
    for what in ("kind", "taught_by", "architecture", "classes", "normalisation"):
        if (was := getattr(began, what)) != (now := getattr(record, what)):
            was, now = (", ".join(each) if isinstance(each, tuple) else each for each in (was, now))
            raise UserError(
                f"{request.out} holds a training of another {what.replace('_', ' ')}: {was}, not {now}; "
                "name the same network, classes and data, or another folder"
            )
    return CHECKPOINT in there


def _training(
    request: Request, dataset: PackedDataset, classes: tuple[str, ...], group: Group, *, begins: bool
) -> ChopTraining:
    if request.batch_size % group.size or request.batch_size < 2 * group.size:
        raise UserError(
            f"a batch of {request.batch_size} chops cannot be shared by {group.size} process(es); "
            f"name a multiple of {group.size} that is at least {2 * group.size}"
        )
    source = ChopSource(dataset, classes, request.seed, request.balance, group.rank, group.size)
    validation = validation_chops(dataset, classes, request.validation_chops, rank=group.rank, ranks=group.size)
    network = _network(request, dataset, len(classes), begins=begins).to(group.device)
    return ChopTraining(
        network.to(memory_format=torch.channels_last),  # type: ignore[call-overload]
        source,
        validation,
        plan_for(request, len(source.rows), group.device),
        schedule_for(request),
        request.out,
        group,
        f"{request.network}, {len(classes)} classes, {len(source.rows)} chops",
        request.quiet,
    )


def _network(request: Request, dataset: PackedDataset, classes: int, *, begins: bool) -> nn.Module:
    torch.manual_seed(request.seed)
    architecture = architecture_named(request.network)
    channels = channels_of(dataset.about.normalisation)
    network = architecture.build(classes, channels)
    if architecture.side_px != dataset.about.side_px:
        raise UserError(
            f"{request.network} reads chops of {architecture.side_px} px, those of {dataset.folder} have "
            f"{dataset.about.side_px}; build the dataset with that side"
        )
    if begins and request.pretrained:
        load_imagenet(network, request.network)
    if begins and request.start_from is not None:
        load_weights(request.start_from, network)
    freeze_idle(network, torch.zeros(1, channels, architecture.side_px, architecture.side_px))
    return network


def freeze_idle(network: nn.Module, view: torch.Tensor) -> None:
    """Take layers that the output does not depend on out of the training."""
    network.eval()
    network(view).sum().backward()
    for parameter in network.parameters():
        parameter.requires_grad_(parameter.grad is not None)
        parameter.grad = None


def plan_for(request: Request, chops: int, device: torch.device) -> ChopPlan:
    """Return how to train on so many chops.

    Raises
    ------
    UserError
        If an amount is not positive, or more than one way to say how long was taken.
    """
    asked = {name: getattr(request, name) for name in ("epochs", "steps", "hours")}
    given = {name: amount for name, amount in asked.items() if amount is not None}
    if len(given.keys() - {"hours"}) > 1 or any(amount <= 0 for amount in given.values()):
        raise UserError("say how long to train with a positive number of --epochs or of --steps, and of --hours")
    epochs = request.epochs if given else EPOCHS[request.schedule]
    steps = max(1, round(epochs * chops / request.batch_size)) if epochs else request.steps
    return ChopPlan(
        batch_size=request.batch_size,
        seed=request.seed,
        steps=steps,
        seconds=request.hours * 3600 if request.hours else None,
        validate_every=request.validate_every or math.ceil(chops / request.batch_size),
        checkpoint_seconds=60 * request.checkpoint_minutes,
        label_smoothing=request.label_smoothing,
        precision=precision_for(request.precision, device),
        workers=default_workers(device) if request.workers is None else request.workers,
    )


def default_workers(device: torch.device) -> int:
    """Return how many processes should make batches: none beside a processor that trains, most beside a GPU."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return max(1, min(16, processors // here - 1)) if device.type == "cuda" else 0


def schedule_for(request: Request) -> Schedule:
    """Return how the learning rate goes."""
    patience = PATIENCE[request.schedule] if request.patience is None else request.patience
    if request.schedule == "one-cycle":
        return OneCycle(request.rate or PEAK_RATES.get(request.network, PEAK_RATE), patience)
    rates: Sequence[float] = StepwiseRates(1).rates
    if request.rate is not None:
        rates = [rate for rate in rates if rate < request.rate]
        rates = [request.rate, *rates]
    return StepwiseRates(max(1, patience), tuple(rates))
