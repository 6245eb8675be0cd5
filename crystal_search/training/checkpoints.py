"""Where a training stands: everything needed to go on as if it had never stopped, or to use what it learnt."""

import logging
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from crystal_search.errors import ModelError, UserError
from crystal_search.files import whole_file
from crystal_search.images import channels_of
from crystal_search.model_card import ROLES
from crystal_search.networks.network_kinds import build
from crystal_search.training.run_record import RunRecord, read_run

log = logging.getLogger(__name__)

CHECKPOINT = "checkpoint.pt"
BEST = "best.pt"  #: the weights that did best on the validation split, where a training looked


def save_checkpoint(
    folder: Path,
    step: int,
    network: nn.Module,
    optimiser: Optimizer | None,
    settings: Mapping[str, Any],
    *,
    mean: nn.Module | None = None,
    name: str = CHECKPOINT,
) -> None:
    """Write a checkpoint of `folder` (default: the latest), whole or not at all; the one before stays until then.

    Parameters
    ----------
    mean
        The network with the mean of the weights, which is what the training is for, where there is one.

    Raises
    ------
    UserError
        If the disk is full or cannot be written.
    """
    state = {"step": step, "network": network.state_dict(), "settings": dict(settings)}
    if optimiser is not None:
        state["optimiser"] = optimiser.state_dict()
    if mean is not None:
        state["mean"] = mean.state_dict()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with whole_file(folder / name) as file:
            torch.save(state, file)
    except (OSError, RuntimeError) as error:  # torch wraps some errors of the system
        raise UserError(_not_written(folder / name, error)) from error


def _not_written(path: Path, error: Exception) -> str:
    why = error.strerror if isinstance(error, OSError) else str(error).splitlines()[0]
    kept = "the one before is still there" if path.exists() else "there is none yet"
    return f"cannot write {path}: {why}; {kept}: make room on the disk and go on with --resume"


def load_checkpoint(
    folder: Path, network: nn.Module, optimiser: Optimizer | None = None, *, name: str | None = None
) -> tuple[int, dict[str, Any]]:
    """Put a checkpoint of `folder` (default: the latest) into `network` and `optimiser`; return its step and settings.

    Without an optimiser, a network gets the mean of the weights, where there is one.

    Raises
    ------
    ModelError
        If there is none, or it is of another network.
    """
    path = folder / (name or CHECKPOINT)
    if not path.exists():
        raise ModelError(
            f"{folder} holds no weights: there is no {path.name} in it; train first, or name another folder"
        )
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        weights = state["network"] if optimiser is not None else _kept(state)
        if differing := _differences(weights, network.state_dict()):
            raise ModelError(f"cannot go on from {path}: it is of another network ({differing}); name the right one")
        network.load_state_dict(weights)
        if optimiser is not None:
            optimiser.load_state_dict(state["optimiser"])
        return int(state["step"]), dict(state["settings"])
    except (OSError, RuntimeError, KeyError, TypeError, ValueError, pickle.UnpicklingError) as error:
        raise ModelError(f"cannot go on from {path}: {_short(error)}; train from the start") from error


def _kept(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the weights of a checkpoint that a training is for: their mean, where there is one."""
    weights: dict[str, Tensor] = state.get("mean", state["network"])
    return weights


def _differences(layers: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> str:
    """Return in words how a checkpoint's layers differ from a network's, nothing if they do not."""
    counts = {
        "missing": len(expected.keys() - layers.keys()),
        "unknown": len(layers.keys() - expected.keys()),
        "of another size": sum(layers[name].shape != expected[name].shape for name in expected.keys() & layers.keys()),
    }
    said = ", ".join(f"{count} {how}" for how, count in counts.items() if count)
    return f"of its arrays of weights {said}" if said else ""


def _short(error: Exception) -> str:
    """Return the first sentence of what torch or the system says."""
    return (str(error).splitlines() or [type(error).__name__])[0].split(". ")[0]


def load_weights(folder: Path, network: nn.Module) -> None:
    """Put the weights of another training, its best ones if it has some, into `network`.

    Layers that it had not, and those of another size, as the last one of a training for other classes, are left as
    they are.

    Raises
    ------
    ModelError
        If there is no checkpoint, or it has layers that `network` has not.
    """
    path = folder / (BEST if (folder / BEST).exists() else CHECKPOINT)
    own = network.state_dict()
    try:
        state = _kept(torch.load(path, map_location="cpu", weights_only=True))
        if unknown := state.keys() - own.keys():
            raise ModelError(f"{path} has layers that the network has not: {', '.join(sorted(unknown))}")
        fitting = {name: weights for name, weights in state.items() if weights.shape == own[name].shape}
        network.load_state_dict(fitting, strict=False)
    except (OSError, RuntimeError, KeyError, ValueError, pickle.UnpicklingError) as error:
        raise ModelError(f"cannot begin with {path}: {_short(error)}; train from the start") from error
    if others := own.keys() - fitting.keys():
        log.info("layers that begin anew: %s", ", ".join(sorted(others)))


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A network as its training left it."""

    folder: Path
    record: RunRecord
    network: nn.Module  #: set to evaluation


def load_trained(folder: Path, role: str = "classifier") -> Trained:
    """Return the network whose training is in `folder`, with its best weights where some were kept as the best.

    Raises
    ------
    UserError
        If there is no record of a training, or it is one of another role.
    ModelError
        If there are no weights, or they are of another network.
    """
    record = read_run(folder)
    if record.role != role:
        there, expected = (ROLES[each].title if each in ROLES else each for each in (record.role, role))
        raise UserError(f"{folder} trained a {there}; name the training of a {expected}")
    network = build(record.architecture, len(record.classes), channels_of(record.normalisation))
    load_checkpoint(folder, network, name=BEST if (folder / BEST).exists() else None)
    return Trained(folder, record, network.eval())
