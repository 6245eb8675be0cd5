"""Features for a classifier that was exported without: its file gets one more output, nothing else of it changes."""

import tempfile
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper

from crystal_search.errors import ModelError, UnknownNameError
from crystal_search.exporting.export import asked_for, sizes_to_compare, with_features, write_onnx
from crystal_search.images import channels_of
from crystal_search.inference import OnnxNetwork
from crystal_search.model import Model
from crystal_search.model_card import FEATURES, ClassifierCard
from crystal_search.networks.network_kinds import build


def with_features_added(model: Model[ClassifierCard]) -> Model[ClassifierCard]:
    """Return a model that answers as `model` does, to the bit, and with features as well.

    Where they come from is seen in a network of the same architecture with any weights, which is exported anew.

    Raises
    ------
    ModelError
        If its file is not one that `export` wrote of a network that gives features, or answers otherwise afterwards.
    """
    card = model.card
    if card.features:
        raise ModelError(f"{card.name} gives features already")
    twin_card, twin = _twin(card)
    added = Model(twin_card, _with_output(model, twin, twin_card))
    _check_same(model, added)
    return added


def _twin(card: ClassifierCard) -> tuple[ClassifierCard, onnx.ModelProto]:
    """Return the card with features, and a file of the same architecture that has them, its weights untrained."""
    channels = channels_of(card.normalisation)
    try:
        with torch.random.fork_rng():
            network = build(card.architecture, len(card.classes), channels)
    except UnknownNameError as error:
        raise ModelError(f"{card.name}: {error}; only networks of this program can give features") from error
    described = with_features(card, network)
    if not described.features:
        raise ModelError(f"{card.name}: {card.architecture} gives no features")
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "twin.onnx"
        write_onnx(asked_for(network, described), path, [each.name for each in described.outputs], channels)
        return described, onnx.load(str(path))


def _with_output(model: Model[ClassifierCard], twin: onnx.ModelProto, card: ClassifierCard) -> bytes:
    """Return the file of `model` with the node of `twin` that makes features, and their output."""
    graph = onnx.load_from_string(model.onnx)
    making = next(node for node in twin.graph.node if FEATURES in node.output)
    others = [node for node in _computing(twin) if FEATURES not in node.output]
    if [node.op_type for node in others] != [node.op_type for node in _computing(graph)]:
        raise ModelError(f"{card.file} is no {card.architecture} as it is exported; train it on, and export it again")
    source = next(number for number, node in enumerate(others) if making.input[0] in node.output)
    node = onnx.NodeProto()
    node.CopyFrom(making)
    node.input[0] = _computing(graph)[source].output[0]
    graph.graph.node.append(node)
    numbers = card.features.numbers if card.features else 0
    shape: list[str | int | None] = ["images", numbers, "features_rows", "features_columns"]
    graph.graph.output.append(helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, shape))
    return bytes(graph.SerializeToString())


def _computing(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """Return the nodes but those that only give equal weights, which untrained networks have, another name."""
    return [node for node in model.graph.node if node.op_type != "Identity"]


def _check_same(model: Model[ClassifierCard], added: Model[ClassifierCard]) -> None:
    """Refuse a file whose first output is not to the bit what it was.

    Raises
    ------
    ModelError
        If it is not.
    """
    before, after = OnnxNetwork(model), OnnxNetwork(added)
    generator = np.random.default_rng(0)
    for images, rows, columns in sizes_to_compare(model.card):
        shape = (images, channels_of(model.card.normalisation), rows, columns)
        batch = generator.normal(size=shape).astype(np.float32)
        if not np.array_equal(before.logits(batch), after.maps(batch)[model.card.outputs[0].name]):
            raise ModelError(f"{model.card.file} answers otherwise with features; do not use this")
