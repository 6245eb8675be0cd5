"""Training of a classifier on the cells of rendered wells."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from crystal_search.datasets.rendered_shards import shard_names
from crystal_search.errors import UnknownNameError, UserError
from crystal_search.networks.architectures import build
from crystal_search.networks.cards import CLASSIFIER_NORMALISATION, CLASSIFIER_WIDTH_PX
from crystal_search.outcomes import OUTCOME_NAMES, OUTCOMES
from crystal_search.training.cell_training import BatchSource, LossFunction, Plan, Training, Whereabouts
from crystal_search.training.crops import CropSource
from crystal_search.training.features import FeatureSource
from crystal_search.training.losses import cell_losses, classifier_losses, texture_loss
from crystal_search.training.resident_crops import ResidentCrops
from crystal_search.training.run_record import RunRecord


class Classifier(Protocol):
    """A network that can be taught half-way up as well, and its two halves apart."""

    def at_two_depths(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the map of class logits, and another from half-way up."""

    def textures(self, x: Tensor) -> Tensor:
        """Return the map from half-way up alone."""

    def lower_half(self, x: Tensor) -> Tensor:
        """Return the features half-way up."""

    def upper_half(self, pooled: Tensor) -> Tensor:
        """Return the map of class logits for pooled features."""


def _losses(network: nn.Module, views: Tensor, outcome_maps: Tensor) -> dict[str, Tensor]:
    cells, textures = cast(Classifier, network).at_two_depths(views)
    return classifier_losses(cells.float(), textures.float(), outcome_maps)


def _texture_losses(network: nn.Module, views: Tensor, outcome_maps: Tensor) -> dict[str, Tensor]:
    return {"loss": texture_loss(cast(Classifier, network).textures(views).float(), outcome_maps)}


def _upper_losses(network: nn.Module, features: Tensor, outcome_maps: Tensor) -> dict[str, Tensor]:
    return cell_losses(cast(Classifier, network).upper_half(features).float(), outcome_maps)


def _pooled_features(network: nn.Module) -> Callable[[Tensor], Tensor]:
    def features(views: Tensor) -> Tensor:
        network.eval()
        return max_pool2d(cast(Classifier, network).lower_half(views), 3, 2)

    return features


#: Small crops for the lower half first, then the upper half alone, then all; each starts from the one before.
STAGES: dict[str, LossFunction] = {"textures": _texture_losses, "upper": _upper_losses, "all": _losses}
CROP_SIDES_PX = {"textures": 96, "all": 288}


def train_cells(
    architecture: str,
    stage: str,
    shards: Path,
    plan: Plan,
    where: Whereabouts,
    *,
    width_px: int = CLASSIFIER_WIDTH_PX,
    device: torch.device | None = None,
    command: str = "",
) -> nn.Module:
    """Train a classifier on the shards of the split ``train`` and return it; checkpoints go where `where` says.

    Wells are kept in the memory of `device`, if it is given, and crops are made there. `width_px` is that of the
    images that the network is for, and takes such a device. `command` is for the record of the training, ``run.json``.

    Raises
    ------
    UnknownNameError
        If there is no such network or stage.
    UserError
        If there are no rendered wells, or the stage or the width cannot be had where the training runs.
    """
    if stage not in STAGES:
        raise UnknownNameError(f"no stage {stage!r}; choose from {', '.join(STAGES)}")
    if not shard_names(shards, "train"):
        raise UserError(f"no rendered wells to train on in {shards}; render some (crystal-search train shards)")
    if stage == "upper" and device is not None:
        raise UserError("--stage upper keeps features in the processor's memory; leave out --device, or the stage")
    if width_px != CLASSIFIER_WIDTH_PX and device is None:
        raise UserError(f"--width {width_px} takes --device; without it images are {CLASSIFIER_WIDTH_PX} px wide")
    torch.manual_seed(plan.seed)
    network = build(architecture, len(OUTCOMES)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    source: BatchSource
    if stage == "upper":
        source = FeatureSource(shards, "train", plan.seed, _pooled_features(network))
    elif device is not None:
        source = ResidentCrops(shards, "train", CROP_SIDES_PX[stage], plan.seed, device, width_px)
    else:
        source = CropSource(shards, "train", CROP_SIDES_PX[stage], plan.seed)
    record = _record(architecture, shards, width_px, plan.seed, command)
    device = device or torch.device("cpu")
    trained: nn.Module = Training(network, source, STAGES[stage], plan, where, record, device=device).run()
    return trained


def _record(architecture: str, shards: Path, width_px: int, seed: int, command: str) -> RunRecord:
    return RunRecord(
        kind="classifier",
        architecture=architecture,
        classes=OUTCOME_NAMES,
        normalisation=CLASSIFIER_NORMALISATION,
        working_width_px=width_px,
        data=os.path.abspath(shards),
        taught_by="cells",
        command=command,
        seed=seed,
    )
