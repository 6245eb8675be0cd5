"""Beginning with the weights that come with the program, of which there is only the ONNX file.

Its batch normalisations were written into the convolutions. They are taken out again so that the network can be
trained on: with mean and variance of what each convolution gives for some images, and a scale and a shift that
undo them. So nothing changes in what the network answers, and almost nothing in what it answers while it learns.
"""

from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from crystal_search.errors import ModelError
from crystal_search.model import Model
from crystal_search.model_card import ModelCard
from crystal_search.named_models import CARD_OR_TRAINING, named_model
from crystal_search.training.checkpoints import load_weights
from crystal_search.training.requests import SHIPPED
from crystal_search.training.task import Source

Layer = nn.Conv2d | nn.ConvTranspose2d | nn.Linear  #: what has weights that a file holds
STEADYING = 32  #: samples from which the shipped weights get their statistics


def begin(start: Path, kind: type[ModelCard], source: Source, network: nn.Module) -> None:
    """Put the weights of the training in `start`, or of a model's card or name, into `network`.

    Where it is `SHIPPED`, they are those of the model that comes with the program.

    Parameters
    ----------
    kind
        The card of the role that the network is for.
    source
        What it will be trained on.

    Raises
    ------
    UserError
        If there is no such training and no such model.
    ModelError
        If there are no weights there, or they are of another network.
    """
    if start != SHIPPED and start.is_dir():
        load_weights(start, network)
        return
    model = named_model(None if start == SHIPPED else str(start), kind, instead=CARD_OR_TRAINING)
    source.refresh()
    begin_with(model, network, source.batch(0, STEADYING)[0].cpu())


def begin_with(model: Model[ModelCard], network: nn.Module, views: Tensor) -> None:
    """Put the weights of a model file into `network`.

    Layers that the file has not, since they only help while a network learns, begin with zeros: so they teach the
    others nothing before they have learnt something themselves.

    Parameters
    ----------
    model
        A model that was exported from this network.
    network
        Where they go.
    views
        (N, 1, H, W) images as the training will show them, a batch or two; they only steady the first steps.

    Raises
    ------
    ModelError
        If the file is of another network.
    """
    weights = _layers(model)
    layers = _in_order(network, views[:1])
    shapes = [tuple(layer.weight.shape) for layer, _ in layers]
    if [weight.shape for weight, _ in weights] != shapes:
        raise ModelError(_of_another(model))
    with torch.no_grad():
        _empty_others(network, [layer for layer, _ in layers])
        for (layer, normalisation), (weight, bias) in zip(layers, weights, strict=True):
            layer.weight.copy_(torch.from_numpy(weight))
            if normalisation is None and layer.bias is not None:
                layer.bias.copy_(torch.from_numpy(bias))
            elif normalisation is not None:
                _undo(normalisation, torch.zeros(len(bias)), torch.ones(len(bias)), torch.from_numpy(bias))
        _settle(network, [pair for pair in layers if pair[1] is not None], views)


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


def _layers(model: Model[ModelCard]) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Return weights and constants of the layers of a file, in the order in which they are computed."""
    graph = onnx.load_model_from_string(model.onnx).graph
    arrays = {each.name: np.array(numpy_helper.to_array(each)) for each in graph.initializer}
    nodes = [node for node in graph.node if node.op_type in ("Conv", "ConvTranspose", "Gemm")]
    try:
        return [(arrays[node.input[1]], arrays[node.input[2]]) for node in nodes]
    except (KeyError, IndexError) as error:
        raise ModelError(_of_another(model)) from error


def _in_order(network: nn.Module, view: Tensor) -> list[tuple[Layer, nn.BatchNorm2d | None]]:
    """Return the network's layers in the order in which they are computed, with what normalises each."""
    met: list[tuple[Layer, nn.BatchNorm2d | None]] = []

    def meet(module: nn.Module, _inputs: object, _output: object) -> None:
        if isinstance(module, Layer):
            met.append((module, None))
        elif isinstance(module, nn.BatchNorm2d):
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
