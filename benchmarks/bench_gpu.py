"""Wells per second on one GPU, from JPEG bytes in memory to scores, and what limits it.

``python -m benchmarks.bench_gpu`` measures where torch finds a GPU, after comparing its answers with the client's;
``--device cpu --wells 24`` only shows that it runs.
"""

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from benchmarks.gpu_scoring import Clock, Found, GpuScorer, stream
from benchmarks.table import Row, table
from crystal_search.direct.benchmark_command import wells
from crystal_search.images import decode
from crystal_search.model import default_model
from crystal_search.model_card import ClassifierCard, DropCard
from crystal_search.processes import processors
from crystal_search.result import ImageScore
from crystal_search.scoring.pipeline import Models, loaded, score_image
from crystal_search.work_unit import Parameters

ARCHIVE_IMAGES = 15_666_284  #: of the paper's database, section 3.2
TARGET = 500  #: wells per second
TOLERANCE, TOLERANCE_HALF = 0.01, 0.05  #: of the probability of a group or class


def apart(found: Found, expected: ImageScore) -> float:
    """Return the largest difference in a probability of one image; infinite where outcomes differ."""
    if found is None or expected.score is None:
        return 0.0 if found is None and expected.score is None else float("inf")
    score, chops = found
    if (score.outcome, len(chops)) != (expected.outcome, expected.chops):
        return float("inf")
    means = np.abs(chops.mean(axis=0) - expected.class_probabilities).max()
    return max(float(means), abs(score.probability - expected.score.probability))


def compared(scorer: GpuScorer, images: list[bytes], models: Models) -> Row:
    """Score every image both ways and say how far apart the answers are."""
    found = scorer.scored([scorer.decoded(data) for data in images], Clock(scorer.device))
    expected = [
        score_image(decode(data, at_least_width_px=models.decode_width_px), models, Parameters()) for data in images
    ]
    differences = [apart(*pair) for pair in zip(found, expected, strict=True)]
    limit, worst = TOLERANCE_HALF if scorer.half else TOLERANCE, max(differences)
    what = f"{worst:.4f}" if np.isfinite(worst) else f"{np.isinf(differences).sum()} other outcomes"
    return Row(f"largest difference to the client, {len(images)} wells", what, f"<= {limit}", worst <= limit)


def measured(scorer: GpuScorer, images: list[bytes], *, count: int, batch: int, threads: int) -> list[Row]:
    """Score `count` wells after a warm-up and return the rate, the time by stage, and the archive's hours."""
    many = [images[number % len(images)] for number in range(count)]
    with ThreadPoolExecutor(threads) as pool:
        list(stream(many[: 2 * batch], scorer, Clock(scorer.device), batch=batch, threads=pool))
        clock, start = Clock(scorer.device), time.perf_counter()
        done = sum(len(each) for each in stream(many, scorer, clock, batch=batch, threads=pool))
        rate = done / (time.perf_counter() - start)
    limit = max(clock.seconds, key=clock.seconds.__getitem__)
    what, figure = f"wells per second, batches of {batch}, {threads} decoding threads", f"{rate:.1f}"
    return [
        Row(what, figure, f">= {TARGET}", rate >= TARGET) if scorer.device.type == "cuda" else Row(what, figure),
        *(Row(f"  {name}, ms a well", f"{1000 * seconds / done:.2f}") for name, seconds in clock.seconds.items()),
        Row("  most time goes to", limit),
        Row(f"hours for {ARCHIVE_IMAGES:,} images", f"{ARCHIVE_IMAGES / rate / 3600:.1f}"),
    ]


def rows(
    *, device: str = "cuda", count: int = 1024, batch: int = 64, threads: int | None = None, half: bool = False
) -> list[Row]:
    """Return every figure of this module."""
    if device == "cuda" and not torch.cuda.is_available():
        return [Row("wells per second on one GPU", "no GPU: not measured")]
    classifier, drop = default_model(ClassifierCard), default_model(DropCard)
    scorer = GpuScorer.of(classifier, drop, torch.device(device), half=half)
    images = wells()
    name = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    return [
        Row(f"device ({'half' if half else 'single'} precision)", name),
        compared(scorer, images, loaded([classifier, drop])),
        *measured(scorer, images, count=count, batch=batch, threads=threads or processors()),
    ]


def main() -> int:
    """Read the command line, measure, print the table, and return 1 where an answer or a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--wells", type=int, default=1024, help="to score (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=64, help="wells at once (default: %(default)s)")
    parser.add_argument("--threads", type=int, help="that decode (default: one a processor)")
    parser.add_argument("--half", action="store_true", help="convolutions in 16 bits")
    given = parser.parse_args()
    found = rows(device=given.device, count=given.wells, batch=given.batch, threads=given.threads, half=given.half)
    print(table(found))
    return int(any(row.reached is False for row in found))


if __name__ == "__main__":
    sys.exit(main())
