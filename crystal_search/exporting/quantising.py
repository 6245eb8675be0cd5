"""From a float32 model file to one that computes with 8-bit integers, which counts only if it is as good.

Activations have 8 bits and weights one scale for each channel, both fixed when the file is made: the same window
gives the same numbers wherever it lies. In most roundings weights have 7 bits, since processors without VNNI
instructions add two products of 8 by 8 bits in 16, which overflow; so every processor gives the same numbers.

The chops that ranges are fixed and models judged by are those of a dataset, or of rendered wells.
"""

import importlib
import logging
import tempfile
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor

from crystal_search.datasets.packed import OUTCOMES, PackedDataset, open_dataset
from crystal_search.errors import ModelError, UserError
from crystal_search.exporting.rendered_chops import chop_accuracy, scored_wells
from crystal_search.inference import Network, OnnxNetwork, onnx_runtime
from crystal_search.model import Model
from crystal_search.model_card import ClassifierCard
from crystal_search.outcomes import OUTCOME_NAMES
from crystal_search.scoring.classify import channels_first
from crystal_search.training.chop_scores import cell_means, check_labels, chop_view, scores_of
from crystal_search.training.crops import CropSource

log = logging.getLogger(__name__)

ALLOWED_LOSS = 0.005  #: of accuracy, to float32: half a point
CALIBRATION_CHOPS = 200
SEED = 0  #: of the calibration chops
PERCENTILE = 99.999  #: of an activation's values lie within its range; rare outliers would make all others coarse
CHOPS_AT_A_TIME = 5  #: all activations of so many are kept in memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounding:
    """One way to make a file of integers."""

    name: str  #: in words, for the card
    weights: str = "QInt8"  #: of onnxruntime.quantization.QuantType
    seven_bits: bool = True
    float_layers: tuple[int, ...] = ()  #: left as they are, counted as a list is, -1 the last


#: Tried in this order, from fast to careful; the first that loses little enough is taken.
ROUNDINGS = (
    Rounding(name="weights of 7 bits"),
    Rounding(name="weights of 7 bits, the last layer in float32", float_layers=(-1,)),
    Rounding(name="weights of 7 bits, the first and the last layer in float32", float_layers=(0, -1)),
    Rounding(name="weights of 8 bits without sign", weights="QUInt8", seven_bits=False),
    Rounding(
        name="weights of 8 bits without sign, the first and the last layer in float32",
        weights="QUInt8",
        seven_bits=False,
        float_layers=(0, -1),
    ),
)


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Chops to fix ranges by, and others to judge by."""

    name: str  #: what they are of, for cards and messages
    views: Callable[[int, int], NDArray[np.float32]]
    """From a number and a seed to up to so many training chops (N, channels, side, side), normalised."""
    accuracy: Callable[[Network[ClassifierCard]], tuple[float, int]]
    """From a network to the share of validation chops that it is right about, and how many there are."""


@dataclass(frozen=True, slots=True, eq=False)
class Quantised:
    """A file of integers that is good enough, and how good."""

    onnx: bytes
    rounding: Rounding
    accuracy: float
    float_accuracy: float
    count: int  #: validation chops


def quantised(model: Model[ClassifierCard], examples: Examples, roundings: Sequence[Rounding] = ROUNDINGS) -> Quantised:
    """Return `model` as integers by the first of `roundings` that loses at most `ALLOWED_LOSS` of accuracy.

    Raises
    ------
    ModelError
        If all lose more; the message says how much each does.
    """
    reference, count = examples.accuracy(OnnxNetwork(model))
    views = examples.views(CALIBRATION_CHOPS, SEED)
    losses = []
    for rounding in roundings:
        data = rounded_by(model.onnx, views, rounding)
        accuracy, _ = examples.accuracy(OnnxNetwork(Model(model.card, data)))
        log.info("%s: accuracy %.4f, float32 %.4f, of %d", rounding.name, accuracy, reference, count)
        if round(reference - accuracy, 9) <= ALLOWED_LOSS:  # 0.9 - 0.895 is a little more than 0.005
            return Quantised(data, rounding, accuracy, reference, count)
        losses.append(f"{rounding.name}: {100 * (reference - accuracy):.2f} points")
    raise ModelError(
        f"no int8 file is written: on {count} validation chops of {examples.name} each loses more than "
        f"{100 * ALLOWED_LOSS:g} points of float32's {reference:.2%} ({'; '.join(losses)}); "
        f"one chop is {100 / count:.2g} points; use the float32 model, "
        "or name a dataset with more validation chops"
    )


def rounded_by(data: bytes, views: NDArray[np.float32], rounding: Rounding) -> bytes:
    """Return the ONNX file `data` as integers, ranges fixed by `views` (N, channels, rows, columns)."""
    at_a_time = min(CHOPS_AT_A_TIME, len(views))
    views = views[: len(views) // at_a_time * at_a_time]  # the library takes whole portions only
    onnx_runtime()
    quantization: Any = importlib.import_module("onnxruntime.quantization")
    preparing: Any = importlib.import_module("onnxruntime.quantization.shape_inference")
    with tempfile.TemporaryDirectory() as folder:
        given, prepared, made = (Path(folder) / f"{name}.onnx" for name in ("given", "prepared", "made"))
        given.write_bytes(data)
        preparing.quant_pre_process(given, prepared, skip_symbolic_shape=True)  # batch norms go into convolutions
        with redirect_stdout(StringIO()):  # the library prints how far it is
            quantization.quantize_static(
                prepared,
                made,
                _reader(quantization.CalibrationDataReader, views, _input_name(prepared)),
                quant_format=quantization.QuantFormat.QDQ,
                per_channel=True,
                reduce_range=rounding.seven_bits,
                activation_type=quantization.QuantType.QUInt8,
                weight_type=quantization.QuantType[rounding.weights],
                calibrate_method=quantization.CalibrationMethod.Percentile,
                nodes_to_exclude=_left_as_they_are(prepared, rounding),
                extra_options={"CalibPercentile": PERCENTILE, "CalibStridedMinMax": at_a_time},
            )
        return made.read_bytes()


def _reader(base: Any, views: NDArray[np.float32], name: str) -> Any:
    """Return an object of the library's class `base` that hands out `views` one by one."""
    part = iter(views)

    def set_range(_: object, start_index: int, end_index: int) -> None:
        nonlocal part
        part = iter(views[start_index:end_index])

    def get_next(_: object) -> dict[str, NDArray[np.float32]] | None:
        view = next(part, None)
        return None if view is None else {name: view[None]}

    members = {"set_range": set_range, "get_next": get_next, "__len__": lambda _: len(views)}
    return type("Views", (base,), members)()


def _input_name(path: Path) -> str:
    name: str = onnx.load(str(path)).graph.input[0].name
    return name


def _left_as_they_are(path: Path, rounding: Rounding) -> list[str]:
    """Return the names of the layers that stay float32."""
    layers = [node.name for node in onnx.load(str(path)).graph.node if node.op_type in ("Conv", "Gemm")]
    return [layers[index] for index in rounding.float_layers]


def examples_in(folder: Path, card: ClassifierCard) -> Examples:
    """Return the chops in the dataset `folder` for the model of `card`; of a rendered one, those of its wells.

    Raises
    ------
    UserError
        If there are none, or they are nothing that the model reads.
    """
    dataset = open_dataset(folder)
    if dataset.chops("validation") or not any(row.part(OUTCOMES) for row in dataset.wells("validation")):
        check_fit(dataset, card)
        return _of_chops(dataset, card)
    if card.classes != OUTCOME_NAMES:
        raise UserError(
            f"{card.name} tells {len(card.classes)} classes apart, rendered wells are labelled in "
            f"{len(OUTCOME_NAMES)}; name a dataset with chops (crystal-search dataset build)"
        )
    return _of_wells(dataset, card)


def check_fit(dataset: PackedDataset, card: ClassifierCard) -> None:
    """Refuse a dataset whose chops are none that the model of `card` reads.

    Raises
    ------
    UserError
        That says what differs, or that there are no validation chops.
    """
    about = dataset.about
    for what in ("side_px", "working_width_px", "normalisation"):
        if (theirs := getattr(about, what)) != (ours := getattr(card, what)):
            raise UserError(
                f"{dataset.folder}: its chops have {what} {theirs}, {card.name} reads {ours}; name another dataset"
            )
    check_labels(card.classes, dataset)
    if not dataset.chops("validation"):
        raise UserError(f"{dataset.folder} has no validation chops; build it again with more plates or wells")


def _of_chops(dataset: PackedDataset, card: ClassifierCard) -> Examples:
    """Return the chops of a dataset; those of validation also to fix ranges by, where there are none to train on."""
    taught = dataset.chops("train") or dataset.chops("validation")
    judged = dataset.chops("validation")

    def views(count: int, seed: int) -> NDArray[np.float32]:
        chosen = np.random.default_rng(seed).permutation(len(taught))[:count]
        return channels_first(np.stack([chop_view(dataset, taught[index]) for index in sorted(chosen)]))

    def accuracy(network: Network[ClassifierCard]) -> tuple[float, int]:
        scores = scores_of(partial(cell_means, network), card.classes, dataset, judged)
        return float((scores.logits.argmax(axis=1) == scores.labels).mean()), len(judged)

    return Examples(dataset.folder.resolve().name, views, accuracy)


def _of_wells(dataset: PackedDataset, card: ClassifierCard) -> Examples:
    """Return crops of rendered wells, and their labelled chops; as `_of_chops` where there are none to train on."""
    split = "train" if dataset.wells("train") else "validation"

    def views(count: int, seed: int) -> NDArray[np.float32]:
        source = CropSource(dataset, seed, card.side_px, card.working_width_px, augmented=False, split=split)
        source.refresh()
        return np.asarray(source.batch(0, count)[0].numpy())

    def accuracy(network: Network[ClassifierCard]) -> tuple[float, int]:
        return chop_accuracy(list(scored_wells(partial(_answer, network), card, dataset, "validation")))

    return Examples("rendered wells", views, accuracy)


def _answer(network: Network[ClassifierCard], views: Tensor) -> Tensor:
    return torch.from_numpy(network.logits(views.numpy()))
