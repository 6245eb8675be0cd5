"""Tables of any length as files: rows go through, never all at once; the file is there whole or not at all."""

import csv
import gc
import io
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from crystal_search.column import Kind
from crystal_search.columns import Cell, column_named, text_of
from crystal_search.errors import UserError
from crystal_search.files import whole_file
from crystal_search.server.imaging.adding_rules import batches

Row = Mapping[str, Cell]
ALLOCATIONS = 200_000  #: after which Python looks for garbage, while a table is written
ROWS_AT_ONCE = 10_000  #: rows of a group of a Parquet file, and in memory
#: pyarrow's type of each kind of column. When an image was taken is text: sometimes the day alone is known.
ARROW_TYPES: dict[Kind, str] = {
    "text": "string",
    "yes/no": "bool_",
    "count": "int64",
    "number": "float64",
    "share": "float64",
    "percent": "float64",
    "duration": "float64",
    "time": "time",
    "taken": "string",
}


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Row]) -> int:
    """Write rows of the vocabulary's `columns` to a file, CSV or Parquet by its suffix, and return how many they were.

    Raises
    ------
    UserError
        If the suffix is neither, the file cannot be written, or it would be Parquet and pyarrow is not installed.
    ValueError
        If a row has a cell of none of the columns.
    """
    if path.suffix not in WRITERS:
        raise UserError(f"{path}: end the file's name in one of {', '.join(WRITERS)}")
    write = WRITERS[path.suffix]
    try:
        with whole_file(path) as file, seldom_collected():
            return write(file, columns, _of_columns(rows, frozenset(columns)))
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}; name a file in a folder that is there") from error


def _of_columns(rows: Iterable[Row], columns: Collection[str]) -> Iterator[Row]:
    for row in rows:
        if unknown := row.keys() - columns:
            raise ValueError(f"a row has {', '.join(sorted(unknown))}, which the table has not; name its columns")
        yield row


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Have Python look for garbage seldom: rows are many small values that are given back by themselves.

    Else it goes through all that the program holds again and again, a fourth of the time of a table.
    """
    usual = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(ALLOCATIONS, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


def _write_csv(file: BinaryIO, columns: Sequence[str], rows: Iterable[Row]) -> int:
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    table, count = csv.writer(text, lineterminator="\n"), 0
    table.writerow(columns)
    cells_of = _csv_cells(columns)
    for row in rows:
        table.writerow(cells_of(row))
        count += 1
    text.flush()
    text.detach()
    return count


def _csv_cells(columns: Sequence[str]) -> Callable[[Row], list[Cell]]:
    """Return what makes the cells of a row as `columns.written` has them.

    Whole numbers, times and nothing are written as they are; only other columns are looked at, cell by cell.
    """
    plain: set[Kind] = {"count", "time", "taken"}
    looked_at = [at for at, name in enumerate(columns) if column_named(name).kind not in plain]

    def cells_of(row: Row) -> list[Cell]:
        cells = [row.get(name) for name in columns]
        for at in looked_at:
            if (cell := cells[at]) is not None:
                cells[at] = text_of(cell)
        return cells

    return cells_of


def _write_parquet(file: BinaryIO, columns: Sequence[str], rows: Iterable[Row]) -> int:
    arrow, parquet = _pyarrow()
    kinds = {name: column_named(name).kind for name in columns}
    schema = arrow.schema([(name, _arrow_type(arrow, kind)) for name, kind in kinds.items()])
    count = 0
    with parquet.ParquetWriter(file, schema, compression="zstd") as table:
        for batch in batches(rows, ROWS_AT_ONCE):
            cells = {name: [_arrow_cell(kind, row.get(name)) for row in batch] for name, kind in kinds.items()}
            table.write_table(arrow.table(cells, schema=schema))
            count += len(batch)
    return count


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise UserError("Parquet needs pyarrow: pip install 'crystal-search[tables]', or name a .csv file") from error
    return pyarrow, pyarrow.parquet


def _arrow_type(arrow: Any, kind: Kind) -> Any:
    name = ARROW_TYPES[kind]
    return arrow.timestamp("us", tz="UTC") if name == "time" else getattr(arrow, name)()


def _arrow_cell(kind: Kind, cell: Cell) -> Any:
    if kind == "time" and isinstance(cell, str):
        return datetime.fromisoformat(cell)
    return cell


WRITERS: dict[str, Callable[[BinaryIO, Sequence[str], Iterable[Row]], int]] = {
    ".csv": _write_csv,
    ".parquet": _write_parquet,
}
