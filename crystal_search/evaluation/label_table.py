"""The table of labels that somebody gives to ``crystal-search adapt``: a file, what it shows, its plate."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from crystal_search.adaptation.labelled import CRYSTAL, NOT_CRYSTAL
from crystal_search.archives.csv_rows import TableRow, read_rows
from crystal_search.archives.image_places import Places
from crystal_search.archives.image_table import place_in, plain_path
from crystal_search.archives.label_names import Labels
from crystal_search.class_schemes import SCHEMES
from crystal_search.errors import UnknownNameError, UserError
from crystal_search.outcomes import BY_NAME, GROUPS, NO_DROP

COLUMNS = {
    "file": ("file", "path", "image", "filename", "file name"),
    "outcome": ("outcome", "label", "score", "class", "group"),
    "crystal": ("crystal", "crystals", "is_crystal"),
    "plate": ("plate", "barcode"),
    "well": ("well",),
    "row": ("row",),
    "column": ("column",),
    "drop": ("drop",),
}
YES, NO = ("yes", "y", "true", "1"), ("no", "n", "false", "0")
SCHEMES_TRIED = ("outcomes-13", "groups-4", "vmxi-10")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledFile:
    """One labelled image."""

    path: Path
    group: int  #: position in GROUPS, or `NOT_CRYSTAL`
    plate: str  #: empty where nobody told
    drop: str  #: inspections of one drop have the same


def read_labels(table: Path, folder: Path) -> list[LabelledFile]:
    """Return the labels in a table, each image once: the last line about it counts.

    Files are looked for below `folder` as the table names them, or by their name alone where it is there once. Lines
    without a label, as in a table that is not yet filled in, say nothing.

    Raises
    ------
    UserError
        If the table cannot be read, has neither outcomes nor crystals, names a file that is not there, or says
        something of one that nobody understands; with its line.
    """
    rows = list(read_rows(table, COLUMNS, ("file",)))
    if not rows:
        raise UserError(f"{table} lists no image; write a line for each")
    told = [row for row in rows if row["outcome"] or row["crystal"]]
    if not told:
        raise UserError(f"{table} has neither a column outcome nor a column crystal with anything in it; add one")
    names = _by_name(folder)
    found = {each.path: each for each in _labelled(table, told, folder, names)}
    return list(found.values())


def _labelled(table: Path, rows: list[TableRow], folder: Path, names: dict[str, list[Path]]) -> Iterator[LabelledFile]:
    places = Places(plain_path(row["file"]) for row in rows)
    for row in rows:
        where = f"{table} line {row.line}"
        path = _file(folder, row["file"], names, where)
        place = place_in(row, places.of(path.as_posix()))
        drop = place.well if place.is_known else path.relative_to(folder).as_posix()
        yield LabelledFile(path=path, group=_group(row, where), plate=place.plate, drop=drop)


def _by_name(folder: Path) -> dict[str, list[Path]]:
    names: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            names.setdefault(path.name, []).append(path)
    return names


def _file(folder: Path, named: str, names: dict[str, list[Path]], where: str) -> Path:
    inside = os.path.relpath(folder / plain_path(named), folder)
    path = folder / inside
    if Path(inside).parts[0] != os.pardir and os.path.isfile(path):
        return path
    others = names.get(path.name, [])
    if len(others) != 1:
        many = f"{len(others)} files below it have that name" if others else "there is none below it"
        raise UserError(
            f"{where}: no file {named!r} in {folder}, and {many}; correct the line, or name another --folder"
        )
    return others[0]


def _group(row: TableRow, where: str) -> int:
    """Return the group that a line tells; a column of outcomes says more than one of yes and no."""
    if row["outcome"]:
        return _group_of(row["outcome"], where)
    said = row["crystal"].casefold()
    if said not in (*YES, *NO):
        raise UserError(f"{where}: crystal must be yes or no, got {row['crystal']!r}")
    return CRYSTAL if said in YES else NOT_CRYSTAL


def _group_of(label: str, where: str) -> int:
    for scheme in SCHEMES_TRIED:
        try:
            outcome = Labels(SCHEMES[scheme]).outcome(label)
        except UnknownNameError:
            continue
        return NOT_CRYSTAL if outcome == NO_DROP else GROUPS.index(BY_NAME[outcome].group)
    if label.casefold() in (*YES, *NO):
        return CRYSTAL if label.casefold() in YES else NOT_CRYSTAL
    raise UserError(
        f"{where}: nobody knows the outcome {label!r}; write one of {', '.join(BY_NAME)}, {', '.join(GROUPS)}"
    )
