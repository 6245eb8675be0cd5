"""``python -m benchmarks.bench_fitting``: what a fit of a readout costs, by the number of labels."""

import argparse
import time
from dataclasses import replace

import numpy as np

from benchmarks.simulated_imagers import Imager
from benchmarks.table import Row, table
from crystal_search.adaptation.adapting import adapted
from crystal_search.adaptation.labelled import CRYSTAL
from crystal_search.outcomes import GROUPS

PLATES = 10
NUMBERS = 384  #: of the shipped classifier's features


def fit_s(labels: int) -> float:
    """Return the processor time of a fit to so many labels of ten plates."""
    pool = Imager(seed=0, shipped=1.0, crystals=0.1, numbers=NUMBERS).drops(PLATES, labels // PLATES, "old")
    others = np.random.default_rng(0).integers(1, len(GROUPS), len(pool))
    pool = replace(pool, groups=np.where(pool.crystal, CRYSTAL, others))
    begun = time.process_time()
    adapted(pool, pool.seen)
    return time.process_time() - begun


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labels", type=int, nargs="+", default=[200, 500, 2000], metavar="N", help="200 500 2000")
    sizes = parser.parse_args().labels
    print(table([Row(f"{each} labels of {PLATES} plates", f"{fit_s(each):.1f} CPU-s") for each in sizes]))
