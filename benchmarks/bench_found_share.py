"""How often a detector finds crystals of a size: ``python -m benchmarks.bench_found_share FOLDER...``.

Folders are those of `bench_growth`. Printed is what a card says as `found_share`: a logistic curve of the logarithm of
the area of boxes, fitted to all crystals wholly in a frame by the largest likelihood; beside it what share is found.
"""

import argparse
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from benchmarks.bench_growth import FOUND_CSV
from crystal_search.crystals.boxes import overlaps
from crystal_search.found_share import FoundShare
from crystal_search.populations.crystal_frames import SURE_FROM, Frame, by_path, read_frames
from crystal_search.synthesis.suspension.growth_writing import CRYSTALS_CSV

OVERLAP = 0.25  #: intersection over union of a true box and a found one, at least
EDGES_PX2 = (24, 35, 50, 70, 100, 150, 250, 500, 2000)


def found_in(true: Frame, found: Frame) -> NDArray[np.bool_]:
    """Return which crystals are found, (N,): each by one box at most, the most probable first."""
    there = np.zeros(len(true.boxes), np.bool_)
    if found.probabilities is None or not len(there):
        return there
    for box in found.boxes[np.argsort(-found.probabilities)]:
        shared = np.where(there, 0.0, overlaps(true.boxes, np.repeat(box[None], len(there), axis=0)))
        if shared.max() >= OVERLAP:
            there[shared.argmax()] = True
    return there


def sizes(folder: Path, least: float) -> Iterator[tuple[NDArray[np.float64], NDArray[np.bool_]]]:
    """Yield areas of true boxes (N,) of each frame, and which are found."""
    true, found = (read_frames(folder / name)[0] for name in (CRYSTALS_CSV, FOUND_CSV))
    there = by_path(true, {each.path: number for number, each in enumerate(found)}, folder / FOUND_CSV)
    for frame, number in zip(true, there, strict=True):
        inside = frame.weights > 0
        yield frame.boxes[inside, 2:4].prod(axis=1), found_in(frame, found[int(number)].sure(least))[inside]


def fitted(areas: NDArray[np.float64], found: NDArray[np.bool_], least: float) -> tuple[FoundShare, float]:
    """Return the curve, and the share of the largest that is found."""

    def share(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        half, spread, most = np.exp(numbers[0]), np.exp(numbers[1]), 1 / (1 + np.exp(-numbers[2]))
        return np.asarray(np.clip(most / (1 + (half / areas) ** (1 / spread)), 1e-6, 1 - 1e-6))

    def unlikely(numbers: NDArray[np.float64]) -> float:
        return float(-np.log(np.where(found, share(numbers), 1 - share(numbers))).mean())

    half, spread, most = minimize(unlikely, [np.log(60.0), np.log(0.6), 3.0], method="Nelder-Mead").x
    curve = FoundShare(
        from_probability=least,
        from_area_px2=float(areas.min()),
        half_px2=float(np.exp(half)),
        spread=float(np.exp(spread)),
    )
    return curve, float(1 / (1 + np.exp(-most)))


def main() -> None:
    """Print the curve, and a row for each range of areas."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--least", type=float, default=SURE_FROM, help="probability (default: %(default)s)")
    asked = parser.parse_args()
    seen = [frame for folder in asked.folders for frame in sizes(folder, asked.least)]
    areas, found = (np.concatenate(each) for each in zip(*seen, strict=True))
    curve, most = fitted(areas, found, asked.least)
    print(f"{curve}, of {most:.3f}, the share of the largest")
    print("| area, px² | crystals | found | by the curve |\n|---|---|---|---|")
    for low, high in pairwise(EDGES_PX2):
        among = (areas >= low) & (areas < high)
        told = np.mean([most * (curve.of(area) or np.nan) for area in areas[among]])
        print(f"| {low} to {high} | {among.sum()} | {found[among].mean():.2f} | {told:.2f} |")


if __name__ == "__main__":
    main()
