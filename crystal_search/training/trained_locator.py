"""Drop locators as their trainings left them, asked like model files."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from crystal_search.errors import UserError
from crystal_search.model_card import DropCard
from crystal_search.networks.cards import drop_locator_card
from crystal_search.training.checkpoints import BEST, load_checkpoint
from crystal_search.training.run_record import RunRecord, read_run
from crystal_search.unet_drop.network import UNet


@dataclass(frozen=True, slots=True, eq=False)
class TorchLocator:
    """A drop locator in torch, for all that takes an `inference.Network`."""

    network: nn.Module
    card: DropCard

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return maps of shape (N, 1, H, W) for views of shape (N, 1, H, W)."""
        self.network.eval()
        device = next(self.network.parameters()).device
        with torch.inference_mode():
            maps: NDArray[np.float32] = self.network(torch.from_numpy(batch).to(device)).cpu().numpy()  # (N, 1, H, W)
        return maps


def locator(network: nn.Module, name: str = "drop locator in training") -> TorchLocator:
    """Return `network` with the card that it will have."""
    return TorchLocator(network, drop_locator_card(name))


def load_locator(run: Path) -> tuple[RunRecord, TorchLocator]:
    """Return the drop locator whose training is in `run`, with its best weights where some were kept as the best.

    Raises
    ------
    UserError
        If there is no record of a training, or it is one of a classifier.
    ModelError
        If there are no weights, or they are of another network.
    """
    record = read_run(run)
    if record.kind != "drop_locator":
        raise UserError(f"{run} is the training of a {record.kind}, expected one of a drop locator")
    network = UNet()
    load_checkpoint(run, network, name=BEST if (run / BEST).exists() else None)
    return record, locator(network.eval(), run.name)
