"""The task ``images``: a classifier learns whole images, one label each, as King et al. (2024) teach theirs.

Section 3.1.4: weights of ImageNet, a first epoch in which the head learns alone, squares that grow from phase to phase,
classes in equal shares, one cycle with AdamW. The best weights are those of the lowest validation loss, measured at
the last phase's side in all phases; the paper goes by accuracy.
"""

import logging
from functools import partial
from typing import Any, cast

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from crystal_search.class_schemes import TRAINABLE, scheme_named
from crystal_search.datasets.packed import PackedDataset
from crystal_search.datasets.training_part import open_to_train
from crystal_search.errors import UserError
from crystal_search.images import channels_of
from crystal_search.model_card import ImageCard
from crystal_search.networks.image_classifier import ImageClassifier
from crystal_search.networks.network_kinds import network_for
from crystal_search.networks.pretrained import PretrainedUnavailableError, take_imagenet
from crystal_search.training.chop_scores import check_labels
from crystal_search.training.held_losses import HeldLosses
from crystal_search.training.image_source import ImageSource, PlainImages, validation_images
from crystal_search.training.losses import hits
from crystal_search.training.machine import Machine
from crystal_search.training.requests import ImageRequest
from crystal_search.training.run_record import RunRecord, recorded
from crystal_search.training.shipped_weights import begin
from crystal_search.training.task import Losses, Task

log = logging.getLogger(__name__)

#: Peak learning rates of one cycle with AdamW at 32 images a step, from ImageNet weights.
PEAK_RATES = {"efficientnet-lite0": 1e-3, "convnext-tiny": 3e-4, "resnet50-image": 5e-4}
PEAK_RATE = 1e-3  #: of any other network
PANELS = {"loss": ("loss",), "accuracy": ("accuracy",)}


def opened(request: ImageRequest, machine: Machine) -> Task:
    """Return what the network of a request learns.

    Raises
    ------
    UserError
        If the data do not suffice, or the ImageNet weights that were asked for cannot be had.
    """
    network_for("images", request.network)
    dataset = open_to_train(request.data)
    classes = scheme_named(TRAINABLE[request.classes]).class_names
    check_labels(classes, dataset)
    _check_batch(machine)
    source = _source(request, dataset, classes)
    held = _held(request, dataset, classes, machine)
    losses = partial(image_losses, smoothing=request.label_smoothing)
    learnt = request.start_from is not None or request.weights == "imagenet"
    images = len(source.rows)
    head_steps = request.head_epochs * images / machine.batch_size if learnt else 0.0
    return Task(
        record=_record(request, classes),
        title=f"{request.network}, {len(classes)} classes, {images} images",
        build=partial(_network, request, len(classes)),
        begin=partial(_begin, request, source) if learnt else None,
        prepare=partial(_prepare, head_steps),
        source=source,
        losses=losses,
        judge=HeldLosses(held, len(held.rows), losses, machine),
        panels=PANELS,
        samples=images,
        peak_rate=PEAK_RATES.get(request.network, PEAK_RATE),
        weight_decay=1e-2,
        workers=machine.workers,
        same=_same(request),
    )


def image_losses(network: nn.Module, views: Tensor, labels: Tensor, smoothing: float) -> Losses:
    """Return loss and accuracy of images; only while the network learns are labels smoothed."""
    logits = network(views).float().mean(dim=(2, 3))  # (N, classes)
    loss = cross_entropy(logits, labels, label_smoothing=smoothing if network.training else 0.0)
    return {"loss": loss, "accuracy": hits(logits.detach(), labels, 1)}


def _record(request: ImageRequest, classes: tuple[str, ...]) -> RunRecord:
    return recorded(
        request,
        task="images",
        role="image",
        classes=classes,
        normalisation=request.normalisation,
        working_width_px=request.side_px,
    )


def _same(request: ImageRequest) -> dict[str, Any]:
    """Return what a training that goes on must have begun with."""
    return {
        **{name: getattr(request, name) for name in ("label_smoothing", "balance", "head_epochs", "weights")},
        "phases": [[phase.side_px, phase.epochs] for phase in request.phases],
    }


def _source(request: ImageRequest, dataset: PackedDataset, classes: tuple[str, ...]) -> ImageSource:
    source = ImageSource(
        *(dataset, classes, request.seed, request.balance),
        normalisation=request.normalisation,
        phases=request.phases,
        side_px=request.side_px,
    )
    log.info("%s learns %d images from %s", request.network, len(source.rows), "; ".join(dataset.about.sources))
    return source


def _held(request: ImageRequest, dataset: PackedDataset, classes: tuple[str, ...], machine: Machine) -> PlainImages:
    held = validation_images(
        *(dataset, classes, request.validation_images),
        side_px=request.side_px,
        normalisation=request.normalisation,
        rank=machine.group.rank,
        ranks=machine.group.size,
    )
    if not held.rows:
        raise UserError(f"{request.data} has fewer validation images than there are processes; start fewer")
    return held


def _check_batch(machine: Machine) -> None:
    least = 2 * machine.group.size  # batch normalisation of the head has one cell an image, and needs two
    if machine.batch_size < least:
        raise UserError(
            f"a batch of {machine.batch_size} images cannot be shared by {machine.group.size} process(es); "
            f"name at least {least}"
        )


def _network(request: ImageRequest, classes: int) -> nn.Module:
    return network_for("images", request.network).build(classes, channels_of(request.normalisation))


def _begin(request: ImageRequest, source: ImageSource, network: nn.Module) -> None:
    if request.start_from is not None:
        begin(request.start_from, ImageCard, source, network)
        return
    try:
        take_imagenet(network, request.network)
    except PretrainedUnavailableError as reason:
        raise UserError(f"{reason}; or name a training or model to --start-from, or say --weights nothing") from reason


def _prepare(head_steps: float, network: nn.Module, step: int) -> None:
    cast(ImageClassifier, network).teach(head_alone=step < head_steps)
