"""Scoring as Thielmann et al. (2023) did: the same network zero-padded, a window at a stride of 50 px, chop after chop.

The network is the shipped one with the paddings of the published SqueezeNet 1.1; everything around it (decoding, drop
location, normalisation, ONNX Runtime and its threads) is the product's own, so that the difference is the way alone.
"""

from dataclasses import replace
from itertools import product

import numpy as np
import onnx
from numpy.typing import NDArray

from crystal_search.chopper.cutting import cut
from crystal_search.formats.picture import MAX_SIDE_PX
from crystal_search.geometry import Box
from crystal_search.images import decode, normalised, resized, to_grey
from crystal_search.model import Model
from crystal_search.model_card import ClassifierCard
from crystal_search.scoring.classify import channels_first, probabilities
from crystal_search.scoring.pipeline import Models
from crystal_search.unet_drop.locate import locate_drop

STRIDE_PX = 50  #: of the paper's window
CELLS_PER_CHOP = 15  #: of the published network at 256 px


def padded_twin(model: Model[ClassifierCard]) -> Model[ClassifierCard]:
    """Return the shipped SqueezeNet with the same weights and the published paddings.

    The 3x3 convolutions inside fire modules pad by 1 and poolings round up, as published; a chop of 256 px gives
    15 x 15 cells in place of 4 x 4. The crop that replaces padding before the 1x1 convolutions goes.
    """
    graph = onnx.load_from_string(model.onnx)
    nodes = graph.graph.node
    sources = {node.output[0]: node.input[0] for node in nodes if node.op_type == "Slice"}
    stem = next(node.name for node in nodes if node.op_type == "Conv")
    for node in nodes:
        for position, name in enumerate(node.input):
            node.input[position] = _source(name, sources)
        if node.op_type == "Conv" and node.name != stem:
            _set(node, "pads", [side // 2 for side in _attribute(node, "kernel_shape")] * 2)
        if node.op_type == "MaxPool":
            _set(node, "ceil_mode", 1)
    kept = [node for node in nodes if node.op_type != "Slice"]
    del nodes[:]
    nodes.extend(kept)
    del graph.graph.value_info[:]
    name, outputs = f"{model.card.name}, padded", model.card.outputs[:1]
    card = replace(model.card, name=name, outputs=outputs, padded=True, cells_per_chop=CELLS_PER_CHOP)
    return Model(card, graph.SerializeToString())


def _source(name: str, sources: dict[str, str]) -> str:
    while name in sources:
        name = sources[name]
    return name


def _attribute(node: onnx.NodeProto, name: str) -> list[int]:
    return [int(value) for each in node.attribute if each.name == name for value in each.ints]


def _set(node: onnx.NodeProto, name: str, value: int | list[int]) -> None:
    kept = [each for each in node.attribute if each.name != name]
    del node.attribute[:]
    node.attribute.extend([*kept, onnx.helper.make_attribute(name, value)])


def window_starts(length_px: int, side_px: int, stride_px: int) -> list[int]:
    """Return where a window of `side_px` starts when it slides over `length_px` in steps.

    The last window ends with the last pixel, so nothing is left out.

    Raises
    ------
    ValueError
        If the window is longer than what it slides over, or the stride leaves gaps.

    >>> window_starts(400, 256, 50)
    [0, 50, 100, 144]
    """
    if not 0 < side_px <= length_px:
        raise ValueError(f"cannot slide a window of {side_px} px over {length_px} px; pad the drop first")
    if not 0 < stride_px <= side_px:
        raise ValueError(f"a stride of {stride_px} px leaves gaps between windows of {side_px} px")
    last = length_px - side_px
    starts = list(range(0, last + 1, stride_px))
    return starts if starts[-1] == last else [*starts, last]


def windows(box: Box, side_px: int) -> list[Box]:
    """Return the paper's chops over `box`, row by row, the last ones ending with it.

    >>> len(windows(Box(0, 0, 1200, 1200), 256))
    400
    """
    corners = product(window_starts(box.height, side_px, STRIDE_PX), window_starts(box.width, side_px, STRIDE_PX))
    return [Box(row, column, row + side_px, column + side_px).shifted(box.top, box.left) for row, column in corners]


def paper_probabilities(data: bytes, models: Models, drop: Box, *, width_px: int | None) -> NDArray[np.float64]:
    """Return the probabilities of the drop's chops, shape (chops, classes), from the bytes of an image file.

    Parameters
    ----------
    data
        A JPEG.
    models
        The padded twin, and the drop locator, which is run though its answer is not needed.
    drop
        The drop's rectangle in stored pixels.
    width_px
        Working width; None for all pixels of the image, as in the paper.
    """
    image = decode(data, at_least_width_px=width_px or MAX_SIDE_PX)
    grey = to_grey(image.colour)
    locate_drop(grey, models.drop)
    card = models.classifier.card
    view = normalised(resized(grey, width_px or image.width_px), card.normalisation)
    chops = windows(drop.scaled(view.shape[1] / image.width_px), card.side_px)
    maps = np.concatenate([models.classifier.logits(channels_first(cut(view, chop)[None])) for chop in chops])
    return probabilities(maps.mean(axis=(2, 3), dtype=np.float64), card.temperature)  # of (chops, classes, 15, 15)
