"""``crystal-search evaluate``: how good trainings and models are, side by side (docs/evaluation.md)."""

import argparse
import shlex
import sys
import tempfile
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from crystal_search.arguments import count, fraction
from crystal_search.errors import UserError
from crystal_search.outcomes import THRESHOLD
from crystal_search.processes import processors

if TYPE_CHECKING:
    from crystal_search.datasets.packed import PackedDataset
    from crystal_search.evaluation.known_images import Truth

WAYS = ("data", "photographs", "coco", "demo_plate", "rendered")  #: to judge; one is asked for


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the arguments of the command."""
    add = parser.add_argument
    add(
        "networks",
        nargs="*",
        type=Path,
        metavar="NETWORK",
        help="a training's or models' folder, or a model's card or name",
    )
    add("--out", type=Path, required=True, metavar="FOLDER", help="folder for page and tables")
    add("--replace", action="store_true", help="replace the evaluation in FOLDER")
    add("--cards", action="store_true", help="write the figures into the models' cards, too")
    _add_what_is_judged_on(parser.add_argument_group("judged on").add_argument)
    how = parser.add_argument_group("how").add_argument
    how("--wells", type=count, help="at most so many whole images (default: all)")
    how("--thresholds", nargs="+", type=fraction, help="of the ranked score, side by side (default: 0.5 ... 0.9)")
    how("--threshold", type=fraction, default=THRESHOLD, help="of all else (default: %(default)s)")
    how("--chops", type=count, default=2000, help="at most so many chops of a split (default: 2000)")
    how("--models", type=Path, metavar="DIR", help="folder of the models that go with NETWORK (default: our own)")
    how("--device", default="cpu", help="that scores chops of trainings: cpu or cuda (default: cpu)")
    how("--threads", type=count, default=1, help="processor threads (default: 1)")
    how("--workers", type=count, default=processors(), help="processes that score files (default: all processors)")


def _add_what_is_judged_on(on: Callable[..., argparse.Action]) -> None:
    on("--data", type=Path, metavar="DATASET", help="whole images and chops of a packed dataset")
    on("--split", choices=("train", "validation", "test"), help="of the dataset (default: test)")
    on("--photographs", type=Path, metavar="FOLDER", help="photographs")
    on(
        "--labels",
        type=Path,
        nargs="+",
        metavar="CSV",
        help="what they show: tables of file, outcome or crystal, plate, source, mask",
    )
    on(
        "--coco",
        type=Path,
        metavar="FOLDER",
        help="images with COCO annotations of their crystals",
    )
    on("--name", help="what images of a folder are called in cards (default: the folder's name)")
    on("--demo-plate", action="store_true", help="the demo plate")
    on("--rendered", type=count, metavar="N", help="so many rendered wells")


def run(arguments: argparse.Namespace) -> None:
    """Judge the networks, and say where the page is.

    Raises
    ------
    UserError
        If there is nothing to judge or to judge by, no such device, or something stands where the page would.
    """
    import torch

    from crystal_search.evaluation.contenders import contender, names_of, networks_called
    from crystal_search.evaluation.evaluation_report import check_cards, check_free, put_into_cards, write_evaluation
    from crystal_search.evaluation.judge import Options
    from crystal_search.evaluation.judge_kinds import evaluated
    from crystal_search.model import default_models_folder
    from crystal_search.synthesis.frames import check_device

    check_device(arguments.device)
    check_free(arguments.out, replace=arguments.replace)
    torch.set_num_threads(arguments.threads)
    asked = {each.name: getattr(arguments, each.name) for each in fields(Options)}
    options = Options(**asked | {"thresholds": tuple(arguments.thresholds or Options().thresholds)})
    dataset = _dataset(arguments)
    paths = networks_called(arguments.networks) or [arguments.models or default_models_folder()]
    with tempfile.TemporaryDirectory() as workshop:
        contenders = [
            contender(path, name, dataset, options, Path(workshop) / str(number))
            for number, (path, name) in enumerate(zip(paths, names_of(paths), strict=True))
        ]
        if arguments.cards:
            check_cards(contenders)
        roles: set[str] = {each.model.card.role for each in contenders}
        command = shlex.join(["crystal-search", *sys.argv[1:]])
        evaluation = evaluated(contenders, _truth(arguments, dataset, roles), options, command)
        page = write_evaluation(evaluation, arguments.out, replace=arguments.replace)
        if arguments.cards:
            put_into_cards(evaluation)
    for name, by_role in evaluation.figures.items():
        sys.stdout.writelines(f"{name}: {figure.said()}\n" for figures in by_role.values() for figure in figures)
    sys.stdout.write(f"{page}\n")


def _dataset(arguments: argparse.Namespace) -> "PackedDataset | None":
    from crystal_search.datasets.packed import open_dataset

    asked = [way for way in WAYS if getattr(arguments, way)]
    if len(asked) != 1:
        options = ", ".join(f"--{way.replace('_', '-')}" for way in WAYS)
        raise UserError(f"name one thing to judge on, got {len(asked)}: {options}")
    if arguments.labels and asked != ["photographs"]:
        raise UserError("--labels tells what --photographs show; name their folder")
    return open_dataset(arguments.data) if arguments.data else None


def _truth(arguments: argparse.Namespace, dataset: "PackedDataset | None", roles: set[str]) -> "Truth":
    from crystal_search.evaluation.known_images import (
        coco_truth,
        dataset_truth,
        demo_truth,
        photograph_truth,
        rendered_truth,
    )

    if dataset is not None:
        return dataset_truth(dataset, arguments.split, of_drops=roles == {"drop"})
    if arguments.photographs:
        return photograph_truth(arguments.photographs, arguments.labels, arguments.name)
    if arguments.coco:
        return coco_truth(arguments.coco, arguments.name)
    return demo_truth() if arguments.demo_plate else rendered_truth(arguments.rendered)
