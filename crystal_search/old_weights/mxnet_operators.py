"""MXNet's operators, each built from ONNX's; `BUILDERS` lists those that are known."""

from collections.abc import Callable
from typing import Any

import numpy as np

from crystal_search.errors import ModelError
from crystal_search.old_weights.mxnet_pooling import pooling
from crystal_search.old_weights.onnx_graph import OnnxGraph, Shape
from crystal_search.old_weights.onnx_layers import Builder, Layer

ACTIVATIONS = {
    "relu": "Relu",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "softrelu": "Softplus",
    "softsign": "Softsign",
}


def convolution(graph: OnnxGraph, layer: Layer) -> str:
    """Build ``Convolution``: weights (filters, channels / groups, rows, columns) and a bias."""
    attributes, x = layer.attributes, layer.tensor(graph)
    kernel = attributes.pair("kernel")
    filters, groups = attributes.integer("num_filter"), attributes.integer("num_group", 1)
    stride, dilation = attributes.pair("stride", (1, 1)), attributes.pair("dilate", (1, 1))
    pad = attributes.pair("pad", (0, 0), least=0)
    attributes.choice("layout", ("NCHW",), "NCHW")
    constants = [graph.constant(layer.weights(1, (filters, None, *kernel)))]
    if not attributes.boolean("no_bias", False):
        constants.append(graph.constant(layer.weights(2, (filters,))))
    return graph.add(
        "Conv",
        x,
        *constants,
        kernel_shape=list(kernel),
        strides=list(stride),
        dilations=list(dilation),
        pads=[*pad, *pad],
        group=groups,
    )


def fully_connected(graph: OnnxGraph, layer: Layer) -> str:
    """Build ``FullyConnected``: weights (hidden, inputs) and a bias, of the flattened input."""
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
    constants = [graph.constant(weights)]
    if not attributes.boolean("no_bias", False):
        constants.append(graph.constant(layer.weights(2, (hidden,))))
    return graph.add("Gemm", x, *constants, transB=1)


def batch_norm(graph: OnnxGraph, layer: Layer) -> str:
    """Build ``BatchNorm`` from its learnt statistics; ``fix_gamma``, on unless switched off, makes gamma 1."""
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


def flatten(graph: OnnxGraph, layer: Layer) -> str:
    """Build ``Flatten``: all but the batch in one dimension."""
    return graph.add("Flatten", layer.tensor(graph), axis=1)


def identity(graph: OnnxGraph, layer: Layer) -> str:
    """Pass on the input: what ``Dropout`` does in a trained network."""
    layer.attributes.forget("p", "mode", "axes")
    return layer.tensor(graph)


def concat(graph: OnnxGraph, layer: Layer) -> str:
    """Build ``Concat``, of channels unless it says otherwise."""
    axis = layer.attributes.integer("dim", 1)
    tensors = [layer.tensor(graph, position) for position in range(len(layer.sources))]
    return graph.add("Concat", *tensors, axis=_within(graph.shape(tensors[0]), axis, layer))


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
    """Build ``Reshape`` with MXNet's signs 0 (as it was) and -1 (whatever is left), which ONNX has too."""
    shape = layer.attributes.integers("shape")
    if min(shape) < -1 or shape[0] not in (0, -1) or layer.attributes.boolean("reverse", False):
        raise ModelError(f"{layer.where}: only shapes of numbers, 0 and -1 that keep the batch are known, got {shape}")
    return graph.add("Reshape", layer.tensor(graph), graph.constant(np.array(shape)))


def transpose(graph: OnnxGraph, layer: Layer) -> str:
    """Build ``transpose``; the batch stays where it is."""
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


def of_one(op: str) -> Builder:
    """Return the builder of an operator on one input."""
    return lambda graph, layer: graph.add(op, layer.tensor(graph))


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
    **_named(flatten, "Flatten", "flatten"),
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
