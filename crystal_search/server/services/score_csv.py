"""The CSV file between finalizer and set-autoscore: a row for each image, made for people to look at.

People may delete the rows they do not want. Everything that reaches the ledger is taken from the archived result
that a row names, never from the row itself. The format is described in docs/services.md.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from crystal_search.columns import Cell, plain, written
from crystal_search.errors import UserError
from crystal_search.outcomes import GROUPS, UNSURE
from crystal_search.score_cells import score_cells
from crystal_search.server.home import Home
from crystal_search.server.imaging.imaging_database import AutoScore
from crystal_search.server.imaging.stored_images import StoredImage
from crystal_search.server.services.assimilate import UnreadNowError
from crystal_search.spreadsheets import read_sheet

COLUMNS = (
    *("plate", "well", "drop", "inspection", "path"),
    *("outcome", "score_number", "group", "probability", "above_threshold"),
    *(f"p_{group}" for group in GROUPS),
    *("looks", "second_group", "second_probability", "crystals_found", "longest_px"),
    *("drop_found", "drop_top", "drop_left", "drop_bottom", "drop_right"),
    *("classifier", "threshold", "work_unit", "image_id", "classifier_sha256", "drop_sha256", "scored_at", "error"),
)
NEEDED = ("work_unit", "image_id", "outcome")
AGREEING = ("outcome", "score_number", "group")  #: columns that must still say what the result says

AGAIN = "-again"  #: ends the name of a CSV file that stands for one that was refused

Cells = dict[str, Cell]


@dataclass(frozen=True, slots=True)
class Row:
    """A row that was read back."""

    line: int  #: in the file, from 1
    cells: dict[str, str]


def contents_file(home: Home, csv_name: str) -> Path:
    """Return where the work units are listed that a CSV file was written for."""
    return home.finalized / f".{csv_name}.units"


def contents(home: Home, csv_name: str) -> list[str]:
    """Return the work units that a CSV file was written for; none when it is somebody else's file."""
    try:
        return contents_file(home, csv_name).read_text(encoding="utf-8").split()
    except FileNotFoundError:
        return []


def cells_of(score: AutoScore, image: StoredImage | None) -> Cells:
    """Return the cells of a score's row; an image that the database does not know has an empty place."""
    key, recipe = image.key if image else None, score.recipe
    values: Cells = {
        "plate": key.plate if key else None,
        "well": key.well if key else None,
        "drop": key.drop if key else None,
        "inspection": key.inspection if key else None,
        "path": image.path if image else None,
        "classifier": recipe.model("classifier").name,
        "threshold": recipe.threshold,
        "work_unit": score.work_unit,
        "image_id": score.image_id,
        "classifier_sha256": recipe.model("classifier").sha256,
        "drop_sha256": recipe.model("drop").sha256,
        "scored_at": score.scored_at.isoformat(timespec="seconds"),
        "error": " ".join((score.found.error or "").split()),
    }
    found = score_cells(score.found)
    return values | {name: f"{cell:.6f}" if isinstance(cell, float) else cell for name, cell in found.items()}


def read_csv(path: Path) -> list[Row]:
    """Return the rows of a CSV file that a person may have edited and saved as a spreadsheet does.

    Raises
    ------
    UserError
        If it is no CSV file, or lacks a column that set-autoscore needs.
    UnreadNowError
        If it cannot be read at the moment.
    """
    try:
        return _rows(path)
    except UserError as error:
        if isinstance(error.__cause__, OSError) and path.is_file():
            raise UnreadNowError(f"{path} cannot be read now: {error.__cause__.strerror}") from error
        raise


def _rows(path: Path) -> list[Row]:
    with read_sheet(path) as sheet:
        names = [name.strip() for name in sheet.header]
        if missing := [name for name in NEEDED if name not in names]:
            raise UserError(f"{path.name} lacks the column {', '.join(missing)}; found {', '.join(names)[:200]!r}")
        return [Row(line, dict(zip(names, map(_as_written, cells), strict=False))) for line, cells in sheet.lines]


def _as_written(cell: str) -> str:
    """Return a cell as it was written before a spreadsheet or a program made another number of a number."""
    return re.sub(r"^(\d+)[.,]0$", r"\1", plain(cell.strip()))


def summary(rows: Iterable[Row]) -> str:
    """Return how many rows are of each group, in a line; those below the threshold are unsure."""
    counts = Counter(_counted_as(row.cells) for row in rows)
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))


def _counted_as(cells: dict[str, str]) -> str:
    if cells.get("group") and cells.get("above_threshold") == "no":
        return UNSURE
    return cells.get("group") or cells["outcome"]


def disagreement(row: Row, score: AutoScore) -> str:
    """Return which cell of a row no longer says what the result says; empty when all agree."""
    expected = written(score_cells(score.found))
    for name in AGREEING:
        if name in row.cells and row.cells[name] != expected[name]:
            return f"{name} is {row.cells[name][:40]!r}, the result says {expected[name]!r}"
    return ""
