"""Keras' layers, channels last, each built from ONNX's, channels first; `BUILDERS` lists those that are known."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crystal_search.errors import ModelError
from crystal_search.old_weights.keras_file import KerasLayer
from crystal_search.old_weights.onnx_graph import OnnxGraph

#: Keras counts axes (images, rows, columns, channels), ONNX (images, channels, rows, columns).
AXES = {0: 0, 1: 2, 2: 3, 3: 1, -1: 1, -2: 3, -3: 2, -4: 0}
ACTIVATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "relu": ("Relu", {}),
    "sigmoid": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
    "elu": ("Elu", {"alpha": 1.0}),
    "selu": ("Selu", {}),
    "softplus": ("Softplus", {}),
    "softsign": ("Softsign", {}),
    "hard_sigmoid": ("HardSigmoid", {"alpha": 0.2, "beta": 0.5}),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Inputs:
    """What feeds a layer."""

    tensors: tuple[str, ...]  #: of the graph
    same: str  #: ONNX's name for padding "same": where an odd row goes


def convolution(graph: OnnxGraph, layer: KerasLayer, inputs: Inputs) -> str:
    """Build ``Conv2D``: a kernel (rows, columns, channels, filters) and a bias."""
    kernel, *bias = _weights(layer, 4, 1)
    constants = [graph.constant(each) for each in (kernel.transpose(3, 2, 0, 1), *bias)]
    strides, dilations = _pair(layer, "strides", (1, 1)), _pair(layer, "dilation_rate", (1, 1))
    padding = _padding(layer, inputs, kernel.shape[:2], strides, dilations)
    y = graph.add("Conv", inputs.tensors[0], *constants, strides=strides, dilations=dilations, **padding)
    return _activated(graph, layer, y)


def pooling(op: str) -> Callable[[OnnxGraph, KerasLayer, Inputs], str]:
    """Return the builder of a pooling layer."""

    def build(graph: OnnxGraph, layer: KerasLayer, inputs: Inputs) -> str:
        kernel = _pair(layer, "pool_size", (2, 2))
        strides = _pair(layer, "strides", (kernel[0], kernel[1]))
        padding = _padding(layer, inputs, kernel, strides, (1, 1))
        return graph.add(op, inputs.tensors[0], kernel_shape=kernel, strides=strides, **padding)

    return build


def up_sampling(graph: OnnxGraph, layer: KerasLayer, inputs: Inputs) -> str:
    """Build ``UpSampling2D``: every pixel repeated. Keras' interpolation changed with its backends: unknown."""
    _channels_last(layer)
    _choice(layer, "interpolation", ("nearest",), "nearest")
    scales = graph.constant(np.array([1.0, 1.0, *_pair(layer, "size", (2, 2))]))
    kind: dict[str, Any] = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return graph.add("Resize", inputs.tensors[0], "", scales, **kind)


def concatenation(graph: OnnxGraph, layer: KerasLayer, inputs: Inputs) -> str:
    """Build ``Concatenate``, and ``Merge`` of Keras 1 in its mode ``concat``.

    Raises
    ------
    ModelError
        If it joins anything but channels.
    """
    if layer.kind == "Merge":
        _choice(layer, "mode", ("concat",))
    axis = layer.config.get("concat_axis" if layer.kind == "Merge" else "axis", -1)
    if AXES.get(axis) != 1:
        raise ModelError(f"layer {layer.name!r} joins axis {axis!r}; channels (3 or -1) are known")
    return graph.add("Concat", *inputs.tensors, axis=1)


def batch_norm(graph: OnnxGraph, layer: KerasLayer, inputs: Inputs) -> str:
    """Build ``BatchNormalization`` from its learnt statistics; gamma and beta may have been left out.

    Raises
    ------
    ModelError
        If it normalises anything but channels, or statistics are missing.
    """
    weights = list(_weights(layer, *[1] * (2 + _flag(layer, "scale") + _flag(layer, "center")), bias=False))
    if AXES.get(layer.config.get("axis", -1)) != 1:
        raise ModelError(f"layer {layer.name!r} normalises axis {layer.config.get('axis')!r}; channels are known")
    gamma = weights.pop(0) if _flag(layer, "scale") else np.ones_like(weights[0])
    beta = weights.pop(0) if _flag(layer, "center") else np.zeros_like(weights[0])
    constants = map(graph.constant, (gamma, beta, *weights))
    return graph.add("BatchNormalization", inputs.tensors[0], *constants, epsilon=_number(layer, "epsilon", 1e-3))


def with_alpha(op: str, default: float) -> Callable[[OnnxGraph, KerasLayer, Inputs], str]:
    """Return the builder of an activation with a slope or scale for what is negative."""
    return lambda graph, layer, inputs: graph.add(op, inputs.tensors[0], alpha=_number(layer, "alpha", default))


def addition(graph: OnnxGraph, layer: KerasLayer, inputs: Inputs) -> str:
    """Build ``Add``."""
    return graph.add("Sum", *inputs.tensors)


def identity(graph: OnnxGraph, layer: KerasLayer, inputs: Inputs) -> str:
    """Pass on the input: what ``Dropout`` does in a trained network."""
    return inputs.tensors[0]


def activation(graph: OnnxGraph, layer: KerasLayer, inputs: Inputs) -> str:
    """Build ``Activation``."""
    return _activated(graph, layer, inputs.tensors[0])


def _activated(graph: OnnxGraph, layer: KerasLayer, x: str) -> str:
    kind = _choice(layer, "activation", ("linear", *ACTIVATIONS), "linear")
    if kind == "linear":
        return x
    op, attributes = ACTIVATIONS[kind]
    return graph.add(op, x, **attributes)


def _weights(layer: KerasLayer, *dimensions: int, bias: bool = True) -> tuple[NDArray[np.float32], ...]:
    """Return the layer's weights, of these numbers of dimensions; the last is there only with a bias."""
    expected = dimensions if not bias or _flag(layer, "use_bias") else dimensions[:-1]
    got = tuple(each.ndim for each in layer.weights)
    if got != expected:
        raise ModelError(
            f"layer {layer.name!r}: weights have {got} dimensions, expected {expected}; save the whole model again"
        )
    return layer.weights


def _padding(
    layer: KerasLayer, inputs: Inputs, kernel: tuple[int, ...], strides: tuple[int, int], dilations: tuple[int, int]
) -> dict[str, Any]:
    _channels_last(layer)
    if _choice(layer, "padding", ("valid", "same")) == "valid":
        return {"pads": [0, 0, 0, 0]}
    if dilations == (1, 1):
        return {"auto_pad": inputs.same}
    reach = [(side - 1) * dilation for side, dilation in zip(kernel, dilations, strict=True)]
    if strides != (1, 1) or any(each % 2 for each in reach):
        raise ModelError(f"layer {layer.name!r}: kernel {kernel} of dilation {dilations} is known evenly padded only")
    return {"pads": [each // 2 for each in reach * 2]}


def _channels_last(layer: KerasLayer) -> None:
    _choice(layer, "data_format", ("channels_last",), "channels_last")


def _choice(layer: KerasLayer, key: str, choices: tuple[str, ...], default: str = "valid") -> str:
    value = layer.config.get(key, default)
    if value not in choices:
        raise ModelError(f"layer {layer.name!r}: {key} is {value!r}; known are {', '.join(choices)}")
    return str(value)


def _pair(layer: KerasLayer, key: str, default: tuple[int, int]) -> tuple[int, int]:
    value = layer.config.get(key, default)
    value = default if value is None else (value, value) if type(value) is int else value
    is_pair = isinstance(value, list | tuple) and len(value) == 2
    if not is_pair or not all(type(each) is int and 1 <= each <= 1000 for each in value):
        raise ModelError(f"layer {layer.name!r}: {key} must be two whole numbers from 1 to 1000, got {value!r}")
    return value[0], value[1]


def _number(layer: KerasLayer, key: str, default: float) -> float:
    value = layer.config.get(key, default)
    if not isinstance(value, int | float):
        raise ModelError(f"layer {layer.name!r}: {key} must be a number, got {value!r}")
    return float(value)


def _flag(layer: KerasLayer, key: str) -> bool:
    return bool(layer.config.get(key, True))


#: Class of a layer -> builder; a layer that is not here is refused.
BUILDERS: dict[str, Callable[[OnnxGraph, KerasLayer, Inputs], str]] = {
    "Conv2D": convolution,
    "MaxPooling2D": pooling("MaxPool"),
    "AveragePooling2D": pooling("AveragePool"),
    "UpSampling2D": up_sampling,
    "Concatenate": concatenation,
    "Merge": concatenation,
    "Add": addition,
    "Dropout": identity,
    "SpatialDropout2D": identity,
    "BatchNormalization": batch_norm,
    "Activation": activation,
    "LeakyReLU": with_alpha("LeakyRelu", 0.3),
    "ELU": with_alpha("Elu", 1.0),
}
