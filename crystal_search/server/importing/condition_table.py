"""Tables of what is in wells: a line for each well, or for each ingredient of one."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from crystal_search.errors import UserError
from crystal_search.name_parts import row_of
from crystal_search.server.imaging.plate_facts import Condition, Ingredient
from crystal_search.server.importing.fact_tables import Trouble, number_of, plate_of, rows_of
from crystal_search.wells import PLATE_FORMATS

#: What a numbered column says of one of several ingredients in a line.
PARTS = ("ingredient", "concentration", "concentration_unit", "ph", "role")
COLUMNS = ("plate", "well", "drop", "condition_name", "condition", *PARTS)
_WELL = re.compile("([A-Za-z]{1,2})[ -]?([0-9]{1,3})")
ROWS, COLUMNS_OF_PLATE = (max(numbers) for numbers in zip(*PLATE_FORMATS.values(), strict=True))

Place = tuple[str, int, int, int]  #: plate, row, column, drop


def conditions_of(path: Path, known: frozenset[str] = frozenset(COLUMNS)) -> list[Condition]:
    """Return what is in the wells of a table; the plate is empty where no line names one.

    Lines of one well add up.

    Parameters
    ----------
    path
        The table.
    known
        The columns that it may have.

    Raises
    ------
    UserError
        If it cannot be read or contradicts itself; every line that does is named.
    """
    trouble = Trouble(path)
    found: dict[Place, Condition] = {}
    for line, row in rows_of(path, known, trouble):
        with trouble.told(line):
            told = _condition(row)
            place = (told.plate, told.row, told.column, told.drop)
            found[place] = _joined(found[place], told) if place in found else told
    trouble.end()
    if not found:
        raise UserError(f"{path} has no wells: it needs the columns well and condition, or well and ingredient")
    return list(found.values())


def _condition(row: Mapping[str, str]) -> Condition:
    number, column = place_of(row.get("well", ""))
    drop = row.get("drop", "0")
    if not re.fullmatch("[0-9]", drop):
        raise UserError(f"drop {drop!r} is none; write 1, 2, 3 ..., or nothing for the whole well")
    return Condition(
        plate=plate_of(row["plate"]) if "plate" in row else "",
        row=number,
        column=column,
        drop=int(drop),
        name=row.get("condition_name", ""),
        ingredients=tuple(_ingredients(row)),
    )


def place_of(well: str) -> tuple[int, int]:
    """Return row and column of a well, from 0.

    Raises
    ------
    UserError
        If there is no such well on any plate.

    >>> place_of("C7"), place_of("c07"), place_of("AF48")
    ((2, 6), (2, 6), (31, 47))
    """
    found = _WELL.fullmatch(well)
    row, column = (row_of(found[1]), int(found[2]) - 1) if found else (-1, -1)
    if not (0 <= row < ROWS and 0 <= column < COLUMNS_OF_PLATE):
        raise UserError(f"{well!r} is no well; write it like C07")
    return row, column


def _ingredients(row: Mapping[str, str]) -> Iterator[Ingredient]:
    """Yield what a line says is in its well: as divided into columns, or else as it was written."""
    numbers = sorted({name.rpartition("_")[2] for name in row if re.search(r"_\d+$", name)}, key=int)
    parts = [{part: row.get(part + end, "") for part in PARTS} for end in ("", *(f"_{each}" for each in numbers))]
    for part in parts:
        if part["ingredient"]:
            yield Ingredient(
                name=part["ingredient"],
                concentration=number_of(part["concentration"], "concentration"),
                unit=part["concentration_unit"],
                ph=number_of(part["ph"], "ph"),
                role=part["role"].casefold(),
            )
        elif any(part.values()):
            raise UserError("it says how much of something, or which pH, but has no ingredient there")
    if "condition" in row and not any(part["ingredient"] for part in parts):
        yield Ingredient(name=row["condition"])


def _joined(before: Condition, more: Condition) -> Condition:
    """Return what is in a well of which two lines tell."""
    if before.name and more.name and before.name != more.name:
        raise UserError(f"well {more.well} is {before.name!r} in a line before, and {more.name!r} here")
    new = tuple(each for each in more.ingredients if each not in before.ingredients)
    return replace(before, name=before.name or more.name, ingredients=(*before.ingredients, *new))
