"""Reading tables that people wrote, columns by name."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from crystal_search.columns import plain
from crystal_search.errors import UserError
from crystal_search.spreadsheets import Sheet, read_sheet, with_point


@dataclass(frozen=True, slots=True)
class TableRow:
    """One line of a table."""

    line: int  #: number in the file, the header is 1
    cells: Mapping[str, str]  #: by our names of columns; empty where the table has none
    delimiter: str = ","  #: what divides columns
    has_commas: bool = False  #: see `spreadsheets.Sheet`

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")

    def pointed(self, column: str) -> str:
        """Return a cell that should hold a number, a decimal comma as a point (`spreadsheets.with_point`).

        >>> TableRow(2, {"time": "2,5"}, ";").pointed("time"), TableRow(2, {"time": "2,5"}).pointed("time")
        ('2.5', '2,5')
        """
        return with_point(self[column], self.delimiter, has_commas=self.has_commas)


def read_rows(path: Path, columns: Mapping[str, Sequence[str]], needed: Sequence[str]) -> Iterator[TableRow]:
    """Yield the rows of a table.

    Parameters
    ----------
    path
        A CSV file, as spreadsheets write them.
    columns
        What each of our columns may be called in it; case and spaces around do not matter.
    needed
        Which of our columns must be there.

    Raises
    ------
    UserError
        If it cannot be read, lacks a column, or a line has too few or too many cells.
    """
    with read_sheet(path) as sheet:
        names = _names(sheet)
        positions = _positions(path, names, columns, needed)
        for line, cells in sheet.lines:
            if len(cells) < len(names) or any(cells[len(names) :]):
                raise UserError(
                    f"{path} line {line} has {len(cells)} cells, expected {len(names)} as in the first line; correct it"
                )
            told = {column: plain(cells[at].strip()) for column, at in positions.items()}
            yield TableRow(line, told, sheet.delimiter, sheet.has_commas)


def column_names(path: Path) -> tuple[str, ...]:
    """Return what a table calls its columns, in small letters.

    Raises
    ------
    UserError
        If it cannot be read.
    """
    with read_sheet(path) as sheet:
        return _names(sheet)


def _names(sheet: Sheet) -> tuple[str, ...]:
    return tuple(name.strip().casefold() for name in sheet.header)


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
                f"rename one (dataset build also takes --column {column}=NAME)"
            )
    return found
