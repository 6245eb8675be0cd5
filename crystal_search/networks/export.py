"""From a torch network to an ONNX file with its card; an export whose numbers differ is none."""

import os
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from crystal_search.artefacts import CARD_SUFFIX, ModelCard, card_to_json, sha256_of
from crystal_search.errors import ModelError
from crystal_search.inference import onnx_runtime

OPSET = 17
TOLERANCE = 1e-4  #: largest difference between a logit from torch and one from ONNX Runtime
INPUT, OUTPUT = "images", "logits"  #: (N, 1, H, W) float32 and (N, classes, h, w) float32
CLASSIFIER_SIZES_PX = ((1, 256, 256), (3, 256, 304), (1, 415, 333), (2, 278, 511))  #: images, rows, columns
DROP_LOCATOR_SIZES_PX = ((1, 256, 256), (2, 208, 256), (1, 16, 48), (1, 224, 272))


def export(network: nn.Module, card: ModelCard, folder: Path) -> Path:
    """Write ``NAME.onnx`` and ``NAME.card.json`` to `folder` and return the card's path.

    The file's name and hash in `card` are filled in. Both files are written under another name first; the
    card comes last, so that no card ever describes a file that is not there.

    Raises
    ------
    ModelError
        If ONNX Runtime's numbers differ from torch's by more than `TOLERANCE`; nothing is written then.
    """
    sizes = CLASSIFIER_SIZES_PX if card.kind == "classifier" else DROP_LOCATOR_SIZES_PX
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{card.name}.{os.getpid()}.onnx"
    try:
        _write_onnx(network, temporary)
        compare(network, temporary, sizes)
        card = replace(card, file=f"{card.name}.onnx", sha256=sha256_of(temporary.read_bytes()))
        temporary.replace(folder / card.file)
    finally:
        temporary.unlink(missing_ok=True)
    return write_card(card, folder)


def write_card(card: ModelCard, folder: Path) -> Path:
    """Write ``NAME.card.json`` to `folder`, whole or not at all, and return its path."""
    path = folder / f"{card.name}{CARD_SUFFIX}"
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(card_to_json(card), encoding="utf-8")
    return temporary.replace(path)


def compare(network: nn.Module, onnx: Path, sizes: Sequence[tuple[int, int, int]]) -> None:
    """Run `network` and the file `onnx` on noise of several sizes (images, rows, columns).

    Raises
    ------
    ModelError
        If any two logits differ by more than `TOLERANCE`.
    """
    session = onnx_runtime().InferenceSession(onnx, providers=["CPUExecutionProvider"])
    generator = np.random.default_rng(0)
    for images, rows, columns in sizes:
        batch = generator.normal(size=(images, 1, rows, columns)).astype(np.float32)
        difference = _largest_difference(_run(network, batch), session.run(None, {INPUT: batch})[0])
        if not difference <= TOLERANCE:
            raise ModelError(
                f"ONNX Runtime and torch differ by {difference:.2g} on {images} x {rows} x {columns} px; "
                f"at most {TOLERANCE:g} is allowed: do not use this export"
            )


def _largest_difference(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    if one.shape != other.shape:
        return float("inf")
    return float(np.abs(one - other).max())


def _run(network: nn.Module, batch: NDArray[np.float32]) -> NDArray[np.float32]:
    network.eval()
    with torch.no_grad():
        logits: NDArray[np.float32] = network(torch.from_numpy(batch)).numpy()
    return logits


def _write_onnx(network: nn.Module, path: Path) -> None:
    axes = {
        INPUT: {0: "images", 2: "rows", 3: "columns"},
        OUTPUT: {0: "images", 2: "map_rows", 3: "map_columns"},
    }
    network.eval()
    with warnings.catch_warnings():
        # The exporter that needs no further package, and writes a batch norm into its convolution, is the older one.
        warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"torch\.|crystal_search\.networks")
        torch.onnx.export(
            network,
            (torch.zeros(2, 1, 256, 256),),
            str(path),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
