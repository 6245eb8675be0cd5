"""The task ``cells``: a classifier learns what is in every cell of wells whose truth is known place by place."""

from dataclasses import replace
from functools import partial
from typing import Protocol, cast

from torch import Tensor, nn

from crystal_search.datasets.rendered_shards import WELLS_PER_SHARD, shard_names
from crystal_search.errors import UserError
from crystal_search.networks.architectures import network_for
from crystal_search.networks.cards import CLASSIFIER_NORMALISATION, CLASSIFIER_WIDTH_PX
from crystal_search.outcomes import OUTCOME_NAMES
from crystal_search.training.checkpoints import load_weights
from crystal_search.training.crops import CropSource
from crystal_search.training.held_losses import HeldLosses
from crystal_search.training.losses import cell_losses
from crystal_search.training.machine import Machine, workers_for
from crystal_search.training.requests import CellRequest
from crystal_search.training.resident_crops import ResidentCrops
from crystal_search.training.run_record import recorded
from crystal_search.training.task import DrawnApart, Losses, Source, Task

CROP_SIDE_PX = 288
HELD_CROPS, HELD_SHARDS = 128, 4  #: that a network is judged by, and of how many shards they are
PEAK_RATE, STEPS = 2e-3, 6000  #: where nothing else is asked for
PANELS = {"loss": ("loss", "cell", "chop", "alarm", "texture")}


class TaughtAtTwoDepths(Protocol):
    """A network that can be taught half-way up as well."""

    def at_two_depths(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the map of class logits, and another from half-way up."""


def opened(request: CellRequest, machine: Machine) -> Task:
    """Return what the network of a request learns.

    Raises
    ------
    UserError
        If there are no rendered wells, or the network does not learn cells.
    """
    architecture = network_for("cells", request.network)
    if not shard_names(request.data, "train"):
        raise UserError(f"no rendered wells to train on in {request.data}; render some (crystal-search train shards)")
    resident = machine.group.device.type == "cuda" or request.width_px != CLASSIFIER_WIDTH_PX
    machine = replace(machine, workers=workers_for(request.workers, machine, on_device=resident))
    return Task(
        record=recorded(
            request,
            task="cells",
            role="classifier",
            classes=OUTCOME_NAMES,
            normalisation=CLASSIFIER_NORMALISATION,
            working_width_px=request.width_px,
        ),
        title=f"{request.network}, cells of {request.data}",
        build=partial(architecture.build, len(OUTCOME_NAMES), 1),
        begin=None if request.start_from is None else partial(load_weights, request.start_from),
        source=DrawnApart(_source(request, machine, resident=resident), machine.group.rank, machine.group.size),
        losses=losses_at_two_depths,
        judge=_judge(request, machine, resident=resident),
        panels=PANELS,
        usual_steps=STEPS,
        peak_rate=PEAK_RATE,
        grows=True,
        workers=machine.workers,
        same={"width": request.width_px},
    )


def losses_at_two_depths(network: nn.Module, views: Tensor, outcome_maps: Tensor) -> Losses:
    """Return the losses of crops (N, 1, side, side) whose outcome maps are (N, side/4, side/4), by name."""
    cells, textures = cast(TaughtAtTwoDepths, network).at_two_depths(views)
    return cell_losses(cells.float(), textures.float(), outcome_maps)


def _source(request: CellRequest, machine: Machine, *, resident: bool) -> Source:
    if not resident:
        return CropSource(request.data, "train", CROP_SIDE_PX, request.seed)
    return ResidentCrops(request.data, "train", CROP_SIDE_PX, request.seed, machine.group.device, request.width_px)


def _judge(request: CellRequest, machine: Machine, *, resident: bool) -> HeldLosses | None:
    """Return a judge by crops of the validation wells, as far as there are some."""
    names = shard_names(request.data, "validation")[:HELD_SHARDS]
    if not names:
        return None
    held: Source = CropSource(request.data, "validation", CROP_SIDE_PX, 0, augmented=False)
    if resident:
        wells, device = len(names) * WELLS_PER_SHARD, machine.group.device
        held = ResidentCrops(request.data, "validation", CROP_SIDE_PX, 0, device, request.width_px, wells)
    held.use(names)
    return HeldLosses(held, HELD_CROPS, losses_at_two_depths, machine)
