"""Tables of the columns of the vocabulary that are read in four ways: as CSV, as JSON, on a page, as Markdown."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from crystal_search.bootstrap import Interval
from crystal_search.column import Column
from crystal_search.columns import Cell as Value
from crystal_search.columns import column_named, csv_text

Cell = Value | Interval  #: None and NaN are empty cells
NOTHING = "–"  #: what people see in an empty cell


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells under columns; cells hold shares in [0, 1] where a column is in per cent."""

    name: str  #: of its CSV file, without the suffix
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def records(self) -> list[dict[str, Value]]:
        """Return each row by column, intervals as three values, None where a cell is empty; six figures."""
        return [_record(self.columns, row) for row in self.rows]

    def shown(self) -> list[list[str]]:
        """Return each row as people read it."""
        return [[_shown(column, cell) for column, cell in zip(self.columns, row, strict=True)] for row in self.rows]

    def columns_but(self, *names: str) -> "Table":
        """Return the table without some columns."""
        kept = [index for index, column in enumerate(self.columns) if column.name not in names]
        rows = (tuple(row[index] for index in kept) for row in self.rows)
        return Table(self.name, tuple(self.columns[index] for index in kept), tuple(rows))

    def only_columns(self, *names: str) -> "Table":
        """Return the table with some columns alone, in its own order."""
        return self.columns_but(*(column.name for column in self.columns if column.name not in names))

    def only(self, **values: Cell) -> "Table":
        """Return the rows whose columns have these values, without these columns."""
        names = [column.name for column in self.columns]
        rows = [row for row in self.rows if all(row[names.index(name)] == value for name, value in values.items())]
        return Table(self.name, self.columns, tuple(rows)).columns_but(*values)


def table(name: str, names: Iterable[str], rows: Iterable[Iterable[Cell]]) -> Table:
    """Return a table whose columns are called `names` in the vocabulary.

    Raises
    ------
    UnknownNameError
        If the vocabulary lacks one.
    """
    return Table(name, tuple(map(column_named, names)), tuple(map(tuple, rows)))


def csv_of(table: Table) -> str:
    """Return a table as CSV text, empty cells empty."""
    by_column = zip(
        table.columns, zip(*table.rows, strict=True) if table.rows else [()] * len(table.columns), strict=True
    )
    return csv_text([name for column, cells in by_column for name in _names(column, cells)], table.records())


def markdown_of(table: Table) -> str:
    """Return a table as Markdown."""
    rule = ["---" if column.kind == "text" else "---:" for column in table.columns]
    lines = [[column.title for column in table.columns], rule, *table.shown()]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def _names(column: Column, cells: Iterable[Cell]) -> list[str]:
    bounds = any(isinstance(cell, Interval) for cell in cells)
    return [column.name, *(f"{column.name}_{end}" for end in ("low", "high") if bounds)]


def _record(columns: Sequence[Column], row: Sequence[Cell]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for column, cell in zip(columns, row, strict=True):
        values = cell if isinstance(cell, Interval) else (cell,)
        for name, value in zip(_names(column, [cell]), values, strict=True):
            found[name] = _plain(column, value)
    return found


def _plain(column: Column, value: Value) -> Value:
    """Return a value as files have it: per cent for shares, six figures, None for nothing."""
    if not isinstance(value, float):
        return value
    if math.isnan(value):
        return None
    return float(f"{100 * value if column.kind == 'percent' else value:.6g}")


def _shown(column: Column, cell: Cell) -> str:
    if isinstance(cell, Interval):
        value, low, high = (_text(column, each) for each in cell)
        return value if math.isnan(cell.low) else f"{value} ({low}{' to ' if cell.low < 0 else '–'}{high})"
    return _text(column, cell)


def _text(column: Column, cell: Value) -> str:
    """Return one value as people read it.

    >>> _text(column_named("total_s"), 3725.2), _text(column_named("images"), 15666284)
    ('1:02:05', '15 666 284')
    """
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return NOTHING
    if isinstance(cell, str | bool):
        return cell if isinstance(cell, str) else ("no", "yes")[cell]
    if isinstance(cell, int) or column.kind == "count":
        return f"{cell:,.0f}".replace(",", " ")
    match column.kind:
        case "percent":
            return f"{100 * cell:.{column.digits}f}"
        case "duration" if column.name.endswith("_s"):
            minutes, seconds = divmod(round(cell), 60)
            return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
        case _:
            return f"{cell:.{column.digits}f}"
