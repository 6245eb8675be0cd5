"""Reading tables that people wrote: CSV with commas, semicolons or tabs, columns by name."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from crystal_search.columns import plain
from crystal_search.errors import UserError

DELIMITERS = ",;\t"


@dataclass(frozen=True, slots=True)
class TableRow:
    """One line of a table."""

    line: int  #: number in the file, the header is 1
    cells: Mapping[str, str]  #: by our names of columns; empty where the table has none

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")


def read_rows(path: Path, columns: Mapping[str, Sequence[str]], needed: Sequence[str]) -> Iterator[TableRow]:
    """Yield the rows of a table.

    Parameters
    ----------
    path
        A text file, UTF-8.
    columns
        What each of our columns may be called in it; case and spaces around do not matter.
    needed
        Which of our columns must be there.

    Raises
    ------
    UserError
        If it cannot be read, lacks a column, or a line has too few or too many cells.
    """
    with _opened(path) as (names, lines):
        positions = _positions(path, names, columns, needed)
        for line, cells in lines:
            if not any(cells):
                continue
            if len(cells) != len(names):
                raise UserError(
                    f"{path} line {line} has {len(cells)} cells, expected {len(names)} as in the first line; correct it"
                )
            yield TableRow(line, {column: plain(cells[at].strip()) for column, at in positions.items()})


def column_names(path: Path) -> tuple[str, ...]:
    """Return what a table calls its columns, in small letters.

    Raises
    ------
    UserError
        If it cannot be read.
    """
    with _opened(path) as (names, _):
        return names


@contextmanager
def _opened(path: Path) -> Iterator[tuple[tuple[str, ...], Iterator[tuple[int, list[str]]]]]:
    """Give what a table calls its columns, and its other lines by number; errors say what to do about it."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = file.readline()
            delimiter = max(DELIMITERS, key=header.count)
            names = next(csv.reader([header], delimiter=delimiter), [])
            lines = csv.reader(file, delimiter=delimiter)
            yield tuple(name.strip().casefold() for name in names), ((lines.line_num + 1, cells) for cells in lines)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; name a table that is there") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 ({error.reason}); save it as CSV UTF-8") from error
    except csv.Error as error:
        raise UserError(f"{path} is no table with commas, semicolons or tabs: {error}; save it again") from error


def _positions(
    path: Path, names: Sequence[str], columns: Mapping[str, Sequence[str]], needed: Sequence[str]
) -> dict[str, int]:
    """Return where each of our columns stands."""
    found: dict[str, int] = {}
    for column, called in columns.items():
        at = [names.index(each.casefold()) for each in called if each.casefold() in names]
        if at:
            found[column] = at[0]
        elif column in needed:
            raise UserError(
                f"{path} has no column {' or '.join(called)}; it has {', '.join(names) or 'none'}; "
                f"rename one, or say which it is (--column {column}=NAME)"
            )
    return found
