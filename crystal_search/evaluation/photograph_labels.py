"""What people say of photographs: a table with one line a photograph (docs/real-wells.md)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from crystal_search.archives.csv_rows import TableRow, read_rows
from crystal_search.errors import UserError
from crystal_search.images import SUFFIXES
from crystal_search.outcomes import GROUPS, IMAGE_OUTCOMES, NO_DROP, OUTCOME_NAMES, Group, outcome_named

NO_CRYSTAL = "no_crystal"  #: a drop without crystals, of which no more is known
EVERYTHING = "photographs"  #: the source where the table names none
COLUMNS = {"file": ("file",), "label": ("label",), "source": ("source",), "mask": ("mask",)}
LABELS = (*IMAGE_OUTCOMES, *map(str, GROUPS), NO_CRYSTAL, NO_DROP)


@dataclass(frozen=True, slots=True)
class Label:
    """A photograph and what is known of it."""

    file: str  #: as the table names it
    path: Path
    label: str  #: one of `LABELS`
    source: str
    mask: Path | None  #: a picture, bright where the drop is

    @property
    def empty(self) -> bool:
        """Whether there is no drop."""
        return self.label == NO_DROP

    @property
    def crystal(self) -> bool:
        """Whether there are crystals."""
        return self.group is Group.CRYSTAL

    @property
    def group(self) -> Group | None:
        """The group, if it is known."""
        if self.label in map(str, GROUPS):
            return Group(self.label)
        return outcome_named(self.label).group if self.label in OUTCOME_NAMES else None

    @property
    def outcome(self) -> str | None:
        """The outcome, if it is known."""
        return self.label if self.label in OUTCOME_NAMES else None


def read_labels(table: Path, folder: Path) -> list[Label]:
    """Return what `table` says of the photographs in `folder`.

    Raises
    ------
    UserError
        If the table cannot be read, lacks a column, holds nothing, names a label that there is none, or a file that
        is not there or that it named before.
    """
    labels: dict[str, Label] = {}
    for row in read_rows(table, COLUMNS, ("file", "label")):
        label = _label(table, row, folder)
        if label.file in labels:
            raise UserError(f"{table} line {row.line}: {label.file} is there twice; take one line out")
        labels[label.file] = label
    if not labels:
        raise UserError(f"{table} names no photograph; add a line for each")
    return list(labels.values())


def _label(table: Path, row: TableRow, folder: Path) -> Label:
    name = row["label"].casefold().replace("-", "_").replace(" ", "_")
    if name not in LABELS:
        raise UserError(f"{table} line {row.line}: no label {row['label']!r}; choose from {', '.join(LABELS)}")
    path, mask = folder / row["file"], folder / row["mask"] if row["mask"] else None
    for each in (path, mask):
        if each is not None and not each.is_file():
            raise UserError(f"{table} line {row.line}: {each} is not there; correct the name, or --images")
    return Label(row["file"], path, name, row["source"] or EVERYTHING, mask)


def unnamed(folder: Path, labels: Sequence[Label]) -> int:
    """Return how many images below `folder` the table does not name."""
    named = {label.path.resolve() for label in labels} | {label.mask.resolve() for label in labels if label.mask}
    there = (each for each in folder.rglob("*") if each.suffix.lower() in SUFFIXES and each.is_file())
    return sum(each.resolve() not in named for each in there)
