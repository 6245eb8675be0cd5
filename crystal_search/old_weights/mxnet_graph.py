"""From MXNet's nodes and arrays to an ONNX file: a classifier whose softmax is left to whoever reads the logits."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crystal_search.errors import ModelError
from crystal_search.hostile_json import refusing
from crystal_search.old_weights.mxnet_layers import Attributes, Layer, Source
from crystal_search.old_weights.mxnet_operators import BUILDERS
from crystal_search.old_weights.mxnet_params import Array
from crystal_search.old_weights.mxnet_symbol import VARIABLE, Node, Symbol
from crystal_search.old_weights.onnx_graph import INPUT, OnnxGraph

#: What ends a classifier; dropped, for our client takes the softmax itself, at the card's temperature.
LAST = ("SoftmaxOutput", "Softmax", "softmax", "SoftmaxActivation", "log_softmax")
FULL_SCALE = 255.0  #: a pixel of MXNet's images; ours are in [0, 1]
ORDERS = {"rgb": (0, 1, 2), "bgr": (2, 1, 0)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How the network was fed when it was trained, and what its outputs meant."""

    side_px: int  #: of the square images it was trained with
    class_positions: tuple[int, ...]  #: for every class of ours, which output of the network it is
    mean: tuple[float, ...] = ()  #: taken off each channel, in [0, 255], in the network's order; none: 0
    std: tuple[float, ...] = ()  #: each channel is divided by it, in [0, 255]; none: 1
    channel_order: str = "rgb"


def classifier_from_mxnet(symbol: Symbol, params: dict[str, Array], reading: Reading) -> tuple[bytes, int]:
    """Return an ONNX file that maps (N, channels, side, side) in [0, 1] to logits, and its number of channels.

    Raises
    ------
    ModelError
        If an operator is unknown, weights are missing or of another shape, or the classes are not as many.
    """
    nodes, head = symbol.nodes, _before_softmax(symbol)
    needed = _ancestors(nodes, head)
    fed = _input_of(nodes, needed, params)
    channels = _channels(nodes, needed, params)
    graph = OnnxGraph((channels, reading.side_px, reading.side_px))
    tensors: dict[int, Source] = {fed: _normalised(graph, channels, reading)}
    for position in sorted(needed - {fed}):
        node = nodes[position]
        tensors[position] = params[node.name] if node.op == VARIABLE else _built(graph, node, tensors, params)
    logits = tensors[head]
    if not isinstance(logits, str):
        raise ModelError("the network computes nothing; name another symbol file")
    return graph.model(_ordered(graph, logits, reading.class_positions)), channels


def _before_softmax(symbol: Symbol) -> int:
    if len(symbol.heads) != 1:
        raise ModelError(f"the network has {len(symbol.heads)} outputs, expected one; save its classifier alone")
    head = symbol.heads[0].node
    while symbol.nodes[head].op in LAST and symbol.nodes[head].inputs:
        head = symbol.nodes[head].inputs[0].node
    return head


def _ancestors(nodes: tuple[Node, ...], head: int) -> set[int]:
    """Return the nodes that `head` depends on, itself among them."""
    found, waiting = {head}, [head]
    while waiting:
        feeding = {each.node for each in nodes[waiting.pop()].inputs} - found
        found |= feeding
        waiting += feeding
    return found


def _input_of(nodes: tuple[Node, ...], needed: set[int], params: dict[str, Array]) -> int:
    """Return the one variable that is fed with images: the only one without weights."""
    unfed = [n for n in sorted(needed) if nodes[n].op == VARIABLE and nodes[n].name not in params]
    if len(unfed) == 1:
        return unfed[0]
    names = ", ".join(nodes[n].name for n in unfed[:8]) or "none"
    raise ModelError(
        f"one variable of the symbol must be without weights, the images; these are: {names}. "
        "Do both files belong together?"
    )


def _channels(nodes: tuple[Node, ...], needed: set[int], params: dict[str, Array]) -> int:
    """Return how many channels the first convolution reads: 1 or 3."""
    for node in (nodes[n] for n in sorted(needed)):
        if node.op == "Convolution" and len(node.inputs) > 1:
            weights = params.get(nodes[node.inputs[1].node].name)
            if weights is not None and weights.ndim == 4 and weights.shape[1] in (1, 3):
                return int(weights.shape[1])
            break
    raise ModelError("the network's first convolution must read 1 or 3 channels; this is no classifier of images")


def _normalised(graph: OnnxGraph, channels: int, reading: Reading) -> str:
    x = INPUT
    if channels == 3 and reading.channel_order != "rgb":
        x = graph.add("Gather", x, graph.constant(np.array(ORDERS[reading.channel_order])), axis=1)
    mean, std = (
        _per_channel(values, channels, what) for values, what in ((reading.mean, "mean"), (reading.std, "std"))
    )
    x = graph.add("Mul", x, graph.constant(FULL_SCALE / std))
    return graph.add("Sub", x, graph.constant(mean / std)) if reading.mean else x


def _per_channel(values: tuple[float, ...], channels: int, what: str) -> NDArray[np.float64]:
    if len(values) not in (0, channels):
        raise ModelError(f"--{what} has {len(values)} numbers, the network reads {channels} channels; give as many")
    neutral = 0.0 if what == "mean" else 1.0
    return np.array(values or [neutral] * channels).reshape(1, channels, 1, 1)


def _built(graph: OnnxGraph, node: Node, tensors: dict[int, Source], params: dict[str, Array]) -> Source:
    where = f"{node.op} {node.name!r}"
    if node.op not in BUILDERS:
        raise ModelError(f"{where}: this operator is unknown; known are {', '.join(sorted(BUILDERS))}")
    if missing := [name for name in node.implied if name not in params]:
        raise ModelError(f"{where}: weights {', '.join(missing)} are missing; do both files belong together?")
    if any(each.index for each in node.inputs):
        raise ModelError(f"{where}: reads a second output of another operator, which is unknown")
    sources = (*(tensors[each.node] for each in node.inputs), *(params[name] for name in node.implied))
    layer = Layer(where, Attributes(node.attributes, where), sources)
    try:
        with refusing(ModelError, where):
            tensor = BUILDERS[node.op](graph, layer)
    except ModelError as error:
        message = str(error)
        raise ModelError(message if message.startswith(where) else f"{where}: {message}") from error
    layer.attributes.finish()
    return tensor


def _ordered(graph: OnnxGraph, logits: str, positions: tuple[int, ...]) -> str:
    """Return the logits as maps (N, classes, h, w), the classes in our order."""
    shape = graph.shape(logits)
    if len(shape) not in (2, 4) or shape[1] != len(positions):
        raise ModelError(
            f"the network answers with shape {shape}, the class list has {len(positions)} names; "
            "give a name for every output, and the --side it was trained with"
        )
    if len(shape) == 2:
        logits = graph.add("Reshape", logits, graph.constant(np.array([0, len(positions), 1, 1])))
    if positions == tuple(range(len(positions))):
        return logits
    return graph.add("Gather", logits, graph.constant(np.array(positions)), axis=1)
