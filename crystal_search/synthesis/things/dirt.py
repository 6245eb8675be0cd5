"""Things that are no experiment: dust, fibres, scratches, shards, stains."""

from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crystal_search.synthesis.frames import Frame, stamp
from crystal_search.synthesis.seeds import log_uniform
from crystal_search.synthesis.textures import fractal_noise

Points = NDArray[np.float64]  #: (N, 2), row and column in units


def random_points(rng: np.random.Generator, frame: Frame, count: int) -> Points:
    """Return positions anywhere in the frame."""
    corner = np.array([frame.top, frame.left]) / frame.px_per_unit
    return corner + rng.random((count, 2)) * (np.array(frame.shape) / frame.px_per_unit)


def specks(rng: np.random.Generator, frame: Frame, centres: Points, radii: NDArray[np.float64]) -> Tensor:
    """Return the absorbance of ragged specks of dust."""
    count = len(centres)
    opacity, softness = rng.uniform(0.3, 2.5, count), rng.uniform(0.6, 3.0, count)
    stretch, angle = rng.uniform(0.5, 1, count), rng.uniform(0, np.pi, count)
    waves, phases = rng.uniform(0, 0.25, (count, 3)), rng.uniform(0, 2 * np.pi, (count, 3))

    def draw(numbers: NDArray[np.int64], rows: Tensor, columns: Tensor) -> Tensor:
        def of(values: NDArray[np.float64]) -> Tensor:
            return frame.tensor(values[numbers])[:, None, None]

        along = columns * torch.cos(of(angle)) + rows * torch.sin(of(angle))
        across = (rows * torch.cos(of(angle)) - columns * torch.sin(of(angle))) / of(stretch)
        turn = torch.atan2(across, along)
        edge = of(radii)
        for wave in range(3):
            edge = edge * (1 + of(waves[:, wave]) * torch.cos((wave + 2) * turn + of(phases[:, wave])))
        value = of(opacity) * torch.sigmoid((edge - torch.hypot(along, across)) / of(softness) * 2)
        return value * (value > 0.02)

    return stamp(frame, centres, radii * 1.6 + softness * 3, draw)[0]


def curve(rng: np.random.Generator, start: Points, length: float, bend: float, steps: int = 24) -> Points:
    """Return a wandering line of `steps` + 1 points; `bend` is the turn in radians over its length."""
    turning = np.convolve(rng.normal(size=steps + 6), np.ones(7) / np.sqrt(7), "valid")
    turns = rng.uniform(0, 2 * np.pi) + np.cumsum(turning) * (0.6 * bend / np.sqrt(steps))
    moves = np.stack([np.sin(turns), np.cos(turns)], axis=1) * (length / steps)
    return np.asarray(start + np.concatenate([np.zeros((1, 2)), np.cumsum(moves, axis=0)]))


def distance_to(frame: Frame, line: Points) -> tuple[Frame, Tensor]:
    """Return a frame around a line of points, and every pixel's distance to the line in units."""
    margin = 24
    (top, left), (bottom, right) = line.min(axis=0) - margin, line.max(axis=0) + margin
    part = frame.cut(float(top), float(left), float(bottom), float(right))
    nearest = torch.full(part.shape, 1e9, device=frame.device)
    rows, columns = part.rows(), part.columns()
    for (row, column), (next_row, next_column) in pairwise(line):
        along_rows, along_columns = next_row - row, next_column - column
        length = max(along_rows**2 + along_columns**2, 1e-9)
        share = (((rows - row) * along_rows + (columns - column) * along_columns) / length).clamp(0, 1)
        away = (rows - row - share * along_rows) ** 2 + (columns - column - share * along_columns) ** 2
        nearest = torch.minimum(nearest, away)
    return part, nearest.sqrt()


def fibre(rng: np.random.Generator, frame: Frame, start: Points, length: float, bend: float) -> Tensor:
    """Return the absorbance of a fibre, a hair or a scratch."""
    field = frame.zeros()
    part, distance = distance_to(frame, curve(rng, start, length, bend))
    half, soft = rng.uniform(0.6, 3.0), rng.uniform(0.4, 1.2)
    profile = torch.sigmoid((half - distance) / soft)
    if half > 1.5:  # a transparent thread: dark edges, light core
        profile = profile - rng.uniform(0.4, 0.95) * torch.sigmoid((half * 0.5 - distance) / soft)
    field[part.within(frame)] = profile * rng.uniform(0.5, 2.0)
    return field


def shard(rng: np.random.Generator, frame: Frame, centre: Points, radius: float) -> Tensor:
    """Return the absorbance of a splinter with a dark, broken surface."""
    (row, column) = centre
    part = frame.cut(row - radius, column - radius, row + radius, column + radius)
    rows, columns = part.rows() - row, part.columns() - column
    angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(4, 8)))
    outline = torch.stack(
        [rows * np.sin(a) + columns * np.cos(a) - radius * rng.uniform(0.25, 0.8) for a in angles]
    ).amax(dim=0)
    outline = torch.maximum(outline, torch.hypot(rows, columns) - radius * 0.95)
    surface = fractal_noise(rng, part, 10, 1.5, 0.8)
    density = torch.sigmoid(-outline / 0.8) * (rng.uniform(0.3, 1.8) + 0.9 * surface).clamp_min(0)
    density = density + rng.uniform(0.5, 2.5) * torch.exp(-((outline / 2) ** 2))
    field = frame.zeros()
    field[part.within(frame)] = density
    return field


def on_plate(rng: np.random.Generator, frame: Frame, amount: float) -> Tensor:
    """Return the share of light that dirt on the plate lets through, (rows, columns)."""
    count = int(log_uniform(rng, 3, 60) * amount) + 1
    radii = np.array([log_uniform(rng, 0.8, 5) for _ in range(count)])
    radii = np.where(rng.random(count) < 0.04, radii * 2.5, radii)
    density = specks(rng, frame, random_points(rng, frame, count), radii)
    for _ in range(rng.poisson(0.5 * amount)):
        density = density + fibre(rng, frame, random_points(rng, frame, 1)[0], log_uniform(rng, 40, 900), 2.5)
    for _ in range(rng.poisson(0.5 * amount)):
        start = random_points(rng, frame, 1)[0]
        density = density + fibre(rng, frame, start, log_uniform(rng, 80, 900), 0.05) * rng.uniform(0.2, 0.8)
    if rng.random() < 0.1 * amount:
        density = density + shard(rng, frame, random_points(rng, frame, 1)[0], log_uniform(rng, 15, 70))
    return torch.exp(-density)


def condensation(rng: np.random.Generator, frame: Frame) -> Tensor:
    """Return the share of light that passes droplets on the cover, far out of focus, (rows, columns)."""
    count = int(log_uniform(rng, 15, 250))
    typical = log_uniform(rng, 6, 45 if count < 60 else 18)
    radii = np.clip(typical * np.exp(rng.normal(0, 0.4, count)), 3, 90)
    depth, softness = rng.uniform(0.04, 0.35), rng.uniform(0.12, 0.5)

    def draw(numbers: NDArray[np.int64], rows: Tensor, columns: Tensor) -> Tensor:
        share = torch.hypot(rows, columns) / frame.tensor(radii[numbers])[:, None, None]
        ring = torch.exp(-(((share - 0.85) / softness) ** 2)) - 0.6 * torch.exp(-((share / 0.5) ** 2))
        return depth * ring * (share < 1.9)

    shadow, _ = stamp(frame, random_points(rng, frame, count), radii * 1.9, draw)
    return 1 - shadow.clamp(-0.4, 0.8)
