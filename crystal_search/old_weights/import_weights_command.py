"""``crystal-search import-weights``: MXNet classifiers and Keras U-Nets become models of ours (docs/old-weights.md)."""

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from crystal_search.class_schemes import names_listed
from crystal_search.errors import UserError
from crystal_search.model_card import ClassifierCard, DropCard, Output

if TYPE_CHECKING:
    from crystal_search.old_weights.mxnet_graph import Reading

log = logging.getLogger(__name__)

KERAS_SUFFIXES = (".hdf5", ".h5")
MAX_SIDE_PX = 4096
OLD_WIDTH_PX, OLD_STRIDE_PX = 2452, 50  #: of the images that Thielmann et al. (2023) chopped, and between chops


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the arguments of this command."""
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="NAME.params NAME-symbol.json | UNET.hdf5")
    parser.add_argument("--out", type=Path, required=True, help="folder for NAME.onnx and NAME.card.json")
    parser.add_argument("--name", help="of the model (default: the first file's)")
    classifier = parser.add_argument_group("classifiers")
    classifier.add_argument(
        "--class-names", help="all 13, 5 or 4 classes in the network's order: a file, or names and commas"
    )
    classifier.add_argument("--side", type=int, help="side of the images it was trained with, in px")
    classifier.add_argument("--mean", type=numbers, default=(), metavar="R,G,B", help="taken off, in [0, 255]")
    classifier.add_argument("--std", type=numbers, default=(), metavar="R,G,B", help="divided by, in [0, 255]")
    classifier.add_argument("--channels", choices=("rgb", "bgr"), default="rgb", help="order it was trained with")
    classifier.add_argument(
        "--width", type=int, default=OLD_WIDTH_PX, help=f"of a well image (default: {OLD_WIDTH_PX})"
    )
    classifier.add_argument("--stride", type=int, default=OLD_STRIDE_PX, help=f"of chops (default: {OLD_STRIDE_PX})")


def run(arguments: argparse.Namespace) -> None:
    """Import the files that were named.

    Raises
    ------
    UserError
        If the files or options do not belong together.
    ModelError
        If the files hold nothing that can be imported.
    """
    from crystal_search.old_weights import imported

    by_suffix = {path.suffix.lower(): path for path in arguments.files}
    if len(arguments.files) == 1 and arguments.files[0].suffix.lower() in KERAS_SUFFIXES:
        card = imported.import_drop_locator(arguments.files[0], _drop_locator_card(arguments), arguments.out)
    elif len(arguments.files) == 2 and by_suffix.keys() == {".params", ".json"}:
        params, symbol = by_suffix[".params"], by_suffix[".json"]
        reading = _reading(arguments)
        card = imported.import_classifier(params, symbol, _classifier_card(arguments), reading, arguments.out)
    else:
        names = " ".join(path.name for path in arguments.files)
        raise UserError(f"expected NAME.params and NAME-symbol.json, or NAME.hdf5; got {names}")
    log.info("%s is there", card)


def numbers(text: str) -> tuple[float, ...]:
    """Return numbers that are separated by commas.

    >>> numbers("123.7,116.8,103.9")
    (123.7, 116.8, 103.9)

    Raises
    ------
    argparse.ArgumentTypeError
        If they are none; argparse tells the user.
    """
    try:
        return tuple(float(each) for each in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"must be numbers with commas between, got {text}") from error


def _reading(arguments: argparse.Namespace) -> "Reading":
    from crystal_search.old_weights.imported import classes_in_order
    from crystal_search.old_weights.mxnet_graph import Reading

    if arguments.class_names is None or arguments.side is None:
        raise UserError("a classifier needs --class-names, its outputs in order, and --side, as it was trained")
    if not all(0 < deviation < float("inf") for deviation in arguments.std):
        raise UserError(f"--std must be above 0, got {arguments.std}")
    if not all(0 <= mean <= 255 for mean in arguments.mean):
        raise UserError(f"--mean must be from 0 to 255, got {arguments.mean}")
    return Reading(
        side_px=_between("side", arguments.side, 1, MAX_SIDE_PX),
        class_positions=classes_in_order(names_listed(arguments.class_names))[1],
        mean=arguments.mean,
        std=arguments.std,
        channel_order=arguments.channels,
    )


def _between(option: str, value: int, low: int, high: int) -> int:
    if not low <= value <= high:
        raise UserError(f"--{option} must be from {low} to {high}, got {value}")
    return value


def _classifier_card(arguments: argparse.Namespace) -> ClassifierCard:
    from crystal_search.old_weights.imported import classes_in_order

    stride = _between("stride", arguments.stride, 1, 256)
    scheme, _ = classes_in_order(names_listed(arguments.class_names))
    return ClassifierCard(
        name=arguments.name or arguments.files[0].stem,
        file="",
        sha256="",
        architecture="imported from MXNet",
        outputs=(Output(classes=scheme.class_names, stride_px=stride),),
        working_width_px=_between("width", arguments.width, 16, 10_000),
        normalisation="",
        side_px=arguments.side,
        cells_per_chop=1,
        chop_stride_px=stride,
        padded=True,
    )


def _drop_locator_card(arguments: argparse.Namespace) -> DropCard:
    return DropCard(
        name=arguments.name or arguments.files[0].stem,
        file="",
        sha256="",
        architecture="u-net, imported from Keras",
        outputs=(Output(classes=("drop",)),),
        working_width_px=16,
        normalisation="",
        side_multiple_px=1,
    )
