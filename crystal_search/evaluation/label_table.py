"""The table of labels that somebody gives to adapt, teach or evaluate: a file, what it shows, its plate."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from crystal_search.adaptation.labelled import NOT_CRYSTAL
from crystal_search.archives.csv_rows import TableRow, column_names, read_rows
from crystal_search.archives.image_places import Places
from crystal_search.archives.image_table import place_in, plain_path
from crystal_search.archives.label_names import Labels
from crystal_search.class_schemes import SCHEMES
from crystal_search.direct.plates_in_paths import plates_in
from crystal_search.errors import UserError
from crystal_search.outcomes import BY_NAME, GROUPS, IMAGE_OUTCOMES, NO_DROP, Group, group_of
from crystal_search.plurals import counted

COLUMNS = {
    "file": ("file", "path", "image", "filename", "file name"),
    "outcome": ("outcome", "label", "score", "class", "group"),
    "crystal": ("crystal", "crystals", "is_crystal"),
    "plate": ("plate", "barcode"),
    "well": ("well",),
    "row": ("row",),
    "column": ("column",),
    "drop": ("drop",),
    "source": ("source",),
    "mask": ("mask",),
}
YES, NO = ("yes", "y", "true", "1"), ("no", "n", "false", "0")
SCHEMES_TRIED = ("outcomes-13", "groups-4", "vmxi-10")
NO_CRYSTAL = "no_crystal"  #: an image without crystals, of which no more is known
LABELS = (*dict.fromkeys((*IMAGE_OUTCOMES, *map(str, GROUPS))), NO_CRYSTAL, NO_DROP)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledFile:
    """One labelled image."""

    path: Path
    label: str  #: one of `LABELS`
    plate: str  #: empty where nobody told
    drop: str  #: inspections of one drop have the same; empty where nobody told
    source: str = ""  #: imager, plate or archive; empty where nobody told
    mask: Path | None = None  #: a picture that is bright where the drop is

    @property
    def group(self) -> int:
        """Position in GROUPS, or `NOT_CRYSTAL`."""
        group = group_labelled(self.label)
        return NOT_CRYSTAL if group is None else GROUPS.index(group)


def group_labelled(label: str) -> Group | None:
    """Return the group of one of `LABELS`; None where there is no drop, or no more is known than that no crystal is.

    >>> group_labelled("spherulites"), group_labelled("no_crystal")
    (<Group.OTHER: 'other'>, None)
    """
    return Group(label) if label in map(str, GROUPS) else group_of(label)


def read_labels(tables: Sequence[Path], folder: Path) -> list[LabelledFile]:
    """Return the labels in tables, each image once: the last line about it counts, of the last table that has one.

    Files are looked for below `folder` as a table names them, or by their name alone where it is there once. Lines
    without a label, as in a table that is not yet filled in, say nothing.

    Raises
    ------
    UserError
        If a table cannot be read, has neither outcomes nor crystals, names a file that is not there, or says
        something of one that nobody understands; with its line.
    """
    names = _by_name(folder)
    labels = (each for table in tables for each in _labelled(table, _told(table), folder, names))
    found = {os.path.realpath(each.path): each for each in labels}
    return _on_plates(list(found.values()), folder)


def _told(table: Path) -> list[TableRow]:
    """Return the lines of a table that have a label."""
    rows = list(read_rows(table, COLUMNS, ("file",)))
    if not rows:
        raise UserError(f"{table} lists no image; write a line for each")
    told = _filled_in(rows)
    if not told:
        raise UserError(f"{table} has neither a column outcome nor a column crystal with anything in it; add one")
    return told


def _filled_in(rows: Sequence[TableRow]) -> list[TableRow]:
    return [row for row in rows if row["outcome"] or row["crystal"]]


def refuse_to_lose_labels(path: Path, lists: Sequence[Sequence[str]]) -> None:
    """Refuse a place for a list of images where something stands that may hold labels.

    Only a list that nobody filled in is replaced. What is no such list may be one that a spreadsheet saved in its own
    way, or in which columns or lines were changed.

    Parameters
    ----------
    path
        Where the list is to be written.
    lists
        Columns of such lists.

    Raises
    ------
    UserError
        If there is a file with something else in it; the message says where to write, and what to do with it.
    """
    if not path.exists() or (path.is_file() and not path.stat().st_size):
        return
    may_hold = f"{path} may hold labels, which would be lost; name a new file by --csv"
    try:
        rows, names = list(read_rows(path, COLUMNS, ("file",))), column_names(path)
    except UserError as error:
        raise UserError(f"{may_hold}. What is there cannot be read: {error}") from error
    if filled := len(_filled_in(rows)):
        held = counted(filled, "label")
        raise UserError(f"{path} holds {held}, which would be lost; name it by --labels, and a new file by --csv")
    if names not in map(tuple, lists):
        raise UserError(f"{may_hold}. It is no list that teach wrote: its columns are {', '.join(names)}")


def _on_plates(files: list[LabelledFile], folder: Path) -> list[LabelledFile]:
    """Return labelled images with the plate that their path tells, and drops of it, where table and name tell none.

    Folders into which images were sorted by what they show are no plates: there only names count.
    """
    inside: list[PurePath] = [each.path.relative_to(folder) for each in files]
    if _are_classes([path.parent.as_posix() for path in inside], [each.group for each in files]):
        inside = [PurePath(path.name) for path in inside]
    plates = plates_in(inside)
    return [
        each if each.plate else replace(each, plate=plate, drop=f"{plate} {each.drop}".strip() if each.drop else "")
        for each, plate in zip(files, plates, strict=True)
    ]


def _are_classes(folders: Sequence[str], groups: Sequence[int]) -> bool:
    """Tell whether folders are called as classes are, or are as few as groups and hold one each.

    >>> _are_classes(["good", "bad", "good"], [0, 3, 0]), _are_classes(["a", "b", "b"], [0, 3, 0])
    (True, False)
    """
    of_folder: dict[str, set[int]] = {}
    for folder, group in zip(folders, groups, strict=True):
        of_folder.setdefault(folder, set()).add(group)
    called = any(_known_label(PurePath(folder).name) is not None for folder in of_folder)
    return called or (1 < len(of_folder) <= len(set(groups)) and all(len(each) == 1 for each in of_folder.values()))


def _labelled(table: Path, rows: list[TableRow], folder: Path, names: dict[str, list[Path]]) -> Iterator[LabelledFile]:
    places = Places(plain_path(row["file"]) for row in rows)
    for row in rows:
        where = f"{table} line {row.line}"
        path = _file(folder, row["file"], names, where)
        place = place_in(row, places.of(path.as_posix()))
        yield LabelledFile(
            path=path,
            label=_label(row, where),
            plate=place.plate,
            drop=place.well if place.is_known else "",
            source=row["source"],
            mask=_file(folder, row["mask"], names, where) if row["mask"] else None,
        )


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


def _label(row: TableRow, where: str) -> str:
    """Return the label that a line tells; a column of outcomes says more than one of yes and no."""
    said = row["crystal"].casefold()
    if said not in (*YES, *NO, ""):
        raise UserError(f"{where}: crystal must be yes or no, got {row['crystal']!r}")
    if not row["outcome"]:
        return Group.CRYSTAL.value if said in YES else NO_CRYSTAL
    label = _known_label(row["outcome"])
    if label is None:
        raise UserError(f"{where}: nobody knows the outcome {row['outcome']!r}; write one of {', '.join(LABELS)}")
    if said and (said in YES) != (group_labelled(label) is Group.CRYSTAL):
        raise UserError(f"{where}: {row['outcome']!r} contradicts {row['crystal']!r} in column crystal; correct one")
    return label


def _known_label(said: str) -> str | None:
    """Return what people call an outcome, a group, or yes and no, as one of `LABELS`; None for any other word."""
    word = said.strip().casefold()
    if (label := word.replace("-", "_").replace(" ", "_")) in LABELS:
        return label
    for scheme in SCHEMES_TRIED:
        try:
            outcome = Labels(SCHEMES[scheme]).outcome(said)
        except UserError:
            continue
        return BY_NAME[outcome].group.value if scheme == "groups-4" else outcome
    if word in (*YES, *NO):
        return Group.CRYSTAL.value if word in YES else NO_CRYSTAL
    return None
