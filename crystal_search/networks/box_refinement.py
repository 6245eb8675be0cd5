"""A further look at crystals that were found: what is seen along the sides of a box makes a better one.

As the later stages of Cai and Vasconcelos (2018), Cascade R-CNN, arXiv:1712.00726, and of Ding et al. (2019), RoI
Transformer, arXiv:1812.00155, whose boxes turn; but features are read at single points, and only for cells that may
be the middle of a crystal. A head that answers from one cell has to know where both ends of a crystal lie; this one
looks there.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from crystal_search.crystals.boxes import DIRECTIONS
from crystal_search.crystals.decoding import BOX_NUMBERS, OFFSET_PX, STRIDE_PX

#: Where features are read, in sides of the box from its centre: beyond each end, before it, and between.
ALONG, ACROSS = (-0.58, -0.4, 0.0, 0.4, 0.58), (-0.6, -0.3, 0.0, 0.3, 0.6)
FINE_STRIDE_PX = 2  #: of the finer features
READ = 16  #: channels of the features that are read, of the fine ones and of the coarse ones
HIDDEN = 128
ABOUT_THE_BOX = 4  #: numbers of the box that it is told: cosine and sine of twice the angle, both sides
CENTRE_UNIT, SIDES_UNIT, ANGLE_UNIT = 0.25, 0.5, 0.25  #: of its answers: sides, logarithms of them, radians
LONGEST_PX, FARTHEST_PX = 384.0, 96.0  #: a side, and from a cell to the centre along an axis; it looks no farther
REACH_PX = 416  #: from a cell to the farthest place that is looked at, but for a pixel


class Cells(NamedTuple):
    """Cells of maps (N, channels, h, w)."""

    image: Tensor  #: (M,), which of the batch
    row: Tensor  #: (M,)
    column: Tensor  #: (M,)

    def of(self, maps: Tensor) -> Tensor:
        """Return what `maps` hold there, (M, channels), float32."""
        rows = maps.permute(0, 2, 3, 1).flatten(0, 2)
        return rows.index_select(0, self._places(maps)).float()

    def into(self, maps: Tensor, numbers: Tensor) -> Tensor:
        """Return `maps` with `numbers` (M, channels) there."""
        rows = maps.permute(0, 2, 3, 1)
        changed = rows.flatten(0, 2).index_put((self._places(maps),), numbers.to(maps.dtype))
        return changed.view_as(rows).permute(0, 3, 1, 2)

    def _places(self, maps: Tensor) -> Tensor:
        """Return where they are among all cells, (M,), image after image and row after row."""
        height, width = maps.shape[2:]
        return (self.image * height + self.row) * width + self.column

    @property
    def middles_px(self) -> Tensor:
        """Rows and columns of their middles, (M, 2)."""
        return STRIDE_PX * (torch.stack((self.row, self.column), dim=1).float() + 0.5)


class Refined(NamedTuple):
    """What is told of cells."""

    heat: Tensor  #: (M, 1), logits
    boxes: Tensor  #: (M, `BOX_NUMBERS`)
    outlines: Tensor  #: (M, `DIRECTIONS`)


class BoxRefinement(nn.Module):
    """Makes heat, boxes and outlines better, given features at `STRIDE_PX` and at `FINE_STRIDE_PX`."""

    points: Tensor  #: (points, 2), along and across

    def __init__(self, coarse_width: int, fine_width: int) -> None:
        super().__init__()
        points = torch.cartesian_prod(torch.tensor(ALONG), torch.tensor(ACROSS))
        self.register_buffer("points", points, persistent=False)
        self.coarse, self.fine = nn.Conv2d(coarse_width, READ, 1), nn.Conv2d(fine_width, READ, 1)
        numbers = 2 * READ * len(ALONG) * len(ACROSS) + ABOUT_THE_BOX
        last = nn.Linear(HIDDEN, BOX_NUMBERS + DIRECTIONS)  # an angle has two numbers, but one change; and the heat
        self.answer = nn.Sequential(
            nn.Linear(numbers, HIDDEN), nn.ReLU(inplace=True), nn.Linear(HIDDEN, HIDDEN), nn.ReLU(inplace=True), last
        )
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def readable(self, coarse: Tensor, fine: Tensor) -> tuple[Tensor, Tensor]:
        """Return what `forward` reads of features (N, channels, H / 4, W / 4) and (N, channels, H / 2, W / 2)."""
        return self.coarse(coarse).float(), self.fine(fine).float()

    def forward(self, maps: tuple[Tensor, Tensor], before: Refined, cells: Cells) -> Refined:
        """Return what is better for cells, given what was told of them, coded as in the maps.

        Parameters
        ----------
        maps
            What is `readable`.
        before
            What was told of the cells.
        cells
            Whose it is.
        """
        boxes = before.boxes
        centres = OFFSET_PX * boxes[:, :2] + cells.middles_px
        seen_from = (OFFSET_PX * boxes[:, :2]).clamp(-FARTHEST_PX, FARTHEST_PX) + cells.middles_px
        sides, turns = boxes[:, 2:4].exp().clamp(1.0, LONGEST_PX), 0.5 * torch.atan2(boxes[:, 5], boxes[:, 4])
        places = seen_from[:, None] + turned(self.points * sides[:, None], turns)  # (M, points, 2)
        coarse, fine = maps
        read = read_at(coarse, places / STRIDE_PX, cells.image), read_at(fine, places / FINE_STRIDE_PX, cells.image)
        change = self.answer(torch.cat((*read, _doubled(turns), sides.log() / 3), dim=1)).float()
        moved = centres + turned(CENTRE_UNIT * change[:, :2] * sides, turns)
        better = (
            (moved - cells.middles_px) / OFFSET_PX,
            boxes[:, 2:4] + SIDES_UNIT * change[:, 2:4],
            _doubled(turns + ANGLE_UNIT * change[:, 4]),
        )
        outlines = before.outlines + SIDES_UNIT * change[:, BOX_NUMBERS:]
        return Refined(before.heat + change[:, 5:6], torch.cat(better, dim=1), outlines)


def _doubled(turns: Tensor) -> Tensor:
    """Return cosine and sine of twice angles (M,), (M, 2)."""
    return torch.stack((torch.cos(2 * turns), torch.sin(2 * turns)), dim=1)


def turned(steps: Tensor, turns: Tensor) -> Tensor:
    """Return steps (M, ..., 2) along and across boxes that are turned by (M,) as steps of rows and columns."""
    sine, cosine = (each.view(-1, *[1] * (steps.ndim - 2)) for each in (turns.sin(), turns.cos()))
    along, across = steps[..., 0], steps[..., 1]
    return torch.stack((along * sine + across * cosine, along * cosine - across * sine), dim=-1)


def read_at(maps: Tensor, places: Tensor, image: Tensor) -> Tensor:
    """Return maps (N, channels, h, w) at places (M, points, 2), between cells linearly, as (M, points * channels).

    What lies outside of an image is read at its edge. Cells are picked by their number, since that costs ONNX Runtime
    half of what its GridSample does.
    """
    height, width = maps.shape[2:]
    cells = maps.permute(0, 2, 3, 1).flatten(0, 2)  # (N * h * w, channels)
    (top, bottom, down), (left, right, along) = (
        _between(places[..., axis] - 0.5, side) for axis, side in enumerate((height, width))
    )
    starts = (image * height)[:, None]

    def picked(row: Tensor, column: Tensor) -> Tensor:
        return cells.index_select(0, ((starts + row) * width + column).flatten()).view(*places.shape[:2], maps.shape[1])

    upper = _mixed(picked(top, left), picked(top, right), along)
    lower = _mixed(picked(bottom, left), picked(bottom, right), along)
    return _mixed(upper, lower, down).flatten(1)


def _mixed(one: Tensor, other: Tensor, part: Tensor) -> Tensor:
    return one + part * (other - one)  # torch.lerp has a branch, which costs ONNX Runtime twice as much


def _between(position: Tensor, side: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return between which of `side` cells a position (M, points) lies, and what part of the way, (M, points, 1)."""
    last = (side - 1) * torch.ones_like(position)
    position = position.clamp(min=0.0).minimum(last)
    before = position.floor()
    after = (before + 1).minimum(last)
    return before.long(), after.long(), (position - before)[..., None]
