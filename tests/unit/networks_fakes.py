"""Small wells with known truth, made in a millisecond."""

import numpy as np

from crystal_search.datasets.outcome_maps import OUTSIDE
from crystal_search.outcomes import OUTCOME_NAMES
from crystal_search.synthesis.wells.rendered_well import RenderedImage

CRYSTAL, CLEAR, RIM = (OUTCOME_NAMES.index(name) for name in ("crystal_harvestable", "clear", "rim"))


def fake_well(number: int, *, rows: int = 512, columns: int = 1224) -> RenderedImage:
    """Return a light disc on grey noise; every third well has a bright square in it, every eighth no disc."""
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
    return RenderedImage(
        image=np.repeat(grey[:, :, None], 3, axis=2),
        outcome=outcome,
        present=(),
        drop_mask=drop,
        outcome_map=outcome_map,
        crystal_mask=outcome_map == CRYSTAL,
    )
