"""Pixel rectangles and points: rows before columns, half-open."""

from typing import NamedTuple, Self


class Point(NamedTuple):
    """A pixel, in (row, column) order."""

    row: int
    column: int


class Box(NamedTuple):
    """Half-open pixel rectangle in (row, column) order; ``image[box.slices]`` cuts it.

    >>> box = Box(10, 20, 110, 220)
    >>> box.height, box.width, box.area
    (100, 200, 20000)
    """

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        """Rows inside, in pixels."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Columns inside, in pixels."""
        return self.right - self.left

    @property
    def area(self) -> int:
        """Pixels inside; 0 for an empty or inverted rectangle."""
        return max(0, self.height) * max(0, self.width)

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index that cuts this rectangle out of an array whose first axes are rows and columns."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def shifted(self, rows: int, columns: int) -> Self:
        """Return the rectangle moved down by `rows` and right by `columns`."""
        return type(self)(self.top + rows, self.left + columns, self.bottom + rows, self.right + columns)

    def clipped(self, height: int, width: int) -> Self:
        """Return the part of the rectangle inside an image of `height` x `width` pixels.

        >>> Box(-5, 0, 20, 300).clipped(100, 200)
        Box(top=0, left=0, bottom=20, right=200)
        """
        return type(self)(
            min(max(self.top, 0), height),
            min(max(self.left, 0), width),
            min(max(self.bottom, 0), height),
            min(max(self.right, 0), width),
        )

    def scaled(self, factor: float) -> Self:
        """Return the rectangle in an image enlarged by `factor`, edges rounded to whole pixels.

        >>> Box(10, 20, 30, 40).scaled(2.0)
        Box(top=20, left=40, bottom=60, right=80)
        """
        return type(self)(*(round(edge * factor) for edge in self))


def intersection_over_union(one: Box, other: Box) -> float:
    """Return shared area over joint area, in [0, 1]; 0 when both are empty.

    >>> intersection_over_union(Box(0, 0, 10, 10), Box(0, 5, 10, 15))
    0.3333333333333333
    """
    rows = min(one.bottom, other.bottom) - max(one.top, other.top)
    columns = min(one.right, other.right) - max(one.left, other.left)
    if rows <= 0 or columns <= 0:
        return 0.0
    overlap = rows * columns
    return overlap / (one.area + other.area - overlap)
