"""Labels that people corrected: reading ``corrections.csv``, and putting it into the list of an archive."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from crystal_search.archives.archive import ArchiveOptions, naming
from crystal_search.archives.csv_rows import read_rows
from crystal_search.archives.image_table import open_csv, plain_path
from crystal_search.archives.label_names import Labels
from crystal_search.class_schemes import Scheme
from crystal_search.columns import csv_text, harmless, plain
from crystal_search.datasets.packed import PackedDataset
from crystal_search.errors import UserError
from crystal_search.files import write_whole
from crystal_search.known_names import check_among
from crystal_search.outcomes import IMAGE_OUTCOMES, NO_DROP
from crystal_search.review.doubts import image_label
from crystal_search.spreadsheets import read_sheet
from crystal_search.wells import SPLITS

COLUMNS = ("image", "well", "old", "new")
IMAGE_LABELS = (*IMAGE_OUTCOMES, NO_DROP)
NAMED = 5  #: images that a message names at the most


@dataclass(frozen=True, slots=True)
class Correction:
    """One label that a person changed."""

    image: str
    well: str
    old: str  #: one of the outcomes that an image can have, or ``no_drop``
    new: str


def read_corrections(path: Path) -> dict[str, Correction]:
    """Return the corrections in the file `path` by the name of the image.

    Raises
    ------
    UserError
        If it cannot be read, lacks a column, names a class that no image can have, or an image twice.
    """
    found: dict[str, Correction] = {}
    for row in read_rows(path, {name: (name,) for name in COLUMNS}, COLUMNS):
        correction = Correction(*(row[name] for name in COLUMNS))
        for label in (correction.old, correction.new):
            check_among(IMAGE_LABELS, label, "class", where=f"{path}, line {row.line}")
        if correction.image in found:
            raise UserError(
                f"{path}, line {row.line}: {correction.image} stands there twice; keep one of the two lines"
            )
        found[correction.image] = correction
    return found


def changes_by_pair(corrections: Iterable[Correction]) -> list[tuple[str, str, int]]:
    """Return how many labels change from one class to another, the most frequent pair first.

    >>> changes_by_pair([Correction("a.jpg", "", "clear", "other"), Correction("b.jpg", "", "clear", "other")])
    [('clear', 'other', 2)]
    """
    counts = Counter((each.old, each.new) for each in corrections if each.old != each.new)
    return [(old, new, count) for (old, new), count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))]


def corrected_list(corrections: Mapping[str, Correction], archive: Path, scheme: Scheme) -> str:
    """Return the CSV list of an archive with the corrected labels; all else in it stays as it is.

    Parameters
    ----------
    corrections
        By the name of the image: what the list has in its column ``file``, after the archive's name where a dataset was
        built from several archives. Those of the other archives are left alone.
    archive
        A list with columns ``file`` and ``outcome``, as ``dataset build --from csv`` reads it.
    scheme
        Classes in which the list is written.

    Raises
    ------
    UserError
        If the list lacks a column, an image of the corrections, or says something else of it than they expect;
        or if the scheme has no class for a corrected label.
    """
    labels = Labels(scheme)
    table = _list(archive)
    now: dict[str, str] = {}
    for number, cells in enumerate(table.lines, start=2):
        with naming(f"{archive}, line {number}"):
            outcome = labels.outcome(cells[table.outcome])
        now[plain_path(plain(cells[table.file].strip()))] = outcome
    corrections = _of_archive(corrections, open_csv(archive, ArchiveOptions(scheme=scheme.name)).name)
    _check_images(corrections, now, str(archive))
    text = io.StringIO()
    writer = csv.writer(text, delimiter=table.delimiter, lineterminator="\n")
    writer.writerow(map(_guarded, table.header))
    for cells in table.lines:
        image = plain_path(plain(cells[table.file].strip()))
        if image in corrections and corrections[image].new != now[image]:
            cells[table.outcome] = _written(corrections[image].new, scheme)
        writer.writerow(map(_guarded, cells))
    return text.getvalue()


def _guarded(cell: str) -> str:
    """Return a cell of somebody's table so that no spreadsheet takes it for a formula; numbers stay numbers."""
    try:
        float(cell)
    except ValueError:
        return harmless(plain(cell))
    return cell


def _of_archive(corrections: Mapping[str, Correction], name: str) -> dict[str, Correction]:
    """Return the corrections of an archive's images by what the archive calls them."""
    prefix = f"{name}/"
    named = {image.removeprefix(prefix): each for image, each in corrections.items() if image.startswith(prefix)}
    return named or dict(corrections)


def corrections_for(corrections: Mapping[str, Correction], dataset: PackedDataset) -> str:
    """Return the corrections as the list ``file,outcome`` that ``dataset build --corrections`` reads.

    Raises
    ------
    UserError
        If the dataset lacks an image of the corrections, or says something else of it than they expect.
    """
    _check_images(corrections, labels_in(dataset), str(dataset.folder))
    return csv_text(("file", "outcome"), ({"file": each.image, "outcome": each.new} for each in corrections.values()))


def labels_in(dataset: PackedDataset) -> dict[str, str]:
    """Return the label of every image of a dataset, whichever split it is in."""
    chops: dict[str, list[str]] = {}
    for split in SPLITS:
        for row in dataset.chops(split):
            chops.setdefault(row.image, []).append(row.outcome)
    labels = {image: image_label(outcomes) for image, outcomes in chops.items()}
    return labels | {row.image: row.outcome for split in SPLITS for row in dataset.wells(split)}


def write_corrected(path: Path, text: str, *, instead_of: Sequence[Path]) -> None:
    """Write a corrected list to `path`, whole or not at all.

    Raises
    ------
    UserError
        If `path` is one of the files that it was made from, or is there already.
    """
    if path.resolve() in [each.resolve() for each in instead_of]:
        raise UserError(f"--out {path} would replace what people wrote; name another file")
    if path.exists():
        raise UserError(f"{path} is there already; name another --out, or take it away first")
    write_whole(path, text)


def _check_images(corrections: Mapping[str, Correction], now: Mapping[str, str], where: str) -> None:
    if unknown := [image for image in corrections if image not in now]:
        raise UserError(
            f"{where} lacks {_named(unknown)}; these corrections are of other images: name the archive that the "
            f"dataset was built from"
        )
    for image, each in corrections.items():
        if now[image] not in (each.old, each.new):
            raise UserError(
                f"{where}: {image} is {now[image]}, the corrections expect {each.old}; "
                f"it was changed in between: correct this line, or take it out"
            )


def _named(images: Sequence[str]) -> str:
    more = f" and {len(images) - NAMED} more" if len(images) > NAMED else ""
    return ", ".join(images[:NAMED]) + more


def _written(outcome: str, scheme: Scheme) -> str:
    """Return the class of a list's scheme that counts as `outcome`."""
    if outcome == NO_DROP:
        return NO_DROP
    for each in scheme.classes:
        if each.outcome == outcome:
            return each.name
    names = ", ".join(scheme.class_names)
    raise UserError(f"the scheme {scheme.name} has no class for {outcome}; choose --scheme by the list: it has {names}")


@dataclass(frozen=True, slots=True)
class _List:
    """The list of an archive as it was written."""

    header: list[str]
    lines: list[list[str]]
    delimiter: str
    file: int  #: position of the column
    outcome: int


def _list(path: Path) -> _List:
    """Return the list in the file `path`, read as ``dataset build --from csv`` reads it."""
    list(read_rows(path, {"file": ("file",), "outcome": ("outcome",)}, ("file", "outcome")))
    with read_sheet(path) as sheet:
        lines = [cells for _, cells in sheet.lines]
    names = [name.strip().casefold() for name in sheet.header]
    return _List(sheet.header, lines, sheet.delimiter, names.index("file"), names.index("outcome"))
