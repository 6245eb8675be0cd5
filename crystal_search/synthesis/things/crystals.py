"""Crystals as layers; well-formed ones, few and large or too many.

Shapes of single crystals are `synthesis.polyhedra.HABITS`; needles, plates and branches are in `bad_forms`; which
outcome is built of what is the table `drop_contents.BUILDERS`.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from crystal_search.synthesis.polyhedra import HABITS, Array, Body, gathered, lying, polyhedron, rotation
from crystal_search.synthesis.seeds import log_uniform
from crystal_search.synthesis.textures import blurred
from crystal_search.synthesis.things.drops import Drop
from crystal_search.synthesis.things.layers import ABSORBING_UNITS, Crystals, Glass, Layer

LARGE_SHARE = 0.35  # of wells with few crystals, in which they may fill much of the drop
OUT_OF_FOCUS_SHARE = 0.3
COMPACT = ("box", "hexagonal prism", "octahedron", "hexagonal bipyramid", "capped prism", "lozenge", "tetrahedron")


def body(rng: np.random.Generator, habit: str, half_axes: Array, *, flat: bool, jitter: float) -> Body:
    """Return a crystal of a habit, lying on its side or turned at random; `jitter` makes it irregular."""
    return polyhedron(rng, habit, half_axes, lying(rng, rng.uniform(0.02, 0.22)) if flat else rotation(rng), jitter)


#: Crystals, each with the place where it lies, row and column in units, and the place from which it grew.
Pieces = Iterable[tuple[Body, Array, Array]]


def singly(centres: Array, bodies: Sequence[Body]) -> Pieces:
    """Return crystals that grew each by itself."""
    return zip(bodies, centres, centres, strict=True)


def crystal_layer(rng: np.random.Generator, drop: Drop, outcome: str, pieces: Pieces) -> Layer:
    """Return polyhedra as a layer of glassy crystals."""
    bodies, centres, hubs = zip(*pieces, strict=True)
    softness = log_uniform(rng, 0.9, 4.5) if rng.random() < OUT_OF_FOCUS_SHARE else rng.uniform(0.4, 0.9)
    contrast = log_uniform(rng, 0.03, 0.2)
    absorbance = rng.uniform(0, 0.45) if rng.random() < 0.35 else None  # a tint, or light lost at edges
    red, green, blue = (1.0, 1.0, 1.0) if rng.random() < 0.8 else rng.uniform(0.6, 1.4, 3).tolist()
    glass = Glass(softness, contrast, absorbance, (red, green, blue))
    return seen_as_layer(Crystals(np.array(centres), np.array(hubs), gathered(bodies), glass), drop, outcome)


def seen_as_layer(crystals: Crystals, drop: Drop, outcome: str) -> Layer:
    """Return what crystals do to the light."""
    glass = crystals.glass
    thickness, stamps = crystals.thickness(drop.frame)
    phase = blurred(thickness, glass.softness * drop.frame.px_per_unit) * glass.contrast
    if glass.rough is not None:
        phase = phase * glass.rough
    density = None
    if glass.absorbance is not None:
        density = (thickness / ABSORBING_UNITS).clamp_max(1) * glass.absorbance
    return Layer(outcome, phase, density, glass.colour, stamps, crystals=crystals)


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
    centres = drop.places(rng, count, rng.uniform(0.7, 0.97))
    return crystal_layer(rng, drop, "crystal_harvestable", singly(centres, bodies))


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
    return crystal_layer(rng, drop, "crystal_overnucleated", singly(centres, bodies))
