"""MXNet's operators, each built from ONNX's; `BUILDERS` lists those that are known."""

from collections.abc import Callable
from typing import Any

import numpy as np

from crystal_search.errors import ModelError
from crystal_search.old_weights.mxnet_layers import Builder, Layer, Weights
from crystal_search.old_weights.onnx_graph import OnnxGraph, Shape

ACTIVATIONS = {
    "relu": "Relu",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "softrelu": "Softplus",
    "softsign": "Softsign",
}
GLOBAL = {"max": "GlobalMaxPool", "avg": "GlobalAveragePool"}


def convolution(graph: OnnxGraph, layer: Layer) -> str:
    """Build ``Convolution``: weights (filters, channels / groups, rows, columns) and a bias."""
    attributes, x = layer.attributes, layer.tensor(graph)
    kernel = attributes.pair("kernel")
    filters, groups = attributes.integer("num_filter"), attributes.integer("num_group", 1)
    stride, dilation = attributes.pair("stride", (1, 1)), attributes.pair("dilate", (1, 1))
    pad = attributes.pair("pad", (0, 0), least=0)
    attributes.choice("layout", ("NCHW",), "NCHW")
    weights = layer.weights(1, (filters, None, *kernel))
    return graph.add(
        "Conv",
        x,
        *_with_bias(graph, layer, weights),
        kernel_shape=list(kernel),
        strides=list(stride),
        dilations=list(dilation),
        pads=[*pad, *pad],
        group=groups,
    )


def fully_connected(graph: OnnxGraph, layer: Layer) -> str:
    """Build ``FullyConnected``: weights (hidden, inputs) and a bias, of the flattened input.

    Raises
    ------
    ModelError
        If its input is not what it was trained with, or not flattened though it has more than two dimensions.
    """
    attributes, x = layer.attributes, layer.tensor(graph)
    hidden = attributes.integer("num_hidden")
    if not attributes.boolean("flatten", True) and len(graph.shape(x)) != 2:
        raise ModelError(f"{layer.where}: flatten=False is known for inputs of two dimensions only")
    if len(graph.shape(x)) != 2:
        x = graph.add("Flatten", x, axis=1)
    inputs = graph.shape(x)[1]
    weights = layer.weights(1, (hidden, None))
    if weights.shape[1] != inputs:
        raise ModelError(
            f"{layer.where}: expects {weights.shape[1]} numbers, gets {inputs}; give the --side it was trained with"
        )
    return graph.add("Gemm", x, *_with_bias(graph, layer, weights), transB=1)


def _with_bias(graph: OnnxGraph, layer: Layer, weights: Weights) -> list[str]:
    """Return weights as a constant, and the bias behind them, a number for each row of theirs, where there is one."""
    biases = [] if layer.attributes.boolean("no_bias", False) else [layer.weights(2, (len(weights),))]
    return [graph.constant(each) for each in (weights, *biases)]


def batch_norm(graph: OnnxGraph, layer: Layer) -> str:
    """Build ``BatchNorm`` from its learnt statistics; ``fix_gamma``, on unless switched off, makes gamma 1.

    Raises
    ------
    ModelError
        If it normalises another axis than that of channels, or gives more than one output.
    """
    attributes, x = layer.attributes, layer.tensor(graph)
    epsilon = attributes.number("eps", 1e-3)
    fixed = attributes.boolean("fix_gamma", True)
    if attributes.integer("axis", 1) != 1 or attributes.boolean("output_mean_var", False):
        raise ModelError(f"{layer.where}: only axis 1 and one output are known")
    gamma, beta, mean, variance = (layer.weights(position, (None,)) for position in range(1, 5))
    constants = [np.ones_like(gamma) if fixed else gamma, beta, mean, variance]
    return graph.add("BatchNormalization", x, *map(graph.constant, constants), epsilon=epsilon)


def activation(graph: OnnxGraph, layer: Layer) -> str:
    """Build ``Activation``."""
    return graph.add(ACTIVATIONS[layer.attributes.choice("act_type", ACTIVATIONS)], layer.tensor(graph))


def leaky_relu(graph: OnnxGraph, layer: Layer) -> str:
    """Build ``LeakyReLU``: by its type a straight, learnt, exponential or averaged negative part."""
    attributes, x = layer.attributes, layer.tensor(graph)
    kind = attributes.choice("act_type", ("leaky", "elu", "prelu", "rrelu", "selu"), "leaky")
    slope = attributes.number("slope", 0.25)
    bounds = attributes.number("lower_bound", 0.125), attributes.number("upper_bound", 0.334)
    if kind == "prelu":
        gamma = layer.weights(1, (None,)).reshape(-1, *[1] * (len(graph.shape(x)) - 2))
        return graph.add("PRelu", x, graph.constant(gamma))
    if kind == "selu":
        return graph.add("Selu", x)
    if kind == "elu":
        return graph.add("Elu", x, alpha=slope)
    return graph.add("LeakyRelu", x, alpha=sum(bounds) / 2 if kind == "rrelu" else slope)


def identity(graph: OnnxGraph, layer: Layer) -> str:
    """Pass on the input: what ``Dropout`` does in a trained network."""
    layer.attributes.forget("p", "mode", "axes")
    return layer.tensor(graph)


def concat(graph: OnnxGraph, layer: Layer) -> str:
    """Build ``Concat``, of channels unless it says otherwise."""
    axis = layer.attributes.integer("dim", 1)
    tensors = [layer.tensor(graph, position) for position in range(len(layer.sources))]
    return graph.add("Concat", *tensors, axis=_within(graph.shape(tensors[0]), axis, layer))


def pooling(graph: OnnxGraph, layer: Layer) -> str:
    """Build ``Pooling``: maximum or average, over windows or over the whole map.

    Its last windows may reach over the edge, and its average counts padding or not.

    Raises
    ------
    ModelError
        If padding is as large as its window, or a last window would lie outside of the image.
    """
    attributes, x = layer.attributes, layer.tensor(graph)
    kind = attributes.choice("pool_type", ("max", "avg"), "max")
    attributes.choice("layout", ("NCHW",), "NCHW")
    if attributes.boolean("global_pool", False):
        attributes.forget("kernel", "stride", "pad", "pooling_convention", "count_include_pad")
        return graph.add(GLOBAL[kind], x)
    kernel = attributes.pair("kernel")
    stride = attributes.pair("stride", (1, 1))
    pad = attributes.pair("pad", (0, 0), least=0)
    rounds_up = attributes.choice("pooling_convention", ("valid", "full"), "valid") == "full"
    counts_padding = attributes.boolean("count_include_pad", True)
    if not all(padding < side for padding, side in zip(pad, kernel, strict=True)):
        raise ModelError(f"{layer.where}: pad {pad} must be smaller than kernel {kernel}")
    beyond = _beyond(graph, x, kernel, stride, pad) if rounds_up else (0, 0)
    if any(padding + reach >= side for padding, reach, side in zip(pad, beyond, kernel, strict=True)):
        raise ModelError(
            f"{layer.where}: its last windows would lie outside the image; give the --side of its training"
        )
    windows: dict[str, Any] = {"kernel_shape": list(kernel), "strides": list(stride)}
    if kind == "max":
        return graph.add("MaxPool", x, pads=_pads(pad, beyond), **windows)
    if counts_padding and any(pad):
        # What was padded counts as zeros; what lies further out, beyond the last full window, does not count.
        x = graph.add("Pad", x, graph.constant(np.array([0, 0, *pad, 0, 0, *pad])))
        pad = (0, 0)
    return graph.add("AveragePool", x, pads=_pads(pad, beyond), count_include_pad=0, **windows)


def _pads(pad: tuple[int, int], beyond: tuple[int, int]) -> list[int]:
    return [*pad, pad[0] + beyond[0], pad[1] + beyond[1]]


def _beyond(
    graph: OnnxGraph, x: str, kernel: tuple[int, int], stride: tuple[int, int], pad: tuple[int, int]
) -> tuple[int, int]:
    """Return how far below and right of the padding the last windows reach when sizes round up."""
    sides = graph.shape(x)[-2:]
    rows, columns = (-(int(sides[axis]) + 2 * pad[axis] - kernel[axis]) % stride[axis] for axis in (0, 1))
    return rows, columns


def local_response_norm(graph: OnnxGraph, layer: Layer) -> str:
    """Build ``LRN``: each number over the sum of squares of its neighbouring channels."""
    attributes = layer.attributes
    settings: dict[str, Any] = {
        "size": attributes.integer("nsize"),
        "alpha": attributes.number("alpha", 1e-4),
        "beta": attributes.number("beta", 0.75),
        "bias": attributes.number("knorm", 2.0),
    }
    return graph.add("LRN", layer.tensor(graph), **settings)


def reshape(graph: OnnxGraph, layer: Layer) -> str:
    """Build ``Reshape`` with MXNet's signs 0 (as it was) and -1 (whatever is left), which ONNX has too.

    Raises
    ------
    ModelError
        If the shape is of another kind, or does not keep the batch.
    """
    shape = layer.attributes.integers("shape")
    if min(shape) < -1 or shape[0] not in (0, -1) or layer.attributes.boolean("reverse", False):
        raise ModelError(f"{layer.where}: only shapes of numbers, 0 and -1 that keep the batch are known, got {shape}")
    return graph.add("Reshape", layer.tensor(graph), graph.constant(np.array(shape)))


def transpose(graph: OnnxGraph, layer: Layer) -> str:
    """Build ``transpose``; the batch stays where it is.

    Raises
    ------
    ModelError
        If the axes move the batch, or do not name each axis once.
    """
    axes, x = layer.attributes.integers("axes"), layer.tensor(graph)
    if axes[0] != 0 or sorted(axes) != list(range(len(graph.shape(x)))):
        raise ModelError(f"{layer.where}: axes {axes} must keep the batch and name each axis once")
    return graph.add("Transpose", x, perm=list(axes))


def clip(graph: OnnxGraph, layer: Layer) -> str:
    """Build ``clip``."""
    limits = [graph.constant(np.array(layer.attributes.number(key))) for key in ("a_min", "a_max")]
    return graph.add("Clip", layer.tensor(graph), *limits)


def softmax(graph: OnnxGraph, layer: Layer) -> str:
    """Build ``softmax`` inside a network; at its end it is left away."""
    x = layer.tensor(graph)
    axis = _within(graph.shape(x), layer.attributes.integer("axis", -1), layer)
    if (temperature := layer.attributes.number("temperature", 1.0)) != 1:
        x = graph.add("Div", x, graph.constant(np.array(temperature)))
    return graph.add("Softmax", x, axis=axis)


def of_two(op: str) -> Builder:
    """Return the builder of an operator on two inputs."""
    return lambda graph, layer: graph.add(op, layer.tensor(graph, 0), layer.tensor(graph, 1))


def of_all(op: str) -> Builder:
    """Return the builder of an operator on any number of inputs."""
    return lambda graph, layer: graph.add(op, *(layer.tensor(graph, n) for n in range(len(layer.sources))))


def of_one(op: str, **attributes: Any) -> Builder:
    """Return the builder of an operator on one input."""
    return lambda graph, layer: graph.add(op, layer.tensor(graph), **attributes)


def with_number(op: str) -> Builder:
    """Return the builder of an operator on one input and one number."""

    def build(graph: OnnxGraph, layer: Layer) -> str:
        number = graph.constant(np.array(layer.attributes.number("scalar")))
        layer.attributes.forget("is_int")
        return graph.add(op, layer.tensor(graph), number)

    return build


def _within(shape: Shape, axis: int, layer: Layer) -> int:
    """Return `axis` counted from the front; never the batch."""
    front = axis + len(shape) if axis < 0 else axis
    if not 1 <= front < len(shape):
        raise ModelError(f"{layer.where}: axis {axis} is none of shape {shape} but the batch")
    return front


def _named(builder: Builder, *names: str) -> dict[str, Builder]:
    return dict.fromkeys(names, builder)


#: Operator -> builder; an operator that is not here is refused.
BUILDERS: dict[str, Callable[[OnnxGraph, Layer], str]] = {
    "Convolution": convolution,
    "FullyConnected": fully_connected,
    "BatchNorm": batch_norm,
    "Activation": activation,
    "LeakyReLU": leaky_relu,
    "Pooling": pooling,
    "LRN": local_response_norm,
    "clip": clip,
    "softmax": softmax,
    "transpose": transpose,
    "relu": of_one("Relu"),
    "sigmoid": of_one("Sigmoid"),
    "tanh": of_one("Tanh"),
    **_named(concat, "Concat", "concat"),
    **_named(of_one("Flatten", axis=1), "Flatten", "flatten"),
    **_named(reshape, "Reshape", "reshape"),
    **_named(identity, "Dropout", "_copy", "identity", "BlockGrad"),
    **_named(of_two("Add"), "elemwise_add", "_plus", "_Plus", "broadcast_add", "broadcast_plus"),
    **_named(of_two("Sub"), "elemwise_sub", "_minus", "_Minus", "broadcast_sub"),
    **_named(of_two("Mul"), "elemwise_mul", "_mul", "_Mul", "broadcast_mul"),
    **_named(of_all("Sum"), "add_n", "ElementWiseSum"),
    **_named(with_number("Add"), "_plus_scalar", "_PlusScalar"),
    **_named(with_number("Sub"), "_minus_scalar", "_MinusScalar"),
    **_named(with_number("Mul"), "_mul_scalar", "_MulScalar"),
    **_named(with_number("Div"), "_div_scalar", "_DivScalar"),
}
