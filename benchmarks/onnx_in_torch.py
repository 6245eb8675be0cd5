"""The shipped ONNX files run in torch, so that a GPU computes with exactly the weights that clients use."""

from collections.abc import Callable
from typing import Any

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor
from torch.nn import functional

from crystal_search.errors import ModelError

Attributes = dict[str, Any]


def _symmetric(pads: list[int]) -> list[int]:
    half = len(pads) // 2
    if pads[:half] != pads[half:]:
        raise ModelError(f"pads {pads} differ from side to side; export the network with symmetric padding")
    return pads[:half]


def _conv(at: Attributes, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return functional.conv2d(x, weight, bias, at["strides"], _symmetric(at["pads"]), at["dilations"])


def _enlarge(at: Attributes, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return functional.conv_transpose2d(x, weight, bias, at["strides"], _symmetric(at["pads"]))


def _max_pool(at: Attributes, x: Tensor) -> Tensor:
    return functional.max_pool2d(x, at["kernel_shape"], at["strides"], _symmetric(at["pads"]))


def _cut(_: Attributes, x: Tensor, starts: Tensor, stops: Tensor, axes: Tensor, steps: Tensor) -> Tensor:
    for start, stop, axis, step in zip(*(each.tolist() for each in (starts, stops, axes, steps)), strict=True):
        x = x[(slice(None),) * axis + (slice(start, stop, step),)]
    return x


#: What our exported networks consist of; every function has the node's attributes, then its inputs.
OPERATORS: dict[str, Callable[..., Tensor]] = {
    "AveragePool": lambda at, x: functional.avg_pool2d(x, at["kernel_shape"], at["strides"], _symmetric(at["pads"])),
    "Add": lambda _, x, y: x + y,
    "Concat": lambda at, *parts: torch.cat(parts, dim=at["axis"]),
    "Constant": lambda at: torch.from_numpy(numpy_helper.to_array(at["value"]).copy()),
    "Conv": _conv,
    "ConvTranspose": _enlarge,
    "MaxPool": _max_pool,
    "Mul": lambda _, x, y: x * y,
    "Relu": lambda _, x: functional.relu(x),
    "Slice": _cut,
    "Tanh": lambda _, x: torch.tanh(x),
}


class OnnxGraph(torch.nn.Module):
    """An ONNX graph of these operators with one input; its first output is what is asked for.

    Raises
    ------
    ModelError
        If the graph has an operator that is not among `OPERATORS`.
    """

    def __init__(self, data: bytes) -> None:
        super().__init__()
        graph = onnx.load_from_string(data).graph
        if unknown := {node.op_type for node in graph.node} - OPERATORS.keys():
            raise ModelError(f"cannot run {', '.join(sorted(unknown))} in torch; known are {', '.join(OPERATORS)}")
        self._input, self._output = graph.input[0].name, graph.output[0].name
        self._names = {each.name: f"weight_{number}" for number, each in enumerate(graph.initializer)}
        for each in graph.initializer:
            self.register_buffer(self._names[each.name], torch.from_numpy(numpy_helper.to_array(each).copy()))
        self._nodes = []
        for node in graph.node:
            attributes = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
            if node.op_type == "Constant":
                self._names[node.output[0]] = name = f"weight_{len(self._names)}"
                self.register_buffer(name, OPERATORS["Constant"](attributes))
            else:
                self._nodes.append((node.op_type, attributes, list(node.input), node.output[0]))

    def forward(self, images: Tensor) -> Tensor:
        """Return the map of logits (N, classes, h, w) of normalised images (N, channels, H, W)."""
        values = {name: self.get_buffer(buffer) for name, buffer in self._names.items()} | {self._input: images}
        for operator, attributes, inputs, output in self._nodes:
            values[output] = OPERATORS[operator](attributes, *(values[name] for name in inputs))
        return values[self._output]
