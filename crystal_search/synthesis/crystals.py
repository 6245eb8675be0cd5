"""Crystals as layers; well-formed ones, few and large or too many."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from crystal_search.synthesis.drops import Drop
from crystal_search.synthesis.frames import stamp
from crystal_search.synthesis.layers import Layer
from crystal_search.synthesis.polyhedra import HABITS, Array, Body, gathered, lying, polyhedron, rotation
from crystal_search.synthesis.seeds import log_uniform
from crystal_search.synthesis.textures import blurred

LARGE_SHARE = 0.35  # of wells with few crystals, in which they may fill much of the drop
OUT_OF_FOCUS_SHARE = 0.3
COMPACT = ("box", "hexagonal prism", "octahedron", "hexagonal bipyramid", "capped prism", "lozenge", "tetrahedron")


def body(rng: np.random.Generator, habit: str, half_axes: Array, *, flat: bool, jitter: float) -> Body:
    """Return a crystal of a habit, lying on its side or turned at random; `jitter` makes it irregular."""
    return polyhedron(rng, habit, half_axes, lying(rng, rng.uniform(0.02, 0.22)) if flat else rotation(rng), jitter)


def crystal_layer(
    rng: np.random.Generator, drop: Drop, outcome: str, centres: NDArray[np.float64], bodies: list[Body]
) -> Layer:
    """Return polyhedra as a layer of glassy crystals."""
    solid = gathered(bodies)
    reach = np.array([body.reach for body in bodies])

    def draw(numbers: NDArray[np.int64], rows: Tensor, columns: Tensor) -> Tensor:
        return solid.thickness(drop.frame, numbers, rows, columns)

    thickness, stamps = stamp(drop.frame, centres, reach, draw)
    softness = log_uniform(rng, 0.9, 4.5) if rng.random() < OUT_OF_FOCUS_SHARE else rng.uniform(0.4, 0.9)
    phase = blurred(thickness, softness * drop.frame.px_per_unit) * log_uniform(rng, 0.03, 0.2)
    density = None
    if rng.random() < 0.35:  # a tint, or light lost at edges
        density = (thickness / 60).clamp_max(1) * rng.uniform(0, 0.45)
    colour = (1.0, 1.0, 1.0) if rng.random() < 0.8 else tuple(rng.uniform(0.6, 1.4, 3).tolist())
    return Layer(outcome, phase, density, colour, stamps)


def harvestable(rng: np.random.Generator, drop: Drop) -> Layer:
    """Return few large, single, well-formed crystals."""
    if rng.random() < LARGE_SHARE:
        count, largest = int(rng.integers(1, 5)), float(np.clip(0.62 * drop.radius, 70, 270))
    else:
        count, largest = int(rng.integers(1, 15)), float(np.clip(0.42 * drop.radius, 55, 120))
    habit = str(rng.choice(COMPACT))
    size = log_uniform(rng, 0.3 * largest, largest / (1 + 0.06 * count))
    shape = np.array([rng.uniform(0.55, 1), rng.uniform(0.45, 1), rng.uniform(0.3, 0.9)])
    bodies = []
    for _ in range(count):
        axes = np.maximum(size * rng.uniform(0.6, 1.05) * shape * rng.uniform(0.85, 1.15, 3), 9)
        bodies.append(body(rng, habit, axes, flat=rng.random() < 0.65, jitter=0.12))
    return crystal_layer(rng, drop, "crystal_harvestable", drop.places(rng, count, rng.uniform(0.7, 0.97)), bodies)


def overnucleated(rng: np.random.Generator, drop: Drop) -> Layer:
    """Return a shower of tiny crystals."""
    count = int(log_uniform(rng, 40, 450))
    habit, size = str(rng.choice(tuple(HABITS))), log_uniform(rng, 4.0, 10 if count > 150 else 22)
    centres = drop.places(rng, count, 0.93)
    if rng.random() < 0.4:  # denser in places
        hubs = drop.places(rng, int(rng.integers(1, 6)), 0.75)
        near = hubs[rng.integers(0, len(hubs), count)] + rng.normal(0, drop.radius * rng.uniform(0.1, 0.25), (count, 2))
        centres = np.where(rng.random((count, 1)) < 0.7, near, centres)
    ratio = rng.uniform(0.35, 1, 3)
    bodies = [
        body(rng, habit, np.maximum(size * log_uniform(rng, 0.6, 1.6) * ratio, 1.6), flat=False, jitter=0.2)
        for _ in range(count)
    ]
    return crystal_layer(rng, drop, "crystal_overnucleated", centres, bodies)
