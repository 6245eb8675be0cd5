"""From the maps of a dense detector to crystals: peaks of the heat, a vote of the cells around each, no box twice."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crystal_search.crystal import Crystal, Floats
from crystal_search.crystals.boxes import outlines_in_boxes, overlaps
from crystal_search.inference import Maps

STRIDE_PX = 4  #: between cells of a map; a cell's middle lies half of it behind its first pixel's edge
BOX_NUMBERS = 6  #: offset of the centre, logarithms of the sides, cosine and sine of twice the angle
OFFSET_PX = 16.0  #: unit of the offsets from a cell's middle to the centre of its box
HEAT, BOXES, OUTLINES = "heat", "boxes", "outlines"  #: a detector's outputs
#: How far an outline is drawn around the middles of the outermost pixels, which is what a detector tells: so far that
#: in the mean it encloses as much as the crystal covers, however it lies. Their corners would be too far out.
EDGE_PX = 0.4
LARGEST_PX = 8192.0  #: a side, before a number that is none becomes one
_ROUNDING = 1e-6  #: of an overlap
MOST_PEAKS = 2000  #: that are looked at, the hottest
_AROUND = [(row, column) for row in (-1, 0, 1) for column in (-1, 0, 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """How maps are read."""

    least: float = 0.3  #: probability of a crystal, the heat of its peak
    most_overlap: float = 0.5  #: intersection over union of two boxes; above it the less probable one goes


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Boxes with what else was said of them, the most probable first."""

    probability: Floats  #: (N,)
    boxes: NDArray[np.float64]  #: (N, 5), see `crystals.boxes`
    reach: NDArray[np.float64]  #: (N, directions), of the outline, px; what lies beyond the box is cut off

    def of(self, which: NDArray[np.intp]) -> "Candidates":
        """Return those at positions `which`."""
        return Candidates(self.probability[which], self.boxes[which], self.reach[which])

    def crystals(self) -> tuple[Crystal, ...]:
        """Return each as a crystal."""
        outlines = outlines_in_boxes(self.reach, self.boxes)
        told = zip(self.probability.tolist(), self.boxes.tolist(), outlines, strict=True)
        return tuple(
            Crystal(
                probability=probability,
                row=row,
                column=column,
                long_px=long_px,
                short_px=short_px,
                angle_rad=angle_rad,
                outline=tuple(map(tuple, outline.tolist())),
            )
            for probability, (row, column, long_px, short_px, angle_rad), outline in told
        )


def crystals_in(maps: Maps, decoding: Decoding) -> tuple[Crystal, ...]:
    """Return the crystals that a detector's maps (1, channels, h, w) of one image tell, the most probable first."""
    found = candidates(maps, decoding)
    return found.of(distinct(found.boxes, decoding.most_overlap)).crystals()


def candidates(maps: Maps, decoding: Decoding) -> Candidates:
    """Return a box for each peak of the heat, the most probable first; one crystal may still have several."""
    heat = _probability(maps[HEAT][0, 0])
    rows, columns = peaks(heat, decoding.least)
    middles, weights = _votes(heat, rows, columns)
    boxes = _weighed(maps[BOXES][0], middles, weights)  # (N, channels)
    offset = OFFSET_PX * boxes[:, :2] + STRIDE_PX * (_mean_place(middles, weights) + 0.5)
    sides = np.minimum(np.exp(np.minimum(boxes[:, 2:4], 20.0)), LARGEST_PX)
    along_second = np.where(sides[:, 1] > sides[:, 0], np.pi / 2, 0.0)  # then the second side is the long one
    turns = (np.arctan2(boxes[:, 5], boxes[:, 4]) / 2 + along_second) % np.pi
    reach = np.minimum(np.exp(np.minimum(_weighed(maps[OUTLINES][0], middles, weights), 20.0)), LARGEST_PX)
    told = np.column_stack((offset, sides.max(axis=1), sides.min(axis=1), turns))
    return Candidates(heat[rows, columns], told, reach + EDGE_PX)


def peaks(heat: Floats, least: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows and columns of the cells that are at least `least` and no less than their eight neighbours.

    >>> rows, columns = peaks(np.array([[0.1, 0.9, 0.2], [0.1, 0.4, 0.1], [0.8, 0.1, 0.1]]), 0.3)
    >>> rows.tolist(), columns.tolist()
    ([0, 2], [1, 0])
    """
    height, width = heat.shape
    wide = np.pad(heat, 1, constant_values=-1.0)
    highest = np.max([wide[1 + row : 1 + row + height, 1 + column : 1 + column + width] for row, column in _AROUND], 0)
    rows, columns = np.nonzero((heat >= least) & (heat >= highest))
    order = np.argsort(-heat[rows, columns], kind="stable")[:MOST_PEAKS]
    return rows[order], columns[order]


def distinct(boxes: NDArray[np.float64], most_overlap: float) -> NDArray[np.intp]:
    """Return which boxes (N, 5) remain when each takes away the later ones that overlap it more than that."""
    first, second = _may_overlap(boxes, most_overlap)
    alike = overlaps(boxes[first], boxes[second]) > most_overlap
    kept = np.ones(len(boxes), np.bool_)
    for earlier, later in zip(first[alike].tolist(), second[alike].tolist(), strict=True):
        if kept[earlier]:
            kept[later] = False
    return np.flatnonzero(kept)


def _may_overlap(boxes: NDArray[np.float64], most_overlap: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the pairs of boxes (N, 5), the earlier first, that are near enough and of sizes that are alike.

    Two boxes share at most the smaller one, and cover at least the larger. To look closer takes longer.
    """
    reach, area = np.hypot(boxes[:, 2], boxes[:, 3]) / 2, boxes[:, 2] * boxes[:, 3]
    apart = np.hypot(*(boxes[:, None, axis] - boxes[None, :, axis] for axis in (0, 1)))
    near = np.triu(apart < reach[:, None] + reach, 1)
    least = (most_overlap - _ROUNDING) * area
    first, second = np.nonzero(near & (area[:, None] >= least) & (area >= least[:, None]))
    return first, second


def _probability(logits: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -80, 80))), np.float32)


def _votes(
    heat: Floats, rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the cells around each peak (2, 9, N), and how much each counts (9, N): by the square of its heat."""
    around = np.array(_AROUND).T[:, :, None]
    middles = np.stack((rows, columns))[:, None] + around
    limits = np.array(heat.shape)[:, None, None]
    inside = ((middles >= 0) & (middles < limits)).all(axis=0)
    middles = np.clip(middles, 0, limits - 1)
    weights = np.where(inside, heat[middles[0], middles[1]].astype(np.float64) ** 2, 0.0)
    return middles, weights / weights.sum(axis=0)


def _weighed(field: Floats, middles: NDArray[np.intp], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the means (N, channels) of a map (channels, h, w) over the cells that vote."""
    return np.asarray((field[:, middles[0], middles[1]] * weights).sum(axis=1).T)


def _mean_place(middles: NDArray[np.intp], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((middles * weights).sum(axis=1).T)
