"""Crystals as convex polyhedra: half-spaces, and how thick the body is along the view."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crystal_search.synthesis.frames import Frame

Array = NDArray[np.float64]
Planes = tuple[Array, Array]  # normals (P, 3) in (row, column, depth), distances (P,)


MARGIN = 1.5  # units around a body in which it is drawn
LONG, MEDIUM, FLAT = 5.0, 2.0, 3.0  # ratios of half axes from which a body is a needle, a rod, a plate


class Body(NamedTuple):
    """A convex body: where its planes are, how far it reaches, and what it is called."""

    normals: Array  #: (P, 3), unit length; row, column, depth
    distances: Array  #: (P,), units
    reach: float  #: largest distance of a corner from the centre, along rows or columns, units
    habit: str  #: one of `HABITS`
    aspect: str  #: needle, rod, plate or block
    axis: Array  #: (3,), direction of its longest axis; row, column, depth


def _ring(count: int, tilt: float = 0.0) -> Array:
    """Return `count` normals around the depth axis, tilted towards it by `tilt` radians."""
    angles = 2 * np.pi * (np.arange(count) + 0.5) / count
    ring = np.stack([np.sin(angles), np.cos(angles), np.zeros(count)], axis=1) * np.cos(tilt)
    ring[:, 2] = np.sin(tilt)
    return np.asarray(ring)


CAPS = np.array([[0.0, 0, 1], [0, 0, -1]])


def _prism(sides: int, radius: float = 0.72, half_height: float = 0.66) -> Planes:
    normals = np.concatenate([_ring(sides), CAPS])
    return normals, np.array([radius] * sides + [half_height] * 2)


def _bipyramid(sides: int, tilt: float) -> Planes:
    normals = np.concatenate([_ring(sides, tilt), _ring(sides, -tilt)])
    return normals, np.full(2 * sides, np.sin(tilt) * 0.98)


def _capped_prism(sides: int) -> Planes:
    normals = np.concatenate([_ring(sides), _ring(sides, 0.8), _ring(sides, -0.8)])
    return normals, np.array([0.6] * sides + [0.69] * (2 * sides))


def _lozenge() -> Planes:
    normals = np.array([[0.5, 0.87, 0], [-0.5, -0.87, 0], [0.5, -0.87, 0], [-0.5, 0.87, 0], *CAPS.tolist()])
    return normals, np.array([0.5] * 4 + [0.6] * 2)


def _tetrahedron() -> Planes:
    corners = np.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / np.sqrt(3)
    return np.concatenate([corners, -corners]), np.array([0.36] * 4 + [0.78] * 4)


#: Habits of crystals about 1 in half size.
HABITS: dict[str, Planes] = {
    "box": _prism(4),
    "hexagonal prism": _prism(6, 0.75),
    "triangular prism": _prism(3, 0.45),
    "octahedron": _bipyramid(4, 0.7),
    "hexagonal bipyramid": _bipyramid(6, 0.65),
    "capped prism": _capped_prism(4),
    "lozenge": _lozenge(),
    "tetrahedron": _tetrahedron(),
}


@dataclass(frozen=True, slots=True, eq=False)
class Polyhedra:
    """Convex bodies, one a row, every one with the same number of planes (some repeated)."""

    normals: Array  #: (N, P, 3), unit length; row, column, depth
    distances: Array  #: (N, P), units
    reach: Array  #: (N,), units
    habits: tuple[str, ...]  #: N
    aspects: tuple[str, ...]  #: N, needle, rod, plate or block
    axes: Array  #: (N, 3), directions of the longest axes

    def scaled(self, sizes: Array) -> "Polyhedra":
        """Return the bodies at `sizes` (N,), 1 for as large as they are."""
        reach = (self.reach - MARGIN) * sizes + MARGIN
        return replace(self, distances=self.distances * sizes[:, None], reach=reach)

    def spans(self, frame: Frame, numbers: NDArray[np.int64], rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
        """Return at which depths a ray along the view enters and leaves each body; it misses where it leaves first.

        Parameters
        ----------
        rows, columns
            (N, p, p), offsets from the bodies' centres in units; depths count from there too.
        """
        normals, distances = frame.tensor(self.normals[numbers]), frame.tensor(self.distances[numbers])
        enter = torch.full(rows.shape, -1e6, device=frame.device)
        leave = torch.full(rows.shape, 1e6, device=frame.device)
        for plane in range(normals.shape[1]):
            row, column, depth = (normals[:, plane, axis, None, None] for axis in range(3))
            steep = torch.where(depth.abs() < 0.02, torch.where(depth < 0, -0.02, 0.02), depth)
            crossing = (distances[:, plane, None, None] - row * rows - column * columns) / steep
            leave = torch.where(steep > 0, torch.minimum(leave, crossing), leave)
            enter = torch.where(steep < 0, torch.maximum(enter, crossing), enter)
        return enter, leave

    def thickness(self, frame: Frame, numbers: NDArray[np.int64], rows: Tensor, columns: Tensor) -> Tensor:
        """Return how far a ray along the view is inside of each body; parameters are those of `spans`."""
        enter, leave = self.spans(frame, numbers, rows, columns)
        return (leave - enter).clamp_min(0)


def _unit(vector: Array) -> Array:
    return np.asarray(vector / np.linalg.norm(vector))


def rotation(rng: np.random.Generator) -> Array:
    """Return a uniformly random rotation matrix."""
    w, x, y, z = _unit(rng.normal(size=4))
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def lying(rng: np.random.Generator, tilt: float) -> Array:
    """Return a random turn in the plane of the image, with a little tilt out of it."""
    angle = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    a, b = rng.normal(0, tilt, 2)
    lean = np.array([[1, 0, a], [0, 1, b], [-a, -b, 1]])
    return np.asarray(np.linalg.qr(lean)[0] @ turn)


def heading_to(angle: float, roll: float) -> Array:
    """Return the turn that brings the column axis to `angle`, counted from columns towards rows."""
    turn = np.array([[np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0], [0, 0, 1.0]])
    rolled = np.array([[np.cos(roll), 0, -np.sin(roll)], [0, 1.0, 0], [np.sin(roll), 0, np.cos(roll)]])
    return np.asarray(turn @ rolled)


def corners_of(normals: Array, distances: Array) -> Array:
    """Return where three planes meet on a body, (C, 3); a corner stands there once for each three of its planes."""
    triples = np.array(list(combinations(range(len(distances)), 3)))
    triples = triples[np.abs(np.linalg.det(normals[triples])) > 1e-4]
    corners = np.linalg.solve(normals[triples], distances[triples][:, :, None])[:, :, 0]
    return np.asarray(corners[(corners @ normals.T <= distances + 1e-6).all(axis=1)])


@cache
def _corners(habit: str) -> Array:
    return corners_of(*HABITS[habit])


def polyhedron(rng: np.random.Generator, habit: str, half_axes: Array, turned: Array, jitter: float) -> Body:
    """Return a habit stretched to `half_axes` (3,), turned, its planes moved by up to the share `jitter`."""
    normals, distances = HABITS[habit]
    stretched = normals / half_axes
    length = np.linalg.norm(stretched, axis=1)
    moved = distances * rng.uniform(1 - jitter, 1 + jitter, len(distances)) / length
    reach = np.abs((_corners(habit) * half_axes) @ turned.T)[:, :2].max() * (1 + jitter)
    longest = turned[:, int(np.argmax(half_axes))]
    planes = (stretched / length[:, None]) @ turned.T
    return Body(planes, moved, float(reach) + MARGIN, habit, aspect_of(half_axes), longest)


def aspect_of(half_axes: Array) -> str:
    """Return what a body with these half axes (3,) is called.

    >>> [aspect_of(np.array(axes)) for axes in ((20, 2, 2), (8, 3, 3), (20, 12, 2), (5, 5, 4))]
    ['needle', 'rod', 'plate', 'block']
    """
    short, middle, long = sorted(half_axes.tolist())
    if long >= LONG * middle:
        return "needle"
    if middle >= FLAT * short:
        return "plate"
    return "rod" if long >= MEDIUM * middle else "block"


def padded(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Return arrays as one, the last row of shorter ones repeated.

    >>> padded([np.array([1, 2]), np.array([1, 2, 3])]).tolist()
    [[1, 2, 2], [1, 2, 3]]
    """
    most = max(len(each) for each in arrays)
    return np.stack(
        [np.pad(each, ((0, most - len(each)), *((0, 0),) * (each.ndim - 1)), mode="edge") for each in arrays]
    )


def gathered(bodies: Sequence[Body]) -> Polyhedra:
    """Return bodies as one record; those with fewer planes repeat their last."""
    normals, distances, reach, habits, aspects, axes = zip(*bodies, strict=True)
    return Polyhedra(padded(normals), padded(distances), np.array(reach), habits, aspects, np.stack(axes))
