"""Where a training stands: everything needed to go on as if it had never stopped."""

import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from crystal_search.errors import ModelError

CHECKPOINT = "checkpoint.pt"
BEST = "best.pt"  #: the weights that did best on the validation split, where a training looked


def save_checkpoint(
    folder: Path, step: int, network: nn.Module, optimiser: Optimizer, settings: Mapping[str, Any]
) -> None:
    """Write the checkpoint of `folder`, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{CHECKPOINT}.{os.getpid()}"
    torch.save(
        {
            "step": step,
            "network": network.state_dict(),
            "optimiser": optimiser.state_dict(),
            "settings": dict(settings),
        },
        temporary,
    )
    temporary.replace(folder / CHECKPOINT)


def load_checkpoint(
    folder: Path, network: nn.Module, optimiser: Optimizer | None = None, *, name: str | None = None
) -> tuple[int, dict[str, Any]]:
    """Put a checkpoint of `folder` (default: the latest) into `network` and `optimiser`; return its step and settings.

    Raises
    ------
    ModelError
        If there is none, or it is of another network.
    """
    path = folder / (name or CHECKPOINT)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        network.load_state_dict(state["network"])
        if optimiser is not None:
            optimiser.load_state_dict(state["optimiser"])
    except (OSError, RuntimeError, KeyError, ValueError, pickle.UnpicklingError) as error:
        raise ModelError(f"cannot go on from {path}: {error}; train from the start") from error
    return int(state["step"]), dict(state["settings"])


def load_weights(folder: Path, network: nn.Module) -> None:
    """Put the weights of another training into `network`; layers that it had not are left as they are.

    Raises
    ------
    ModelError
        If there is no checkpoint, or it has layers that `network` has not.
    """
    path = folder / CHECKPOINT
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)["network"]
        if unknown := state.keys() - network.state_dict().keys():
            raise ModelError(f"{path} has layers that the network has not: {', '.join(sorted(unknown))}")
        network.load_state_dict(state, strict=False)
    except (OSError, RuntimeError, KeyError, ValueError, pickle.UnpicklingError) as error:
        raise ModelError(f"cannot begin with {path}: {error}; train from the start") from error
