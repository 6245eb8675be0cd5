"""Small wells with known truth, made in a millisecond."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crystal_search.datasets.outcome_maps import OUTSIDE
from crystal_search.outcomes import OUTCOME_NAMES

CRYSTAL, CLEAR, RIM = (OUTCOME_NAMES.index(name) for name in ("crystal_harvestable", "clear", "rim"))


@dataclass(frozen=True)
class FakeWell:
    """A light disc on grey noise; every third has a bright square in it, every eighth no disc."""

    image: NDArray[np.uint8]
    outcome: str | None
    drop_mask: NDArray[np.bool_]
    outcome_map: NDArray[np.uint8]
    crystals: tuple[()] = ()


def fake_well(number: int, *, rows: int = 512, columns: int = 1224) -> FakeWell:
    generator = np.random.default_rng(number)
    row, column = np.mgrid[:rows, :columns]
    drop = (row - rows / 2) ** 2 + (column - columns / 2) ** 2 < (rows * 0.4) ** 2
    outcome: str | None = "clear"
    grey = generator.integers(90, 110, (rows, columns)).astype(np.uint8)
    if number % 8 == 7:
        drop, outcome = np.zeros_like(drop), None
    grey[drop] += 40
    outcome_map = np.where(drop, CLEAR, OUTSIDE).astype(np.uint8)
    if number % 8 != 7 and number % 3 == 0:
        square = (slice(rows // 2 - 24, rows // 2 + 24), slice(columns // 2 - 24, columns // 2 + 24))
        grey[square], outcome_map[square], outcome = 230, CRYSTAL, "crystal_harvestable"
    return FakeWell(np.repeat(grey[:, :, None], 3, axis=2), outcome, drop, outcome_map)
