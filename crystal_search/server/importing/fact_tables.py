"""What tables of owners and of conditions share: which columns they have, and telling what is wrong in which line."""

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from crystal_search.columns import plain
from crystal_search.errors import UserError
from crystal_search.naming import barcode_of, is_barcode
from crystal_search.spreadsheets import Sheet, read_sheet, with_point

SHOWN = 20  #: lines that are named
#: What people write above columns, beside the words of docs/columns.md.
OTHER_WORDS = {
    "barcode": "plate",
    "proposal": "project",
    "sample": "protein",
    "user": "owner",
    "chemical": "ingredient",
    "conc": "concentration",
    "unit": "concentration_unit",
    "units": "concentration_unit",
    "type": "role",
}


class Trouble:
    """What is wrong in a file, line by line; nothing of it is taken while anything is."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: list[str] = []

    def at(self, line: int, what: str) -> None:
        """Note what is wrong in a line."""
        self._lines.append(f"line {line}: {what}")

    @contextmanager
    def told(self, line: int) -> Iterator[None]:
        """Note what a `UserError` says, and go on."""
        try:
            yield
        except UserError as error:
            self.at(line, str(error))

    def end(self) -> None:
        """Refuse the file if anything is wrong in it.

        Raises
        ------
        UserError
            If anything is; it tells every line, up to some number.
        """
        if self._lines:
            more = [f"and {len(self._lines) - SHOWN} more"] if len(self._lines) > SHOWN else []
            raise UserError("\n".join([f"{self._path} is not read:", *self._lines[:SHOWN], *more]))


def rows_of(path: Path, known: frozenset[str], trouble: Trouble) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the number of each line of a table, and its cells by column; empty ones are left out.

    A decimal comma is a point where columns are not divided by commas.

    Parameters
    ----------
    path
        The table.
    known
        The columns that it may have; one that ends in a number, ``ingredient_2``, is known as ``ingredient``.
    trouble
        Where it is noted that lines are longer than the header.

    Raises
    ------
    UserError
        If it cannot be read, or has a column twice or one that is not known.
    """
    with read_sheet(path) as sheet:
        header = [column_of(cell) for cell in sheet.header]
        while header and not header[-1]:
            header.pop()
        for name in header:
            if re.sub(r"_\d+$", "", name) not in known:
                raise UserError(f"{path} has a column {name!r}; it may have {', '.join(sorted(known))}")
            if header.count(name) > 1:
                raise UserError(f"{path} has two columns {name!r}")
        for line, cells in sheet.lines:
            if any(cell.strip() for cell in cells[len(header) :]):
                trouble.at(line, f"it has {len(cells)} cells, the header {len(header)}")
            texts = (plain(cell.strip()) for cell in cells)
            row = {name: text for name, text in zip(header, texts, strict=False) if text}
            yield line, _with_points(row, sheet)


def column_of(heading: str) -> str:
    """Return the column that somebody calls `heading`.

    >>> column_of("Plate type"), column_of("pH 2"), column_of(" Barcode"), column_of("Units_3")
    ('plate_type', 'ph_2', 'plate', 'concentration_unit_3')
    """
    name = re.sub(r"[^\w]+", "_", heading.strip().casefold()).strip("_")
    word, number = re.fullmatch(r"(.*?)(_?\d*)", name, re.DOTALL).groups()  # type: ignore[union-attr]
    return OTHER_WORDS.get(word, word) + (f"_{number.lstrip('_')}" if number else "")


def _with_points(row: Mapping[str, str], sheet: Sheet) -> dict[str, str]:
    pointed = partial(with_point, delimiter=sheet.delimiter, has_commas=sheet.has_commas)
    return {name: pointed(text) if name.startswith(("concentration", "ph")) else text for name, text in row.items()}


def number_of(text: str, column: str) -> float | None:
    """Return the number in a cell; None for an empty one.

    Raises
    ------
    UserError
        If it is none.
    """
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        instead = "take the comma out, or write a point" if "," in text else "write more than a number into ingredient"
        raise UserError(f"{column} {text!r} is no number; {instead}")
    return number


def plate_of(text: str) -> str:
    """Return a plate's barcode.

    Raises
    ------
    UserError
        If it can be none.
    """
    if not is_barcode(text):
        raise UserError(f"{text!r} is no barcode of a plate")
    return barcode_of(text)
