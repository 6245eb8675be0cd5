"""Confocal sections through insect cells: fluorescent where the cell is, dark where a crystal is.

Infected cells make a fluorescent protein (YFP) together with what crystallizes; crystals hold none of it: Kardoost et
al. (2024), section 2.3 and Figures 2 and 3. Depth 0 is the bottom of the dish.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from crystal_search.synthesis.frames import Frame, Stamps, stamp
from crystal_search.synthesis.insect_cells.cell_culture import InsectCells
from crystal_search.synthesis.insect_cells.cell_image import Stage
from crystal_search.synthesis.insect_cells.cell_shapes import Slab, by_object
from crystal_search.synthesis.polyhedra import Array
from crystal_search.synthesis.seeds import WellSeed, log_uniform
from crystal_search.synthesis.textures import blurred, fractal_noise

SECTION_UM = 2.1  #: thickness of a section and step between sections
PLANE_UM = 1e-3  #: of what lies in the middle of a section, which its truth is
BRIGHTNESS, BRIGHTNESS_SPREAD = (0.3, 0.75), 0.35  #: of infected cells, of full scale; of its logarithm
HEALTHY_BRIGHTNESS = 0.04  #: over that of infected cells
HAZE, BLUR_UM, BACKGROUND = (0.01, 0.06), (0.12, 0.4), (0.01, 0.05)  #: light of other depths; lens; detector
PHOTONS = (15.0, 400.0)  #: at full scale
GRAIN = (0.03, 0.2)


@dataclass(frozen=True, slots=True, eq=False)
class Section:
    """One section; places are positions in the flattened image, sorted."""

    depth_um: float  #: of its middle
    image: NDArray[np.uint8]  #: (side, side), grey
    cells: tuple[NDArray[np.int64], ...]  #: where the middle of the section cuts each cell
    crystals: tuple[NDArray[np.int64], ...]  #: and each crystal


@dataclass(frozen=True, slots=True, eq=False)
class _Microscope:
    """What all sections of a culture share."""

    brightness: Array  #: (N,), of the cells, of full scale
    haze: float
    blur_um: float
    background: float
    photons: float
    grain: Tensor  #: (side, side), brightness over the mean


def sections(seed: WellSeed, stage: Stage, count: int, *, step_um: float = SECTION_UM) -> Iterator[Section]:
    """Yield sections through a stage, from the bottom of the dish upwards; the first's middle is half a step high."""
    rng, frame = seed.generator("confocal"), stage.frame
    microscope = _microscope(rng, stage.cells, frame)
    everything = stage.shapes.thickness(frame, microscope.brightness)
    for number in range(count):
        middle = (number + 0.5) * step_um
        slab = middle - step_um / 2, middle + step_um / 2
        light = stage.shapes.thickness(frame, microscope.brightness, slab) / step_um
        full, _ = _crystals(stage, slab)
        light = light * (1 - full / step_um).clamp(0, 1) * microscope.grain
        light = blurred(light + microscope.haze * everything / step_um, microscope.blur_um * frame.px_per_unit)
        plane = middle - PLANE_UM / 2, middle + PLANE_UM / 2
        cut = by_object(_crystals(stage, plane)[1], len(stage.crystals))
        cells = tuple(stage.shapes.places(frame, plane))
        yield Section(middle, _counted(rng, light + microscope.background, microscope.photons), cells, tuple(cut))


def _microscope(rng: np.random.Generator, cells: InsectCells, frame: Frame) -> _Microscope:
    usual = rng.uniform(*BRIGHTNESS) * np.exp(rng.normal(0, BRIGHTNESS_SPREAD, len(cells)))
    brightness = usual * np.where(cells.infected, 1.0, HEALTHY_BRIGHTNESS) * np.where(cells.lysed, 0.3, 1.0)
    return _Microscope(
        brightness=brightness,
        haze=rng.uniform(*HAZE),
        blur_um=rng.uniform(*BLUR_UM),
        background=rng.uniform(*BACKGROUND),
        photons=log_uniform(rng, *PHOTONS),
        grain=(1 + rng.uniform(*GRAIN) * fractal_noise(rng, frame, 5.0, 0.5)).clamp_min(0.2),
    )


def _crystals(stage: Stage, slab: Slab) -> tuple[Tensor, tuple[Stamps, ...]]:
    """Return how thick crystals are between two depths, um, and where each is."""
    frame, solid, depths = stage.frame, stage.solid, stage.centres[:, 2]
    if solid is None:
        return frame.zeros(), ()

    def draw(numbers: NDArray[np.int64], rows: Tensor, columns: Tensor) -> Tensor:
        enter, leave = solid.spans(frame, numbers, rows, columns)
        middle = frame.tensor(depths[numbers])[:, None, None]
        return ((leave + middle).clamp_max(slab[1]) - (enter + middle).clamp_min(slab[0])).clamp_min(0)

    return stamp(frame, stage.centres[:, :2], solid.reach, draw)


def _counted(rng: np.random.Generator, light: Tensor, photons: float) -> NDArray[np.uint8]:
    """Return the picture of light, of full scale, of which single photons are counted."""
    counted = rng.poisson(np.clip(light.cpu().numpy().astype(np.float64), 0, 4) * photons) / photons
    return np.asarray((counted * 255 + 0.5).clip(0, 255), np.uint8)
