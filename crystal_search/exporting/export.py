"""From a torch network to an ONNX file with its card; an export whose numbers differ is none."""

import tempfile
import warnings
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from crystal_search.card_file import FILE_NAME
from crystal_search.errors import ModelError, UserError
from crystal_search.exporting.answer_differences import (
    DIFFERENCES,
    MOST_ROUNDING,
    ROUNDINGS,
    TOLERANCE,
    Difference,
    largest,
)
from crystal_search.images import channels_of
from crystal_search.inference import onnx_runtime
from crystal_search.model import CARD_SUFFIX, Card, write_model
from crystal_search.model_card import FEATURES, INSTANCES, LOGITS, ClassifierCard, CrystalCard, ImageCard, ModelCard
from crystal_search.networks.convolutions import GivesFeatures

OPSET = 17
INPUT = "images"  #: (N, channels, H, W) float32; every answer is (N, its channels, h, w) float32
PREFIXES = {LOGITS: "map"}  #: of an answer's dimensions
DETECTOR_SIZES = ((1, 8, 8), (2, 4, 9), (1, 1, 3))  #: images, rows, columns in multiples of what sides must be
INSTANCE_SIZES = ((1, 8, 8), (1, 4, 9), (1, 2, 3))  #: of one that answers instance by instance, of one image
DROP_LOCATOR_SIZES_PX = ((1, 256, 256), (2, 208, 256), (1, 16, 48), (1, 224, 272))  #: images, rows, columns


def export(network: nn.Module, card: ModelCard, folder: Path, *, examples: Sequence[NDArray[np.float32]] = ()) -> Path:
    """Write ``NAME.onnx`` and ``NAME.card.json`` to `folder` and return the card's path.

    The file's name and hash in `card` are filled in, and the features of a network that gives some are added. Numbers
    are compared on noise, and on `examples`, batches (1, channels, H, W) of what the network is for.

    Raises
    ------
    ModelError
        If ONNX Runtime's numbers differ from torch's by more than `compare` allows; nothing is written then.
    """
    channels = channels_of(card.normalisation)
    card = with_features(card, network)
    answering = asked_for(network, card)
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "exported.onnx"
        write_onnx(answering, file, [each.name for each in card.outputs], channels, batch=batch_of(card))
        batches = [*noise(sizes_to_compare(card), channels), *examples]
        compare(
            answering,
            file,
            batches,
            difference=difference_for(card),
        )
        return write_model(file.read_bytes(), card, folder)


class Answering(nn.Module):
    """A network as a model's file has it: its answers are those of its card, in their order."""

    def __init__(self, network: GivesFeatures) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the maps of logits and of features for images (N, channels, H, W)."""
        return self.network.with_features(x)


def with_features(card: Card, network: nn.Module) -> Card:
    """Return the card with the output of features that the network gives, if it gives one."""
    if not isinstance(card, ClassifierCard) or not isinstance(network, GivesFeatures):
        return card
    others = tuple(each for each in card.outputs if each.name != FEATURES)
    return replace(card, outputs=(*others, network.features_output))


def asked_for(network: nn.Module, card: ModelCard) -> nn.Module:
    """Return what answers with all outputs of a card."""
    if isinstance(card, ClassifierCard) and card.features and isinstance(network, GivesFeatures):
        return Answering(network)
    return network


def check_name(name: str, folder: Path, *, replacing: bool = False) -> None:
    """Refuse a name that no model can have, or that one in `folder` has, unless it is to be replaced.

    Raises
    ------
    UserError
        That says which.
    """
    if not FILE_NAME.fullmatch(f"{name}.onnx"):
        raise UserError(f"{name!r} is no name for a model; give --name of letters, digits, points and dashes")
    for path in (folder / f"{name}{CARD_SUFFIX}", folder / f"{name}.onnx"):
        if path.exists() and not replacing:
            raise UserError(f"{path} is there already; say --replace, or give another --name")


def sizes_to_compare(card: ModelCard) -> tuple[tuple[int, int, int], ...]:
    """Return the inputs (images, rows, columns) that an export is compared on.

    A padded classifier sees chops and nothing else; an unpadded one also whole drops, of sides that are multiples
    of its output stride and of others. A classifier of whole images sees squares of one side.
    """
    if isinstance(card, ImageCard):
        return tuple((images, card.working_width_px, card.working_width_px) for images in (1, 2))
    if isinstance(card, CrystalCard):
        side, sizes = card.side_multiple_px, INSTANCE_SIZES if card.decoding == INSTANCES else DETECTOR_SIZES
        return tuple((images, rows * side, columns * side) for images, rows, columns in sizes)
    if not isinstance(card, ClassifierCard):
        return DROP_LOCATOR_SIZES_PX
    side, stride = card.side_px, card.output_stride_px
    if card.padded:
        return (1, side, side), (3, side, side)
    return (
        (1, side, side),
        (3, side, side + 3 * stride),
        (1, side + 5 * stride - 1, side + 2 * stride + 13),
        (2, side + stride + 6, side + 4 * stride - 1),
    )


def difference_for(card: ModelCard) -> Difference:
    """Return how answers of a model are compared."""
    return DIFFERENCES[card.decoding] if isinstance(card, CrystalCard) else largest


def batch_of(card: ModelCard) -> int:
    """Return with how many images a file is written: one, where a network answers image by image."""
    return 1 if isinstance(card, CrystalCard) and card.decoding == INSTANCES else 2


def noise(sizes: Sequence[tuple[int, int, int]], channels: int = 1) -> list[NDArray[np.float32]]:
    """Return batches of noise of several sizes (images, rows, columns)."""
    generator = np.random.default_rng(0)
    shapes = [(images, channels, rows, columns) for images, rows, columns in sizes]
    return [generator.normal(size=shape).astype(np.float32) for shape in shapes]


def compare(
    network: nn.Module, onnx: Path, batches: Sequence[NDArray[np.float32]], *, difference: Difference = largest
) -> None:
    """Run `network` and the file `onnx` on batches (images, channels, rows, columns).

    Raises
    ------
    ModelError
        If any two numbers of an answer differ by more than `TOLERANCE`, and by more than rounding explains.
    """
    session = onnx_runtime().InferenceSession(onnx, providers=["CPUExecutionProvider"])
    for batch in batches:
        own = _run(network, batch)
        apart = difference(own, session.run(None, {INPUT: batch}))
        if apart <= TOLERANCE:
            continue
        rounding = difference(own, _run(deepcopy(network).double(), batch.astype(np.float64)))
        if not (rounding <= MOST_ROUNDING and apart <= ROUNDINGS * rounding):
            images, _, rows, columns = batch.shape
            raise ModelError(
                f"ONNX Runtime and torch differ by {apart:.2g} on {images} x {rows} x {columns} px; at most "
                f"{TOLERANCE:g} is allowed, or {ROUNDINGS} times what rounding does to torch's own numbers "
                f"({rounding:.2g}), if that is at most {MOST_ROUNDING:g}: do not use this export"
            )


def _run(network: nn.Module, batch: NDArray[np.floating]) -> list[NDArray[np.float32]]:
    """Return each map that the network answers with, in the precision of its weights and of the batch."""
    network.eval()
    with torch.no_grad():
        answer = network(torch.from_numpy(batch))
    return [each.numpy() for each in (answer if isinstance(answer, tuple) else (answer,))]


def write_onnx(network: nn.Module, path: Path, outputs: Sequence[str], channels: int = 1, *, batch: int = 2) -> None:
    """Write the ONNX file of a network that answers with `outputs`, in this order; nothing is compared."""
    axes = {INPUT: {0: "images", 2: "rows", 3: "columns"}} | {
        name: {0: "images", 2: f"{PREFIXES.get(name, name)}_rows", 3: f"{PREFIXES.get(name, name)}_columns"}
        for name in outputs
    }
    network.eval()
    with warnings.catch_warnings():
        # The exporter that needs no further package, and writes a batch norm into its convolution, is the older one.
        warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"torch\.|crystal_search\.exporting")
        # Of what pads one side more than the other, the amounts stay computed, which costs nothing.
        warnings.filterwarnings("ignore", message="Constant folding - Only steps=1", category=UserWarning)
        if batch == 1:  # of torchvision's detectors the tracer warns of much; the numbers are compared at several sizes
            warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (torch.zeros(batch, channels, 256, 256),),
            str(path),
            input_names=[INPUT],
            output_names=list(outputs),
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
