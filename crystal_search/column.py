"""One column of the CSV files that people get."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "yes/no", "count", "number", "share", "percent", "duration", "time", "taken"]
KINDS: dict[Kind, str] = {
    "text": "text",
    "yes/no": "`yes` or `no`",
    "count": "whole number",
    "number": "number",
    "share": "number from 0 to 1",
    "percent": "number from 0 to 100",
    "duration": "seconds",
    "time": "ISO 8601, UTC",
    "taken": "ISO 8601, by the robot's clock; the day alone where no more is known",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: what it is called, what its cells are, what they mean."""

    name: str
    kind: Kind
    meaning: str
    heading: str = ""  #: on pages; empty: made of the name
    digits: int = 1  #: after the point, on pages

    @property
    def title(self) -> str:
        """What people read above it, with its unit.

        >>> Column("weighted_mean_percent", "percent", "").title
        'Weighted mean (%)'
        """
        words = self.name.removesuffix("_percent").replace("_", " ")
        return self.heading or words[0].upper() + words[1:] + (" (%)" if self.kind == "percent" else "")
