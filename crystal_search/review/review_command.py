"""``crystal-search review``: have people look at the labels that a network doubts (docs/label-review.md)."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from crystal_search.arguments import count
from crystal_search.columns import Cell, csv_text
from crystal_search.errors import UserError
from crystal_search.files import write_whole
from crystal_search.server.installation import opened
from crystal_search.server.services.disagreements import AGAINST, Disagreement, disagreements
from crystal_search.wells import SPLITS

if TYPE_CHECKING:
    from crystal_search.datasets.packed import PackedDataset
    from crystal_search.review.doubts import Suspect
    from crystal_search.review.review_page import Review
    from crystal_search.training.checkpoints import Trained

APPLY, DISAGREEMENTS = "apply", "disagreements"
COLUMNS = (
    *("image_id", "plate", "well", "drop", "inspection", "path"),
    *("auto_outcome", "auto_probability", "manual_outcome", "second_group"),
)
USAGE = """crystal-search review RUN --data DATASET --out FOLDER [--split train] [--top 200]
       crystal-search review apply CORRECTIONS ARCHIVE.csv --out FILE [--scheme outcomes-13]
       crystal-search review apply CORRECTIONS --dataset DATASET --out FILE
       crystal-search review disagreements --home HOME --out FILE [--against person] [--top 200]"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the arguments of this command."""
    parser.usage = USAGE
    parser.add_argument("run_folder", metavar="RUN", help="folder of a classifier's training; or a word")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="after apply: corrections, list")
    parser.add_argument("--out", type=Path, required=True, help="folder of the page; after a word: the list")
    parser.add_argument("--data", type=Path, help="the packed dataset whose labels are to be looked at")
    parser.add_argument("--split", default="train", choices=SPLITS, help="default: train")
    parser.add_argument("--top", type=int, default=200, help="how many images to show (default: 200)")
    parser.add_argument("--home", type=Path, help="after disagreements: the installation")
    parser.add_argument("--against", default="person", choices=AGAINST, help="after disagreements: whom; %(default)s")
    parser.add_argument("--threads", type=count, default=1, help="processor threads of torch (default: 1)")
    parser.add_argument("--dataset", type=Path, help="after apply: the dataset, where its archive is no CSV list")
    parser.add_argument("--scheme", default="outcomes-13", help="after apply: classes of the list (outcomes-13)")
    parser.set_defaults(writes=("out",))


def run(arguments: argparse.Namespace) -> None:
    """Write the page, apply corrections, or list where opinions differ."""
    if arguments.run_folder == APPLY:
        _apply(arguments)
    elif arguments.run_folder == DISAGREEMENTS:
        _disagreements(arguments)
    else:
        _review(arguments)


def _disagreements(arguments: argparse.Namespace) -> None:
    """List the images on which person and machine, or two models, disagree, the surest first."""
    if arguments.files or arguments.data or arguments.top < 1:
        raise UserError(f"expected --home, --out and at least 1 image; usage: {USAGE}")
    with opened(arguments.home, create=False) as site:
        found = disagreements(site.imaging, arguments.against)
    shown = found[: arguments.top]
    write_whole(arguments.out, csv_text(COLUMNS, (_row(each) for each in shown)))
    sys.stdout.write(f"{len(shown)} of {len(found)} images on which opinions differ: {arguments.out}\n")


def _row(found: Disagreement) -> dict[str, Cell]:
    image, score, manual = found.drop.image, found.drop.current, found.drop.manual
    key = image.key
    place = (image.id, key.plate, key.well, key.drop, key.inspection, image.path)
    group = score.found.second_group if score else None
    said = (score.outcome if score else None, found.sure, manual.outcome if manual else None, str(group or ""))
    return dict(zip(COLUMNS, (*place, *said), strict=True))


def _review(arguments: argparse.Namespace) -> None:
    import torch

    from crystal_search.datasets.packed import open_dataset
    from crystal_search.review.review_page import PAGE, write_page
    from crystal_search.training.checkpoints import load_trained
    from crystal_search.training.run_record import read_run

    if arguments.data is None or arguments.files:
        raise UserError(f"expected one training and --data DATASET; usage: {USAGE}")
    if arguments.top < 1:
        raise UserError(f"--top {arguments.top}: expected at least 1 image")
    if (arguments.out / PAGE).exists():
        raise UserError(f"{arguments.out} holds a review already; name another folder, or take that one away")
    torch.set_num_threads(arguments.threads)
    folder = Path(arguments.run_folder)
    role = "image" if read_run(folder).role == "image" else "classifier"
    trained, dataset = load_trained(folder, role), open_dataset(arguments.data)
    review = reviewed(trained, dataset, arguments.split, arguments.top, arguments.out)
    page = write_page(arguments.out, review)
    changed = sum(each.suggestion != each.outcome for each in review.suspects)
    sys.stdout.write(
        f"{len(review.suspects)} of {review.looked_through} images to look at; of {changed} the network says "
        f"something else than their label\nopen {page} in a browser\n"
    )


def reviewed(trained: "Trained", dataset: "PackedDataset", split: str, top: int, out: Path) -> "Review":
    """Rank the images of a split, write the pictures of the first `top` to `out`, and return what the page shows.

    Raises
    ------
    UserError
        If the split has nothing that the network reads, or the dataset was cut for images that are read in another way.
    """
    from crystal_search.review.review_page import Review, write_pictures

    wells = {row.image: row for row in dataset.wells(split)}
    ranked = (_by_images if trained.record.role == "image" else _by_chops)(trained, dataset, split)
    shown = ranked[:top]
    return Review(
        run=str(trained.folder),
        data=str(dataset.folder),
        split=split,
        looked_through=len(ranked),
        scheme=dataset.scheme,
        suspects=shown,
        pictures=[
            write_pictures(out, number, each.chops, dataset, wells.get(each.image))
            for number, each in enumerate(shown, start=1)
        ],
    )


def _by_chops(trained: "Trained", dataset: "PackedDataset", split: str) -> "list[Suspect]":
    """Return the images of a split as the network of their chops doubts them."""
    from crystal_search.review.doubts import suspects
    from crystal_search.training.chop_scores import chop_scores

    _check_fit(trained, dataset)
    rows = dataset.chops(split)
    if not rows:
        raise UserError(f"the split {split} of {dataset.folder} has no chops; choose another split")
    labels = {row.image: row.outcome for row in dataset.wells(split)}
    return suspects(chop_scores(trained, dataset, rows), trained.record.classes, labels)


def _by_images(trained: "Trained", dataset: "PackedDataset", split: str) -> "list[Suspect]":
    """Return the images of a split as a network of whole images doubts them."""
    from crystal_search.review.doubts import image_suspects
    from crystal_search.training.image_scores import image_scores

    scores = image_scores(trained, dataset, split)
    if not scores.rows:
        raise UserError(f"the split {split} of {dataset.folder} has no images with an outcome; choose another split")
    return image_suspects(scores, trained.record.classes)


def _check_fit(trained: "Trained", dataset: "PackedDataset") -> None:
    from crystal_search.training.chop_scores import check_labels

    record, about = trained.record, dataset.about
    check_labels(record.classes, dataset)
    reads, cut = (record.normalisation, record.working_width_px), (about.normalisation, about.working_width_px)
    if reads != cut:
        raise UserError(
            f"{trained.folder} reads {reads[0]} at {reads[1]} px, {dataset.folder} is for {cut[0]} at {cut[1]} px; "
            f"name the dataset that it was trained on"
        )


def _apply(arguments: argparse.Namespace) -> None:
    from crystal_search.class_schemes import scheme_named
    from crystal_search.datasets.packed import open_dataset
    from crystal_search.review.corrections import (
        changes_by_pair,
        corrected_list,
        corrections_for,
        read_corrections,
        write_corrected,
    )

    match arguments.files, arguments.dataset:
        case [corrections_file, archive], None:
            corrections = read_corrections(corrections_file)
            text = corrected_list(corrections, archive, scheme_named(arguments.scheme))
        case [corrections_file], Path() as folder:
            corrections = read_corrections(corrections_file)
            text = corrections_for(corrections, open_dataset(folder))
        case _:
            raise UserError(f"expected corrections and either a list or --dataset; usage: {USAGE}")
    write_corrected(arguments.out, text, instead_of=arguments.files)
    changes = changes_by_pair(corrections.values())
    sys.stdout.write(f"{sum(labels for *_, labels in changes)} labels changed\n")
    for old, new, labels in changes:
        sys.stdout.write(f"{labels:6}  {old} -> {new}\n")
