"""How long a training took, from the learning curve in its folder."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from crystal_search.training.learning_curve import CURVE

Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class Effort:
    """How long a training took; None for what its learning curve does not tell."""

    epochs: float | None = None
    seconds: float | None = None

    @property
    def seconds_per_epoch(self) -> float | None:
        """Mean time of an epoch."""
        return self.seconds / self.epochs if self.seconds is not None and self.epochs else None


def effort(folder: Path) -> Effort:
    """Return how long the training in `folder` took.

    Trainings on chops write how many epochs and seconds have passed, those on rendered wells how long a step took.
    """
    path = folder / CURVE
    if not path.is_file():
        return Effort()
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        rows = list(csv.DictReader(file))
    seconds = _last(rows, "seconds")
    return Effort(_last(rows, "epoch"), _sum_of_steps(rows) if seconds is None else seconds)


def _last(rows: Sequence[Row], column: str) -> float | None:
    try:
        return float(rows[-1][column])
    except (IndexError, KeyError, TypeError, ValueError):
        return None


def _sum_of_steps(rows: Sequence[Row]) -> float | None:
    try:
        steps = [0, *(int(row["step"]) for row in rows)]
        taken = zip(rows, steps[1:], steps[:-1], strict=True)
        seconds = [float(row["seconds_per_step"]) * (step - before) for row, step, before in taken]
    except (KeyError, TypeError, ValueError):
        return None
    return sum(seconds) if seconds else None
