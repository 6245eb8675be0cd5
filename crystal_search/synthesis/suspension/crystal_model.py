"""The statistical model: which rectangles enclose the crystals of an image, and which bodies fill them.

Bischoff et al. (2022), equations 1 to 8: the aspect ratio and the angle of a crystal's smallest rectangle are
uniform, and its area goes with 1/a, so that all sizes take up the same total area.
"""

from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from crystal_search.synthesis.polyhedra import HABITS, Array, corners_of, padded

SIDE_PX = 384  #: of an image
LARGEST_RATIO = 11.4  #: Bischoff et al. (2022), equation 2
AREA_RANGE_PX = (24.0, 6000.0)  #: of the rectangles
INDEX_RANGE = (1.1, 1.8)  #: refractive index of a crystal over that of its liquor
LARGEST_TILT = np.pi / 3  #: of a crystal's long axis out of the image
THICKNESS_RANGE = (0.5, 1.2)  #: of a crystal over its width
VARIANTS = 24  #: of each habit, chipped and truncated differently
TRIES = 6  #: bodies tried for a rectangle; the last lies flat
CANDIDATES = 96  #: places tried for a crystal

Numbers = TypeVar("Numbers")  #: arrays, or tensors


@dataclass(frozen=True, slots=True, eq=False)
class Library:
    """Convex bodies that reach from -1 to 1 along each axis, padded to the same sizes by repetition."""

    names: tuple[str, ...]  #: of the habits, K
    normals: Array  #: (K, P, 3), not of unit length
    distances: Array  #: (K, P)
    corners: Array  #: (K, C, 3)
    edges: NDArray[np.int64]  #: (K, E, 2), pairs of corners


@dataclass(frozen=True, slots=True, eq=False)
class Wanted(Generic[Numbers]):
    """The crystals that an image shall hold, largest first, and all that is drawn at random about each."""

    ratio: Numbers  #: (n,), long side over short side
    area: Numbers  #: (n,), px^2
    angle: Numbers  #: (n,), radians in [-pi/2, pi/2]
    body: Numbers  #: (n, `TRIES`) int64, which body of the library
    roll: Numbers  #: (n, `TRIES`), around the long axis, radians
    tilt: Numbers  #: (n, `TRIES`), of the long axis out of the image, radians
    thickness: Numbers  #: (n,), over the width
    index: Numbers  #: (n,), refractive index over that of the liquor
    depth: Numbers  #: (n,), 0 is far from the camera, 1 near
    places: Numbers  #: (n, `CANDIDATES`, 2), row and column as shares of what is free


def drawn(rng: np.random.Generator, most: int, *, fewest: int = 1) -> Wanted[NDArray[Any]]:
    """Return the crystals of an image, between `fewest` and `most` of them, equally probable."""
    count = int(rng.integers(fewest, most + 1))
    low, high = np.log(AREA_RANGE_PX)
    area = np.sort(np.exp(rng.uniform(low, high, count)))[::-1]
    tilt = _tilts(rng, count)
    return _filled(rng, rng.uniform(1, LARGEST_RATIO, count), area, tilt)


def wanted(rng: np.random.Generator, ratio: Array, area: Array) -> Wanted[NDArray[Any]]:
    """Return the crystals of an image whose rectangles have these ratios (n,) and areas (n,) in px^2."""
    order = np.argsort(-area, kind="stable")
    return _filled(rng, ratio[order], area[order], _tilts(rng, len(area)))


def _tilts(rng: np.random.Generator, count: int) -> Array:
    tilt = rng.uniform(-LARGEST_TILT, LARGEST_TILT, (count, TRIES))
    tilt[:, -1] = 0
    return tilt


def _filled(rng: np.random.Generator, ratio: Array, area: Array, tilt: Array) -> Wanted[NDArray[Any]]:
    """Return crystals, the largest first, with all that is drawn of them beside their rectangles."""
    count = len(area)
    return Wanted(
        ratio=ratio,
        area=area,
        angle=rng.uniform(-np.pi / 2, np.pi / 2, count),
        body=rng.integers(0, len(library().names), (count, TRIES)),
        roll=rng.uniform(0, 2 * np.pi, (count, TRIES)),
        tilt=tilt,
        thickness=rng.uniform(*THICKNESS_RANGE, count),
        index=rng.uniform(*INDEX_RANGE, count),
        depth=rng.random(count),
        places=rng.random((count, CANDIDATES, 2)),
    )


@cache
def library() -> Library:
    """Return every habit as it is and in `VARIANTS` chipped and truncated forms."""
    rng = np.random.default_rng(1)
    bodies: list[tuple[Any, ...]] = []
    for name, planes in HABITS.items():
        bodies.append((name, *_normalised(*planes)))
        bodies.extend((name, *_normalised(*_chipped(rng, *planes))) for _ in range(VARIANTS))
    names = tuple(body[0] for body in bodies)
    normals, distances, corners, edges = (padded([body[part] for body in bodies]) for part in range(1, 5))
    return Library(names, normals, distances, corners, edges.astype(np.int64))


def _chipped(rng: np.random.Generator, normals: Array, distances: Array) -> tuple[Array, Array]:
    """Return a body whose faces lie a little elsewhere, with up to three more that cut corners off."""
    moved = distances * rng.uniform(0.85, 1.1, len(distances))
    cuts = rng.normal(size=(int(rng.integers(0, 4)), 3))
    cuts = cuts / np.linalg.norm(cuts, axis=1, keepdims=True).clip(1e-9)
    corners, _ = _corners_and_edges(normals, moved)
    reach = (corners @ cuts.T).max(axis=0) if len(cuts) else np.zeros(0)
    return np.concatenate([normals, cuts]), np.concatenate([moved, reach * rng.uniform(0.6, 0.95, len(cuts))])


def _corners_and_edges(normals: Array, distances: Array) -> tuple[Array, NDArray[np.int64]]:
    """Return the corners (C, 3) of a body, and its edges (E, 2): pairs of corners that share two faces."""
    corners: Array = np.unique(np.round(corners_of(normals, distances), 7), axis=0).astype(np.float64)
    on = np.abs(corners @ normals.T - distances) < 1e-4  # (C, P)
    pairs = np.array(list(combinations(range(len(corners)), 2)))
    return corners, pairs[(on[pairs[:, 0]] & on[pairs[:, 1]]).sum(axis=1) >= 2]


def _normalised(normals: Array, distances: Array) -> tuple[Array, Array, Array, NDArray[np.int64]]:
    """Return faces, corners and edges of a body brought between -1 and 1 along each axis."""
    corners, edges = _corners_and_edges(normals, distances)
    low, high = corners.min(axis=0), corners.max(axis=0)
    middle, half = (low + high) / 2, (high - low) / 2
    return normals * half, distances - normals @ middle, (corners - middle) / half, edges
