"""Which pixels lie under crystals: one row for every pixel of every crystal, all images of a batch together."""

from dataclasses import dataclass

import torch
from torch import Tensor

from crystal_search.synthesis.suspension.crystal_model import SIDE_PX
from crystal_search.synthesis.suspension.placing import Placed, reach

MARGIN_PX = 1.0  #: around rectangles, so that no pixel of a crystal is left out
FLAT = 1e-4  #: sine or cosine below which a side of a rectangle runs along rows or columns


@dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """Pixels, each with the crystal that it is looked at for."""

    crystal: Tensor  #: (M,) int64
    row: Tensor  #: (M,) int64
    column: Tensor  #: (M,) int64

    def among(self, chosen: Tensor) -> "Pixels":
        """Return those at `chosen`, (m,) bool."""
        return Pixels(self.crystal[chosen], self.row[chosen], self.column[chosen])


def under(boxes: Tensor) -> Pixels:
    """Return the pixels of the image whose centres lie in rectangles (n, 5), or just beside them."""
    far = reach(boxes) + MARGIN_PX
    top = (boxes[:, 0] - far[:, 0] - 0.5).ceil().clamp(0, SIDE_PX)
    bottom = (boxes[:, 0] + far[:, 0] - 0.5).floor().clamp(-1, SIDE_PX - 1)
    crystal, row = _counted(top, (bottom - top + 1).clamp_min(0))
    first, last = _spans(boxes[crystal], row)
    of_row, column = _counted(first, (last - first + 1).clamp_min(0))
    return Pixels(crystal[of_row], row[of_row], column)


def _counted(first: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """Return for each of `counts` (n,) numbers from `first` (n,) on which row it is of, and the number itself."""
    counts = counts.long()
    rows = torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)
    before = counts.cumsum(0) - counts
    within = torch.arange(len(rows), device=counts.device) - before[rows]
    return rows, first.long()[rows] + within


def _spans(boxes: Tensor, row: Tensor) -> tuple[Tensor, Tensor]:
    """Return the first and last column of the image that rows of pixels (m,) have in rectangles (m, 5)."""
    y = row + 0.5 - boxes[:, 0]
    cosine, sine = boxes[:, 4].cos(), boxes[:, 4].sin()
    long, short = boxes[:, 2] / 2 + MARGIN_PX, boxes[:, 3] / 2 + MARGIN_PX
    low_u, high_u = _interval(-long - y * sine, long - y * sine, cosine)
    low_v, high_v = _interval(y * cosine - short, y * cosine + short, sine)
    first = (boxes[:, 1] + torch.maximum(low_u, low_v) - 0.5).ceil().clamp(0, SIDE_PX)
    last = (boxes[:, 1] + torch.minimum(high_u, high_v) - 0.5).floor().clamp(-1, SIDE_PX - 1)
    return first, last


def _interval(low: Tensor, high: Tensor, slope: Tensor) -> tuple[Tensor, Tensor]:
    """Return the x between which low <= slope x <= high; everywhere where the slope is none."""
    flat = slope.abs() < FLAT
    safe = torch.where(flat, 1.0, slope)
    ends = torch.stack((low / safe, high / safe))
    return torch.where(flat, -torch.inf, ends.amin(dim=0)), torch.where(flat, torch.inf, ends.amax(dim=0))


def offsets(pixels: Pixels, crystals: Placed) -> tuple[Tensor, Tensor]:
    """Return how far pixels' centres lie from the centres of their crystals' bodies along rows and columns, px."""
    centres = (crystals.boxes[:, :2] + crystals.shift)[pixels.crystal]
    return pixels.row + 0.5 - centres[:, 0], pixels.column + 0.5 - centres[:, 1]
