"""Where chops start: training chops overlap as little as they can, scoring shifts a window in steps.

Both as in Thielmann et al. (2023), section 2.2.
"""

from collections.abc import Iterator
from typing import NamedTuple

from crystal_search.geometry import Box


def tile_starts(length_px: int, side_px: int) -> list[int]:
    """Return where to start the fewest tiles of `side_px` pixels that cover `length_px`.

    The overlaps are as equal as whole pixels allow. The paper's formula takes one tile more than needed
    where `length_px` is a multiple of `side_px`; this does not.

    Raises
    ------
    ValueError
        If a tile is longer than what it should cover.

    >>> tile_starts(1000, 256)
    [0, 248, 496, 744]
    >>> tile_starts(512, 256)
    [0, 256]
    """
    if not 0 < side_px <= length_px:
        raise ValueError(f"cannot cut tiles of {side_px} px from {length_px} px; pad the drop first")
    count = -(-length_px // side_px)
    if count == 1:
        return [0]
    return [round(number * (length_px - side_px) / (count - 1)) for number in range(count)]


class ChopGrid(NamedTuple):
    """Chops of one side at one stride, in rows and columns; what dense scoring computes in one pass.

    The grid may reach beyond the image; what lies outside counts as 0 in a normalised view.
    """

    top: int
    left: int
    rows: int
    columns: int
    side_px: int
    stride_px: int

    @property
    def region(self) -> Box:
        """The pixels under all chops together."""
        height = self.side_px + (self.rows - 1) * self.stride_px
        width = self.side_px + (self.columns - 1) * self.stride_px
        return Box(self.top, self.left, self.top + height, self.left + width)

    def boxes(self) -> Iterator[Box]:
        """Yield the chops row by row."""
        for row in range(self.rows):
            for column in range(self.columns):
                top, left = self.top + row * self.stride_px, self.left + column * self.stride_px
                yield Box(top, left, top + self.side_px, left + self.side_px)


def _axis(start: int, stop: int, *, limit: int, side_px: int, stride_px: int) -> tuple[int, int]:
    """Return the first start and the number of chops that cover [start, stop) on one axis."""
    count = 1 + max(0, -(-(stop - start - side_px) // stride_px))
    span = side_px + (count - 1) * stride_px
    first = start - (span - (stop - start)) // 2
    if span <= limit:
        return min(max(first, 0), limit - span), count
    return -((span - limit) // 2), count


def grid_over(box: Box, *, image_height: int, image_width: int, side_px: int, stride_px: int) -> ChopGrid:
    """Return the smallest grid of chops that covers `box`, inside the image where it fits.

    Parameters
    ----------
    box
        The drop's rectangle, inside the image and not empty.
    image_height, image_width
        Size of the image in pixels.
    side_px, stride_px
        Side of a chop and shift between neighbours, in pixels.

    Raises
    ------
    ValueError
        If the box is empty or not inside the image, or the stride leaves gaps.
    """
    if box != box.clipped(image_height, image_width) or not box.area:
        raise ValueError(f"{box} is empty or not inside the image of {image_height} x {image_width} px")
    if not 0 < stride_px <= side_px:
        raise ValueError(f"a stride of {stride_px} px leaves gaps between chops of {side_px} px")
    top, rows = _axis(box.top, box.bottom, limit=image_height, side_px=side_px, stride_px=stride_px)
    left, columns = _axis(box.left, box.right, limit=image_width, side_px=side_px, stride_px=stride_px)
    return ChopGrid(top, left, rows, columns, side_px, stride_px)


def grid_over_drop(
    box: Box | None, *, mask_width: int, view_height: int, view_width: int, side_px: int, stride_px: int
) -> ChopGrid:
    """Return the grid of chops over a drop, or over the whole view where there is none.

    Parameters
    ----------
    box
        The drop's rectangle in a mask of the whole image.
    mask_width
        Of that mask, pixels.
    view_height, view_width
        Size of the view that chops are cut from, pixels.
    side_px, stride_px
        As of `grid_over`.
    """
    whole = Box(0, 0, view_height, view_width)
    area = box.scaled(view_width / mask_width).clipped(view_height, view_width) if box else whole
    return grid_over(area, image_height=view_height, image_width=view_width, side_px=side_px, stride_px=stride_px)
