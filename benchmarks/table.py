"""One row for each figure, and the table that shows them."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One measured figure beside what it should reach."""

    what: str
    figure: str
    target: str = ""
    reached: bool | None = None  #: None where there is no target


def table(rows: Sequence[Row]) -> str:
    """Return the rows as aligned text."""
    cells = [("", "figure", "target", "")]
    cells += [(row.what, row.figure, row.target, {True: "yes", False: "NO", None: ""}[row.reached]) for row in rows]
    widths = [max(len(line[column]) for line in cells) for column in range(4)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])
