"""From a Keras U-Net to an ONNX file: a drop locator for images of any size, its sigmoid left to our client."""

from dataclasses import replace
from typing import Any

import numpy as np

from crystal_search.errors import ModelError
from crystal_search.hostile_json import refusing
from crystal_search.old_weights.keras_file import KerasLayer, KerasModel
from crystal_search.old_weights.keras_layers import BUILDERS, Inputs
from crystal_search.old_weights.onnx_graph import BATCH, INPUT, OnnxGraph, Shape

INPUT_LAYER = "InputLayer"
MAX_SIDE_PX = 4096
SIZE_IN = ("rows", "columns")


def drop_locator_from_keras(model: KerasModel) -> tuple[bytes, tuple[int, int]]:
    """Return an ONNX file that maps (N, 1, H, W) in [0, 1] to logits (N, 1, H, W), and the network's own size.

    The network was trained on images squeezed into its square. The file does the same to whatever it is
    given, and stretches the answer back.

    Raises
    ------
    ModelError
        If a layer is unknown, or the network is none from one grey image to one sigmoid of its size.
    """
    layers = {layer.name: layer for layer in model.layers}
    height, width = _input_size(model)
    graph = OnnxGraph((1, *SIZE_IN))
    tensors: dict[str, str] = {}
    for layer in _without_sigmoid(model):
        if layer.kind == INPUT_LAYER:
            tensors[layer.name] = _resized(graph, INPUT, graph.constant(np.array([height, width])), (height, width))
        else:
            tensors[layer.name] = _built(
                graph, layer, Inputs(tuple(tensors[name] for name in layer.inputs), model.same)
            )
    if model.output not in layers:
        raise ModelError(f"the output {model.output!r} is no layer; save the whole model again")
    logits = tensors[model.output]
    if graph.shape(logits)[1:] != (1, height, width):
        raise ModelError(f"the network answers with shape {graph.shape(logits)}, expected (1, {height}, {width})")
    size = graph.add("Shape", INPUT, start=2)
    return graph.model(_resized(graph, logits, size, SIZE_IN)), (height, width)


def _input_size(model: KerasModel) -> tuple[int, int]:
    inputs = [layer for layer in model.layers if layer.kind == INPUT_LAYER]
    shape = inputs[0].config.get("batch_input_shape") if len(inputs) == 1 else None
    if not (isinstance(shape, list) and len(shape) == 4 and shape[3] == 1 and all(map(_is_side, shape[1:3]))):
        raise ModelError(
            f"expected one input of fixed rows, columns and 1 channel, got {shape} of {len(inputs)} inputs"
        )
    return shape[1], shape[2]


def _is_side(value: Any) -> bool:
    return type(value) is int and 1 <= value <= MAX_SIDE_PX


def _without_sigmoid(model: KerasModel) -> list[KerasLayer]:
    """Return the layers with the last activation, which must be a sigmoid, made linear."""
    last = next((layer for layer in model.layers if layer.name == model.output), None)
    if last is None or last.config.get("activation") != "sigmoid":
        raise ModelError(f"the network's last layer {model.output!r} must end in a sigmoid; this is no drop locator")
    if any(last.name in layer.inputs for layer in model.layers):
        raise ModelError(f"the last layer {last.name!r} feeds another; this is no drop locator")
    linear = replace(last, config=last.config | {"activation": "linear"})
    return [linear if layer is last else layer for layer in model.layers]


def _built(graph: OnnxGraph, layer: KerasLayer, inputs: Inputs) -> str:
    if layer.kind not in BUILDERS:
        known = ", ".join(sorted(BUILDERS))
        raise ModelError(f"layer {layer.name!r} is a {layer.kind}, which is unknown; known are {known}")
    if not inputs.tensors:
        raise ModelError(f"layer {layer.name!r} is fed by nothing; save the whole model again")
    with refusing(ModelError, f"layer {layer.name!r}"):
        return BUILDERS[layer.kind](graph, layer, inputs)


def _resized(graph: OnnxGraph, tensor: str, size: str, sides: Shape) -> str:
    """Return a tensor of one channel at another size, interpolated linearly; exactly itself where it has that size."""
    sizes = graph.add("Concat", graph.add("Shape", tensor, end=2), size, axis=0, shape=(4,))
    how = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    return graph.add("Resize", tensor, "", "", sizes, shape=(BATCH, 1, *sides), **how)
