"""The truth about every single crystal of a rendered well."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from crystal_search.crystals.boxes import smallest_around
from crystal_search.synthesis.pictures.looks import VISIBLE_LEVELS, VISIBLE_SHARE, Look
from crystal_search.synthesis.things.layers import Layer


@dataclass(frozen=True, slots=True, eq=False)
class CrystalTruth:
    """One crystal: where it is, and how well it is seen."""

    rows: NDArray[np.int64]  #: (pixels,), of its projection, within the image
    columns: NDArray[np.int64]  #: (pixels,)
    oriented_box: NDArray[np.float64]  #: (5,): centre row and column, long and short side in px, angle in radians
    visible_fraction: float  #: part of its pixels that lie in the drop and differ visibly from the picture without it
    contrast: float  #: mean difference from the picture without it, grey levels
    outcome: str  #: what it and its like make of the drop once they can be seen
    habit: str  #: one of `polyhedra.HABITS`
    aspect: str  #: needle, rod, plate or block

    @property
    def too_faint(self) -> bool:
        """Whether nobody could see it."""
        return self.visible_fraction <= VISIBLE_SHARE


def crystals_of(layer: Layer, before: Look, after: Look) -> tuple[CrystalTruth, ...]:
    """Return every crystal of `layer`, drawn on what is seen as `before`, which then is seen as `after`."""
    frame = before.drop.frame
    change = ((after.light - before.light).abs() * before.floor).reshape(-1)
    seen = ((change > VISIBLE_LEVELS) & before.drop.inside.reshape(-1)).float()
    if layer.crystals is None:
        return ()
    solid, found = layer.crystals.solid, []
    for stamps in layer.stamps:
        for index, covered, number in zip(stamps.index, stamps.covered, stamps.numbers.tolist(), strict=True):
            mine = torch.unique(index[covered])
            if not len(mine):
                continue
            rows, columns = np.divmod(mine.cpu().numpy(), frame.width)
            rows, columns = rows + frame.top, columns + frame.left
            found.append(
                CrystalTruth(
                    rows,
                    columns,
                    smallest_box(rows, columns),
                    visible_fraction=float(seen[mine].mean()),
                    contrast=float(change[mine].mean()),
                    outcome=layer.outcome,
                    habit=solid.habits[number],
                    aspect=solid.aspects[number],
                )
            )
    return tuple(found)


def smallest_box(rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the smallest rectangle around pixels, to half a degree: (5,) as `CrystalTruth.oriented_box`.

    >>> rows, columns = np.divmod(np.arange(12), 6)
    >>> smallest_box(rows + 3, columns).round(3).tolist()
    [4.0, 3.0, 6.0, 2.0, 0.0]
    """
    box = smallest_around(np.stack((rows, columns), axis=1) + 0.5, pixel_px=1.0)
    return np.array([*box[:4], box[4] - np.pi if box[4] > np.pi / 2 else box[4]])
