"""What can lie in a drop besides crystals, and the table of all builders."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crystal_search.errors import UnknownNameError
from crystal_search.synthesis import crystals, dirt
from crystal_search.synthesis.drops import Drop
from crystal_search.synthesis.frames import Frame, stamp
from crystal_search.synthesis.layers import Builder, Layer
from crystal_search.synthesis.seeds import log_uniform
from crystal_search.synthesis.textures import fractal_noise, ridged_noise, smooth_noise

BROWN = (0.75, 1.0, 1.5)  # absorbance of aggregated protein in red, green, blue


def _coverage(rng: np.random.Generator, drop: Drop, share: float) -> Tensor:
    """Return where a precipitate lies, 0 to 1: everywhere, or in clouds over about `share` of the drop."""
    if rng.random() < 0.4:
        return drop.frame.zeros() + 1
    cloud = smooth_noise(rng, drop.frame, drop.radius * rng.uniform(0.3, 0.7))
    bias = float(np.interp(share, [0, 0.5, 1], [-1.5, 0, 1.5]))
    return torch.sigmoid((cloud + bias) * rng.uniform(2, 6))


def precipitate(rng: np.random.Generator, drop: Drop) -> Layer:
    """Heavy amorphous or granular precipitate: grey to light brown, over most of the drop."""
    if rng.random() < 0.25:
        return _film(rng, drop)
    grain = log_uniform(rng, 4, 14)
    noise = fractal_noise(rng, drop.frame, grain * 4, max(1.2, grain / 5), rng.uniform(0.65, 1.1))
    covered = _coverage(rng, drop, 0.75)
    density = (noise * rng.uniform(0.25, 0.6) + rng.uniform(0.2, 0.6)).clamp_min(0) * covered
    phase = noise * covered * grain * rng.uniform(0.01, 0.06)
    shade = rng.uniform(0, 1)
    colour = tuple(1 + shade * (part - 1) for part in BROWN)
    return Layer("precipitate", phase, density, (colour[0], colour[1], colour[2]), spread=12)


def _film(rng: np.random.Generator, drop: Drop) -> Layer:
    """Return a brown film of aggregated protein: smooth clouds with wisps and a little grain."""
    cloud = fractal_noise(rng, drop.frame, drop.radius * rng.uniform(0.3, 0.8), 4, rng.uniform(0.5, 0.65))
    wisps = ridged_noise(rng, drop.frame, drop.radius * rng.uniform(0.2, 0.5), 6)
    grain = fractal_noise(rng, drop.frame, 10, 1.5, 0.9)
    thick = torch.sigmoid(cloud * rng.uniform(1, 3) + rng.uniform(0, 1))
    density = (thick * (rng.uniform(0.25, 0.7) + 0.1 * grain) + 0.3 * wisps * thick).clamp_min(0)
    shade = rng.uniform(0.4, 1)
    colour = (1 + shade * (BROWN[0] - 1), 1.0, 1 + shade * (BROWN[2] - 1))
    return Layer("precipitate", (cloud + wisps) * thick * rng.uniform(0.3, 1.2), density, colour, spread=14)


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
    """Light, fine, even grain: little absorbance, much sparkle."""
    noise = fractal_noise(rng, drop.frame, log_uniform(rng, 2.4, 5), 1.2, 0.8)
    covered = _coverage(rng, drop, 0.8)
    density = (0.04 + 0.10 * noise).clamp_min(0) * covered * rng.uniform(0.4, 1.5)
    return Layer("precipitate_good", noise * covered * rng.uniform(0.03, 0.08), density, spread=12)


def null_experiment(rng: np.random.Generator, drop: Drop) -> Layer:
    """Return what a drop leaves that has dried out: a cracked film with a crust along its edge.

    Splashes, the other kind of null experiment, are a kind of drop (`drops.drawn_splashes`).
    """
    crust = (fractal_noise(rng, drop.frame, 30, 2, 0.7) * 0.5 + 0.8).clamp_min(0)
    width = rng.uniform(0.02, 0.08)
    ring = torch.exp(-(((drop.reach - (1 - 1.5 * width)) / width) ** 2))
    cracks = _cracks(rng, drop)
    density = ring * crust * rng.uniform(0.4, 1.6) + cracks * rng.uniform(0.6, 1.5)
    phase = cracks * rng.uniform(-1.0, -0.3) + 0.5 * ridged_noise(rng, drop.frame, 80, 10)
    return Layer("null_experiment", phase, density, (0.9, 1.0, 1.15), spread=30)


def _cracks(rng: np.random.Generator, drop: Drop) -> Tensor:
    """Return the edges of irregular polygons, 1 in a crack."""
    frame = drop.frame
    places = drop.places(rng, int(log_uniform(rng, 15, 60)), 1.0)
    rows = frame.rows() + 6 * smooth_noise(rng, frame, 25)
    columns = frame.columns() + 6 * smooth_noise(rng, frame, 25)
    nearest = torch.full(frame.shape, 1e12, device=frame.device)
    second = nearest.clone()
    for row, column in places:
        away = (rows - row) ** 2 + (columns - column) ** 2
        second = torch.minimum(second, torch.maximum(nearest, away))
        nearest = torch.minimum(nearest, away)
    gap = second.sqrt() - nearest.sqrt()
    return torch.sigmoid((rng.uniform(2, 5) - gap) / 0.8)


def _skin(rng: np.random.Generator, drop: Drop) -> Layer:
    """Return a wrinkled skin on the drop."""
    coarsest = drop.radius * rng.uniform(0.15, 0.5)
    folds = ridged_noise(rng, drop.frame, coarsest, coarsest / rng.uniform(5, 12))
    covered = _coverage(rng, drop, 0.7)
    phase = folds * covered * coarsest * rng.uniform(0.03, 0.09)
    return Layer("other", phase, folds * covered * rng.uniform(0.1, 0.7), (0.95, 1.0, 1.1), spread=22)


def _gel(rng: np.random.Generator, drop: Drop) -> Layer:
    """Return lumps of gel: large, smooth, with an outline."""
    period = drop.radius * rng.uniform(0.2, 0.45)
    shape = fractal_noise(rng, drop.frame, period, period / 5, 0.4)
    lump = torch.sigmoid((shape - rng.uniform(-0.4, 0.5)) * rng.uniform(8, 25))
    phase = lump * rng.uniform(1.2, 3.5)
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


OTHERS: tuple[Builder, ...] = (_skin, _gel, _foreign)


def other(rng: np.random.Generator, drop: Drop) -> Layer:
    """Return a folded skin, lumps of gel, or foreign matter."""
    return OTHERS[rng.integers(len(OTHERS))](rng, drop)


def _column(frame: Frame, values: NDArray[np.float64], numbers: NDArray[np.int64]) -> Tensor:
    return frame.tensor(values[numbers])[:, None, None]


def spherulites(rng: np.random.Generator, drop: Drop) -> Layer:
    """Round balls of radial fibres, some with the dark cross of birefringence."""
    frame, count = drop.frame, int(log_uniform(rng, 3, 35))
    largest = min(70.0, 0.3 * drop.radius)
    typical = log_uniform(rng, 0.3 * largest, largest)
    count = int(min(count, 3 + 0.5 * (drop.radius / typical) ** 2))
    radii = typical * rng.uniform(0.6, 1.15, count)
    turns = rng.uniform(0, 2 * np.pi, (count, 5))
    cross, darkness, core = rng.uniform(0, 0.8) * rng.integers(0, 2), rng.uniform(0.4, 1.2), rng.uniform(0, 1.2)
    spokes = rng.integers((5, 11, 19, 31), (11, 19, 31, 60))
    ragged = rng.uniform(0.01, 0.06)

    def draw(numbers: NDArray[np.int64], rows: Tensor, columns: Tensor) -> Tensor:
        radius = _column(frame, radii, numbers)
        away = torch.hypot(rows, columns)
        share, angle = away / radius, torch.atan2(rows, columns)
        waves = [torch.cos(int(k) * angle + _column(frame, turns[:, i], numbers)) for i, k in enumerate(spokes)]
        streaks = waves[0] * waves[1] + waves[2] * share + waves[3] * share
        dark = 0.6 + 0.22 * streaks + 0.5 * cross * torch.cos(4 * angle + turns[0, 4])
        ball = torch.sigmoid((radius * (1 + ragged * streaks) - away) / 0.7)
        value = ball * (0.3 + dark.clamp_min(0) * (0.5 + 0.5 * share) + core * torch.exp(-((share * 5) ** 2)))
        return value * (value > 0.02)

    density, stamps = stamp(frame, drop.places(rng, count, 0.85), radii * 1.2 + 3, draw)
    phase = density * float(radii.mean()) * rng.uniform(0.02, 0.06)
    return Layer("spherulites", phase, density * darkness, (0.85, 1.0, 1.2), stamps)


def _balls(rng: np.random.Generator, drop: Drop, centres: NDArray[np.float64], radii: NDArray[np.float64]) -> Layer:
    """Return transparent spheres as a layer of phase separation."""

    def draw(numbers: NDArray[np.int64], rows: Tensor, columns: Tensor) -> Tensor:
        radius = _column(drop.frame, radii, numbers)
        return 2 * (radius**2 - rows**2 - columns**2).clamp_min(0).sqrt()

    thickness, stamps = stamp(drop.frame, centres, radii + 1, draw)
    contrast = rng.uniform(0.05, 0.16) * rng.choice([-1, 1])
    return Layer("phase_separation", thickness * contrast, None, (1.0, 1.0, 1.0), stamps)


def phase_separation(rng: np.random.Generator, drop: Drop) -> Layer:
    """Many spheres of another refractive index: oil in water."""
    count = int(log_uniform(rng, 40, 400))
    typical = log_uniform(rng, 5, 26 if count < 120 else 13)
    count = int(min(count, 20 + 0.6 * (drop.radius / typical) ** 2))
    radii = np.clip(typical * np.exp(rng.normal(0, rng.uniform(0.1, 0.5), count)), 2.5, 60)
    return _balls(rng, drop, drop.places(rng, count, 0.93), radii)


def clear_with_features(rng: np.random.Generator, drop: Drop) -> Layer:
    """Return a fibre, scratches, dust, or bubbles in a drop that is clear otherwise."""
    kind = rng.choice(["fibre", "scratch", "dust", "bubbles"])
    if kind == "bubbles":
        count = int(rng.integers(1, 7))
        radii = np.clip(log_uniform(rng, 7, 40) * rng.uniform(0.5, 1.3, count), 4, 0.3 * drop.radius)
        balls = _balls(rng, drop, drop.places(rng, count, 0.8), radii)
        phase = None if balls.phase is None else -balls.phase.abs() * rng.uniform(2, 4)
        return Layer("clear_with_features", phase, None, balls.colour, balls.stamps)
    if kind == "dust":
        count = int(log_uniform(rng, 5, 40))
        radii = np.array([log_uniform(rng, 1.5, 7) for _ in range(count)])
        density = dirt.specks(rng, drop.frame, drop.places(rng, count, 0.9), radii)
        return Layer("clear_with_features", None, density, spread=8)
    density = drop.frame.zeros()
    bend, thinness = (3.0, 1.0) if kind == "fibre" else (0.05, 0.6)
    for place in drop.places(rng, int(rng.integers(1, 4)), 0.7):
        length = drop.radius * rng.uniform(0.35, 1.4)
        density = density + thinness * dirt.fibre(rng, drop.frame, place, length, bend)
    return Layer("clear_with_features", None, density, spread=8)


#: What makes a drop's outcome; "clear" and "rim" are the drop itself.
BUILDERS: dict[str, Builder] = {
    "crystal_harvestable": crystals.harvestable,
    "crystal_bad_form": crystals.bad_form,
    "crystal_overnucleated": crystals.overnucleated,
    "precipitate": precipitate,
    "precipitate_bad": precipitate_bad,
    "precipitate_good": precipitate_good,
    "null_experiment": null_experiment,
    "other": other,
    "spherulites": spherulites,
    "phase_separation": phase_separation,
    "clear_with_features": clear_with_features,
}


def built(outcome: str, rng: np.random.Generator, drop: Drop) -> Layer:
    """Return the layer that makes a drop's outcome `outcome`.

    Raises
    ------
    UnknownNameError
        If no builder makes it; the message lists those there are.
    """
    if outcome not in BUILDERS:
        raise UnknownNameError(f"nothing makes {outcome!r}; choose from {', '.join(BUILDERS)}")
    return BUILDERS[outcome](rng, drop)
