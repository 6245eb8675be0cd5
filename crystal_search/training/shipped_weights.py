"""Beginning with the weights of a model, as one that comes with the program, of which there is only the ONNX file.

Its batch normalisations were written into the convolutions. They are taken out again so that the network can be
trained on: with mean and variance of what each convolution gives for some images, and a scale and a shift that
undo them. So nothing changes in what the network answers, and almost nothing in what it answers while it learns.
Those that follow no convolution, and all else that the file has by its name in the network, are taken as they are.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from crystal_search.errors import ModelError, UserError
from crystal_search.model import Model
from crystal_search.model_card import ModelCard
from crystal_search.named_models import CARD_OR_TRAINING, models_at_hand, named_model
from crystal_search.training.checkpoints import load_weights
from crystal_search.training.requests import SHIPPED
from crystal_search.training.task import Source

log = logging.getLogger(__name__)

Layer = nn.Conv2d | nn.ConvTranspose2d | nn.Linear  #: what has weights that a file holds
Weights = NDArray[np.float32]
STEADYING = 32  #: samples from which the weights of a model get their statistics


@dataclass(frozen=True, slots=True)
class _Filed:
    """What a model's file holds of a network."""

    arrays: Mapping[str, Weights]  #: by their names, as far as these are still those in the network
    layers: list[tuple[Weights, Weights | None]]  #: weights and constants, in the order in which they are computed
    alone: frozenset[str]  #: names of normalisations that follow no convolution


def begin(start: Path, kind: type[ModelCard], source: Source, network: nn.Module) -> None:
    """Put the weights of the training in `start`, or of a model's card or name, into `network`.

    Where it is `SHIPPED`, they are those of the model that comes with the program. A last layer for another number of
    classes begins anew.

    Parameters
    ----------
    kind
        The card of the role that the network is for.
    source
        What it will be trained on.

    Raises
    ------
    UserError
        If there is no such training and no such model, or none of this role comes with the program.
    ModelError
        If there are no weights there, or they are of another network.
    """
    if start != SHIPPED and start.is_dir():
        load_weights(start, network)
        return
    if start == SHIPPED and not any(isinstance(each.card, kind) for each in models_at_hand()):
        raise UserError(f"no {kind.title} comes with the program; give {CARD_OR_TRAINING}")
    model = named_model(None if start == SHIPPED else str(start), kind, instead=CARD_OR_TRAINING)
    source.refresh()
    begin_with(model, network, source.batch(0, STEADYING)[0].cpu())


def begin_with(model: Model[ModelCard], network: nn.Module, views: Tensor) -> None:
    """Put the weights of a model file into `network`.

    Layers that the file has not, since they only help while a network learns, begin with zeros: so they teach the
    others nothing before they have learnt something themselves. A last layer for another number of classes stays as
    it is.

    Parameters
    ----------
    model
        A model that was exported from this network.
    network
        Where they go.
    views
        (N, channels, H, W) images as the training will show them, a batch or two; they only steady the first steps.

    Raises
    ------
    ModelError
        If the file is of another network.
    """
    filed = _filed(model)
    layers = _in_order(network, views[:1], filed.alone)
    _check_same(filed, layers, model)
    with torch.no_grad():
        _empty_others(network, [layer for layer, _ in layers])
        _take_named(network, filed.arrays)
        for (layer, normalisation), (weight, bias) in zip(layers, filed.layers, strict=True):
            if layer.weight.shape != weight.shape:
                log.info("the last layer begins anew: %s has other classes", model.card.name)
                continue
            layer.weight.copy_(torch.from_numpy(weight))
            if bias is not None and normalisation is not None:
                _undo(normalisation, torch.zeros(len(bias)), torch.ones(len(bias)), torch.from_numpy(bias))
            elif bias is not None and layer.bias is not None:
                layer.bias.copy_(torch.from_numpy(bias))
        _settle(network, [pair for pair in layers if pair[1] is not None], views)


def _check_same(filed: _Filed, layers: list[tuple[Layer, nn.BatchNorm2d | None]], model: Model[ModelCard]) -> None:
    """Refuse a file whose layers are not those of the network, but for the number of classes of the last one."""
    theirs = [weight.shape for weight, _ in filed.layers]
    ours = [tuple(layer.weight.shape) for layer, _ in layers]
    if not ours or theirs[:-1] != ours[:-1] or theirs[-1][1:] != ours[-1][1:]:
        raise ModelError(_of_another(model))


def _of_another(model: Model[ModelCard]) -> str:
    card = model.card
    return (
        f"{card.file} is of another network than the one to train; name its --network, {card.architecture}, "
        "or --start-from a training's folder"
    )


def _empty_others(network: nn.Module, known: list[Layer]) -> None:
    """Set the weights of all layers but the `known` ones to zero."""
    for layer in network.modules():
        if isinstance(layer, Layer) and layer not in known:
            for weights in layer.parameters():
                weights.zero_()


def _take_named(network: nn.Module, arrays: Mapping[str, Weights]) -> None:
    """Put arrays into the network that have a name and the size of one of its own."""
    own = network.state_dict()
    fitting = {name: array for name, array in arrays.items() if name in own and array.shape == own[name].shape}
    network.load_state_dict({name: torch.from_numpy(array) for name, array in fitting.items()}, strict=False)


def _filed(model: Model[ModelCard]) -> _Filed:
    graph = onnx.load_model_from_string(model.onnx).graph
    arrays = {each.name: np.array(numpy_helper.to_array(each)) for each in graph.initializer}
    for node in graph.node:
        if node.op_type == "Identity" and node.input[0] in arrays:  # one of several that are equal
            arrays[node.output[0]] = arrays[node.input[0]]
    normalised = [node.input[1] for node in graph.node if node.op_type == "BatchNormalization"]
    alone = frozenset(scale.removesuffix(".weight") for scale in normalised)
    try:
        return _Filed(arrays, list(_layers(graph, arrays)), alone)
    except KeyError as error:
        raise ModelError(_of_another(model)) from error


def _layers(graph: onnx.GraphProto, arrays: Mapping[str, Weights]) -> Iterator[tuple[Weights, Weights | None]]:
    """Yield weights and constants of the layers of a file, in the order in which they are computed."""
    for node in graph.node:
        if node.op_type in ("Conv", "ConvTranspose", "Gemm"):
            yield arrays[node.input[1]], arrays[node.input[2]] if len(node.input) > 2 else None
        elif node.op_type == "MatMul" and node.input[1] in arrays:  # of features by cell; constants have names
            yield arrays[node.input[1]].T, None


def _in_order(network: nn.Module, view: Tensor, alone: frozenset[str]) -> list[tuple[Layer, nn.BatchNorm2d | None]]:
    """Return the network's layers in the order in which they are computed, with what normalises each.

    That is none of the normalisations whose names are in `alone`.
    """
    apart = [module for name, module in network.named_modules() if name in alone]
    met: list[tuple[Layer, nn.BatchNorm2d | None]] = []

    def meet(module: nn.Module, _inputs: object, _output: object) -> None:
        if isinstance(module, Layer):
            met.append((module, None))
        elif isinstance(module, nn.BatchNorm2d) and module not in apart:
            met[-1] = (met[-1][0], module)

    hooks = [module.register_forward_hook(meet) for module in network.modules()]
    network.eval()
    with torch.no_grad():
        network(view)
    for hook in hooks:
        hook.remove()
    return met


def _undo(normalisation: nn.BatchNorm2d, mean: Tensor, variance: Tensor, constant: Tensor) -> None:
    """Have a normalisation by these statistics add `constant` and nothing else."""
    if normalisation.running_mean is not None and normalisation.running_var is not None:
        normalisation.running_mean.copy_(mean)
        normalisation.running_var.copy_(variance)
    normalisation.weight.copy_((variance + normalisation.eps).sqrt())
    normalisation.bias.copy_(mean + constant)


def _settle(network: nn.Module, layers: list[tuple[Layer, nn.BatchNorm2d | None]], views: Tensor) -> None:
    """Take the statistics of all normalisations from `views`; what the network answers stays the same."""
    statistics: dict[nn.BatchNorm2d, tuple[Tensor, Tensor]] = {}

    def note(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if isinstance(module, nn.BatchNorm2d):
            variance, mean = torch.var_mean(inputs[0], dim=(0, 2, 3))
            statistics[module] = mean, variance

    hooks = [each.register_forward_pre_hook(note) for _, each in layers if each is not None]
    network.eval()
    network(views)
    for hook in hooks:
        hook.remove()
    for normalisation, (mean, variance) in statistics.items():
        _undo(normalisation, mean, variance, constant=normalisation.bias.clone())
