"""The VMXi Classification Dataset: folders of images and tables with their labels (docs/archives.md).

Sources: King et al. (2024), https://doi.org/10.1107/S2059798324009276, for the ten classes and their numbers, and
https://doi.org/10.5281/zenodo.11097395 for the images. What the columns of its tables are called is written nowhere,
but that the first is the file and the second its label is: https://github.com/OllyK/chimp-tools.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath

from crystal_search.archives.archive import Archive, ArchiveImage, ArchiveOptions, Items, LeftOut, naming
from crystal_search.archives.channel_mates import is_image, is_there
from crystal_search.archives.csv_rows import TableRow, column_names, read_rows
from crystal_search.archives.image_places import Places, split_in_name, split_named
from crystal_search.archives.image_table import check_renamed, file_of
from crystal_search.archives.label_names import Labels
from crystal_search.class_schemes import SCHEMES, Scheme, scheme_named
from crystal_search.errors import UnknownNameError, UserError

NEEDED = ("file", "outcome")
COLUMNS = {
    "file": ("file", "filename", "file_name", "image", "image_name", "image_path", "filepath", "path", "name", "fname"),
    "outcome": (
        "outcome",
        "label",
        "labels",
        "class",
        "class_name",
        "label_text",
        "category",
        "classification",
        "score",
    ),
    "split": ("split", "set", "subset"),
    "is_valid": ("is_valid",),
}
BY_LABELS = ("vmxi-10", "groups-4")  #: schemes that the labels may decide for
IS_VALID = {"true": "validation", "1": "validation", "false": "train", "0": "train"}


@dataclass(frozen=True, slots=True)
class Listed:
    """One row of a table, its file looked for."""

    name: str  #: the file's path in the archive, else what the row says
    found: bool
    row: TableRow
    table: Path
    problem: str = ""  #: why it cannot be taken


def open_vmxi(path: Path, options: ArchiveOptions) -> Archive:
    """Return the archive of the images below the folder `path`, or beside the table `path`.

    Raises
    ------
    UserError
        If there are no tables, one lacks a column, or its labels are of no scheme.
    """
    folder = path.parent if path.is_file() else path
    tables = tables_of(path, options)
    files = _images_below(folder)
    listed = [_located(row, table, folder, files) for table in tables for row in _rows(table, options)]
    if not listed:
        raise UserError(f"{', '.join(map(str, tables))}: no image is listed, expected a line for each")
    labels = Labels(_scheme(listed, options))
    for each in listed:
        with naming(f"{each.table} line {each.row.line}"):
            labels.outcome(each.row["outcome"])
            split_of(each)
    used = {each.name for each in listed}
    others = tuple(sorted(name for names in files.values() for name in names if name not in used))
    images = partial(_images, folder, labels, _settled(listed, labels), others)
    return Archive(name="VMXi Classification Dataset", scheme=labels.scheme, images=images)


def _images(folder: Path, labels: Labels, listed: Sequence[Listed], others: Sequence[str]) -> Items:
    """Yield the listed images below a folder, in the order of the tables, then which `others` no table lists."""
    places = Places((folder / each.name).as_posix() for each in listed if each.found)
    for each in listed:
        if each.problem:
            yield LeftOut(each.name, each.problem, f"{each.table.name} line {each.row.line}")
            continue
        path = folder / each.name
        place = places.of(path.as_posix())
        yield ArchiveImage(
            name=each.name,
            content=path,
            outcome=labels.outcome(each.row["outcome"]),
            well=place.well,
            plate=place.plate,
            is_drop_known=place.is_known,
            split=split_of(each),
        )
    yield from (LeftOut(name, "listed in no table") for name in others)


def tables_of(path: Path, options: ArchiveOptions) -> list[Path]:
    """Return the tables with labels: the one that was named, else all below the folder.

    Raises
    ------
    UserError
        If there is no such file or folder, or no table in it.
    """
    if options.csv:
        return [options.csv if options.csv.is_file() else path / options.csv]
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise UserError(f"there is no file or folder {path}; name the folder into which the data set was unpacked")
    if tables := sorted(each for each in path.rglob("*.csv") if each.is_file()):
        return tables
    raise UserError(
        f"{path} has no table NAME.csv with the labels of its images; name one, or, if each class has a folder, "
        f"read it as a folder in the scheme vmxi-10"
    )


def split_of(listed: Listed) -> str | None:
    """Return the split of an image: as its row says, else as its table is called.

    Raises
    ------
    UserError
        If the row says something else.
    """
    if is_valid := listed.row["is_valid"]:
        if is_valid.casefold() not in IS_VALID:
            raise UserError(f"is_valid is {is_valid!r}, expected True or False; correct it")
        return IS_VALID[is_valid.casefold()]
    return split_named(listed.row["split"]) or split_in_name(listed.table.name)


def _rows(table: Path, options: ArchiveOptions) -> Iterator[TableRow]:
    """Yield the rows of a table whose columns may be called in many ways."""
    check_renamed(options, COLUMNS)
    columns = COLUMNS | {column: (called,) for column, called in options.columns.items()}
    names = column_names(table)
    unnamed = not any(name in COLUMNS[column] for name in names for column in NEEDED)
    if len(names) == 2 and not options.columns and unnamed:
        if any(_knows(SCHEMES[scheme], names[1]) for scheme in BY_LABELS):
            raise UserError(f"{table} begins with an image, expected a line with names of columns; put one first")
        columns = {column: (called,) for column, called in zip(NEEDED, names, strict=True)}
    yield from read_rows(table, columns, (*NEEDED, *options.columns))


def _knows(scheme: Scheme, label: str) -> bool:
    try:
        Labels(scheme).outcome(label)
    except UnknownNameError:
        return False
    return True


def _scheme(listed: list[Listed], options: ArchiveOptions) -> Scheme:
    """Return the scheme that was named, else the first one that has all labels."""
    if options.scheme:
        return scheme_named(options.scheme)
    labels = {each.row["outcome"] for each in listed}
    if labels <= set("0123"):
        raise UserError(
            f"the labels {', '.join(sorted(labels))} alone may be numbers of four classes or scores of ten; "
            f"if they are scores, say so with the scheme vmxi-10"
        )
    for name in BY_LABELS:
        if all(_knows(SCHEMES[name], label) for label in labels):
            return SCHEMES[name]
    strange = sorted(label for label in labels if not _knows(SCHEMES[BY_LABELS[0]], label))
    tables = ", ".join(sorted({each.table.name for each in listed}))
    raise UnknownNameError(
        f"the labels in {tables} are of neither {' nor '.join(BY_LABELS)}: {', '.join(map(repr, strange[:5]))}; "
        f"name one table, or the scheme"
    )


def _images_below(folder: Path) -> dict[str, list[str]]:
    """Return the paths, relative to the folder, of all images below it, by their names."""
    found: dict[str, list[str]] = {}
    for here, _, names in os.walk(folder):
        for name in filter(is_image, names):
            found.setdefault(name, []).append((Path(here) / name).relative_to(folder).as_posix())
    return found


def _located(row: TableRow, table: Path, folder: Path, files: dict[str, list[str]]) -> Listed:
    """Look for a row's image: beside the table, below the folder, else anywhere by its name alone."""
    written = file_of(row)
    for path in (table.parent / written, folder / written):
        if row["file"] and path.is_relative_to(folder) and ".." not in path.parts and is_there(path):
            return Listed(path.relative_to(folder).as_posix(), True, row, table)
    candidates = files.get(PurePosixPath(written).name, [])
    if len(candidates) == 1:
        return Listed(candidates[0], True, row, table)
    problem = "several files have this name" if candidates else "the file is missing"
    return Listed(written, False, row, table, problem)


def _settled(listed: list[Listed], labels: Labels) -> tuple[Listed, ...]:
    """Mark what is listed again, or with several outcomes."""
    outcomes: dict[str, set[str]] = {}
    for each in listed:
        outcomes.setdefault(each.name, set()).add(labels.outcome(each.row["outcome"]))
    seen: set[str] = set()
    settled = []
    for each in listed:
        problem = each.problem
        if not problem and len(outcomes[each.name]) > 1:
            problem = "listed with several outcomes"
        elif not problem and each.name in seen:
            problem = "listed again with the same outcome"
        seen.add(each.name)
        settled.append(replace(each, problem=problem))
    return tuple(settled)
