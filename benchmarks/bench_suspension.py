"""``python -m benchmarks.bench_suspension``: how fast images of crystals in suspension are rendered, with their truth.

Images of 384 x 384 px with 50 crystals, on one thread of a processor, and on a GPU where there is one or
``--device`` names it.
"""

import argparse
import sys
import time

import torch

from benchmarks.table import Row, table
from crystal_search.synthesis.suspension.scene import Settings, suspension_images

CRYSTALS = 50
BATCHES = {"cpu": 2, "cuda": 256}
MILESTONES = {"cpu": 5.0, "cuda": 1000.0}  #: images a second


def images_per_second(device: str, seconds: float, settings: Settings) -> float:
    """Return the rate at which batches come, after one that does not count."""
    batch = BATCHES[torch.device(device).type]
    stream = suspension_images("test", 0, 10**9, settings=settings, device=device, batch=batch)
    next(stream)
    _finished(device)
    start, images = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        images += len(next(stream).images)
        _finished(device)
    return images / (time.perf_counter() - start)


def _finished(device: str) -> None:
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize()


def rows(devices: list[str], seconds: float) -> list[Row]:
    """Return a row for each device, with noise and without."""
    found = []
    for device in devices:
        for noise in (True, False):
            settings = Settings(most=CRYSTALS, fewest=CRYSTALS, noise=noise)
            rate = images_per_second(device, seconds, settings)
            what = f"{CRYSTALS} crystals in suspension, {'with' if noise else 'without'} noise, {device}"
            milestone = MILESTONES[torch.device(device).type]
            found.append(Row(what, f"{rate:.1f} images/s", f">= {milestone:.0f}", rate >= milestone))
    return found


def main() -> int:
    """Print the table; 0 if every milestone is reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", action="append", help="cpu or cuda; repeat for both (default: what is there)")
    parser.add_argument("--seconds", type=float, default=20, help="for each row (default: 20)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    devices = arguments.device or ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    found = rows(devices, arguments.seconds)
    sys.stdout.write(table(found))
    return 0 if all(row.reached for row in found) else 1


if __name__ == "__main__":
    sys.exit(main())
