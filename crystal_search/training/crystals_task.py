"""The task ``crystals``: a detector learns crystals one by one, in suspensions and in drops."""

import logging
from functools import partial
from typing import cast

from torch import Tensor, nn

from crystal_search.datasets.packed import PackedDataset, open_dataset
from crystal_search.errors import UserError
from crystal_search.model_card import CrystalCard
from crystal_search.networks.dense_crystals import DenseCrystals
from crystal_search.networks.network_kinds import CRYSTAL_NORMALISATION, network_for
from crystal_search.training.crystal_losses import WEIGHTS, crystal_losses
from crystal_search.training.crystal_source import CrystalSource
from crystal_search.training.held_losses import HeldLosses
from crystal_search.training.machine import Machine
from crystal_search.training.requests import CrystalRequest
from crystal_search.training.run_record import recorded
from crystal_search.training.shipped_weights import begin
from crystal_search.training.task import Losses, Task

log = logging.getLogger(__name__)

HELD_VIEWS = 64  #: at most, that a network is judged by
PEAK_RATE, STEPS = 3e-3, 6000  #: where nothing else is asked for
PANELS = {"loss": ("loss",), "parts of it": tuple(WEIGHTS)}


def opened(request: CrystalRequest, machine: Machine) -> Task:
    """Return what the network of a request learns.

    Raises
    ------
    UserError
        If there is no dataset, or none of its images has crystals that are known one by one.
    """
    architecture = network_for("crystals", request.network)
    dataset = open_dataset(request.data)
    source = CrystalSource(dataset, request.seed, request.side_px, request.width_px)
    source.refresh()
    if not len(source):
        raise UserError(
            f"no image of {request.data} has crystals that are known one by one; build it of an archive that has "
            "(docs/crystals.md), or render it with --objects"
        )
    return Task(
        record=recorded(
            request,
            task="crystals",
            role="crystals",
            classes=("crystal",),
            normalisation=CRYSTAL_NORMALISATION,
            working_width_px=request.width_px,
        ),
        title=f"{request.network}, crystals of {request.data}",
        build=partial(architecture.build, 1, 1),
        begin=None if request.start_from is None else partial(begin, request.start_from, CrystalCard, source),
        source=source,
        losses=losses,
        judge=_judge(dataset, request, machine),
        panels=PANELS,
        usual_steps=STEPS,
        peak_rate=PEAK_RATE,
        grows=dataset.rendered,
        workers=machine.workers,
        same={"width": request.width_px, "side": request.side_px},
    )


def losses(network: nn.Module, views: Tensor, truth: Tensor) -> Losses:
    """Return the losses of views (N, 1, side, side) by name."""
    return crystal_losses(cast(DenseCrystals, network).taught(views), truth)


def _judge(dataset: PackedDataset, request: CrystalRequest, machine: Machine) -> HeldLosses | None:
    """Return a judge by views of the validation images, as far as there are some."""
    held = CrystalSource(dataset, 0, request.side_px, request.width_px, augmented=False, split="validation")
    held.refresh()
    if not len(held):
        log.warning(
            "%s has no validation images with known crystals: the last weights are kept, not the best", request.data
        )
        return None
    return HeldLosses(held, min(HELD_VIEWS, len(held)), losses, machine)
