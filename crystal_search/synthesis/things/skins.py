"""What makes a drop's outcome "other": skins, gels, foreign matter."""

import numpy as np
import torch

from crystal_search.synthesis.seeds import log_uniform
from crystal_search.synthesis.textures import fractal_noise, ridged_noise, smooth_noise
from crystal_search.synthesis.things import dirt
from crystal_search.synthesis.things.drops import Drop
from crystal_search.synthesis.things.layers import Builder, Layer


def _skin(rng: np.random.Generator, drop: Drop) -> Layer:
    """Return a wrinkled skin on the drop."""
    coarsest = drop.radius * rng.uniform(0.15, 0.5)
    folds = ridged_noise(rng, drop.frame, coarsest, coarsest / rng.uniform(5, 12))
    covered = drop.clouds(rng, 0.7)
    phase = folds * covered * coarsest * log_uniform(rng, 0.008, 0.08)
    return Layer("other", phase, folds * covered * rng.uniform(0.1, 0.7), (0.95, 1.0, 1.1), spread=22)


def _gel(rng: np.random.Generator, drop: Drop) -> Layer:
    """Return lumps of gel: large, smooth, with an outline."""
    period = drop.radius * rng.uniform(0.2, 0.45)
    shape = fractal_noise(rng, drop.frame, period, period / 5, 0.4)
    lump = torch.sigmoid((shape - rng.uniform(-0.4, 0.5)) * rng.uniform(8, 25))
    phase = lump * log_uniform(rng, 0.4, 3.5)
    return Layer("other", phase, lump * rng.uniform(0.05, 0.3), (0.9, 1.0, 1.15), spread=26)


def _foreign(rng: np.random.Generator, drop: Drop) -> Layer:
    """Return foreign matter: splinters, or a tangle of fibres."""
    density = drop.frame.zeros()
    if rng.random() < 0.5:
        for place in drop.places(rng, int(rng.integers(1, 4)), 0.6):
            density = density + dirt.shard(rng, drop.frame, place, drop.radius * rng.uniform(0.18, 0.4))
    else:
        hub = drop.places(rng, 1, 0.5)[0]
        for _ in range(rng.integers(5, 11)):
            start = hub + rng.normal(0, 0.12 * drop.radius, 2)
            density = density + dirt.fibre(rng, drop.frame, start, drop.radius * rng.uniform(0.4, 1.0), 7)
    return Layer("other", None, density, spread=14)


def _wrinkles(rng: np.random.Generator, drop: Drop) -> Layer:
    """Return a skin in folds that run beside each other, straight or bent."""
    frame, period = drop.frame, log_uniform(rng, 8, 60)
    heading, bend = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 1.5)
    along = frame.rows() * np.sin(heading) + frame.columns() * np.cos(heading)
    along = along + bend * period * smooth_noise(rng, frame, drop.radius * rng.uniform(0.3, 0.8))
    fold = torch.cos(along * (2 * np.pi / period)).clamp_min(0) ** rng.uniform(2, 14)
    folds = fold * drop.clouds(rng, 0.6)
    return Layer("other", folds * period * log_uniform(rng, 0.004, 0.05), folds * rng.uniform(0, 0.5), spread=22)


def _creases(rng: np.random.Generator, drop: Drop) -> Layer:
    """Return a few long, sharp creases of a folded skin, each with a brighter or darker side."""
    phase, density = drop.frame.zeros(), drop.frame.zeros()
    for place in drop.places(rng, int(rng.integers(2, 9)), 0.8):
        line = dirt.curve(rng, place, drop.radius * rng.uniform(0.3, 1.3), rng.uniform(0.2, 2.5))
        part, distance = dirt.distance_to(drop.frame, line)
        width = log_uniform(rng, 1.5, 9)
        ridge = torch.exp(-((distance / width) ** 2))
        window = part.within(drop.frame)
        phase[window] = phase[window] + ridge * width * rng.uniform(0.1, 0.6)
        density[window] = density[window] + ridge * rng.uniform(0, 0.6)
    rough = 1 + 0.3 * fractal_noise(rng, drop.frame, 30, 3)
    return Layer("other", phase * rough, density, (0.95, 1.0, 1.1), spread=20)


OTHERS: tuple[Builder, ...] = (_skin, _gel, _foreign, _wrinkles, _creases)


def other(rng: np.random.Generator, drop: Drop) -> Layer:
    """Return a folded skin, lumps of gel, or foreign matter."""
    return OTHERS[rng.integers(len(OTHERS))](rng, drop)
