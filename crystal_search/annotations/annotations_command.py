"""``crystal-search annotations``: what people drew in images, from one format to another (docs/annotations.md)."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from crystal_search.errors import UserError
from crystal_search.hostile_json import printable

CONVERT = "read annotations in one format, write them in another"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the commands of this module."""
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_convert(commands.add_parser("convert", help=CONVERT, description=CONVERT, allow_abbrev=False))


def run(arguments: argparse.Namespace) -> None:
    """Run the command that was chosen."""
    chosen: Callable[[argparse.Namespace], None] = arguments.annotations_command
    chosen(arguments)


def _add_convert(parser: argparse.ArgumentParser) -> None:
    from crystal_search.annotations.format_kinds import READ

    parser.set_defaults(annotations_command=_convert)
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
