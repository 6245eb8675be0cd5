"""What is seen in insect cells and between them besides crystals: nuclei, granules, vacuoles, grain, debris."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crystal_search.synthesis.frames import Frame, stamp
from crystal_search.synthesis.insect_cells.cell_culture import FIELD_UM, InsectCells
from crystal_search.synthesis.polyhedra import Array
from crystal_search.synthesis.seeds import log_uniform
from crystal_search.synthesis.textures import blurred, fractal_noise

NUCLEUS_HEALTHY, NUCLEUS_INFECTED = (0.38, 0.55), (0.6, 0.86)  #: radius over the cell's
NUCLEUS_INDEX, MEMBRANE_UM = (-0.006, 0.008), (0.0, 0.05)  #: over the cell's; path added by the nucleus' rim
GRANULES_HEALTHY, GRANULES_INFECTED = (4, 30), (10, 90)  #: a cell
GRANULE_UM, GRANULE_INDEX, GRANULE_DENSITY = (0.18, 0.75), (0.01, 0.06), (0.0, 0.5)
VACUOLES, VACUOLE_UM, VACUOLE_INDEX = (0, 5), (0.8, 2.4), (-0.03, -0.008)
GRAIN, GRAIN_UM = (0.02, 0.14), (2.0, 6.0)  #: amplitude over the path through the cell; coarsest
DEBRIS, DEBRIS_UM, DEBRIS_INDEX = (4, 250), (0.2, 2.2), (-0.03, 0.05)
BLOBS, BLOB_UM, BLOB_BLUR_UM, BLOB_DEPTH = (0, 14), (2.0, 9.0), (1.2, 5.0), (-0.35, 0.3)  #: far out of focus


@dataclass(frozen=True, slots=True, eq=False)
class Spheres:
    """Small round things, one a row."""

    centres: Array  #: (M, 2), um
    radius: Array  #: (M,), um
    index: Array  #: (M,), refractive index over that around it
    density: Array  #: (M,), absorbance through the middle

    def drawn(self, frame: Frame, values: Array) -> Tensor:
        """Return the sum over all of their thickness times `values` (M,)."""
        if not len(self.radius):
            return frame.zeros()

        def draw(numbers: NDArray[np.int64], rows: Tensor, columns: Tensor) -> Tensor:
            radius = frame.tensor(self.radius[numbers])[:, None, None]
            half = (radius**2 - rows**2 - columns**2).clamp_min(0).sqrt()
            return 2 * half * frame.tensor(values[numbers])[:, None, None]

        return stamp(frame, self.centres, self.radius + 0.5, draw)[0]


@dataclass(frozen=True, slots=True, eq=False)
class Contents:
    """What else there is, as what it does to light; all fields have the frame's shape."""

    phase: Tensor  #: optical path, um
    density: Tensor  #: absorbance
    blobs: Tensor  #: light over that without what lies far out of focus


def drawn_contents(rng: np.random.Generator, cells: InsectCells, frame: Frame, paths: Tensor) -> Contents:
    """Return what is in cells and between them.

    Parameters
    ----------
    paths
        (rows, columns), optical path through the cells, um.
    """
    granules, vacuoles, debris = _granules(rng, cells), _vacuoles(rng, cells), _debris(rng)
    phase = _nuclei(rng, cells, frame)
    grain = fractal_noise(rng, frame, rng.uniform(*GRAIN_UM), 0.5, rng.uniform(0.5, 0.9))
    phase = phase + paths * grain * rng.uniform(*GRAIN)
    density = frame.zeros()
    for each in (granules, vacuoles, debris):
        phase = phase + each.drawn(frame, each.index)
        density = density + each.drawn(frame, each.density / (2 * each.radius))
    return Contents(phase, density, _blobs(rng, frame))


def _nuclei(rng: np.random.Generator, cells: InsectCells, frame: Frame) -> Tensor:
    count = len(cells)
    spans = np.where(cells.infected[:, None], NUCLEUS_INFECTED, NUCLEUS_HEALTHY)
    radius = cells.radius * rng.uniform(spans[:, 0], spans[:, 1])
    away = rng.normal(0, 0.12, (count, 2)) * cells.radius[:, None]
    away *= np.minimum(1, (0.92 * cells.radius - radius) / np.hypot(*away.T).clip(1e-9))[:, None]
    index = rng.uniform(*NUCLEUS_INDEX, count) * np.where(cells.lysed, 0.3, 1.0)
    rim = rng.uniform(*MEMBRANE_UM) * rng.uniform(0.5, 1.5, count)
    squeezed, turn = rng.uniform(0.8, 1.0, count), rng.uniform(0, np.pi, count)
    if not count:
        return frame.zeros()

    def draw(numbers: NDArray[np.int64], rows: Tensor, columns: Tensor) -> Tensor:
        def of(values: Array) -> Tensor:
            return frame.tensor(values[numbers])[:, None, None]

        sine, cosine = of(np.sin(turn)), of(np.cos(turn))
        along, across = rows * sine + columns * cosine, (rows * cosine - columns * sine) / of(squeezed)
        far = torch.hypot(along, across) / of(radius)
        inside = 2 * of(radius * cells.height / (2 * cells.radius)) * (1 - far**2).clamp_min(0).sqrt()
        return inside * of(index) + of(rim) * torch.exp(-(((far - 1) * of(radius) / 0.5) ** 2))

    return stamp(frame, cells.centres + away, radius + 2, draw)[0]


def _in_cells(rng: np.random.Generator, cells: InsectCells, counts: NDArray[np.int64]) -> tuple[Array, Array]:
    """Return random places in cells, (M, 2), and the radii (M,) of their cells; so many in each."""
    of = np.repeat(np.arange(len(cells)), counts)
    turn, far = rng.uniform(0, 2 * np.pi, len(of)), 0.9 * np.sqrt(rng.random(len(of)))
    around = np.stack([np.sin(turn), np.cos(turn)], axis=1)
    return cells.centres[of] + (far * cells.radius[of])[:, None] * around, cells.radius[of]


def _granules(rng: np.random.Generator, cells: InsectCells) -> Spheres:
    spans = np.where(cells.infected[:, None], GRANULES_INFECTED, GRANULES_HEALTHY)
    share = rng.random()  # of the most that there may be, in this image
    counts = (spans[:, 0] + (spans[:, 1] - spans[:, 0]) * share * rng.random(len(cells))).astype(np.int64)
    centres, _ = _in_cells(rng, cells, counts)
    count, sign = len(centres), 1 if rng.random() < 0.8 else -1
    radius = _sizes(rng, GRANULE_UM, count)
    index = sign * rng.uniform(*GRANULE_INDEX) * rng.uniform(0.5, 1.5, count)
    return Spheres(centres, radius, index, rng.uniform(*GRANULE_DENSITY) * rng.random(count))


def _vacuoles(rng: np.random.Generator, cells: InsectCells) -> Spheres:
    counts = rng.integers(*VACUOLES, len(cells)) * (rng.random(len(cells)) < rng.random())
    centres, around = _in_cells(rng, cells, counts)
    count = len(centres)
    radius = np.minimum(_sizes(rng, VACUOLE_UM, count), 0.4 * around)
    return Spheres(centres, radius, rng.uniform(*VACUOLE_INDEX, count), np.zeros(count))


def _debris(rng: np.random.Generator) -> Spheres:
    """Return crumbs of dead cells and dust, single and in heaps."""
    count = int(log_uniform(rng, *DEBRIS))
    hubs = rng.uniform(0, FIELD_UM, (max(1, count // 6), 2))
    near = hubs[rng.integers(0, len(hubs), count)] + rng.normal(0, 2.5, (count, 2))
    centres = np.where(rng.random((count, 1)) < rng.random(), near, rng.uniform(0, FIELD_UM, (count, 2)))
    radius = _sizes(rng, DEBRIS_UM, count) * rng.random(count) ** 0.5
    return Spheres(centres, radius, rng.uniform(*DEBRIS_INDEX, count), 0.5 * rng.random(count) ** 3)


def _sizes(rng: np.random.Generator, span: tuple[float, float], count: int) -> Array:
    """Return numbers (count,) whose logarithm is uniform."""
    return np.asarray(np.exp(rng.uniform(math.log(span[0]), math.log(span[1]), count)))


def _blobs(rng: np.random.Generator, frame: Frame) -> Tensor:
    """Return what floats above the cells, far out of focus, as light."""
    count = int(rng.integers(*BLOBS))
    centres, radius = rng.uniform(0, FIELD_UM, (count, 2)), _sizes(rng, BLOB_UM, count)
    spheres = Spheres(centres, radius, np.zeros(count), np.zeros(count))
    dark = spheres.drawn(frame, rng.uniform(*BLOB_DEPTH, count) / (2 * radius))
    return torch.exp(blurred(dark, rng.uniform(*BLOB_BLUR_UM) * frame.px_per_unit))
