"""A training from what was asked for to its last step: what ``crystal-search train`` does."""

import logging
import math
import os
from dataclasses import replace

import torch
from torch import nn

from crystal_search.errors import UserError
from crystal_search.files import write_whole
from crystal_search.processes import processors
from crystal_search.training.checkpoints import CHECKPOINT
from crystal_search.training.distributed import Group, joined
from crystal_search.training.learning_curve import CURVE
from crystal_search.training.loop import Plan, Training
from crystal_search.training.machine import Machine, precision_for
from crystal_search.training.requests import Request
from crystal_search.training.run_record import TRACES, RunRecord, check_free, read_run, write_run
from crystal_search.training.schedules import PAPER_RATES, OneCycle, Schedule, StepwiseRates
from crystal_search.training.task import Task
from crystal_search.training.task_kinds import TASKS

log = logging.getLogger(__name__)

EPOCHS = {"one-cycle": 10.0, "steps": 100.0}  #: where it is not said how long to train
PATIENCE = {"one-cycle": 10, "steps": 3}  #: validations
SAME = ("task", "architecture", "classes", "normalisation", "working_width_px")  #: of runs that go on


def train(name: str, request: Request) -> int:
    """Train the task called `name` as asked and return how many steps were made, resumed ones included.

    Raises
    ------
    UserError
        If something that was asked for is not there or does not fit.
    ModelError
        If a checkpoint cannot be used.
    """
    goes_on = _goes_on(request)
    with joined(request.device) as group:
        return _train(name, request, group, goes_on=goes_on)


def _train(name: str, request: Request, group: Group, *, goes_on: bool) -> int:
    machine = machine_for(request, group)
    task = TASKS[name].opened(request, machine)
    if request.resume:
        _check_same(request, task.record)
    training = Training(
        task,
        _network(task, request, machine, begins=not goes_on),
        plan_for(request, task),
        schedule_for(request, task),
        machine,
        request.out,
        request.quiet,
    )
    if group.is_first and not goes_on:
        write_run(request.out, task.record)
        write_whole(request.out / CURVE, "")
    return training.run(resume=goes_on)


def _goes_on(request: Request) -> bool:
    """Return whether there is a checkpoint to go on from; refuse a folder that holds something else."""
    there = [name for name in TRACES if (request.out / name).exists()]
    if request.resume:
        read_run(request.out)
        return CHECKPOINT in there
    if there:
        raise UserError(f"{request.out} holds a training; go on with --resume, or name another folder with --out")
    check_free(request.out)
    return False


def _check_same(request: Request, record: RunRecord) -> None:
    began = read_run(request.out)
    for what in SAME:
        if (was := getattr(began, what)) != (now := getattr(record, what)):
            was, now = (", ".join(each) if isinstance(each, tuple) else each for each in (was, now))
            raise UserError(
                f"{request.out} holds a training of another {what.replace('_', ' ')}: {was}, not {now}; "
                "name the same network, classes and data, or another folder"
            )


def machine_for(request: Request, group: Group) -> Machine:
    """Return what the training computes on.

    Raises
    ------
    UserError
        If the batches cannot be shared by the processes.
    """
    if request.batch_size % group.size or request.batch_size < group.size:
        raise UserError(
            f"a batch of {request.batch_size} cannot be shared by {group.size} process(es); "
            f"name a multiple of {group.size}"
        )
    return Machine(
        group=group,
        batch_size=request.batch_size,
        precision=precision_for(request.precision, group.device),
        workers=default_workers(group.device) if request.workers is None else request.workers,
    )


def default_workers(device: torch.device) -> int:
    """Return how many processes should make batches: none beside a processor that trains, most beside a GPU."""
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return max(1, min(16, processors() // here - 1)) if device.type == "cuda" else 0


def _network(task: Task, request: Request, machine: Machine, *, begins: bool) -> nn.Module:
    torch.manual_seed(request.seed)
    network = task.build()
    if begins and task.begin is not None:
        task.begin(network)
    placed: nn.Module = network.to(machine.group.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return placed


def plan_for(request: Request, task: Task) -> Plan:
    """Return how long to train.

    Raises
    ------
    UserError
        If an amount is not positive, more than one way to say how long was taken, or the task has no epochs.
    """
    asked = {name: getattr(request, name) for name in ("epochs", "steps", "hours")}
    given = {name: amount for name, amount in asked.items() if amount is not None}
    if len(given.keys() - {"hours"}) > 1 or any(amount <= 0 for amount in given.values()):
        raise UserError("say how long to train with a positive number of --epochs or of --steps, and of --hours")
    if request.epochs and task.samples is None:
        raise UserError("every step of this task draws anew, so that it has no epochs; name --steps or --hours")
    plan = Plan(
        seed=request.seed,
        steps=request.steps,
        seconds=request.hours * 3600 if request.hours else None,
        validate_every=request.validate_every or math.ceil((task.samples or 1) / request.batch_size),
        checkpoint_seconds=60 * request.checkpoint_minutes,
        ema=request.ema,
    )
    epochs = request.epochs if given else EPOCHS[request.schedule]
    if epochs and task.samples is not None:
        return replace(plan, steps=max(1, round(epochs * task.samples / request.batch_size)))
    return plan if given else replace(plan, steps=task.usual_steps)


def schedule_for(request: Request, task: Task) -> Schedule:
    """Return how the learning rate goes."""
    patience = PATIENCE[request.schedule] if request.patience is None else request.patience
    if request.schedule == "one-cycle":
        return OneCycle(request.rate or task.peak_rate, patience, task.weight_decay)
    if request.rate is None:
        return StepwiseRates(max(1, patience), PAPER_RATES)
    lower = (rate for rate in PAPER_RATES if rate < request.rate)
    return StepwiseRates(max(1, patience), (request.rate, *lower))
