"""From what was drawn to pixels, rectangles and outlines."""

from functools import reduce

import numpy as np
from numpy.typing import NDArray

from crystal_search import polygons
from crystal_search.annotations.annotated_image import (
    AnnotatedImage,
    AnnotatedObject,
    Boxed,
    Corner,
    Edges,
    Outlined,
    Painted,
    Placed,
    Polygon,
    Ring,
    Shape,
)
from crystal_search.errors import UserError
from crystal_search.synthesis.rendered_folder import mask_of, run_lengths
from crystal_search.unet_drop.regions import Mask, box_around

MISSING = "scikit-image, which finds outlines, is missing: pip install 'crystal-search[annotations]'"
CIRCLE_CORNERS = 180  #: of the polygon that stands for a circle or an ellipse


def painted(mask: Mask) -> Painted:
    """Return a mask (height, width) as a shape.

    >>> painted(np.array([[0, 1, 1], [0, 1, 0]], bool))
    Painted(runs=(2, 3, 1))
    """
    return Painted(tuple(run_lengths(np.flatnonzero(mask.T), mask.size)))


def mask_in(shape: Shape, height: int, width: int) -> Mask:
    """Return the pixels of a shape in an image, (height, width); places have none."""
    match shape:
        case Painted(runs):
            return mask_of(list(runs), height, width)
        case Outlined(parts):
            masks = (_of_polygon(each, height, width) for each in parts)
            return reduce(np.logical_or, masks, np.zeros((height, width), np.bool_))
        case Boxed(edges):
            return polygons.covered([ring_around(edges)], height, width)
        case Placed():
            return np.zeros((height, width), np.bool_)


def _of_polygon(polygon: Polygon, height: int, width: int) -> Mask:
    mask = polygons.covered([polygon.outline], height, width)
    return mask & ~polygons.covered(polygon.holes, height, width) if polygon.holes else mask


def ring_around(edges: Edges) -> Ring:
    """Return the corners of a rectangle, clockwise from the upper left.

    >>> ring_around(Edges(1, 2, 3, 4))
    ((1, 2), (1, 4), (3, 4), (3, 2))
    """
    top, left, bottom, right = edges
    return (top, left), (top, right), (bottom, right), (bottom, left)


def edges_of(shape: Shape, height: int, width: int) -> Edges | None:
    """Return the smallest upright rectangle around a shape; None for a mask without a pixel, and for places.

    Only that of a painted shape depends on the image's size.
    """
    match shape:
        case Boxed(edges):
            return edges
        case Outlined(parts):
            corners = np.array([corner for each in parts for corner in each.outline])
            return Edges(*corners.min(axis=0).tolist(), *corners.max(axis=0).tolist())
        case Painted(runs):
            return Edges(*map(float, box_around(mask_of(list(runs), height, width)))) if sum(runs[1::2]) else None
        case Placed():
            return None


def outlined(shape: Shape, height: int, width: int) -> Outlined | None:
    """Return a shape as polygons that hold the same pixels; None where it holds none.

    Raises
    ------
    UserError
        If the shape was painted, and scikit-image is not installed.
    """
    match shape:
        case Outlined():
            return shape
        case Boxed(edges):
            return Outlined((Polygon(ring_around(edges)),))
        case Painted(runs):
            return _traced(mask_of(list(runs), height, width)) if sum(runs[1::2]) else None
        case Placed():
            return None


def _traced(mask: Mask) -> Outlined:
    """Return polygons half-way between the centres of pixels inside and outside of a mask, which hold its pixels."""
    try:
        from skimage.measure import approximate_polygon, find_contours, label
    except ImportError as error:
        raise UserError(MISSING) from error
    numbers = np.pad(label(mask, connectivity=1), 1)
    parts = []
    for number in range(1, int(numbers.max()) + 1):
        traced = find_contours(numbers == number, 0.5, fully_connected="low")
        rings = [_ring(approximate_polygon(each, 0)[:-1] - 0.5) for each in traced]
        around = max(rings, key=polygons.area_of)
        parts.append(Polygon(around, tuple(each for each in rings if each is not around)))
    return Outlined(tuple(parts))


def area_of(shape: Shape) -> float:
    """Return how large a shape is, px²; parts that overlap count twice.

    >>> area_of(Boxed(Edges(0, 0, 2, 3))), area_of(Painted((2, 3, 1)))
    (6.0, 3.0)
    """
    match shape:
        case Boxed((top, left, bottom, right)):
            return float((bottom - top) * (right - left))
        case Painted(runs):
            return float(sum(runs[1::2]))
        case Outlined(parts):
            return sum(polygons.area_of(each.outline) - sum(map(polygons.area_of, each.holes)) for each in parts)
        case Placed():
            return 0.0


def ellipse(row: float, column: float, half: tuple[float, float], angle_rad: float = 0.0) -> Ring:
    """Return the corners of an ellipse.

    Parameters
    ----------
    half
        Half axes, px; the first lies along `angle_rad`, from columns towards rows.
    """
    turns = np.linspace(0, 2 * np.pi, CIRCLE_CORNERS, endpoint=False)
    return _turned((row, column), half[1] * np.sin(turns), half[0] * np.cos(turns), angle_rad)


def turned_rectangle(row: float, column: float, sides: tuple[float, float], angle_rad: float) -> Ring:
    """Return the corners of a rectangle; the first of its `sides` lies along `angle_rad`, from columns towards rows."""
    along, across = sides
    rows, columns = np.array((-1, -1, 1, 1)) * across / 2, np.array((-1, 1, 1, -1)) * along / 2
    return _turned((row, column), rows, columns, angle_rad)


def _turned(centre: Corner, rows: NDArray[np.float64], columns: NDArray[np.float64], angle_rad: float) -> Ring:
    sine, cosine = np.sin(angle_rad), np.cos(angle_rad)
    away = np.stack((rows * cosine + columns * sine, columns * cosine - rows * sine), axis=1)
    return _ring(away + np.array(centre))


def _ring(corners: NDArray[np.float64]) -> Ring:
    return tuple((row, column) for row, column in corners.tolist())


def size_of(image: AnnotatedImage) -> tuple[int, int]:
    """Return height and width of an image, px.

    Raises
    ------
    UserError
        If nobody tells.
    """
    if not (image.height_px and image.width_px):
        raise UserError(f"nobody tells how large {image.name} is; say --images with the folder where it lies")
    return image.height_px, image.width_px


def pixels_of(image: AnnotatedImage, found: AnnotatedObject) -> Mask:
    """Return the mask of an object of an image, (height, width).

    Raises
    ------
    UserError
        If nobody tells how large the image is.
    """
    return mask_in(found.shape, *size_of(image))
