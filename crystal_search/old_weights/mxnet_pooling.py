"""MXNet's pooling, whose last windows may reach over the edge, and whose average counts padding or not."""

from typing import Any

import numpy as np

from crystal_search.errors import ModelError
from crystal_search.old_weights.onnx_graph import OnnxGraph
from crystal_search.old_weights.onnx_layers import Layer

GLOBAL = {"max": "GlobalMaxPool", "avg": "GlobalAveragePool"}


def pooling(graph: OnnxGraph, layer: Layer) -> str:
    """Build ``Pooling``: maximum or average, over windows or over the whole map."""
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
