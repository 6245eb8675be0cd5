"""Checking an imported network and writing it: its ONNX file and its card, both or neither."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from crystal_search.card_file import FILE_NAME
from crystal_search.class_schemes import SCHEMES, TRAINABLE, Scheme, class_labelled
from crystal_search.errors import ModelError, UserError
from crystal_search.inference import OnnxNetwork
from crystal_search.model import Model, sha256_of, write_model
from crystal_search.model_card import DropCard, ModelCard
from crystal_search.old_weights.keras_file import read_keras_model
from crystal_search.old_weights.keras_graph import drop_locator_from_keras
from crystal_search.old_weights.mxnet_graph import Reading, classifier_from_mxnet
from crystal_search.old_weights.mxnet_params import read_params
from crystal_search.old_weights.mxnet_symbol import read_symbol

#: Channels -> what the view must be; the network's own mean and deviation are inside the ONNX file.
NORMALISATIONS = {1: "grey-1", 3: "rgb-1"}


def classes_in_order(names: list[str]) -> tuple[Scheme, tuple[int, ...]]:
    """Return the scheme of a network with the outputs `names`, and for each of its classes which output it is.

    Raises
    ------
    UserError
        If there are not 13, 5 or 4 names, or a name is no class of theirs or there twice.

    >>> classes_in_order(["Clear", "Crystals", "Other", "Precipitate"])[1]
    (1, 3, 2, 0)
    """
    if len(names) not in TRAINABLE:
        raise UserError(
            f"--class-names has {len(names)} names, expected 13, 5 or 4; name every output of the network once"
        )
    scheme = SCHEMES[TRAINABLE[len(names)]]
    known = [class_labelled(name, scheme).name for name in names]
    if missing := [name for name in scheme.class_names if name not in known]:
        raise UserError(f"--class-names leaves out {', '.join(missing)}; name each of the {len(known)} classes once")
    return scheme, tuple(known.index(name) for name in scheme.class_names)


def import_classifier(params: Path, symbol: Path, card: ModelCard, reading: Reading, folder: Path) -> Path:
    """Write an MXNet classifier as ONNX file and card, and return the card's path.

    Of `card`, file, hash and normalisation are filled in.

    Raises
    ------
    ModelError
        If the files cannot be read, or hold a network that cannot be imported.
    """
    data = _read(params)
    onnx, channels = classifier_from_mxnet(read_symbol(_read(symbol)), read_params(data), reading)
    card = replace(card, normalisation=NORMALISATIONS[channels], training_data=provenance(params, sha256_of(data)))
    return write_checked(onnx, card, folder, (channels, reading.side_px, reading.side_px))


def import_drop_locator(hdf5: Path, card: ModelCard, folder: Path) -> Path:
    """Write a Keras U-Net as ONNX file and card, and return the card's path.

    Of `card`, file, hash, normalisation and working width are filled in.

    Raises
    ------
    ModelError
        If the file cannot be read, or holds a network that cannot be imported.
    """
    data = _read(hdf5)
    onnx, (height, width) = drop_locator_from_keras(read_keras_model(hdf5))
    card = replace(
        card,
        normalisation=NORMALISATIONS[1],
        working_width_px=width,
        training_data=provenance(hdf5, sha256_of(data)),
    )
    return write_checked(onnx, card, folder, (1, height, width))


def provenance(path: Path, sha256: str) -> str:
    """Return what a card can say of weights that somebody else trained."""
    return f"unknown; imported from {path.name}, sha256 {sha256}"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; name a file that is there") from error


def write_checked(onnx: bytes, card: ModelCard, folder: Path, shape: tuple[int, int, int]) -> Path:
    """Run the network once, then write ``NAME.onnx`` and ``NAME.card.json``; return the card's path.

    Raises
    ------
    ModelError
        If the network does not answer as its card says, or with numbers that are none; nothing is written.
    UserError
        If the name is none for a file, or the folder cannot be written to.
    """
    if not FILE_NAME.fullmatch(f"{card.name}.onnx"):
        raise UserError(f"{card.name!r} is no name for a model; give --name of letters, digits, points and dashes")
    _check_answer(Model(card, onnx), shape)
    try:
        return write_model(onnx, card, folder)
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror}; name another --out") from error


def _check_answer(model: Model[ModelCard], shape: tuple[int, int, int]) -> None:
    noise = np.random.default_rng(0).random((2, *shape), dtype=np.float32)
    try:
        maps = OnnxNetwork(model).logits(noise)
    except ModelError:
        raise
    except Exception as error:  # ONNX Runtime's exceptions share no base class but Exception
        raise ModelError(f"the imported network cannot be run: {error}; its operators do not fit") from error
    if not np.isfinite(maps).all():
        raise ModelError("the network answers with infinite numbers, or none at all; its weights are damaged")
    if isinstance(model.card, DropCard) and maps.shape[2:] != noise.shape[2:]:
        raise ModelError(f"the drop locator answers with shape {maps.shape} to {noise.shape}; it must keep the size")
