"""Tables that are read in four ways: as CSV, as JSON, on a page, as Markdown."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from crystal_search.evaluation.bootstrap import Interval

Cell = str | int | float | Interval | None  #: None and NaN are empty cells
Kind = Literal["text", "count", "percent", "number", "duration"]
NOTHING = "–"  #: what people see in an empty cell


@dataclass(frozen=True, slots=True)
class Column:
    """One column; its cells hold shares in [0, 1] where it is in per cent, and seconds where it is a duration."""

    key: str  #: in CSV and JSON, with its unit
    heading: str  #: that people read, with its unit
    kind: Kind = "text"
    digits: int = 1  #: after the point, for people


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells under columns."""

    name: str  #: of its CSV file, without the suffix
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def records(self) -> list[dict[str, Cell]]:
        """Return each row by key, intervals as three values, None where a cell is empty; full precision."""
        return [_record(self.columns, row) for row in self.rows]

    def shown(self) -> list[list[str]]:
        """Return each row as people read it."""
        return [[_shown(column, cell) for column, cell in zip(self.columns, row, strict=True)] for row in self.rows]

    def columns_but(self, *keys: str) -> "Table":
        """Return the table without some columns."""
        kept = [index for index, column in enumerate(self.columns) if column.key not in keys]
        rows = (tuple(row[index] for index in kept) for row in self.rows)
        return Table(self.name, tuple(self.columns[index] for index in kept), tuple(rows))

    def only(self, **values: Cell) -> "Table":
        """Return the rows whose columns have these values, without these columns."""
        keys = [column.key for column in self.columns]
        rows = [row for row in self.rows if all(row[keys.index(key)] == value for key, value in values.items())]
        return Table(self.name, self.columns, tuple(rows)).columns_but(*values)


def csv_of(table: Table) -> str:
    """Return a table as CSV text, empty cells empty."""
    keys = [key for column, cells in _by_column(table) for key in _keys(column, cells)]
    stream = io.StringIO()
    writer = csv.DictWriter(stream, keys, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(table.records())
    return stream.getvalue()


def markdown_of(table: Table) -> str:
    """Return a table as Markdown."""
    lines = [[column.heading for column in table.columns], _rule(table.columns), *table.shown()]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def _rule(columns: Sequence[Column]) -> list[str]:
    return ["---" if column.kind == "text" else "---:" for column in columns]


def _by_column(table: Table) -> list[tuple[Column, list[Cell]]]:
    return [(column, [row[index] for row in table.rows]) for index, column in enumerate(table.columns)]


def _keys(column: Column, cells: Sequence[Cell]) -> list[str]:
    bounds = [f"{column.key}_low", f"{column.key}_high"] if any(isinstance(cell, Interval) for cell in cells) else []
    return [column.key, *bounds]


def _record(columns: Sequence[Column], row: Sequence[Cell]) -> dict[str, Cell]:
    found: dict[str, Cell] = {}
    for column, cell in zip(columns, row, strict=True):
        if isinstance(cell, Interval):
            for key, value in zip(_keys(column, [cell]), cell, strict=True):
                found[key] = _plain(column, value)
        else:
            found[column.key] = _plain(column, cell)
    return found


def _plain(column: Column, value: Cell) -> Cell:
    """Return a value as files have it: per cent for shares, six figures, None for nothing."""
    if not isinstance(value, float):
        return value
    if math.isnan(value):
        return None
    return float(f"{100 * value if column.kind == 'percent' else value:.6g}")


def _shown(column: Column, cell: Cell) -> str:
    if cell is None or (not isinstance(cell, str) and math.isnan(cell[0] if isinstance(cell, Interval) else cell)):
        return NOTHING
    if isinstance(cell, Interval):
        value, low, high = (_text(column, each) for each in cell)
        return value if math.isnan(cell.low) else f"{value} ({low}–{high})"
    return _text(column, cell)


def _text(column: Column, cell: str | int | float) -> str:
    """Return one value as people read it.

    >>> _text(Column("time_s", "Time", "duration"), 3725.2), _text(Column("n", "Images", "count"), 15666284)
    ('1:02:05', '15 666 284')
    """
    if isinstance(cell, str):
        return cell
    match column.kind:
        case "count":
            return f"{cell:,.0f}".replace(",", " ")
        case "percent":
            return f"{100 * cell:.{column.digits}f}"
        case "duration":
            minutes, seconds = divmod(round(cell), 60)
            return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
        case _:
            return f"{cell:.{column.digits}f}"
