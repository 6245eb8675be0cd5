"""What a crystal detector in use costs a well: ``python -m benchmarks.bench_crystals_in_wells CARD``.

The same images are scored with the detector and without it, in turns, on one thread, from JPEG bytes to the score; CPU
time counts, and of several times the least, so that what else the machine does meets both alike. Wells that are not
searched are those of the demo plate whose crystal peak is below the usual setting; searched is a drawn well with a drop
of 1200 px, and those wells of the demo plate that reach it.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.bench_memory import peak_mb
from benchmarks.bench_quorum import demo_images
from benchmarks.table import Row, table
from benchmarks.wells import drawn_jpeg
from crystal_search.datasets.packed import sampled
from crystal_search.model import Model, default_model, in_role, read_model
from crystal_search.model_card import ClassifierCard, CrystalCard, DropCard
from crystal_search.result import ImageScore
from crystal_search.scoring.pipeline import Models, loaded, score_data
from crystal_search.work_unit import Parameters

MORE_MS, DROP_S, MEMORY_MB = 20.0, 1.0, 600.0  #: wanted at most
SEARCHED = Parameters(crystals_from=0.0, no_drop="whole_image")


def seconds(data: bytes, models: Models, parameters: Parameters) -> tuple[float, ImageScore]:
    """Return the CPU time of one image, and its score."""
    start = time.process_time()
    score, _ = score_data(data, models, parameters)
    return time.process_time() - start, score


def more(images: Sequence[bytes], both: tuple[Models, Models], parameters: Parameters, repeats: int) -> list[float]:
    """Return the CPU seconds that the second models take more than the first, image by image."""
    told = []
    for data in images:
        times = [[seconds(data, models, parameters)[0] for models in both] for _ in range(repeats)]
        without, with_it = np.min(times, axis=0)
        told.append(float(with_it - without))
    return told


def rows(detector: Model[CrystalCard], card: Path, wells: int, repeats: int) -> Iterator[Row]:
    """Yield what the detector costs."""
    usual = [default_model(ClassifierCard), default_model(DropCard)]
    both = loaded(usual), loaded([*usual, detector])
    plate = sampled(list(demo_images()), wells)
    found = [seconds(data, both[1], Parameters())[1] for data in plate]
    passed = [data for data, score in zip(plate, found, strict=True) if score.crystals is None]
    searched = [data for data, score in zip(plate, found, strict=True) if score.crystals is not None]
    cost_ms = 1000 * float(np.mean(more(passed, both, Parameters(), repeats)))
    yield Row(f"{len(passed)} wells not searched, CPU-ms more", f"{cost_ms:.1f}", f"<= {MORE_MS:g}", cost_ms <= MORE_MS)
    whole = drawn_jpeg()
    cost_s = more([whole], both, SEARCHED, repeats)[0]
    count = len(seconds(whole, both[1], SEARCHED)[1].crystals or ())
    name = f"drop of 2452 x 2056 px, {count} crystals, CPU-s more"
    yield Row(name, f"{cost_s:.2f}", f"<= {DROP_S:g}", cost_s <= DROP_S)
    if searched:
        costs = more(searched, both, Parameters(), repeats)
        yield Row(f"{len(searched)} demo wells searched, CPU-s more, mean", f"{np.mean(costs):.2f}")
        yield Row("  the most", f"{max(costs):.2f}", f"<= {DROP_S:g}", max(costs) <= DROP_S)
    memory = peak_mb(whole, detector=card)
    yield Row("client, peak memory", f"{memory:.0f} MB", f"<= {MEMORY_MB:g} MB", memory <= MEMORY_MB)


def main() -> None:
    """Read the command line, measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("card", type=Path, help="of a crystal detector")
    parser.add_argument("--repeats", type=int, default=5, help="of each image (default: 5)")
    parser.add_argument("--wells", type=int, default=24, help="of the demo plate (default: 24)")
    arguments = parser.parse_args()
    detector = in_role(read_model(arguments.card), CrystalCard)
    found = list(rows(detector, arguments.card, arguments.wells, arguments.repeats))
    sys.stdout.write(f"{table(found)}\n")


if __name__ == "__main__":
    main()
