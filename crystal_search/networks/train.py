"""Training of a classifier on rendered wells."""

from pathlib import Path
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from crystal_search.networks.crops import CropSource
from crystal_search.networks.losses import classifier_losses
from crystal_search.networks.registry import build
from crystal_search.networks.training import Plan, Training, Whereabouts
from crystal_search.outcomes import OUTCOMES

CROP_SIDE_PX = 288  #: 6 x 6 cells


class TwoDepths(Protocol):
    """A network that can be taught half-way up as well."""

    def at_two_depths(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the map of class logits, and another from half-way up."""


def _losses(network: nn.Module, views: Tensor, outcome_maps: Tensor) -> dict[str, Tensor]:
    cells, textures = cast(TwoDepths, network).at_two_depths(views)
    return classifier_losses(cells, textures, outcome_maps)


def train_classifier(architecture: str, shards: Path, plan: Plan, where: Whereabouts) -> nn.Module:
    """Train a classifier on the shards of the split ``train`` and return it; checkpoints go where `where` says."""
    torch.manual_seed(plan.seed)
    network = build(architecture, len(OUTCOMES)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    source = CropSource(shards, "train", CROP_SIDE_PX, plan.seed)
    trained: nn.Module = Training(network, source, _losses, plan, where).run()
    return trained
