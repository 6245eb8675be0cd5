"""``crystal-search annotations``: what people drew in images, from one format to another (docs/annotations.md)."""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from crystal_search.arguments import count, fraction
from crystal_search.errors import UserError
from crystal_search.hostile_json import printable
from crystal_search.processes import processors

if TYPE_CHECKING:
    from crystal_search.result import ImageScore

CONVERT = "read annotations in one format, write them in another"
AGREEMENT = "tell how far people agree who drew in the same images"
FROM_SCORES = "write the best chops of scored images as boxes by class"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the commands of this module."""
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_convert(commands.add_parser("convert", help=CONVERT, description=CONVERT, allow_abbrev=False))
    _add_agreement(commands.add_parser("agreement", help=AGREEMENT, description=AGREEMENT, allow_abbrev=False))
    _add_from_scores(commands.add_parser("from-scores", help=FROM_SCORES, description=FROM_SCORES, allow_abbrev=False))


def _add_convert(parser: argparse.ArgumentParser) -> None:
    from crystal_search.annotations.format_kinds import READ

    parser.set_defaults(run=_convert, writes=("out",))
    add = parser.add_argument
    add("source", type=Path, metavar="FROM", help="folder or file of annotations")
    add("out", type=Path, metavar="TO", help="folder or file to write; must not be there yet")
    add("--from", dest="kind", choices=READ, help="format of FROM (default: by its names)")
    _add_reading(parser)
    add_writing(parser)


def _add_reading(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--images", type=Path, metavar="DIR", help="where the images lie (default: beside the annotations)")
    add("--label", default="crystal", help="class of masks that have none (default: %(default)s)")
    add("--rename", action="append", default=[], metavar="OLD=NEW", help="another name for a class; may be repeated")


def add_writing(parser: argparse.ArgumentParser) -> None:
    """Add the options of all commands that write annotations."""
    from crystal_search.annotations.format_kinds import WRITTEN

    add = parser.add_argument
    add(
        "--to",
        dest="target",
        choices=WRITTEN,
        help="format of TO (default: by its ending, .json coco, .csv zooniverse)",
    )
    add("--copy-images", action="store_true", help="copy the images beside the annotations")
    add("--compressed", action="store_true", help="coco: run lengths as short texts")


def _convert(arguments: argparse.Namespace) -> None:
    from crystal_search.annotations.annotation_format import ReadOptions, WriteOptions
    from crystal_search.annotations.converting import renamed, write_annotations
    from crystal_search.annotations.format_kinds import format_at, read_annotations

    target = target_of(arguments)
    kind = arguments.kind or format_at(arguments.source)
    options = ReadOptions(images=arguments.images, label=arguments.label)
    images = list(read_annotations(arguments.source, kind, options))
    names = dict(_names(each) for each in arguments.rename)
    folder = arguments.images or (arguments.source if arguments.source.is_dir() else arguments.source.parent)
    done = write_annotations(
        renamed(images, names) if names else images,
        arguments.out,
        target,
        WriteOptions(images=folder, compressed=arguments.compressed),
        copied_from=folder if arguments.copy_images else None,
    )
    say_counts(done.out, done.images, done.objects)
    _say("not taken over", [f"{what} (in {count} images)" for what, count in done.passed_over.items()])
    _say(f"not in {target}", done.lost)
    if done.missing:
        sys.stdout.write(f"{done.missing} images were not found, and so not copied; say --images\n")


def _add_agreement(parser: argparse.ArgumentParser) -> None:
    from crystal_search.annotations.format_kinds import READ
    from crystal_search.annotations.what_most_drew import TOGETHER

    parser.set_defaults(run=_agreement, writes=("csv", "out"))
    add = parser.add_argument
    add("sources", nargs="+", type=Path, metavar="FROM", help="folders or files of annotations")
    add("--csv", type=Path, required=True, help="a row for each pair of people and each class; must not be there yet")
    add("--from", dest="kind", choices=READ, help="format of each FROM (default: by its names)")
    add("--images", type=Path, metavar="DIR", help="where the images lie (default: beside the annotations)")
    add("--label", default="crystal", help="class of masks that have none (default: %(default)s)")
    add("--consensus", dest="out", type=Path, metavar="TO", help="write what most people drew")
    add("--pixels", choices=tuple(TOGETHER), default="majority", help="of what they drew (default: %(default)s)")
    add_writing(parser)


def _agreement(arguments: argparse.Namespace) -> None:
    from crystal_search.annotations.annotation_format import ReadOptions, WriteOptions
    from crystal_search.annotations.annotator_agreement import COLUMNS, agreement_rows, attributed, merged
    from crystal_search.annotations.converting import write_annotations
    from crystal_search.annotations.format_kinds import format_at, read_annotations
    from crystal_search.annotations.what_most_drew import agreed
    from crystal_search.columns import csv_text
    from crystal_search.files import write_whole

    target = target_of(arguments) if arguments.out else ""
    if arguments.csv.exists():
        raise UserError(f"{arguments.csv} is there already; name another --csv, or remove it first")
    options = ReadOptions(images=arguments.images, label=arguments.label)
    images = merged(
        image
        for source in arguments.sources
        for image in attributed(read_annotations(source, arguments.kind or format_at(source), options), _person(source))
    )
    rows = agreement_rows(images)
    if arguments.out:
        copied = arguments.images if arguments.copy_images else None
        one = [agreed(image, arguments.pixels) for image in images]
        written = WriteOptions(images=arguments.images, compressed=arguments.compressed)
        done = write_annotations(one, arguments.out, target, written, copied_from=copied)
        say_counts(done.out, done.images, done.objects)
        _say(f"not in {target}", done.lost)
    write_whole(arguments.csv, csv_text(COLUMNS, rows))
    told = rows[0]
    sys.stdout.write(f"F1 {told['f1_percent']} %, mean IoU {told['mean_iou']}: {arguments.csv}\n")


def _person(source: Path) -> str:
    """Return who drew what is at `source`, where nobody is named: what it, or its folder, is called."""
    from crystal_search.annotations.format_kinds import BY_FILE

    path = source.absolute()
    return path.parent.name if path.name in BY_FILE else path.stem


def _add_from_scores(parser: argparse.ArgumentParser) -> None:
    from crystal_search.annotations.best_chops import BY_GROUP, OPINIONS, OUTCOMES

    parser.set_defaults(run=_from_scores, writes=("out",))
    add = parser.add_argument
    add("sources", nargs="*", type=Path, metavar="IMAGE_OR_FOLDER", help="to score now; or tables that score wrote")
    add("--out", type=Path, required=True, metavar="TO", help="folder or file to write; must not be there yet")
    add("--home", type=Path, help="an installation: its scores; with images, its models")
    add("--models", type=Path, metavar="DIR", help="folder of models (default: the package's own)")
    add("--threshold", type=fraction, help="probability of a group (default: the installation's, else 0.85)")
    add("--least", type=fraction, help="probability of a chop, whether its image reached the threshold or not")
    add("--called", choices=(OUTCOMES, BY_GROUP), default=OUTCOMES, help="what boxes are called (default: %(default)s)")
    add(
        "--classifier",
        metavar="CARD_OR_NAME",
        help="of an installation: only scores by this model, by its card, name or hash (default: the last ones)",
    )
    add("--opinion", choices=OPINIONS, default=OPINIONS[0], help="of people, in an installation (default: %(default)s)")
    add("--workers", type=count, default=processors(), help="processes at a time")
    add_writing(parser)


def _from_scores(arguments: argparse.Namespace) -> None:
    from crystal_search.annotations.annotation_format import WriteOptions
    from crystal_search.annotations.best_chops import Choice, gathered
    from crystal_search.annotations.converting import write_annotations

    target, choice = target_of(arguments), Choice(least=arguments.least, classes=arguments.called)
    found = gathered(_scores(arguments), choice)
    for reason, number in found.left_out.items():
        sys.stdout.write(f"left out: {number} images, {reason}\n")
    done = write_annotations(
        found.images,
        arguments.out,
        target,
        WriteOptions(images=found.folder, compressed=arguments.compressed),
        copied_from=found.folder if arguments.copy_images else None,
    )
    say_counts(done.out, done.images, done.objects)
    _say(f"not in {target}", done.lost)


def _scores(arguments: argparse.Namespace) -> "Iterator[tuple[Path, ImageScore | str]]":
    from crystal_search.annotations.best_chops import in_ledger, scored_now
    from crystal_search.direct.as_installed import as_installed
    from crystal_search.direct.scored_files import Job
    from crystal_search.server.installation import opened
    from crystal_search.work_unit import Parameters

    if arguments.sources:
        installed = as_installed(arguments.home, models=arguments.models)
        parameters = Parameters(threshold=arguments.threshold or installed.settings.threshold)
        job = Job(models=installed.models, parameters=parameters, overlays=None)
        yield from scored_now(arguments.sources, job, arguments.workers)
    elif arguments.home:
        with opened(arguments.home, create=False) as site:
            yield from in_ledger(site.imaging, classifier=arguments.classifier, opinion=arguments.opinion)
    else:
        raise UserError("name images to score, or an installation by --home")


def target_of(arguments: argparse.Namespace) -> str:
    """Return the format that is to be written.

    Raises
    ------
    UserError
        If neither an option nor the name tells.
    """
    from crystal_search.annotations.format_kinds import FORMATS, WRITTEN

    endings = {Path(each.file).suffix: name for name, each in FORMATS.items() if each.file}
    named: str | None = arguments.target or endings.get(arguments.out.suffix.lower())
    if not named:
        raise UserError(
            f"cannot tell what format to write into {arguments.out}; say --to with one of {', '.join(WRITTEN)}"
        )
    return named


def _names(text: str) -> tuple[str, str]:
    old, _, new = text.partition("=")
    if not (old.strip() and new.strip()):
        raise UserError(f"--rename {text}: expected OLD=NEW, as in Crystals=crystal")
    return old.strip(), new.strip()


def say_counts(out: Path, images: int, objects: Mapping[str, int]) -> None:
    """Say what was written."""
    told = ", ".join(f"{count} {printable(label)}" for label, count in sorted(objects.items())) or "no objects"
    sys.stdout.write(f"{out}: {images} {'image' if images == 1 else 'images'}, {told}\n")


def _say(heading: str, lines: Sequence[str]) -> None:
    if lines:
        sys.stdout.write("".join(f"{heading}: {printable(line)}\n" for line in lines))
