"""Insect cells as fields: how thick they are, and where; a cell whose crystal is longer than it is stretched by it."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crystal_search.synthesis.frames import Frame, Stamps, stamp
from crystal_search.synthesis.insect_cells.cell_crystals import LONG, CellCrystal
from crystal_search.synthesis.insect_cells.cell_culture import InsectCells
from crystal_search.synthesis.polyhedra import Array

TURNS = 256  #: directions in which a contour is told
MARGIN_UM = 1.0  #: around a shape in which it is drawn
TOGETHER = 4  #: power in which a body and what it is stretched to become one
SHEATH_UM = 0.6  #: of cell around a crystal that stretches it
FLARE = (0.6, 1.0)  #: how wide the stretched cell is at its middle, over its radius
FLARE_REACH = (0.8, 1.6)  #: how far along the crystal, over its radius
STRETCHED = (0.0, 0.16)  #: by which the body itself is longer along the crystal and narrower across it
COVERED = (0.75, 1.0)  #: part of such a crystal that the cell covers

Slab = tuple[float, float]  #: lowest and highest depth, um


@dataclass(frozen=True, slots=True, eq=False)
class Sheaths:
    """What cells are stretched to by long crystals, one crystal a row."""

    crystal: NDArray[np.int64]  #: (R,), which of all crystals
    cell: NDArray[np.int64]  #: (R,)
    centres: Array  #: (R, 2), of the crystals, um
    depth: Array  #: (R,), um
    heading: Array  #: (R,), radians
    reach: Array  #: (R,), half of the length that is covered, um
    width: Array  #: (R,), half width at the ends, um
    flare: Array  #: (R,), half width at the cell's middle, beyond `width`, um
    flare_reach: Array  #: (R,), um
    middle: Array  #: (R,), where along the crystal the cell's middle is, um
    thickness: Array  #: (R,), half of it, um


@dataclass(frozen=True, slots=True, eq=False)
class CellShapes:
    """Cells with what they are stretched to."""

    cells: InsectCells
    sheaths: Sheaths
    contours: Array  #: (N, TURNS), um

    def thickness(self, frame: Frame, weights: Array, slab: Slab | None = None) -> Tensor:
        """Return how thick the cells are along the view, times `weights` (N,); um.

        Parameters
        ----------
        slab
            Depths between which it counts (default: all).
        """
        bodies, _ = self._bodies(frame, weights, slab)
        sheaths, _ = self._sheaths(frame, weights, slab)
        if sheaths is None:
            return bodies
        return (bodies**TOGETHER + sheaths**TOGETHER) ** (1 / TOGETHER)

    def places(self, frame: Frame, slab: Slab | None = None) -> list[NDArray[np.int64]]:
        """Return the pixels that each cell covers, as sorted positions in the flattened frame."""
        ones = np.ones(len(self.cells))
        _, stamps = self._bodies(frame, ones, slab)
        _, stretched = self._sheaths(frame, ones, slab)
        found = by_object(stamps, len(self.cells))
        for number, more in enumerate(by_object(stretched, len(self.sheaths.crystal))):
            cell = int(self.sheaths.cell[number])
            found[cell] = np.union1d(found[cell], more)
        return found

    def _bodies(self, frame: Frame, weights: Array, slab: Slab | None) -> tuple[Tensor, tuple[Stamps, ...]]:
        table, cells = frame.tensor(self.contours), self.cells

        def draw(numbers: NDArray[np.int64], rows: Tensor, columns: Tensor) -> Tensor:
            turn = torch.atan2(rows, columns) * (TURNS / (2 * np.pi))
            which = (turn.round().long() % TURNS).reshape(len(numbers), -1)
            reach = table[torch.from_numpy(numbers).to(frame.device)].gather(1, which).reshape(rows.shape)
            inside = (1 - (rows**2 + columns**2) / reach**2).clamp_min(0)  # (N, p, p)
            half = _row(frame, cells.height[numbers] / 2)
            thick = inside ** _row(frame, cells.power[numbers]) * half
            return _within(thick, half, slab) * _row(frame, weights[numbers])

        return stamp(frame, cells.centres, self.contours.max(axis=1) + MARGIN_UM, draw)

    def _sheaths(self, frame: Frame, weights: Array, slab: Slab | None) -> tuple[Tensor | None, tuple[Stamps, ...]]:
        sheaths = self.sheaths
        if not len(sheaths.crystal):
            return None, ()

        def draw(numbers: NDArray[np.int64], rows: Tensor, columns: Tensor) -> Tensor:
            one = _chosen(sheaths, numbers)
            sine, cosine = _row(frame, np.sin(one.heading)), _row(frame, np.cos(one.heading))
            along, across = rows * sine + columns * cosine, rows * cosine - columns * sine
            flare = torch.exp(-(((along - _row(frame, one.middle)) / _row(frame, one.flare_reach)) ** 2))
            width = _row(frame, one.width) + _row(frame, one.flare) * flare
            beyond = (along.abs() - _row(frame, one.reach)).clamp_min(0) / SHEATH_UM
            inside = (1 - (across / width) ** 2 - beyond**2).clamp_min(0)
            thick = inside.sqrt() * _row(frame, one.thickness)
            return _within(thick, _row(frame, one.depth), slab) * _row(frame, weights[one.cell])

        half_sides = np.maximum(sheaths.reach, sheaths.width + sheaths.flare) + SHEATH_UM + MARGIN_UM
        return stamp(frame, sheaths.centres, half_sides, draw)


def shaped(rng: np.random.Generator, cells: InsectCells, crystals: tuple[CellCrystal, ...]) -> CellShapes:
    """Return the shapes of cells in which crystals grew."""
    rods = [number for number, each in enumerate(crystals) if each.kind == LONG]
    of = np.array([crystals[number].cell for number in rods], np.int64)
    along = [np.array([np.sin(crystals[n].heading), np.cos(crystals[n].heading)]) for n in rods]
    offsets = [cells.centres[crystals[n].cell] - crystals[n].centre[:2] for n in rods]
    width = np.array([crystals[n].half_axes[0] + SHEATH_UM for n in rods])
    radius = cells.radius[of]
    sheaths = Sheaths(
        crystal=np.array(rods, np.int64),
        cell=of,
        centres=np.array([crystals[n].centre[:2] for n in rods]).reshape(-1, 2),
        depth=np.array([crystals[n].centre[2] for n in rods]),
        heading=np.array([crystals[n].heading for n in rods]),
        reach=np.array([crystals[n].half_axes[2] for n in rods]) * rng.uniform(*COVERED, len(rods)) + SHEATH_UM,
        width=width,
        flare=np.maximum(radius * rng.uniform(*FLARE, len(rods)) - width, 0),
        flare_reach=radius * rng.uniform(*FLARE_REACH, len(rods)),
        middle=np.array([float(a @ b) for a, b in zip(along, offsets, strict=True)]),
        thickness=np.array([crystals[n].half_axes[1] + SHEATH_UM for n in rods]),
    )
    turns: Array = np.arange(TURNS, dtype=np.float64) * (2 * np.pi / TURNS)
    contours = cells.contour(turns)
    for cell, heading in zip(of, sheaths.heading, strict=True):
        contours[cell] *= 1 + rng.uniform(*STRETCHED) * np.cos(2 * (turns - heading))
    return CellShapes(cells, sheaths, contours)


def by_object(stamps: tuple[Stamps, ...], count: int) -> list[NDArray[np.int64]]:
    """Return the pixels of each of `count` objects, sorted."""
    found = [np.zeros(0, np.int64)] * count
    for each in stamps:
        for index, covered, number in zip(each.index, each.covered, each.numbers.tolist(), strict=True):
            found[number] = np.unique(index[covered].cpu().numpy())
    return found


def _row(frame: Frame, values: Array) -> Tensor:
    """Return one number an object, to be spread over its patch, (N, 1, 1)."""
    return frame.tensor(values)[:, None, None]


def _within(half: Tensor, middle: Tensor, slab: Slab | None) -> Tensor:
    """Return how much of what reaches `half` below and above the depth `middle` lies in a slab; um."""
    if slab is None:
        return 2 * half
    return (torch.minimum(middle + half, middle.new_tensor(slab[1])) - (middle - half).clamp_min(slab[0])).clamp_min(0)


def _chosen(sheaths: Sheaths, numbers: NDArray[np.int64]) -> Sheaths:
    return replace(sheaths, **{name: getattr(sheaths, name)[numbers] for name in Sheaths.__slots__})
