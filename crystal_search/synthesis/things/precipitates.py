"""Precipitates: heavy, bad and good."""

import numpy as np
import torch

from crystal_search.synthesis.seeds import log_uniform
from crystal_search.synthesis.textures import blurred, fractal_noise, ridged_noise, smooth_noise
from crystal_search.synthesis.things import dirt
from crystal_search.synthesis.things.drops import Drop
from crystal_search.synthesis.things.layers import Builder, Layer

FLECKED_SHARE = 0.55
BROWN = (0.75, 1.0, 1.5)  # absorbance of aggregated protein in red, green, blue


def _brown(shade: float) -> tuple[float, float, float]:
    """Return absorbance in red, green and blue, from grey (0) to brown (1)."""
    red, green, blue = (1 + shade * (part - 1) for part in BROWN)
    return red, green, blue


def precipitate(rng: np.random.Generator, drop: Drop) -> Layer:
    """Heavy amorphous or granular precipitate: grey to light brown, over most of the drop."""
    kind = rng.random()
    if kind < 0.5:
        return KINDS[int(kind / 0.5 * len(KINDS))](rng, drop)
    grain = log_uniform(rng, 4, 14)
    noise = fractal_noise(rng, drop.frame, grain * 4, max(1.2, grain / 5), rng.uniform(0.65, 1.1))
    covered = drop.clouds(rng, 0.75)
    density = (noise * rng.uniform(0.25, 0.6) + rng.uniform(0.2, 0.6)).clamp_min(0) * covered
    phase = noise * covered * grain * rng.uniform(0.01, 0.06)
    return Layer("precipitate", phase, density, _brown(rng.uniform(0, 1)), spread=12)


def _film(rng: np.random.Generator, drop: Drop) -> Layer:
    """Return a brown film of aggregated protein: smooth clouds with wisps and a little grain."""
    cloud = fractal_noise(rng, drop.frame, drop.radius * rng.uniform(0.3, 0.8), 4, rng.uniform(0.5, 0.65))
    wisps = ridged_noise(rng, drop.frame, drop.radius * rng.uniform(0.2, 0.5), 6)
    grain = fractal_noise(rng, drop.frame, 10, 1.5, 0.9)
    thick = torch.sigmoid(cloud * rng.uniform(1, 3) + rng.uniform(0, 1))
    density = (thick * (rng.uniform(0.25, 0.7) + 0.1 * grain) + 0.3 * wisps * thick).clamp_min(0)
    if rng.random() < 0.4:  # gathered in a band along the contour
        band = torch.exp(-(((drop.reach - rng.uniform(0.55, 0.95)) / rng.uniform(0.05, 0.2)) ** 2))
        density = (density * rng.uniform(0, 0.5) + band * (0.6 + 0.3 * cloud).clamp_min(0)) * rng.uniform(0.4, 1)
    colour = _brown(rng.uniform(0.4, 1))
    return Layer("precipitate", (cloud + wisps) * thick * rng.uniform(0.3, 1.2), density, colour, spread=14)


def _grains(rng: np.random.Generator, drop: Drop) -> Layer:
    """Return coarse, ragged grains, single or in heaps: opaque, or glassy with dark edges."""
    count = int(log_uniform(rng, 60, 700))
    typical = log_uniform(rng, 1.5, 9 if count < 250 else 5)
    places = drop.places(rng, count, 0.95)
    if rng.random() < 0.5:
        hubs = drop.places(rng, int(rng.integers(2, 12)), 0.85)
        near = rng.normal(0, drop.radius * rng.uniform(0.05, 0.2), (count, 2))
        places = np.where(rng.random((count, 1)) < 0.7, hubs[rng.integers(0, len(hubs), count)] + near, places)
    density = dirt.specks(rng, drop.frame, places, np.clip(typical * np.exp(rng.normal(0, 0.4, count)), 1.2, 16))
    glassy = rng.uniform(0, 1)
    phase = density * typical * glassy * rng.uniform(0.05, 0.2)
    colour = _brown(rng.uniform(0, 0.8))
    opaque = density * (1 - 0.8 * glassy) * rng.uniform(0.3, 1.0)
    return Layer("precipitate", phase, opaque, colour, spread=14)


def _flakes(rng: np.random.Generator, drop: Drop) -> Layer:
    """Return flakes of aggregate: light, with ragged edges that are darker than their inside."""
    period = log_uniform(rng, 25, 130)
    shape = fractal_noise(rng, drop.frame, period, 1.5, rng.uniform(0.55, 0.8))
    shape = shape + smooth_noise(rng, drop.frame, 3 * period)
    inside = torch.sigmoid((shape - rng.uniform(-0.3, 1.2)) * rng.uniform(3, 10))
    edge = 4 * inside * (1 - inside)
    density = edge * rng.uniform(0.2, 0.9) + inside * rng.uniform(0.05, 0.4)
    phase = inside * period * rng.uniform(0.01, 0.05)
    return Layer("precipitate", phase, density, (0.9, 1.0, 1.15), spread=14)


#: Of precipitates that are no even grain, each as frequent as the others.
KINDS: tuple[Builder, ...] = (_film, _grains, _flakes)


def precipitate_bad(rng: np.random.Generator, drop: Drop) -> Layer:
    """Dark brown clumps with ragged edges."""
    clump = log_uniform(rng, 40, 160)
    shape = fractal_noise(rng, drop.frame, clump, 2.0, rng.uniform(0.5, 0.65))
    threshold = rng.uniform(0.0, 0.9)
    solid = torch.sigmoid((shape - threshold) * rng.uniform(4, 9))
    grain = fractal_noise(rng, drop.frame, 12, 1.5, 0.8)
    density = solid * (rng.uniform(1.1, 2.4) + 0.5 * grain + 0.5 * (shape - threshold)).clamp_min(0.15)
    phase = solid * grain * rng.uniform(0.1, 0.4)
    depth = rng.uniform(0.5, 1.3)
    return Layer("precipitate_bad", phase, density, (1 - 0.3 * depth, 1.0, 1 + 0.6 * depth), spread=9)


def precipitate_good(rng: np.random.Generator, drop: Drop) -> Layer:
    """Light precipitate: fine, even grain with much sparkle, or soft flecks."""
    if rng.random() < FLECKED_SHARE:
        return _flecks(rng, drop)
    noise = fractal_noise(rng, drop.frame, log_uniform(rng, 2.4, 5), 1.2, 0.8)
    covered = drop.clouds(rng, 0.8)
    density = (0.04 + 0.10 * noise).clamp_min(0) * covered * rng.uniform(0.4, 1.5)
    return Layer("precipitate_good", noise * covered * rng.uniform(0.03, 0.08), density, spread=12)


def _flecks(rng: np.random.Generator, drop: Drop) -> Layer:
    """Return soft dark flecks or dashes, a little out of focus, in a drop that is nearly clear between them."""
    frame, size = drop.frame, log_uniform(rng, 4, 16)
    stretch, heading = log_uniform(rng, 1, 3), rng.uniform(0, np.pi)
    field = fractal_noise(rng, frame, 2 * size, size / 2, 0.7)
    for step in (0.5, -0.5):  # smeared along a direction: dashes
        shift = stretch * size * step * np.array([np.sin(heading), np.cos(heading)]) * frame.px_per_unit
        field = field + torch.roll(field, (round(float(shift[0])), round(float(shift[1]))), (0, 1))
    field = blurred(field / 2, rng.uniform(0.8, 3) * frame.px_per_unit)
    field = (field - field.mean()) / field.std().clamp_min(1e-6)
    fleck = torch.sigmoid((field - rng.uniform(0.6, 1.8)) * rng.uniform(1.5, 4)) * drop.clouds(rng, 0.7)
    density = fleck * log_uniform(rng, 0.08, 0.5)
    return Layer("precipitate_good", fleck * size * rng.uniform(0, 0.02), density, (0.95, 1.0, 1.1), spread=14)
