"""The task ``chops``: a classifier learns the labels of whole chops, cut from the images of an archive."""

import logging
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from crystal_search.class_schemes import TRAINABLE, scheme_named
from crystal_search.datasets.packed import PackedDataset
from crystal_search.datasets.training_part import open_to_train
from crystal_search.errors import UserError
from crystal_search.images import channels_of
from crystal_search.model_card import ClassifierCard
from crystal_search.networks.network_kinds import classifier_named, network_for
from crystal_search.networks.pretrained import load_imagenet
from crystal_search.training.chop_source import ChopSource, validation_chops
from crystal_search.training.held_losses import HeldLosses
from crystal_search.training.losses import hits
from crystal_search.training.machine import Machine
from crystal_search.training.requests import ChopRequest
from crystal_search.training.run_record import recorded
from crystal_search.training.shipped_weights import begin
from crystal_search.training.task import Losses, Task

log = logging.getLogger(__name__)

#: Peak learning rates of one cycle with AdamW at 32 chops a step.
PEAK_RATES = {"alexnet": 5e-4, "vgg16": 3e-4, "resnet50": 1e-3, "squeezenet": 2e-3}
PEAK_RATE = 1e-3  #: of any other network
PANELS = {"loss": ("loss",), "accuracy": ("accuracy", "top5")}


def opened(request: ChopRequest, machine: Machine) -> Task:
    """Return what the network of a request learns.

    Raises
    ------
    UserError
        If the data do not suffice, or do not fit the network.
    """
    group = machine.group
    network_for("chops", request.network)
    dataset = open_to_train(request.data)
    log.info("%s learns from %s", request.network, "; ".join(dataset.about.sources))
    classes = classes_for(request.classes, dataset)
    _check_fit(request, dataset, machine)
    source = ChopSource(dataset, classes, request.seed, request.balance)
    held = validation_chops(dataset, classes, request.validation_chops, rank=group.rank, ranks=group.size)
    if not held.rows:
        raise UserError(f"{request.data} has fewer validation chops than there are processes; start fewer")
    losses = partial(chop_losses, smoothing=request.label_smoothing)
    begins = request.pretrained or request.start_from is not None
    return Task(
        record=recorded(
            request,
            task="chops",
            role="classifier",
            classes=classes,
            normalisation=dataset.about.normalisation,
            working_width_px=dataset.about.working_width_px,
        ),
        title=f"{request.network}, {len(classes)} classes, {len(source.rows)} chops",
        build=partial(_network, request, dataset, len(classes)),
        begin=partial(_begin, request, source) if begins else None,
        source=source,
        losses=losses,
        judge=HeldLosses(held, len(held.rows), losses, machine),
        panels=PANELS,
        samples=len(source.rows),
        peak_rate=PEAK_RATES.get(request.network, PEAK_RATE),
        weight_decay=1e-2,
        workers=machine.workers,
        same={"label_smoothing": request.label_smoothing, "balance": request.balance, "classes": len(classes)},
    )


def chop_losses(network: nn.Module, views: Tensor, labels: Tensor, smoothing: float) -> Losses:
    """Return loss, accuracy and top-5 accuracy of chops; only while the network learns are labels smoothed."""
    cells = network(views)  # (N, classes, h, w)
    chops = cells.float().mean(dim=(2, 3))  # (N, classes)
    loss = cross_entropy(chops, labels, label_smoothing=smoothing if network.training else 0.0)
    found = chops.detach()
    return {"loss": loss, "accuracy": hits(found, labels, 1), "top5": hits(found, labels, 5)}


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


def _check_fit(request: ChopRequest, dataset: PackedDataset, machine: Machine) -> None:
    least = 2 * machine.group.size  # batch normalisation of a single cell needs two
    if machine.batch_size < least:
        raise UserError(
            f"a batch of {machine.batch_size} chops cannot be shared by {machine.group.size} process(es); "
            f"name at least {least}"
        )
    architecture = classifier_named(request.network)
    if architecture.side_px != dataset.about.side_px:
        raise UserError(
            f"{request.network} reads chops of {architecture.side_px} px, those of {dataset.folder} have "
            f"{dataset.about.side_px}; build the dataset with that side"
        )


def _network(request: ChopRequest, dataset: PackedDataset, classes: int) -> nn.Module:
    architecture, channels = classifier_named(request.network), channels_of(dataset.about.normalisation)
    network = architecture.build(classes, channels)
    freeze_idle(network, torch.zeros(1, channels, architecture.side_px, architecture.side_px))
    return network


def _begin(request: ChopRequest, source: ChopSource, network: nn.Module) -> None:
    if request.pretrained:
        load_imagenet(network, request.network)
    if request.start_from is not None:
        begin(request.start_from, ClassifierCard, source, network)


def freeze_idle(network: nn.Module, view: Tensor) -> None:
    """Take layers that the output does not depend on out of the training."""
    network.eval()
    network(view).sum().backward()
    for parameter in network.parameters():
        parameter.requires_grad_(parameter.grad is not None)
        parameter.grad = None
