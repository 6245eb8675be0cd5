"""The task ``cells``: a classifier learns what is in every cell of wells whose truth is known place by place."""

from dataclasses import replace
from functools import partial
from typing import Protocol, cast

from torch import Tensor, nn

from crystal_search.datasets.packed import IMAGES, OUTCOMES, PackedDataset
from crystal_search.datasets.training_part import open_to_train
from crystal_search.errors import UserError
from crystal_search.model_card import ClassifierCard
from crystal_search.networks.network_kinds import CLASSIFIER_NORMALISATION, Architecture, network_for
from crystal_search.outcomes import OUTCOME_NAMES
from crystal_search.training.crops import CropSource
from crystal_search.training.held_losses import HeldLosses
from crystal_search.training.losses import cell_losses
from crystal_search.training.machine import Machine, workers_for
from crystal_search.training.requests import CellRequest
from crystal_search.training.run_record import recorded
from crystal_search.training.shipped_weights import begin
from crystal_search.training.task import Losses, Task

CROP_SIDE_PX = 288
HELD_CROPS, HELD_SHARDS = 128, 4  #: that a network is judged by, and of how many shards they are
PEAK_RATE, STEPS = 2e-3, 6000  #: where nothing else is asked for
PANELS = {"loss": ("loss", "cell", "chop", "alarm", "miss", "texture")}


class TaughtAtTwoDepths(Protocol):
    """A network that can be taught half-way up as well."""

    @property
    def lowest(self) -> tuple[nn.Module, ...]:
        """The layers next to the image, in which most of the time is spent."""

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
    dataset = open_to_train(request.data)
    if not any(row.part(OUTCOMES) for row in dataset.wells("train")):
        raise UserError(f"no wells known place by place in {request.data}; render some (crystal-search dataset render)")
    device = machine.group.device
    machine = replace(machine, workers=workers_for(request.workers, machine, on_device=device.type == "cuda"))
    source = CropSource(dataset, request.seed, CROP_SIDE_PX, request.width_px, device)
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
        build=partial(_network, architecture, request.keep_lowest),
        begin=None if request.start_from is None else partial(begin, request.start_from, ClassifierCard, source),
        prepare=keep_lowest if request.keep_lowest else None,
        source=source,
        losses=losses_at_two_depths,
        judge=_judge(dataset, request, machine),
        panels=PANELS,
        usual_steps=STEPS,
        peak_rate=PEAK_RATE,
        grows=True,
        workers=machine.workers,
        same={"width": request.width_px, "keep_lowest": request.keep_lowest},
    )


def _network(architecture: Architecture, keeps_lowest: bool) -> nn.Module:
    network = architecture.build(len(OUTCOME_NAMES), 1)
    if keeps_lowest:
        for layers in cast(TaughtAtTwoDepths, network).lowest:
            layers.requires_grad_(False)
    return network


def keep_lowest(network: nn.Module, _step: int) -> None:
    """Have the lowest layers of a network answer in this step as they did before; the others learn."""
    for layers in cast(TaughtAtTwoDepths, network).lowest:
        layers.eval()


def losses_at_two_depths(network: nn.Module, views: Tensor, outcome_maps: Tensor) -> Losses:
    """Return the losses of crops (N, 1, side, side) whose outcome maps are (N, side/4, side/4), by name."""
    cells, textures = cast(TaughtAtTwoDepths, network).at_two_depths(views)
    return cell_losses(cells.float(), textures.float(), outcome_maps)


def _judge(dataset: PackedDataset, request: CellRequest, machine: Machine) -> HeldLosses | None:
    """Return a judge by crops of the validation wells, as far as there are some."""
    shards = dataset.shards(IMAGES, "validation")[:HELD_SHARDS]
    if not shards:
        return None
    held = CropSource(
        dataset, 0, CROP_SIDE_PX, request.width_px, machine.group.device, augmented=False, split="validation"
    )
    held.use([shard.sha256 for shard in shards])
    return HeldLosses(held, HELD_CROPS, losses_at_two_depths, machine)
