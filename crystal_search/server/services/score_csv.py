"""The CSV file between finalizer and set-autoscore: a row for each image, made for people to look at.

People may delete the rows they do not want. Everything that reaches the ledger is taken from the archived result
that a row names, never from the row itself. The format is described in docs/services.md.
"""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from crystal_search.errors import UserError
from crystal_search.outcomes import BY_NAME, GROUPS
from crystal_search.server.home import Home
from crystal_search.server.imaging.imaging_database import AutoScore, StoredImage

COLUMNS = (
    *("plate", "well", "drop", "inspection", "path"),
    *("outcome", "score_number", "group", "probability", "above_threshold"),
    *(f"p_{group}" for group in GROUPS),
    *("drop_found", "drop_top", "drop_left", "drop_bottom", "drop_right"),
    *("model", "threshold", "work_unit", "image_id", "classifier_sha256", "drop_sha256", "scored_at", "error"),
)
NEEDED = ("work_unit", "image_id", "outcome")
AGREEING = ("outcome", "score_number", "group")  #: columns that must still say what the result says
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
MAX_CSV_BYTES = 500_000_000

AGAIN = "-again"  #: ends the name of a CSV file that stands for one that was refused

Cells = dict[str, str]


@dataclass(frozen=True, slots=True)
class Row:
    """A row that was read back."""

    line: int  #: in the file, from 1
    cells: Cells


def contents_file(home: Home, csv_name: str) -> Path:
    """Return where the work units are listed that a CSV file was written for."""
    return home.finalized / f".{csv_name}.units"


def contents(home: Home, csv_name: str) -> list[str]:
    """Return the work units that a CSV file was written for; none when it is somebody else's file."""
    try:
        return contents_file(home, csv_name).read_text(encoding="utf-8").split()
    except FileNotFoundError:
        return []


def harmless(text: str) -> str:
    """Return `text` so that no spreadsheet takes it for a formula.

    >>> harmless("=HYPERLINK(1)")
    "'=HYPERLINK(1)"
    """
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def cells_of(score: AutoScore, image: StoredImage | None) -> Cells:
    """Return the cells of a score's row; an image that the database does not know has an empty place."""
    key, recipe = image.key if image else None, score.recipe
    values = {
        "plate": harmless(key.plate) if key else "",
        "well": key.well if key else "",
        "drop": key.drop if key else "",
        "inspection": key.inspection if key else "",
        "path": harmless(image.path) if image else "",
        "model": harmless(recipe.classifier_name),
        "threshold": recipe.threshold,
        "work_unit": score.work_unit,
        "image_id": score.image_id,
        "classifier_sha256": recipe.classifier_sha256,
        "drop_sha256": recipe.drop_sha256,
        "scored_at": score.scored_at.isoformat(timespec="seconds"),
        "error": harmless(" ".join((score.error or "").split())),
    }
    return {name: str(value) for name, value in values.items()} | _score_cells(score) | _drop_cells(score)


def _score_cells(score: AutoScore) -> Cells:
    outcome = BY_NAME.get(score.outcome)
    return {
        "outcome": score.outcome,
        "score_number": str(outcome.score_number) if outcome else "",
        "group": str(outcome.group) if outcome else "",
        "probability": "" if score.probability is None else f"{score.probability:.6f}",
        "above_threshold": _yes_no(score.above_threshold),
    } | {f"p_{group}": f"{peak:.6f}" for group, peak in zip(GROUPS, score.group_peaks, strict=False)}


def _drop_cells(score: AutoScore) -> Cells:
    sides = ("top", "left", "bottom", "right")
    places = {f"drop_{side}": str(getattr(score.drop.box, side)) for side in sides} if score.drop else {}
    return {"drop_found": _yes_no(score.drop is not None)} | places


def _yes_no(answer: bool) -> str:
    return "yes" if answer else "no"


def csv_text(rows: Iterable[Cells]) -> str:
    """Return the text of a CSV file with these rows."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def read_csv(path: Path) -> list[Row]:
    """Return the rows of a CSV file that a person may have edited and saved with another separator.

    Raises
    ------
    UserError
        If it is no CSV file, or lacks a column that set-autoscore needs.
    """
    try:
        if path.stat().st_size > MAX_CSV_BYTES:
            raise UserError(f"{path.name} is larger than {MAX_CSV_BYTES} bytes")
        text = path.read_bytes().decode("utf-8-sig")
        header = text.partition("\n")[0]
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=header.count), strict=True)
        names = reader.fieldnames or ()
        if missing := [name for name in NEEDED if name not in names]:
            raise UserError(f"{path.name} lacks the column {', '.join(missing)}; found {', '.join(names)[:200]!r}")
        return [Row(reader.line_num, _texts(cells)) for cells in reader]
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path.name} is no CSV file in UTF-8: {error}") from error


def _texts(cells: dict[str | None, str | list[str] | None]) -> Cells:
    return {name: value.strip() for name, value in cells.items() if name is not None and isinstance(value, str)}


def disagreement(row: Row, score: AutoScore) -> str:
    """Return which cell of a row no longer says what the result says; empty when all agree."""
    expected = _score_cells(score)
    for name in AGREEING:
        if name in row.cells and row.cells[name] != expected[name]:
            return f"{name} is {row.cells[name][:40]!r}, the result says {expected[name]!r}"
    return ""
