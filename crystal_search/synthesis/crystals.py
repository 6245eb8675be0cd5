"""The three crystal outcomes: few and large; ill-formed; too many and tiny."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from crystal_search.synthesis.drops import Drop
from crystal_search.synthesis.frames import stamp
from crystal_search.synthesis.layers import Layer
from crystal_search.synthesis.polyhedra import HABITS, Array, Body, gathered, heading_to, lying, polyhedron, rotation
from crystal_search.synthesis.seeds import log_uniform
from crystal_search.synthesis.textures import blurred, fractal_noise

COMPACT = ("box", "hexagonal prism", "octahedron", "hexagonal bipyramid", "capped prism", "lozenge", "tetrahedron")


def _body(rng: np.random.Generator, habit: str, half_axes: Array, *, flat: bool, jitter: float) -> Body:
    return polyhedron(rng, habit, half_axes, lying(rng, rng.uniform(0.02, 0.22)) if flat else rotation(rng), jitter)


def _layer(
    rng: np.random.Generator, drop: Drop, outcome: str, centres: NDArray[np.float64], bodies: list[Body]
) -> Layer:
    """Return polyhedra as a layer of glassy crystals."""
    solid = gathered(bodies)
    reach = np.array([body.reach for body in bodies])

    def draw(numbers: NDArray[np.int64], rows: Tensor, columns: Tensor) -> Tensor:
        return solid.thickness(drop.frame, numbers, rows, columns)

    thickness, stamps = stamp(drop.frame, centres, reach, draw)
    sharpness = rng.uniform(0.4, 0.9)
    phase = blurred(thickness, sharpness * drop.frame.px_per_unit) * log_uniform(rng, 0.04, 0.2)
    density = None
    if rng.random() < 0.35:  # a tint, or light lost at edges
        density = (thickness / 60).clamp_max(1) * rng.uniform(0, 0.35)
    colour = (1.0, 1.0, 1.0) if rng.random() < 0.8 else tuple(rng.uniform(0.6, 1.4, 3).tolist())
    return Layer(outcome, phase, density, colour, stamps)


def harvestable(rng: np.random.Generator, drop: Drop) -> Layer:
    """Return few large, single, well-formed crystals."""
    count = int(rng.integers(1, 9))
    habit = str(rng.choice(COMPACT))
    largest = float(np.clip(0.42 * drop.radius, 55, 120))
    size = log_uniform(rng, 0.36 * largest, largest / (1 + 0.08 * count))
    shape = np.array([rng.uniform(0.55, 1), rng.uniform(0.45, 1), rng.uniform(0.3, 0.9)])
    bodies = []
    for _ in range(count):
        axes = np.maximum(size * rng.uniform(0.6, 1.05) * shape * rng.uniform(0.85, 1.15, 3), 9)
        bodies.append(_body(rng, habit, axes, flat=rng.random() < 0.65, jitter=0.12))
    return _layer(rng, drop, "crystal_harvestable", drop.places(rng, count, 0.82), bodies)


def overnucleated(rng: np.random.Generator, drop: Drop) -> Layer:
    """Return a shower of tiny crystals."""
    count = int(log_uniform(rng, 70, 450))
    habit, size = str(rng.choice(tuple(HABITS))), log_uniform(rng, 4.0, 10)
    centres = drop.places(rng, count, 0.93)
    if rng.random() < 0.4:  # denser in places
        hubs = drop.places(rng, int(rng.integers(1, 6)), 0.75)
        near = hubs[rng.integers(0, len(hubs), count)] + rng.normal(0, drop.radius * rng.uniform(0.1, 0.25), (count, 2))
        centres = np.where(rng.random((count, 1)) < 0.7, near, centres)
    ratio = rng.uniform(0.35, 1, 3)
    bodies = [
        _body(rng, habit, np.maximum(size * log_uniform(rng, 0.6, 1.6) * ratio, 1.6), flat=False, jitter=0.2)
        for _ in range(count)
    ]
    return _layer(rng, drop, "crystal_overnucleated", centres, bodies)


def _urchins(rng: np.random.Generator, drop: Drop) -> tuple[NDArray[np.float64], list[Body]]:
    """Return bundles of needles that grow from common centres."""
    centres, bodies = [], []
    length, thin = log_uniform(rng, 25, min(110, 0.4 * drop.radius)), log_uniform(rng, 1.2, 3.5)
    fan = rng.uniform(0.3, np.pi)
    for hub in drop.places(rng, int(rng.integers(2, 9)), 0.75):
        heading = rng.uniform(0, 2 * np.pi)
        for _ in range(rng.integers(6, 26)):
            angle, half = heading + rng.uniform(-fan, fan), length * rng.uniform(0.3, 1) / 2
            axes = np.array([thin, half / 0.7, thin * rng.uniform(0.6, 1.4)])
            bodies.append(polyhedron(rng, "box", axes, heading_to(angle, rng.normal(0, 0.1)), 0.1))
            centres.append(hub + half * np.array([np.sin(angle), np.cos(angle)]))
    return np.array(centres), bodies


def _needles_or_plates(rng: np.random.Generator, drop: Drop) -> tuple[NDArray[np.float64], list[Body]]:
    """Return single needles, or thin plates."""
    count = int(log_uniform(rng, 5, 40))
    length = log_uniform(rng, 18, min(80, 0.35 * drop.radius))
    needles = rng.random() < 0.5
    bodies = []
    for _ in range(count):
        half = length * rng.uniform(0.4, 1)
        if needles:
            axes = np.array([half, log_uniform(rng, 1.4, 4), log_uniform(rng, 1.2, 4)])
            bodies.append(_body(rng, "box", axes, flat=True, jitter=0.1))
        else:
            axes = np.array([half, half * rng.uniform(0.3, 0.9), rng.uniform(1.5, 5)])
            habit = str(rng.choice(("box", "lozenge", "hexagonal prism")))
            bodies.append(_body(rng, habit, axes, flat=rng.random() < 0.6, jitter=0.2))
    return drop.places(rng, count, 0.85), bodies


def _intergrown(rng: np.random.Generator, drop: Drop) -> tuple[NDArray[np.float64], list[Body]]:
    """Return clusters of crystals grown through each other."""
    centres, bodies = [], []
    habit, size = str(rng.choice(COMPACT)), log_uniform(rng, 12, min(48, 0.2 * drop.radius))
    for hub in drop.places(rng, int(rng.integers(2, 10)), 0.8):
        for _ in range(rng.integers(4, 12)):
            axes = np.maximum(size * rng.uniform(0.5, 1.1) * rng.uniform(0.3, 1, 3), 2)
            bodies.append(_body(rng, habit, axes, flat=False, jitter=0.25))
            centres.append(hub + rng.normal(0, 0.45 * size, 2))
    return np.array(centres), bodies


BAD_FORMS = (_urchins, _needles_or_plates, _intergrown)


def bad_form(rng: np.random.Generator, drop: Drop) -> Layer:
    """Return needles, plates, urchins or intergrown clusters; sometimes with a broken surface."""
    centres, bodies = BAD_FORMS[rng.integers(len(BAD_FORMS))](rng, drop)
    layer = _layer(rng, drop, "crystal_bad_form", centres, bodies)
    if layer.phase is not None and rng.random() < 0.3:
        rough = 1 + 0.25 * fractal_noise(rng, drop.frame, 20, 3)
        return Layer(layer.outcome, layer.phase * rough, layer.density, layer.colour, layer.stamps)
    return layer
