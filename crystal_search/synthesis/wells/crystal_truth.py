"""The truth about every single crystal of a rendered well."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from crystal_search.synthesis.pictures.looks import VISIBLE_LEVELS, VISIBLE_SHARE, Look
from crystal_search.synthesis.things.layers import Layer

STEP_DEGREES = 0.5  #: between the directions in which the sides of a box are looked for


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
    angles = np.deg2rad(np.arange(0, 90, STEP_DEGREES))
    along = np.stack([np.sin(angles), np.cos(angles)], axis=1)  # (directions, 2)
    across = np.stack([np.cos(angles), -np.sin(angles)], axis=1)
    centres = np.stack([rows, columns]) + 0.5  # (2, pixels)
    half = (np.abs(along).sum(axis=1)) / 2  # a pixel reaches so far from its centre
    u, v = along @ centres, across @ centres
    low_u, high_u, low_v, high_v = u.min(1) - half, u.max(1) + half, v.min(1) - half, v.max(1) + half
    best = int(np.argmin((high_u - low_u) * (high_v - low_v)))
    side_u, side_v = high_u[best] - low_u[best], high_v[best] - low_v[best]
    middle = (high_u + low_u)[best] / 2 * along[best] + (high_v + low_v)[best] / 2 * across[best]
    angle = angles[best] if side_u >= side_v else angles[best] - np.pi / 2
    wrapped = angle + np.pi if angle <= -np.pi / 2 else angle
    return np.array([middle[0], middle[1], max(side_u, side_v), min(side_u, side_v), wrapped])
