"""Where a robot's stage stops: whole pictures and their truth, moved by a few pixels."""

from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from crystal_search.synthesis.wells.crystal_truth import CrystalTruth
from crystal_search.synthesis.wells.rendered_well import RenderedImage

Kind = TypeVar("Kind", bound=np.generic)
Move = tuple[int, int]  #: down and to the right, px


def moved(pixels: NDArray[Kind], move: Move) -> NDArray[Kind]:
    """Return a picture (rows, columns, ...) moved down and to the right; what comes into view is like the border.

    >>> moved(np.array([[1, 2, 3], [4, 5, 6]]), (1, -1)).tolist()
    [[2, 3, 3], [2, 3, 3]]
    """
    rows = (np.arange(pixels.shape[0]) - move[0]).clip(0, pixels.shape[0] - 1)
    columns = (np.arange(pixels.shape[1]) - move[1]).clip(0, pixels.shape[1] - 1)
    return np.ascontiguousarray(pixels[rows[:, None], columns])


def moved_well(well: RenderedImage, move: Move) -> RenderedImage:
    """Return a picture of a well and the truth about it, both moved."""
    crystals = (_moved_crystal(crystal, move, well.drop_mask.shape) for crystal in well.crystals)
    return replace(
        well,
        image=moved(well.image, move),
        drop_mask=moved(well.drop_mask, move),
        outcome_map=moved(well.outcome_map, move),
        crystal_mask=moved(well.crystal_mask, move),
        crystals=tuple(crystal for crystal in crystals if len(crystal.rows)),
    )


def _moved_crystal(crystal: CrystalTruth, move: Move, shape: tuple[int, ...]) -> CrystalTruth:
    rows, columns = crystal.rows + move[0], crystal.columns + move[1]
    within = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
    box = crystal.oriented_box + np.array([*move, 0, 0, 0])
    return replace(crystal, rows=rows[within], columns=columns[within], oriented_box=box)
