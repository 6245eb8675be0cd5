"""What a detector of crystals should answer for a view whose crystals are known (numpy, one array a view)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crystal_search.crystal import Floats
from crystal_search.crystals.boxes import DIRECTIONS, reaches, unit_vectors
from crystal_search.crystals.decoding import OFFSET_PX, STRIDE_PX

#: Channels of a target: how much a cell is the middle of a crystal, whether that counts, what part of it is covered,
#: how much its box counts at first sight and at the second; then of the crystal that is there the offset, logarithms of
#: the sides, angle, outline.
HEAT, HEAT_COUNTS, COVERED, BOX_COUNTS, BETTER_COUNTS, OFFSET, SIDES, ANGLE, OUTLINE = 0, 1, 2, 3, 4, 5, 7, 9, 10
CHANNELS = OUTLINE + DIRECTIONS
SPREAD = 0.15  #: of the heat, standard deviation in sides of the box
LEAST_SPREAD_PX = 1.6  #: of the heat: some cell's middle is never farther away than 2.8 px
LEAST_AREA_PX2 = 20.0  #: of the box of a crystal in a reduced image; smaller ones need not be found
TAUGHT, TAUGHT_BETTER = 0.05, 0.3  #: heat above which a cell is taught the box, at first sight and at the second


@dataclass(frozen=True, slots=True, eq=False)
class KnownCrystals:
    """All crystals of an image or a view."""

    boxes: NDArray[np.float64]  #: (N, 5), see `crystals.boxes`
    points: NDArray[np.float64]  #: (N, P, 2), centres of the outermost pixels, some of them several times
    ignored: NDArray[np.bool_]  #: (N,), too faint or cut off: neither found nor missed

    def moved(self, top: float, left: float, side_px: int) -> "KnownCrystals":
        """Return those that reach into a square; those that reach out of it too are ignored."""
        corner = np.array([top, left], np.float64)
        points = self.points - corner
        low, high = points.min(axis=1), points.max(axis=1)
        here = ((high > 0) & (low < side_px)).all(axis=1)
        cut = ~((low >= 0) & (high <= side_px)).all(axis=1)
        boxes = self.boxes.copy()
        boxes[:, :2] -= corner
        return KnownCrystals(boxes[here], points[here], (self.ignored | cut)[here])

    def scaled(self, scale: float) -> "KnownCrystals":
        """Return them in an image reduced or enlarged by `scale`; those that become too small are ignored."""
        boxes = self.boxes * (scale, scale, scale, scale, 1.0)
        small = boxes[:, 2] * boxes[:, 3] < LEAST_AREA_PX2
        return KnownCrystals(boxes, self.points * scale, self.ignored | small)

    def turned(self, turn: int, side_px: int) -> "KnownCrystals":
        """Return them in one of the 8 turned and mirrored versions of a square, as `view_augmentation.turned`."""
        boxes, points = self.boxes.copy(), self.points.copy()
        if turn >= 4:  # mirrored
            boxes[:, 1], points[..., 1], boxes[:, 4] = side_px - boxes[:, 1], side_px - points[..., 1], -boxes[:, 4]
        for _ in range(turn % 4):  # a quarter turn that brings columns to rows
            boxes[:, :2] = np.stack((side_px - boxes[:, 1], boxes[:, 0]), axis=1)
            points = np.stack((side_px - points[..., 1], points[..., 0]), axis=-1)
            boxes[:, 4] -= np.pi / 2
        boxes[:, 4] %= np.pi
        return KnownCrystals(boxes, points, self.ignored)


def target(crystals: KnownCrystals, covered: Floats) -> Floats:
    """Return what a detector should answer, (CHANNELS, h, w).

    Parameters
    ----------
    crystals
        Of the view.
    covered
        (h, w), the part of each cell that crystals cover.
    """
    answer = np.zeros((CHANNELS, *covered.shape), np.float32)
    answer[HEAT_COUNTS], answer[COVERED] = 1, covered
    if not len(crystals.boxes):
        return answer
    heat = heats(crystals.boxes, covered.shape)  # (N, h, w)
    owner, hottest = heat.argmax(axis=0), heat.max(axis=0)
    ignored = crystals.ignored[owner]
    answer[HEAT] = np.where(ignored, 0, hottest)
    answer[HEAT_COUNTS] = ~(ignored & (hottest > TAUGHT))
    for channel, least in ((BOX_COUNTS, TAUGHT), (BETTER_COUNTS, TAUGHT_BETTER)):
        taught = (hottest > least) & ~ignored
        cells = np.bincount(owner[taught], minlength=len(crystals.boxes))
        answer[channel, taught] = 1 / cells[owner[taught]]
    rows, columns = np.nonzero(answer[BOX_COUNTS])
    mine = owner[rows, columns]
    middles = STRIDE_PX * (np.stack((rows, columns), axis=1) + 0.5)
    answer[OFFSET:SIDES, rows, columns] = ((crystals.boxes[mine, :2] - middles) / OFFSET_PX).T
    answer[SIDES:ANGLE, rows, columns] = np.log(np.maximum(crystals.boxes[mine, 2:4], 1)).T
    answer[ANGLE, rows, columns] = crystals.boxes[mine, 4]
    reach = np.maximum(reaches(crystals.points, crystals.boxes[:, :2]), 0.5)
    answer[OUTLINE:, rows, columns] = np.log(reach)[mine].T
    return answer


def heats(boxes: NDArray[np.float64], shape: tuple[int, ...]) -> Floats:
    """Return how much each cell is the middle of each crystal, (N, h, w): 1 in the cell that is most so."""
    rows, columns = ((STRIDE_PX * (np.arange(side) + 0.5)).astype(np.float32) for side in shape)
    row, column = (each.astype(np.float32)[:, None, None] for each in boxes[:, :2].T)
    down, right = rows[:, None] - row, columns - column  # (N, h, 1) and (N, 1, w)
    (sine, cosine), spread = (
        unit_vectors(boxes[:, 4]).T.astype(np.float32)[..., None, None],
        np.maximum(SPREAD * boxes[:, 2:4], LEAST_SPREAD_PX).astype(np.float32),
    )
    along, across = down * sine + right * cosine, down * cosine - right * sine
    far = (along / spread[:, :1, None]) ** 2 + (across / spread[:, 1:, None]) ** 2
    nearest = far.min(axis=(1, 2), keepdims=True)
    return np.asarray(np.exp(-0.5 * (far - nearest)), np.float32)
