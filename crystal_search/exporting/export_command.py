"""``crystal-search export``: a trained network becomes a model, float32 and int8 (docs/models.md)."""

import argparse
import logging
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from crystal_search.arguments import fraction
from crystal_search.card_file import card_to_json
from crystal_search.errors import UserError
from crystal_search.files import write_whole
from crystal_search.found_share import SURE_FROM
from crystal_search.model import CARD_SUFFIX, in_role, read_card, read_model, write_model
from crystal_search.model_card import ROLES, ClassifierCard, CrystalCard, ImageCard
from crystal_search.named_models import CARD_OR_TRAINING, model_called, models_at_hand, named_model
from crystal_search.server.installation import say

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument(
        "source", type=Path, metavar="RUN", help="a training's folder; with --int8 or --features a model's card or name"
    )
    parser.add_argument("--name", help="of the model (default: the folder's; of an int8 model: that with -int8)")
    parser.add_argument(
        "--models", type=Path, metavar="FOLDER", help="to write to (default: where RUN is; here if it is a name)"
    )
    parser.add_argument("--data", type=Path, help="dataset to calibrate on (default: what RUN learnt from)")
    parser.add_argument(
        "--coco",
        type=Path,
        metavar="FOLDER",
        help="images with COCO annotations, to measure on how often a detector finds crystals of a size (default: "
        "validation images of the dataset); with a detector's card instead of RUN that is measured anew",
    )
    parser.add_argument(
        "--least-in-drops",
        type=fraction,
        metavar="PROBABILITY",
        help="of a crystal that counts in a drop (default: the same as anywhere)",
    )
    parser.add_argument(
        "--looks-before",
        metavar="CLASSIFIER",
        help="make a model that looks before this classifier (card or name), and leaves to it what it doubts",
    )
    parser.add_argument("--int8", action="store_true", help="write an int8 model as well, if it is as accurate")
    parser.add_argument("--features", action="store_true", help="add features to a classifier that has none")
    parser.add_argument("--replace", action="store_true", help="write over models of the same name")


def run(arguments: argparse.Namespace) -> None:
    """Export what was named, and say what the card says.

    Raises
    ------
    UserError
        If that cannot be done.
    ModelError
        If the numbers are not good enough.
    """
    if not arguments.source.exists():
        arguments.source = model_called(str(arguments.source), models_at_hand(), instead=CARD_OR_TRAINING).path
        arguments.models = arguments.models or Path()
    if arguments.looks_before is not None and (arguments.features or not arguments.source.is_dir()):
        raise UserError("a first look is made of a training's folder, and with its features: leave out --looks-before")
    if arguments.coco is not None and (arguments.features or arguments.int8 or arguments.looks_before is not None):
        raise UserError("--coco is for crystal detectors, which become neither first looks nor int8: leave it out")
    if arguments.features:
        _add_features(arguments)
    elif arguments.source.is_dir():
        _export_training(arguments)
    elif arguments.source.name.endswith(CARD_SUFFIX):
        _export_model(arguments)
    else:
        raise UserError(f"{arguments.source} is neither a training's folder nor a model's card (NAME{CARD_SUFFIX})")


def _export_training(arguments: argparse.Namespace) -> None:
    from crystal_search.exporting.export import check_name
    from crystal_search.exporting.exported_runs import export_int8, export_run, record_in

    record = record_in(arguments.source)
    name, folder = arguments.name or arguments.source.resolve().name, arguments.models or arguments.source
    if arguments.int8 and record.role != "classifier":
        raise UserError(
            f"{arguments.source} trained a {ROLES[record.role].title}; only classifiers become int8: leave out --int8"
        )
    for option, value in (("--least-in-drops", arguments.least_in_drops), ("--coco", arguments.coco)):
        if value is not None and record.role != CrystalCard.role:
            raise UserError(f"{arguments.source} trained a {ROLES[record.role].title}: leave out {option}")
    if arguments.looks_before is not None and (record.role != ClassifierCard.role or arguments.int8):
        raise UserError(
            f"a first look is made of a classifier and in float32; {arguments.source} trained a "
            f"{ROLES[record.role].title}: leave out {'--int8' if arguments.int8 else '--looks-before'}"
        )
    for each in (name, f"{name}-int8") if arguments.int8 else (name,):
        check_name(each, folder, replacing=arguments.replace)
    if arguments.looks_before is not None:
        card = _made_first_look(arguments, name, folder)
    elif record.role == CrystalCard.role:
        card = _made_detector(arguments, name, folder)
    else:
        card = export_run(arguments.source, name, folder, arguments.data)
    _tell(card)
    if arguments.int8:
        say("making an int8 version takes some minutes")
        _tell(export_int8(card, f"{name}-int8", folder, arguments.data or Path(record.data)))


def _made_first_look(arguments: argparse.Namespace, name: str, folder: Path) -> Path:
    """Write a training's model as one that looks before a classifier, or nothing; return its card's path."""
    from crystal_search.exporting.exported_runs import export_run, record_in
    from crystal_search.exporting.first_looks import first_look_card

    classifier = named_model(arguments.looks_before, ClassifierCard)
    if classifier.card.role != ClassifierCard.role:
        raise UserError(f"{classifier.card.name} is a first look itself; name the classifier after it")
    data = arguments.data or Path(record_in(arguments.source).data)
    with TemporaryDirectory() as made:
        first = in_role(read_model(export_run(arguments.source, name, Path(made), arguments.data)), ClassifierCard)
    return write_model(first.onnx, first_look_card(first, classifier, data), folder)


def _made_detector(arguments: argparse.Namespace, name: str, folder: Path) -> Path:
    """Write a training's detector with how often it finds crystals of a size, where that can be told."""
    from crystal_search.datasets.packed import open_dataset
    from crystal_search.exporting.exported_runs import export_run, record_in
    from crystal_search.exporting.found_shares import card_with_share
    from crystal_search.exporting.marked_images import of_dataset, of_folder

    marked = None if arguments.coco is None else of_folder(arguments.coco)
    with TemporaryDirectory() as made:
        model = in_role(read_model(export_run(arguments.source, name, Path(made), arguments.data)), CrystalCard)
    model = replace(model, card=replace(model.card, least_in_drops=arguments.least_in_drops))
    data = arguments.data or Path(record_in(arguments.source).data)
    card = card_with_share(model, marked or of_dataset(open_dataset(data)))
    if isinstance(card, str):
        log.warning(
            "the card does not say how often crystals of a size are found, and growth is told by those of %g or more, "
            "each once: %s; mark or render more, then measure: crystal-search export %s --coco FOLDER --replace",
            *(SURE_FROM, card, folder / f"{name}{CARD_SUFFIX}"),
        )
        card = model.card
    return write_model(model.onnx, card, folder)


def _measure_again(arguments: argparse.Namespace) -> None:
    """Write a detector's card anew with how often it finds crystals of a size in a folder of images."""
    from crystal_search.exporting.export import check_name
    from crystal_search.exporting.found_shares import card_with_share
    from crystal_search.exporting.marked_images import of_folder

    model = in_role(read_model(arguments.source), CrystalCard)
    if arguments.name or arguments.data or arguments.least_in_drops is not None:
        raise UserError("with --coco a model's card is measured anew, and nothing else: leave out what else is said")
    folder = arguments.models or arguments.source.parent
    check_name(arguments.source.name.removesuffix(CARD_SUFFIX), folder, replacing=arguments.replace)
    card = card_with_share(model, of_folder(arguments.coco))
    if isinstance(card, str):
        raise UserError(f"{card}; the card stays as it is: mark or render more, or name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / card.file, model.onnx)
    write_whole(folder / arguments.source.name, card_to_json(card))
    _tell(folder / arguments.source.name)


def _export_model(arguments: argparse.Namespace) -> None:
    from crystal_search.exporting.export import check_name
    from crystal_search.exporting.exported_runs import export_int8

    if arguments.coco is not None:
        _measure_again(arguments)
        return
    if not arguments.int8:
        raise UserError(f"{arguments.source} is a model already; say --int8 for an int8 version of it, or --features")
    if arguments.data is None:
        raise UserError("an int8 version of a model needs --data: a dataset")
    original = arguments.source.name.removesuffix(CARD_SUFFIX)
    name, folder = arguments.name or f"{original}-int8", arguments.models or arguments.source.parent
    check_name(name, folder, replacing=arguments.replace)
    if name == original:
        raise UserError(f"{name} is the float32 model itself; give another --name")
    _tell(export_int8(arguments.source, name, folder, arguments.data))


def _add_features(arguments: argparse.Namespace) -> None:
    from crystal_search.exporting.adding_features import with_features_added
    from crystal_search.exporting.export import check_name

    if arguments.int8 or not arguments.source.name.endswith(CARD_SUFFIX):
        raise UserError(
            "--features takes the card of a float32 classifier, and no --int8: make that version afterwards"
        )
    model = read_model(arguments.source)
    name, folder = arguments.name or model.card.name, arguments.models or arguments.source.parent
    check_name(name, folder, replacing=arguments.replace)
    added = with_features_added(in_role(model, ClassifierCard))
    _tell(write_model(added.onnx, replace(added.card, name=name), folder))


def _tell(path: Path) -> None:
    card = read_card(path)
    calibrated = f", temperature {card.temperature:g}" if isinstance(card, ClassifierCard | ImageCard) else ""
    say(f"{path}: {card.title} {card.architecture}, sha256 {card.sha256[:12]}{calibrated}")
    for figure in card.measured:
        say(f"  {figure.measure}: {figure.value:.4f} of {figure.count} ({figure.data})")
    if card.scores_images:
        say(f"put it to use with: crystal-search models use {path}")
