"""A crystal detector made by hand: whatever is darker or brighter than its surroundings is a crystal of one size."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from crystal_search.crystals.boxes import DIRECTIONS
from crystal_search.crystals.decoding import BOXES, HEAT, OUTLINES, STRIDE_PX
from crystal_search.model import write_model
from crystal_search.model_card import CrystalCard
from crystal_search.networks.network_kinds import crystal_detector_card

LONG_PX, SHORT_PX, REACH_PX = 24.0, 12.0, 11.5  #: of every crystal, in pixels that the network sees
Weights = dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]


def tiny_card(name: str = "tiny-crystals", *, working_width_px: int = 1224) -> CrystalCard:
    """Return the card of such a detector."""
    like = crystal_detector_card(
        name, "dense-crystals", normalisation="local-contrast-1", working_width_px=working_width_px
    )
    return replace(like, architecture="by-hand")


def tiny_weights() -> Weights:
    """Return by output how the mean of a cell becomes its numbers: weights (N,) and constants (N,)."""
    sides = np.array([0, 0, np.log(LONG_PX), np.log(SHORT_PX), 0, 1], np.float32)
    return {
        HEAT: (np.array([4], np.float32), np.array([-1], np.float32)),
        BOXES: (np.zeros(6, np.float32), sides),
        OUTLINES: (np.zeros(DIRECTIONS, np.float32), np.full(DIRECTIONS, np.log(REACH_PX), np.float32)),
    }


def tiny_detector(folder: Path, name: str = "tiny-crystals") -> Path:
    """Write such a model to `folder`, and return its card's path."""
    nodes = [
        helper.make_node("AveragePool", ["images"], ["means"], kernel_shape=[STRIDE_PX] * 2, strides=[STRIDE_PX] * 2)
    ]
    nodes.append(helper.make_node("Abs", ["means"], ["cells"]))
    arrays, outputs = [], []
    for output, (weights, constants) in tiny_weights().items():
        nodes.append(helper.make_node("Conv", ["cells", f"{output}_w", f"{output}_b"], [output]))
        arrays.append(numpy_helper.from_array(weights.reshape(-1, 1, 1, 1), f"{output}_w"))
        arrays.append(numpy_helper.from_array(constants, f"{output}_b"))
        shape: list[str | int | None] = ["images", len(weights), f"{output}_rows", f"{output}_columns"]
        outputs.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, shape))
    views = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["images", 1, "rows", "columns"])
    graph = helper.make_graph(nodes, "by-hand", [views], outputs, arrays)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return write_model(model.SerializeToString(), tiny_card(name), folder)
