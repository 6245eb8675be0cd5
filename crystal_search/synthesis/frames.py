"""Rectangles of a rendered image, in which things are drawn.

Lengths are in *units*: pixels of an image at working width. A frame knows how many of its pixels a unit has, so the
same scene is drawn at any size.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crystal_search.errors import UserError
from crystal_search.images import WORKING_WIDTH_PX

UNITS_PER_WIDTH = float(WORKING_WIDTH_PX)

BUCKET_PX = (8, 16, 28, 48, 80, 140, 240, 420, 760, 1400)  # half sides of patches that are drawn together
MAX_PATCH_PIXELS = 6_000_000  # drawn at once


@dataclass(frozen=True, slots=True)
class Frame:
    """A half-open rectangle of pixels of the image, and the device that draws it."""

    top: int
    left: int
    height: int
    width: int
    px_per_unit: float
    device: torch.device

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns, in pixels."""
        return self.height, self.width

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index that cuts the frame out of an array of the whole image."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)

    def within(self, other: "Frame") -> tuple[slice, slice]:
        """Return the index that cuts this frame out of an array of `other`, which holds it."""
        top, left = self.top - other.top, self.left - other.left
        return slice(top, top + self.height), slice(left, left + self.width)

    def rows(self) -> Tensor:
        """Return the position of every row in units, shape (height, 1)."""
        pixels = torch.arange(self.top, self.top + self.height, device=self.device, dtype=torch.float32)
        return (pixels / self.px_per_unit)[:, None]

    def columns(self) -> Tensor:
        """Return the position of every column in units, shape (1, width)."""
        pixels = torch.arange(self.left, self.left + self.width, device=self.device, dtype=torch.float32)
        return (pixels / self.px_per_unit)[None, :]

    def zeros(self) -> Tensor:
        """Return an empty field, float32."""
        return torch.zeros(self.shape, device=self.device)

    def tensor(self, values: NDArray[np.generic]) -> Tensor:
        """Return numbers as float32 on the frame's device."""
        return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32)).to(self.device)

    def cut(self, top: float, left: float, bottom: float, right: float) -> "Frame":
        """Return the part of the frame between two corners in units, at least 2 px on a side."""
        first_row = min(max(int(top * self.px_per_unit), self.top), self.top + self.height - 2)
        first_column = min(max(int(left * self.px_per_unit), self.left), self.left + self.width - 2)
        last_row = min(max(int(bottom * self.px_per_unit) + 1, first_row + 2), self.top + self.height)
        last_column = min(max(int(right * self.px_per_unit) + 1, first_column + 2), self.left + self.width)
        height, width = last_row - first_row, last_column - first_column
        return replace(self, top=first_row, left=first_column, height=height, width=width)


@dataclass(frozen=True, slots=True, eq=False)
class Stamps:
    """Where single objects lie in a frame, one row an object."""

    index: Tensor  #: (N, pixels) int64, positions in the flattened frame
    covered: Tensor  #: (N, pixels) bool, whether the object covers that pixel
    numbers: NDArray[np.int64]  #: (N,), which of all objects they are

    def share_of(self, field: Tensor) -> Tensor:
        """Return the mean of a field over each object, shape (N,)."""
        values = field.reshape(-1)[self.index] * self.covered
        return values.sum(dim=1) / self.covered.sum(dim=1).clamp_min(1)

    def chosen(self, which: Tensor, shape: tuple[int, int]) -> Tensor:
        """Return the pixels that the objects `which` (N,) cover, bool, shape `shape`."""
        field = torch.zeros(shape[0] * shape[1], dtype=torch.bool, device=self.index.device)
        field[self.index[which][self.covered[which]]] = True
        return field.reshape(shape)


#: Draws objects, given their numbers, and the offsets of the pixels from their centres, (N, p, p) in units.
Draw = Callable[[NDArray[np.int64], Tensor, Tensor], Tensor]


def stamp(
    frame: Frame, centres: NDArray[np.float64], half_sides: NDArray[np.float64], draw: Draw
) -> tuple[Tensor, tuple[Stamps, ...]]:
    """Return the sum of many small objects, and where each lies.

    Parameters
    ----------
    centres
        (N, 2), row and column in units.
    half_sides
        (N,), how far each object reaches from its centre, in units.
    draw
        Returns (N, p, p) values, 0 where the object is not.
    """
    field = frame.zeros()
    placed: list[Stamps] = []
    reach = np.searchsorted(BUCKET_PX[:-1], half_sides * frame.px_per_unit + 1)
    for bucket in np.unique(reach):
        numbers = np.flatnonzero(reach == bucket)
        half = BUCKET_PX[bucket]
        at_once = max(1, MAX_PATCH_PIXELS // (2 * half + 1) ** 2)
        for start in range(0, len(numbers), at_once):
            placed.append(_stamp_bucket(frame, field, centres, (numbers[start : start + at_once], half), draw))
    return field, tuple(placed)


def _stamp_bucket(
    frame: Frame,
    field: Tensor,
    centres: NDArray[np.float64],
    bucket: tuple[NDArray[np.int64], int],
    draw: Draw,
) -> Stamps:
    numbers, half = bucket
    pixels = torch.from_numpy(np.round(centres[numbers] * frame.px_per_unit).astype(np.int64)).to(frame.device)
    offsets = torch.arange(-half, half + 1, device=frame.device)
    rows = (pixels[:, 0] - frame.top)[:, None] + offsets  # (N, p)
    columns = (pixels[:, 1] - frame.left)[:, None] + offsets  # (N, p)
    centre = frame.tensor(centres[numbers])
    row_offsets = (rows + frame.top) / frame.px_per_unit - centre[:, :1]
    column_offsets = (columns + frame.left) / frame.px_per_unit - centre[:, 1:]
    shape = (len(numbers), 2 * half + 1, 2 * half + 1)
    values = draw(numbers, row_offsets[:, :, None].expand(shape), column_offsets[:, None, :].expand(shape))
    inside = ((rows >= 0) & (rows < frame.height))[:, :, None] & ((columns >= 0) & (columns < frame.width))[:, None, :]
    values = values * inside  # (N, p, p)
    index = rows.clamp(0, frame.height - 1)[:, :, None] * frame.width + columns.clamp(0, frame.width - 1)[:, None, :]
    flat = index.reshape(len(numbers), -1)  # (N, p * p)
    field.view(-1).index_add_(0, flat.reshape(-1), values.reshape(-1))
    return Stamps(flat, values.reshape(len(numbers), -1) != 0, numbers)


def check_device(device: str) -> None:
    """Refuse a device that is not there.

    Raises
    ------
    UserError
        If torch does not know it, or it is a GPU and there is none.
    """
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"no device {device!r} here; choose cpu, or cuda where there is a GPU") from error
