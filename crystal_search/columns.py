"""The columns of every CSV file that people get: one vocabulary, told in docs/columns.md.

Names in capital letters stand for several: ``p_GROUP`` for ``p_crystal`` and the other groups. A column that a file
has twice, for a machine's score and a person's, begins with ``auto_`` or ``manual_``, that of a readout with
``readout_``; the bounds of an interval end in ``_low`` and ``_high``.
"""

import csv
import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

from crystal_search.column import Column
from crystal_search.errors import UnknownNameError
from crystal_search.figure_columns import FIGURE_COLUMNS
from crystal_search.image_columns import IMAGE_COLUMNS
from crystal_search.outcomes import GROUPS, OUTCOME_NAMES
from crystal_search.wells import CHANNELS

Cell = str | int | float | bool | None
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_FIRST_LETTERS = frozenset({*FORMULA_STARTS, "'"})
PREFIXES, SUFFIXES = ("auto_", "manual_", "readout_"), ("_low", "_high")


#: What a part of a name in capital letters stands for.
PLACES: dict[str, tuple[str, ...]] = {
    "GROUP": tuple(map(str, GROUPS)),
    "OUTCOME": OUTCOME_NAMES,
    "SIDE": ("top", "left", "bottom", "right"),
    "CHANNEL": CHANNELS[1:],
    "CHOPS": ("train", "validation"),
    "SIZE": ("small", "medium", "large"),
    "EXTENT": ("long_px", "short_px", "long_um", "short_um", "aspect"),
    "UNIT": ("px", "um"),
}

#: Everything by what it is about.
VOCABULARY: dict[str, tuple[Column, ...]] = {**IMAGE_COLUMNS, **FIGURE_COLUMNS}


def _expanded(column: Column) -> Iterable[Column]:
    for place, names in PLACES.items():
        if place in column.name:
            return [replace(column, name=column.name.replace(place, name)) for name in names]
    return [column]


_BY_NAME = {each.name: each for part in VOCABULARY.values() for column in part for each in _expanded(column)}


def column_named(name: str) -> Column:
    """Return the column called `name`, which may have a prefix or a suffix.

    Raises
    ------
    UnknownNameError
        If the vocabulary has none.

    >>> column_named("auto_p_crystal").kind, column_named("f1_percent_low").title
    ('share', 'F1 (%)')
    """
    bare = name
    for prefix, suffix in ((prefix, suffix) for prefix in PREFIXES for suffix in SUFFIXES):
        bare = bare.removeprefix(prefix).removesuffix(suffix)
    if bare not in _BY_NAME:
        raise UnknownNameError(f"no column {name!r} in the vocabulary; choose one of docs/columns.md, or add it there")
    return _BY_NAME[bare]


def harmless(text: str) -> str:
    """Return `text` so that no spreadsheet takes it for a formula.

    >>> harmless("=HYPERLINK(1)"), harmless("'tis clear")
    ("'=HYPERLINK(1)", "'tis clear")
    """
    may_be_formula = text[:1] in _FIRST_LETTERS  # for most text this is all that is to be looked at
    return f"'{text}" if may_be_formula and text.lstrip("'").startswith(FORMULA_STARTS) else text


def plain(text: str) -> str:
    """Return what was made `harmless`, as it was.

    >>> plain("'=HYPERLINK(1)"), plain("'tis clear")
    ('=HYPERLINK(1)', "'tis clear")
    """
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(FORMULA_STARTS) else text


def written(row: Mapping[str, Cell]) -> dict[str, str]:
    """Return the cells of a row as files have them: booleans are yes and no, nothing is empty, text is harmless.

    >>> written({"path": "-x.jpg", "drop_found": True, "day": -1.5, "iou": None})
    {'path': "'-x.jpg", 'drop_found': 'yes', 'day': '-1.5', 'iou': ''}
    """
    return {name: text_of(cell) for name, cell in row.items()}


def text_of(cell: Cell) -> str:
    """Return a cell as files have it."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return harmless(cell)
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return "" if isinstance(cell, float) and math.isnan(cell) else str(cell)


def csv_text(columns: Iterable[str], rows: Iterable[Mapping[str, Cell]]) -> str:
    """Return the text of a CSV file: a header, and a line for each row, what a row lacks empty."""
    text = io.StringIO()
    table = csv.DictWriter(text, list(columns), restval="", lineterminator="\n")
    table.writeheader()
    table.writerows(map(written, rows))
    return text.getvalue()
