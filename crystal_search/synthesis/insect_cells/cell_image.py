"""An image of insect cells with the truth about every cell and every crystal in it: from a seed to a picture.

Every random number of an image comes from its own seed, and what stands in it is drawn in micrometres: the same image
at another `side_px` shows the same cells.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crystal_search.synthesis.frames import Frame, stamp
from crystal_search.synthesis.insect_cells.bright_field import (
    drawn_bright_field,
    lamp,
    levels_of,
    light_through,
    recorded,
)
from crystal_search.synthesis.insect_cells.cell_contents import drawn_contents
from crystal_search.synthesis.insect_cells.cell_crystals import CellCrystal, Growth, drawn_crystals
from crystal_search.synthesis.insect_cells.cell_culture import FIELD_UM, InsectCells, drawn_cells, drawn_culture
from crystal_search.synthesis.insect_cells.cell_shapes import CellShapes, shaped
from crystal_search.synthesis.polyhedra import Polyhedra, gathered
from crystal_search.synthesis.seeds import WellSeed

SIDE_PX, SIDES_PX = 512, (128, 2136)
VISIBLE_LEVELS = 5.0  #: grey levels by which a pixel differs from the picture without crystals, to count as seen
VISIBLE_SHARE = 0.12  #: of a crystal's pixels, for it to count as seen
DARK_EDGES = (0.0, 0.25)  #: absorbance of crystals a micrometre


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """What lies under the microscope, before any picture of it."""

    frame: Frame
    cells: InsectCells
    crystals: tuple[CellCrystal, ...]
    growth: dict[str, Growth]  #: of each kind
    shapes: CellShapes

    @property
    def solid(self) -> Polyhedra | None:
        """All crystals as bodies, None where there is none."""
        return gathered([each.body for each in self.crystals]) if self.crystals else None

    @property
    def centres(self) -> NDArray[np.float64]:
        """Where the crystals lie, (n, 3): row, column, depth; um."""
        return np.array([each.centre for each in self.crystals]).reshape(-1, 3)


@dataclass(frozen=True, slots=True, eq=False)
class SeenCrystal:
    """One crystal in a picture."""

    number: int  #: row of the stage's crystals
    places: NDArray[np.int64]  #: its pixels, as sorted positions in the flattened image
    cell: int  #: row of the image's cells
    kind: str  #: long or clustered
    habit: str  #: one of `polyhedra.HABITS`
    volume_um3: float  #: of what lies in the image
    contrast: float  #: mean difference from the picture without crystals, grey levels
    visible_fraction: float  #: part of its pixels that differ visibly from the picture without crystals

    @property
    def too_faint(self) -> bool:
        """Whether nobody could see it."""
        return self.visible_fraction <= VISIBLE_SHARE


@dataclass(frozen=True, slots=True, eq=False)
class CellImage:
    """A picture of insect cells and the truth about it; a place is a position in the flattened image."""

    image: NDArray[np.uint8]  #: (side, side), grey
    stage: Stage
    cells: tuple[NDArray[np.int64], ...]  #: the pixels of each cell, sorted; none of a cell that lies outside
    crystals: tuple[SeenCrystal, ...]  #: those of which something lies in the image

    def mask(self, places: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return places as a mask, (side, side)."""
        found = np.zeros(self.image.size, np.bool_)
        found[places] = True
        return found.reshape(self.image.shape)


def staged(seed: WellSeed, target: str, side_px: int, device: torch.device) -> Stage:
    """Return what the culture that `seed` names shows of a target, one of `cell_crystals.TARGETS`."""
    frame = Frame(0, 0, side_px, side_px, side_px / FIELD_UM, device)
    rng = seed.generator("insect cells")
    cells = drawn_cells(rng, drawn_culture(rng))
    crystals, growth = drawn_crystals(seed.generator("crystals in cells"), cells, target)
    return Stage(frame, cells, crystals, growth, shaped(seed.generator("shapes of cells"), cells, crystals))


def rendered(seed: WellSeed, target: str, *, side_px: int = SIDE_PX, device: str = "cpu") -> CellImage:
    """Return the bright field image that `seed` names.

    Parameters
    ----------
    target
        One of `cell_crystals.TARGETS`.

    >>> found = rendered(WellSeed("train", 1), "long", side_px=128)
    >>> found.image.shape, len(found.cells) == len(found.stage.cells)
    ((128, 128), True)
    """
    return photographed(seed, staged(seed, target, side_px, torch.device(device)))


def photographed(seed: WellSeed, stage: Stage) -> CellImage:
    """Return the bright field image of a stage."""
    frame, rng = stage.frame, seed.generator("bright field")
    field = drawn_bright_field(rng)
    paths = stage.shapes.thickness(frame, stage.cells.index)
    contents = drawn_contents(seed.generator("contents of cells"), stage.cells, frame, paths)
    phase, shading = paths + contents.phase, lamp(rng, frame, field)
    path, thickness, places = _solid(stage)
    dark = thickness * rng.uniform(*DARK_EDGES) * rng.random() ** 2
    lights = [
        light_through(phase + more, contents.density + mark, frame.px_per_unit, field) * contents.blobs
        for more, mark in ((frame.zeros(), frame.zeros()), (path, dark))
    ]
    levels = [levels_of(light, shading, field) for light in lights]
    change = ((levels[1] - levels[0]).abs() * 255).reshape(-1).cpu().numpy()
    image = recorded(seed.generator("camera"), levels[1], field)
    return CellImage(image, stage, tuple(stage.shapes.places(frame)), _seen(stage, places, change))


#: The pixels of a crystal, sorted, and how thick it is there, um.
Places = tuple[NDArray[np.int64], NDArray[np.float32]]


def _solid(stage: Stage) -> tuple[Tensor, Tensor, Sequence[Places]]:
    """Return the optical path that crystals add, how thick they are in all, both um, and where each lies."""
    frame, solid = stage.frame, stage.solid
    if solid is None:
        return frame.zeros(), frame.zeros(), ()
    thick: dict[int, Places] = {}

    def draw(numbers: NDArray[np.int64], rows: Tensor, columns: Tensor) -> Tensor:
        values = solid.thickness(frame, numbers, rows, columns)
        drawn.append(values.reshape(len(numbers), -1))
        return values

    drawn: list[Tensor] = []
    total, stamps = stamp(frame, stage.centres[:, :2], solid.reach, draw)
    for each, values in zip(stamps, drawn, strict=True):
        for row, number in enumerate(each.numbers.tolist()):
            covered = each.covered[row]
            where, first = np.unique(each.index[row][covered].cpu().numpy(), return_index=True)
            thick[number] = where, values[row][covered].cpu().numpy()[first]
    index = {kind: growth.index for kind, growth in stage.growth.items()}
    path = frame.zeros().reshape(-1)
    for number, crystal in enumerate(stage.crystals):
        where, height = thick[number]
        path[torch.from_numpy(where).to(frame.device)] += index[crystal.kind] * frame.tensor(height)
    return path.reshape(frame.shape), total, [thick[number] for number in range(len(stage.crystals))]


def _seen(stage: Stage, places: Sequence[Places], change: NDArray[np.float32]) -> tuple[SeenCrystal, ...]:
    pixel_um2 = stage.frame.px_per_unit**-2
    return tuple(
        SeenCrystal(
            number=number,
            places=where,
            cell=crystal.cell,
            kind=crystal.kind,
            habit=crystal.body.habit,
            volume_um3=float(height.sum(dtype=np.float64)) * pixel_um2,
            contrast=float(change[where].mean()),
            visible_fraction=float((change[where] > VISIBLE_LEVELS).mean()),
        )
        for number, (crystal, (where, height)) in enumerate(zip(stage.crystals, places, strict=True))
        if len(where)
    )
