"""Growth that a detector finds in experiments: ``python -m benchmarks.bench_growth FOLDER... --detector CARD``.

Folders are of ``render growth``. The growth is that of `populations.trends`, of the crystals that the detector finds
in the frames and of those that can be seen; the true one is the Theil-Sen slope of what crystals have grown by the law.
"""

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.stats import theilslopes

from crystal_search.crystals.finding import find_crystals
from crystal_search.images import decode
from crystal_search.inference import Network, OnnxNetwork
from crystal_search.model_card import CrystalCard
from crystal_search.named_models import named_model
from crystal_search.populations import population, trends
from crystal_search.populations.crystal_frames import Frame
from crystal_search.populations.frame_tests import FEWEST_CRYSTALS
from crystal_search.populations.population import Population, populations_of

BOX = ("centre_row_px", "centre_column_px", "long_px", "short_px")

HEADINGS = ("experiment", "growth of what can be seen, error", "by the detector", "crystals a frame at last", "found")


def rows_of(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def there(folder: Path) -> dict[str, list[list[float]]]:
    """Return the boxes of the crystals that can be seen, by frame."""
    boxes: dict[str, list[list[float]]] = {}
    for row in rows_of(folder / "crystals.csv"):
        own = boxes.setdefault(row["path"], [])
        if row["crystal"]:
            own.append([*(float(row[name]) for name in BOX), float(np.deg2rad(float(row["angle_degrees"])))])
    return boxes


def found(folder: Path, names: Sequence[str], detector: Network[CrystalCard]) -> dict[str, list[list[float]]]:
    """Return the boxes of the crystals that a detector finds, by frame."""
    seen = {name: find_crystals(decode((folder / name).read_bytes()), detector) for name in names}
    return {name: [list(crystal.box) for crystal in crystals] for name, crystals in seen.items()}


def populations(boxes: dict[str, list[list[float]]], times: dict[str, float], side_px: float) -> list[Population]:
    """Return the populations of boxes by frame."""
    frames = [
        Frame(path=name, boxes=np.array(boxes.get(name, [])).reshape(-1, 5), height_px=side_px, width_px=side_px)
        for name in times
    ]
    return populations_of(frames, list(times.values()), 1.0)


def row(folder: Path, detector: Network[CrystalCard]) -> list[str]:
    """Return what is found of an experiment: errors of the growth, and crystals a frame at the last time."""
    times = {each["path"]: float(each["time"]) for each in rows_of(folder / "times.csv")}
    truth = rows_of(folder / "truth.csv")
    hours, grown = (np.array([float(each[name]) for each in truth]) for name in ("hours", "grown_px"))
    side_px = decode((folder / next(iter(times))).read_bytes()).width_px
    seen, ours = (populations(each, times, side_px) for each in (there(folder), found(folder, list(times), detector)))
    known = np.isin(hours, [each.hours for each in seen if len(each.long) >= FEWEST_CRYSTALS])
    true = theilslopes(grown[known], hours[known]).slope
    errors = [f"{trends.growth(each).a_hour.value / true - 1:+.3f}" for each in (seen, ours)]
    return [folder.name, *errors, *(f"{len(each[-1].long) / each[-1].frames:.1f}" for each in (seen, ours))]


def main() -> None:
    """Print a row for each experiment."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--detector")
    asked = parser.parse_args()
    model = named_model(asked.detector, CrystalCard)
    detector = OnnxNetwork(model)
    population.DRAWS = 1  # figures alone are wanted, no intervals
    print(f"| {' | '.join(HEADINGS)} |\n|{'---|' * len(HEADINGS)}")
    for folder in asked.folders:
        print(f"| {' | '.join(row(folder, detector))} |", flush=True)


if __name__ == "__main__":
    main()
