"""The learning curve of a training: a table that grows by a row at a time, its picture, and events for TensorBoard."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from crystal_search.files import write_whole

CURVE, PICTURE, EVENTS = "learning-curve.csv", "learning-curve.png", "tensorboard"
PARTS = ("train", "validation")  #: of a column's name, before that of its figure
MANY = 8  #: lines of a panel, from which on their names stand in two columns


def append_row(curve: Path, row: Mapping[str, float]) -> None:
    """Add a row to a table, and its header before the first."""
    is_new = not curve.exists() or not curve.stat().st_size
    with curve.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(row))
        if is_new:
            writer.writeheader()
        writer.writerow(row)


def cut_curve(curve: Path, steps: int) -> None:
    """Take out of a table what comes after the checkpoint at `steps`."""
    if not curve.exists():
        return
    lines = curve.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines[1:] if int(line.split(",", 1)[0]) <= steps]
    write_whole(curve, "".join(lines[:1] + kept))


def curve_rows(folder: Path) -> list[dict[str, str]]:
    """Return the table in `folder`, column by name."""
    with (folder / CURVE).open(encoding="utf-8", errors="replace", newline="") as file:
        return list(csv.DictReader(file))


def draw_curve(folder: Path, title: str, panels: Mapping[str, Sequence[str]]) -> None:
    """Draw the table in `folder` as a picture beside it; `panels` are figures by what they have in common."""
    from matplotlib.figure import Figure

    rows = curve_rows(folder)
    columns = {
        name: [each for part in PARTS for figure in figures if (each := f"{part}_{figure}") in rows[0]]
        for name, figures in panels.items()
    }
    shown = {name: there for name, there in columns.items() if there}
    picture = Figure(figsize=(5 * max(2, len(shown)), 5), layout="constrained")
    picture.suptitle(title)
    for axes, (name, there) in zip(picture.subplots(1, len(shown), squeeze=False)[0], shown.items(), strict=True):
        steps = [int(row["step"]) for row in rows]
        for column in there:
            label = column.replace("_", " ").replace("top5", "top-5")
            axes.plot(steps, [float(row[column]) for row in rows], marker=".", label=label)
        axes.set(xlabel="step", ylabel=name)
        axes.set_ylim(bottom=0, top=None if "loss" in name else 1)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, fontsize="small", ncols=2 if len(there) > MANY else 1)
    stream = io.BytesIO()
    picture.savefig(stream, format="png", dpi=100)
    write_whole(folder / PICTURE, stream.getvalue())


def add_events(run: Path, step: int, row: Mapping[str, float]) -> None:
    """Write the numbers of a row of the learning curve where TensorBoard finds them, one event file a row."""
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(run / EVENTS), purge_step=step) as writer:
        for name, number in row.items():
            if name != "step":
                writer.add_scalar(name.replace("_", "/", 1), number, step)  # train/loss, validation/loss


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
    rows = curve_rows(folder) if (folder / CURVE).is_file() else []
    seconds = _last(rows, "seconds")
    return Effort(_last(rows, "epoch"), _sum_of_steps(rows) if seconds is None else seconds)


def _last(rows: Sequence[Mapping[str, str]], column: str) -> float | None:
    try:
        return float(rows[-1][column])
    except (IndexError, KeyError, TypeError, ValueError):
        return None


def _sum_of_steps(rows: Sequence[Mapping[str, str]]) -> float | None:
    try:
        steps = [0, *(int(row["step"]) for row in rows)]
        taken = zip(rows, steps[1:], steps[:-1], strict=True)
        seconds = [float(row["seconds_per_step"]) * (step - before) for row, step, before in taken]
    except (KeyError, TypeError, ValueError):
        return None
    return sum(seconds) if seconds else None
