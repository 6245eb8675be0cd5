"""The task ``crystals``: a detector learns crystals one by one, in suspensions and in drops."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import cast

from torch import Tensor, nn

from crystal_search.datasets.packed import PackedDataset
from crystal_search.datasets.training_part import open_to_train
from crystal_search.errors import UserError
from crystal_search.images import Sight
from crystal_search.model_card import DENSE, INSTANCES, CrystalCard
from crystal_search.networks import mask_rcnn
from crystal_search.networks.dense_crystals import DenseCrystals
from crystal_search.networks.mask_rcnn import MaskRcnn
from crystal_search.networks.network_kinds import CRYSTAL, DROP, Detector, detector_named, network_for
from crystal_search.networks.pretrained_detectors import check_published, take_published
from crystal_search.training.crystal_losses import FIRST_PARTS, FURTHER_PARTS, dense_losses
from crystal_search.training.crystal_source import CrystalSource, Target, dense_target
from crystal_search.training.held_losses import HeldLosses
from crystal_search.training.instance_targets import instance_target
from crystal_search.training.machine import Machine
from crystal_search.training.requests import CrystalRequest
from crystal_search.training.run_record import recorded
from crystal_search.training.shipped_weights import begin
from crystal_search.training.task import Losses, LossFunction, Task

log = logging.getLogger(__name__)

HELD_VIEWS = 64  #: at most, that a network is judged by
STEPS = 6000  #: where nothing else is asked for


def _dense_losses(network: nn.Module, views: Tensor, truth: Tensor) -> Losses:
    return dense_losses(cast(DenseCrystals, network), views, truth)


def instance_losses(network: nn.Module, views: Tensor, truth: Tensor) -> Losses:
    """Return the losses of views (N, 1, side, side) by name, their sum as ``loss``."""
    found = cast(MaskRcnn, network).losses(views, truth)
    return {"loss": sum(found.values(), views.new_zeros(()))} | found


@dataclass(frozen=True, slots=True)
class Learning:
    """How detectors learn that answer in one way."""

    target: Target
    losses: LossFunction
    parts: Mapping[str, tuple[str, ...]]  #: names of the losses that are added, by what they have in common


#: By how crystals are read from their answers (`crystals.finding.DECODINGS`).
LEARNING: dict[str, Learning] = {
    DENSE: Learning(
        *(dense_target, _dense_losses), {"loss at first sight": FIRST_PARTS, "loss of further looks": FURTHER_PARTS}
    ),
    INSTANCES: Learning(instance_target, instance_losses, {"parts of the loss": tuple(mask_rcnn.LOSSES.values())}),
}


def opened(request: CrystalRequest, machine: Machine) -> Task:
    """Return what the network of a request learns.

    Raises
    ------
    UserError
        If there is no dataset, none of its images has crystals that are known one by one, or the network cannot learn
        drops or has no published weights to begin with.
    """
    network_for("crystals", request.network)
    architecture = detector_named(request.network)
    _check(request, architecture)
    dataset, classes = open_to_train(request.data), (CRYSTAL, DROP) if request.teach_drops else (CRYSTAL,)
    learning = LEARNING[architecture.decoding]
    source = _learnt_from(request, dataset, learning)
    return Task(
        record=recorded(
            request,
            task="crystals",
            role="crystals",
            classes=classes,
            normalisation=request.normalisation,
            working_width_px=request.width_px,
            enlarged=request.enlarge,
        ),
        title=f"{request.network}, crystals of {request.data}",
        build=partial(architecture.build, len(classes), 1),
        begin=_beginning(request, source),
        prepare=_steadied if request.steady else None,
        source=source,
        losses=learning.losses,
        judge=_judge(dataset, request, learning, machine),
        panels={"loss": ("loss",), **learning.parts},
        usual_steps=STEPS,
        peak_rate=architecture.peak_rate,
        grows=dataset.rendered,
        workers=machine.workers,
        same=_kept(request),
    )


def _kept(request: CrystalRequest) -> dict[str, object]:
    """Return what must be as it was where a training is resumed."""
    return {
        "width": request.width_px,
        "enlarge": request.enlarge if request.enlarge != 1 else None,
        "side": request.side_px,
        "normalisation": request.normalisation,
        "drops": request.teach_drops,
        "steady": request.steady or None,
    }


def _steadied(network: nn.Module, _step: int) -> None:
    """Have batch normalisation use its statistics as they are: those of a few views depend on what these show."""
    for each in network.modules():
        if isinstance(each, nn.BatchNorm2d):
            each.eval()


def _check(request: CrystalRequest, architecture: Detector) -> None:
    if request.teach_drops and architecture.classes < 2:
        raise UserError(
            f"{request.network} tells no drops from crystals; leave out --teach-drops, or name a mask-rcnn-..."
        )
    if request.pretrained:
        if request.start_from is not None:
            raise UserError("--pretrained and --start-from are two beginnings; name one of them")
        check_published(request.network)


def _beginning(request: CrystalRequest, source: CrystalSource) -> Callable[[nn.Module], None] | None:
    """Return what puts weights that were learnt before into the network, if some were asked for."""
    if request.pretrained:
        return partial(take_published, architecture=request.network)
    return None if request.start_from is None else partial(begin, request.start_from, CrystalCard, source)


def _learnt_from(request: CrystalRequest, dataset: PackedDataset, learning: Learning) -> CrystalSource:
    source = _source(request, dataset, learning)
    if not len(source):
        raise UserError(
            f"no image of {request.data} has crystals that are known one by one; build it of an archive that has "
            "(docs/crystals.md), or render it with --objects"
        )
    return source


def _source(
    request: CrystalRequest, dataset: PackedDataset, learning: Learning, *, split: str = "train"
) -> CrystalSource:
    """Return where views come from: of training images always others, of others always the same."""
    source = CrystalSource(
        *(dataset, request.seed if split == "train" else 0, request.side_px),
        sight=Sight(request.width_px, request.enlarge),
        augmented=split == "train",
        normalisation=request.normalisation,
        target=learning.target,
        with_drops=request.teach_drops,
        split=split,
    )
    source.refresh()
    return source


def _judge(dataset: PackedDataset, request: CrystalRequest, learning: Learning, machine: Machine) -> HeldLosses | None:
    """Return a judge by views of the validation images, as far as there are some."""
    held = _source(request, dataset, learning, split="validation")
    if not len(held):
        log.warning(
            "%s has no validation images with known crystals: the last weights are kept, not the best", request.data
        )
        return None
    return HeldLosses(held, min(HELD_VIEWS, len(held)), learning.losses, machine)
