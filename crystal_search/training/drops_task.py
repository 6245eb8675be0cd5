"""The task ``drops``: a drop locator learns masks of drops, in photographs of a packed dataset or in rendered wells."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from crystal_search.datasets.packed import PackedDataset, sampled
from crystal_search.datasets.training_part import open_to_train
from crystal_search.inference import Maps
from crystal_search.model_card import DropCard
from crystal_search.networks.network_kinds import DROP_NORMALISATION, DROP_WIDTH_PX, drop_locator_card, network_for
from crystal_search.training.distributed import Group
from crystal_search.training.machine import Machine, workers_for
from crystal_search.training.mask_source import KnownDrop, MaskSource, known_drop, masked_wells
from crystal_search.training.requests import NOTHING, SHIPPED, DropRequest
from crystal_search.training.run_record import recorded
from crystal_search.training.shipped_weights import begin
from crystal_search.training.task import Losses, Task, Verdict
from crystal_search.unet_drop.locate import locate_drop
from crystal_search.unet_drop.regions import overlap

log = logging.getLogger(__name__)

DICE_SMOOTHING = 50.0  #: pixels; makes the Dice of an empty well well-defined
MOST_VALIDATED = 256  #: images that are looked at in every validation
RATE, GENTLE_RATE = 4e-3, 2e-4  #: from nothing, and from weights that find drops already
STEPS = 1000  #: where nothing else is asked for
PANELS = {"loss": ("loss", "entropy", "dice"), "intersection over union": ("iou",)}


@dataclass(frozen=True, slots=True, eq=False)
class LocatorInTraining:
    """A drop locator in torch, asked like a model file."""

    network: nn.Module
    card: DropCard

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return maps (N, 1, H, W) for views (N, 1, H, W)."""
        device = next(self.network.parameters()).device
        with torch.inference_mode():
            maps: NDArray[np.float32] = self.network(torch.from_numpy(batch).to(device)).cpu().numpy()
        return maps

    def maps(self, batch: NDArray[np.float32]) -> Maps:
        """Return the only map, by its name."""
        return {self.card.outputs[0].name: self.logits(batch)}


@dataclass(frozen=True, slots=True, eq=False)
class DropJudge:
    """Judges a network by the mean intersection over union of the drops that it finds; 1 less it must fall."""

    held: Sequence[KnownDrop]
    group: Group

    def __call__(self, network: nn.Module) -> Verdict:
        """Return the mean over the images of all processes."""
        mine = self.held[self.group.rank :: self.group.size]
        locator = LocatorInTraining(network, drop_locator_card("drop locator in training"))
        found = [locate_drop(each.grey, locator) for each in mine]
        each_iou = [overlap(each.mask, drop.mask if drop else None) for each, drop in zip(mine, found, strict=True)]
        sums = torch.tensor([sum(each_iou), len(mine)], dtype=torch.float64, device=self.group.device)
        total, count = self.group.total(sums).tolist()
        iou = round(total / count, 5)
        return Verdict({"validation_iou": iou}, 1 - iou)


def opened(request: DropRequest, machine: Machine) -> Task:
    """Return what the network of a request learns.

    Raises
    ------
    UserError
        If there is no dataset, or it has no image whose drop is known.
    """
    architecture = network_for("drops", request.network)
    dataset, device = open_to_train(request.data), machine.group.device
    source, held = MaskSource(dataset, request.seed, device), held_images(dataset)
    if not held:
        log.warning(
            "%s has no validation images with a known drop: the last weights are kept, not the best", request.data
        )
    start = request.start_from or (NOTHING if dataset.rendered else SHIPPED)
    return Task(
        record=recorded(
            request,
            task="drops",
            role="drop",
            classes=("drop",),
            normalisation=DROP_NORMALISATION,
            working_width_px=DROP_WIDTH_PX,
        ),
        title=f"drop locator on {request.data}",
        build=partial(architecture.build, 1, 1),
        begin=None if start == NOTHING else partial(begin, start, DropCard, source),
        source=source,
        losses=drop_losses,
        judge=DropJudge(held, machine.group) if held else None,
        panels=PANELS,
        usual_steps=STEPS,
        peak_rate=RATE if start == NOTHING else GENTLE_RATE,
        grows=dataset.rendered,
        workers=workers_for(request.workers, machine, on_device=device.type == "cuda"),
    )


def drop_losses(network: nn.Module, views: Tensor, drops: Tensor) -> Losses:
    """Return binary cross-entropy and Dice loss by name, their sum as ``loss``; all shapes (N, 1, H, W)."""
    logits = network(views).float()  # (N, 1, H, W)
    entropy = binary_cross_entropy_with_logits(logits, drops)
    found = logits.sigmoid()
    shared, both = (found * drops).sum(dim=(1, 2, 3)), (found + drops).sum(dim=(1, 2, 3))  # (N,)
    dice = 1 - ((2 * shared + DICE_SMOOTHING) / (both + DICE_SMOOTHING)).mean()
    return {"loss": entropy + dice, "entropy": entropy, "dice": dice}


def held_images(dataset: PackedDataset) -> list[KnownDrop]:
    """Return what is validated on, at the width that the network sees."""
    rows = sampled(masked_wells(dataset, "validation"), MOST_VALIDATED)
    return [known_drop(dataset, row, DROP_WIDTH_PX) for row in rows]
