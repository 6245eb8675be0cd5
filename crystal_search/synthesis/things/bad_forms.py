"""Crystals of bad form: needles, plates, bundles, branches, intergrown clusters."""

from dataclasses import replace

import numpy as np

from crystal_search.synthesis.polyhedra import Body, heading_to, polyhedron
from crystal_search.synthesis.seeds import log_uniform
from crystal_search.synthesis.textures import fractal_noise
from crystal_search.synthesis.things.crystals import (
    COMPACT,
    Pieces,
    body,
    crystal_layer,
    seen_as_layer,
    singly,
)
from crystal_search.synthesis.things.drops import Drop
from crystal_search.synthesis.things.layers import Layer

BROKEN_SHARE = 0.3  # have a broken surface


def _needle(rng: np.random.Generator, half_length: float, half_width: float, angle: float) -> Body:
    """Return a needle that points along `angle`, counted from columns towards rows."""
    axes = np.array([half_width, half_length / 0.7, half_width * rng.uniform(0.6, 1.4)])
    return polyhedron(rng, "box", axes, heading_to(angle, rng.normal(0, 0.1)), 0.1)


def _urchins(rng: np.random.Generator, drop: Drop) -> Pieces:
    """Return bundles of needles that grow from common centres."""
    length, thin = log_uniform(rng, 25, min(110, 0.4 * drop.radius)), log_uniform(rng, 1.2, 3.5)
    fan = rng.uniform(0.3, np.pi)
    for hub in drop.places(rng, int(rng.integers(2, 9)), 0.75):
        heading = rng.uniform(0, 2 * np.pi)
        for _ in range(rng.integers(6, 26)):
            angle, half = heading + rng.uniform(-fan, fan), length * rng.uniform(0.3, 1) / 2
            yield _needle(rng, half, thin, angle), hub + half * np.array([np.sin(angle), np.cos(angle)]), hub


def _needles_or_plates(rng: np.random.Generator, drop: Drop) -> Pieces:
    """Return single needles, or thin plates."""
    count = int(log_uniform(rng, 5, 40))
    length = log_uniform(rng, 18, min(80, 0.35 * drop.radius))
    needles = rng.random() < 0.5
    bodies = []
    for _ in range(count):
        half = length * rng.uniform(0.4, 1)
        if needles:
            axes = np.array([half, log_uniform(rng, 1.4, 4), log_uniform(rng, 1.2, 4)])
            bodies.append(body(rng, "box", axes, flat=True, jitter=0.1))
        else:
            axes = np.array([half, half * rng.uniform(0.3, 0.9), rng.uniform(1.5, 5)])
            habit = str(rng.choice(("box", "lozenge", "hexagonal prism")))
            bodies.append(body(rng, habit, axes, flat=rng.random() < 0.6, jitter=0.2))
    return singly(drop.places(rng, count, 0.85), bodies)


def _intergrown(rng: np.random.Generator, drop: Drop) -> Pieces:
    """Return clusters of crystals grown through each other."""
    habit, clusters = str(rng.choice(COMPACT)), int(log_uniform(rng, 2, 40))
    size = log_uniform(rng, 6, np.clip(0.6 * drop.radius / np.sqrt(clusters), 12, 48))
    for hub in drop.places(rng, clusters, 0.85):
        for _ in range(rng.integers(2, 12)):
            axes = np.maximum(size * rng.uniform(0.5, 1.1) * rng.uniform(0.3, 1, 3), 2)
            yield body(rng, habit, axes, flat=False, jitter=0.25), hub + rng.normal(0, 0.45 * size, 2), hub


def _long_needles(rng: np.random.Generator, drop: Drop) -> Pieces:
    """Return a few needles across much of the drop, often about parallel."""
    count, heading = int(log_uniform(rng, 2, 30)), rng.uniform(0, np.pi)
    spread = rng.choice([0.1, 0.4, np.pi])
    thin = log_uniform(rng, 1.2, 6)
    bodies = []
    for _ in range(count):
        half = drop.radius * log_uniform(rng, 0.15, 0.7)
        bodies.append(_needle(rng, half, thin * rng.uniform(0.6, 1.5), heading + rng.uniform(-spread, spread)))
    return singly(drop.places(rng, count, 0.7), bodies)


def _hairs(rng: np.random.Generator, drop: Drop) -> Pieces:
    """Return very many short, thin needles, in clouds or everywhere."""
    count = int(log_uniform(rng, 60, 350))
    length, thin = log_uniform(rng, 7, 28), log_uniform(rng, 0.9, 1.8)
    centres = drop.places(rng, count, 0.93)
    if rng.random() < 0.5:
        hubs = drop.places(rng, int(rng.integers(1, 5)), 0.7)
        centres = hubs[rng.integers(0, len(hubs), count)] + rng.normal(0, 0.2 * drop.radius, (count, 2))
    angles = rng.uniform(0, np.pi, count)
    return singly(centres, [_needle(rng, length * rng.uniform(0.4, 1), thin, float(angle)) for angle in angles])


def _sheaves(rng: np.random.Generator, drop: Drop) -> Pieces:
    """Return sheaves: needles through a common waist that open on both sides like a bow tie."""
    length, thin = log_uniform(rng, 20, min(130, 0.45 * drop.radius)), log_uniform(rng, 1.0, 3)
    opening = rng.uniform(0.1, 0.7)
    for hub in drop.places(rng, int(rng.integers(1, 8)), 0.75):
        heading = rng.uniform(0, np.pi)
        for _ in range(rng.integers(8, 30)):
            needle = _needle(rng, length * rng.uniform(0.6, 1), thin, heading + rng.normal(0, opening))
            yield needle, hub + rng.normal(0, thin, 2), hub


def _branches(rng: np.random.Generator, drop: Drop) -> Pieces:
    """Return dendrites: a stem with side branches at a fixed angle, shorter towards the tip."""
    length, thin = log_uniform(rng, 40, min(220, 0.6 * drop.radius)), log_uniform(rng, 1.2, 4)
    side = rng.uniform(0.6, np.pi / 2)
    for hub in drop.places(rng, int(rng.integers(1, 6)), 0.7):
        heading = rng.uniform(0, 2 * np.pi)
        along = np.array([np.sin(heading), np.cos(heading)])
        yield _needle(rng, length / 2, thin, heading), hub, hub
        for place in np.arange(-0.45, 0.5, rng.uniform(0.06, 0.15)):
            half = max(3.0, 0.35 * length * (0.5 - place) * rng.uniform(0.7, 1.1))
            for angle in (heading + side, heading - side):
                outward = np.array([np.sin(angle), np.cos(angle)])
                centre = hub + place * length * along + half * outward
                yield _needle(rng, half, 0.7 * thin, angle), centre, hub


def _stacks(rng: np.random.Generator, drop: Drop) -> Pieces:
    """Return stacks of plates that grew on each other, slightly turned and shifted."""
    size = log_uniform(rng, 18, min(120, 0.4 * drop.radius))
    habit = str(rng.choice(("box", "lozenge", "hexagonal prism")))
    for hub in drop.places(rng, int(rng.integers(1, 8)), 0.8):
        angle = rng.uniform(0, 2 * np.pi)
        for _ in range(rng.integers(3, 9)):
            axes = np.array([size * rng.uniform(0.3, 0.9), size * rng.uniform(0.6, 1), rng.uniform(1.5, 5)])
            turned = heading_to(angle + rng.normal(0, 0.12), rng.normal(0, 0.25))
            yield polyhedron(rng, habit, axes, turned, 0.2), hub + rng.normal(0, 0.2 * size, 2), hub


BAD_FORMS = (
    _urchins,
    _needles_or_plates,
    _intergrown,
    _long_needles,
    _hairs,
    _sheaves,
    _branches,
    _stacks,
)


def bad_form(rng: np.random.Generator, drop: Drop) -> Layer:
    """Return needles, plates, urchins or intergrown clusters; sometimes with a broken surface."""
    pieces = BAD_FORMS[rng.integers(len(BAD_FORMS))](rng, drop)
    layer = crystal_layer(rng, drop, "crystal_bad_form", pieces)
    if layer.crystals is None or rng.random() >= BROKEN_SHARE:
        return layer
    rough = 1 + 0.25 * fractal_noise(rng, drop.frame, 20, 3)
    glass = replace(layer.crystals.glass, rough=rough)
    return seen_as_layer(replace(layer.crystals, glass=glass), drop, layer.outcome)
