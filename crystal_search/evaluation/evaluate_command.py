"""``crystal-search evaluate``: how good trained networks are, side by side (docs/evaluation.md)."""

import argparse
import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from crystal_search.arguments import count, fraction
from crystal_search.errors import UserError
from crystal_search.outcomes import THRESHOLD
from crystal_search.wells import SPLITS

THRESHOLDS = (0.5, 0.7, 0.8, THRESHOLD, 0.9)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the arguments of the command."""
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder of a training; several are compared")
    parser.add_argument("--data", type=Path, required=True, metavar="DATASET", help="folder of a packed dataset")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="folder for page and tables")
    parser.add_argument("--replace", action="store_true", help="replace the evaluation in FOLDER")
    parser.add_argument("--split", choices=SPLITS, help="of whole images (default: test)")
    parser.add_argument("--wells", type=count, help="at most so many whole images (default: all)")
    add = parser.add_argument_group("of classifiers only").add_argument
    add("--thresholds", nargs="+", type=fraction, default=THRESHOLDS, help="of the ranked score (default: 0.5 ... 0.9)")
    add("--chops", type=count, default=2000, help="at most so many chops of a split (default: 2000)")
    add("--models", type=Path, metavar="DIR", help="folder of the drop locator (default: our own)")
    add("--device", default="cpu", help="that scores chops: cpu or cuda (default: cpu)")
    add("--threads", type=count, default=1, help="processor threads (default: 1)")


def run(arguments: argparse.Namespace) -> None:
    """Evaluate the trainings and say where the page is.

    Raises
    ------
    UserError
        If there is nothing to evaluate, or something stands where the page would.
    """
    from crystal_search.datasets.packed import open_dataset
    from crystal_search.evaluation.evaluation_report import check_free
    from crystal_search.training.run_record import read_run

    check_free(arguments.out, replace=arguments.replace)
    kinds = {folder: read_run(folder).kind for folder in arguments.runs}
    dataset = open_dataset(arguments.data)
    if set(kinds.values()) == {"drop_locator"}:
        if len(kinds) > 1:
            raise UserError("drop locators are evaluated one by one; name one")
        from crystal_search.evaluation.drop_evaluation import evaluate_drop

        evaluate_drop(
            arguments.runs[0],
            dataset,
            arguments.out,
            split=arguments.split,
            wells=arguments.wells,
            replace=arguments.replace,
        )
    elif "drop_locator" in kinds.values():
        drop = next(folder for folder, kind in kinds.items() if kind == "drop_locator")
        raise UserError(f"{drop} is a drop locator, others are classifiers; evaluate it on its own")
    else:
        _classifiers(arguments)


def _classifiers(arguments: argparse.Namespace) -> None:
    import torch

    from crystal_search.datasets.packed import open_dataset
    from crystal_search.evaluation.evaluation_report import write_evaluation
    from crystal_search.evaluation.examining import Options, examined
    from crystal_search.evaluation.side_by_side import evaluated

    torch.set_num_threads(arguments.threads)
    dataset, judged = open_dataset(arguments.data), arguments.split or "test"
    if not dataset.wells(judged):
        there = ", ".join(f"{split} {len(dataset.wells(split))}" for split in SPLITS)
        raise UserError(f"{arguments.data} has no whole images in the split {judged} ({there}); name another --split")
    options = Options(
        split=judged,
        chops=arguments.chops,
        wells=arguments.wells,
        models=arguments.models,
        device=arguments.device,
        threads=arguments.threads,
    )
    runs = []
    for folder, name in zip(arguments.runs, names_of(arguments.runs), strict=True):
        with tempfile.TemporaryDirectory() as workshop:
            runs.append(examined(folder, name, dataset, options, Path(workshop)))
    command = shlex.join(["crystal-search", *sys.argv[1:]])
    page = write_evaluation(
        evaluated(runs, dataset, options, arguments.thresholds, command), arguments.out, replace=arguments.replace
    )
    sys.stdout.write(f"{page}\n")


def names_of(folders: Sequence[Path]) -> list[str]:
    """Return what trainings are called: their folders' names, with the parents' where that is not enough.

    Raises
    ------
    UserError
        If a folder is named twice.

    >>> names_of([Path("runs/squeezenet"), Path("runs/vgg16")]), names_of([Path("a/x"), Path("b/x")])
    (['squeezenet', 'vgg16'], ['a/x', 'b/x'])
    """
    whole = [folder.resolve() for folder in folders]
    if len(set(whole)) < len(whole):
        raise UserError(f"the same training is named twice: {', '.join(map(str, folders))}; name each once")
    parts = 1
    while len({each.parts[-parts:] for each in whole}) < len(whole):
        parts += 1
    return ["/".join(each.parts[-parts:]) for each in whole]
