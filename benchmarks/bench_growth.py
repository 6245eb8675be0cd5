"""What growth a detector finds in rendered experiments: ``python -m benchmarks.bench_growth FOLDER...``.

Folders are of ``render growth``, each with a table ``found.csv`` of ``crystals FOLDER/images --least 0.25 --csv
FOLDER/found.csv``. The growth is that of `populations.trends`, of the crystals in that table and of those that can be
seen; the true one is the Theil-Sen slope of what crystals have grown by the law, over the times at which five crystals
can be seen, or, in one column, over those of which the growth is told.
"""

import argparse
import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from scipy.stats import theilslopes

from crystal_search.populations import population, trends
from crystal_search.populations.crystal_frames import read_frames, sure_frames
from crystal_search.populations.population import populations_of
from crystal_search.populations.times import times_of_table
from crystal_search.synthesis.suspension.growth_writing import COURSE_CSV, CRYSTALS_CSV, TIMES_CSV

FOUND_CSV = "found.csv"
WITHIN = 0.1
HEADINGS = (
    *("experiment", "growth of what can be seen, error", "crystals from a probability of"),
    *("growth found, error", "over the times it tells of", "from, h"),
)


def grown(folder: Path, table: str, least: float | None) -> trends.Growth:
    """Return the growth of the crystals of a table that have a probability."""
    frames = sure_frames(read_frames(folder / table)[0], least)
    return trends.growth(populations_of(frames, times_of_table(frames, folder / TIMES_CSV).hours, 1.0))


def true_slope(folder: Path, hours: tuple[float, ...]) -> float:
    """Return what crystals have grown an hour by the law, over some of the times; NaN over less than two."""
    with (folder / COURSE_CSV).open(encoding="utf-8", newline="") as file:
        course = {float(row["hours"]): float(row["grown_px"]) for row in csv.DictReader(file)}
    return float(theilslopes([course[hour] for hour in hours], hours).slope) if len(hours) > 1 else float("nan")


def errors(folder: Path, least: Sequence[float | None]) -> Iterator[tuple[float, float, float, float]]:
    """Yield by probability the error of the growth that is found, the same over the times it tells of, and the first.

    Before each stands the error of what can be seen.
    """
    seen = grown(folder, CRYSTALS_CSV, 0.0)
    true = true_slope(folder, seen.hours)
    for each in least:
        found = grown(folder, FOUND_CSV, each)
        own = found.a_hour.value / true_slope(folder, found.hours) - 1
        yield seen.a_hour.value / true - 1, found.a_hour.value / true - 1, own, min(found.hours, default=float("nan"))


def _said(probability: float | None) -> str:
    return "the card's, by shares found" if probability is None else f"{probability:g}"


def main() -> None:
    """Print a row for each experiment and probability, and one of all for each probability."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--growth-from", type=float, nargs="+", default=[])
    asked = parser.parse_args()
    population.DRAWS = 1  # figures alone are wanted, no intervals
    least = (None, *asked.growth_from)
    print(f"| {' | '.join(HEADINGS)} |\n|{'---|' * len(HEADINGS)}")
    rows = []
    for folder in asked.folders:
        rows.append(list(errors(folder, least)))
        for probability, (seen, found, own, first) in zip(least, rows[-1], strict=True):
            one = (folder.name, f"{seen:+.3f}", _said(probability), f"{found:+.3f}", f"{own:+.3f}", f"{first:g}")
            print(f"| {' | '.join(one)} |", flush=True)
    for probability, each in zip(least, np.moveaxis(np.array(rows), 1, 0), strict=True):
        cells = [f"{np.nanmean(some):+.3f}, {(np.abs(some) < WITHIN).sum()} within" for some in each.T[:3]]
        print(f"| {len(rows)} experiments | {cells[0]} | {_said(probability)} | {cells[1]} | {cells[2]} | |")


if __name__ == "__main__":
    main()
