"""What can lie in a drop besides crystals, and the table of all builders."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crystal_search.known_names import among
from crystal_search.synthesis.frames import Frame, stamp
from crystal_search.synthesis.seeds import log_uniform
from crystal_search.synthesis.textures import fractal_noise, ridged_noise, smooth_noise
from crystal_search.synthesis.things import bad_forms, crystals, dirt, precipitates, skins
from crystal_search.synthesis.things.drops import Drop
from crystal_search.synthesis.things.layers import Builder, Layer


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
        count = int(log_uniform(rng, 1, 40))
        largest = 15 if count < 6 else 7
        radii = np.array([log_uniform(rng, 1.5, largest) for _ in range(count)])
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
    "crystal_bad_form": bad_forms.bad_form,
    "crystal_overnucleated": crystals.overnucleated,
    "precipitate": precipitates.precipitate,
    "precipitate_bad": precipitates.precipitate_bad,
    "precipitate_good": precipitates.precipitate_good,
    "null_experiment": null_experiment,
    "other": skins.other,
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
    return among(BUILDERS, outcome, "outcome", which="that can be rendered")(rng, drop)
