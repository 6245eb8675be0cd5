"""How large a crystal is in a section, by its outline and its box.

A dense detector that learnt from masks, as those of sections are, tells boxes around whole pixels. A crystal covers
less: on the whole as many pixels as have their middle in it. So its outline, which such a box does not cut off where
the crystal is long, is too large as well.
"""

from collections.abc import Callable
from math import cos, pi, sin

import numpy as np
from numpy.typing import NDArray

from crystal_search.crystal import Crystal
from crystal_search.crystals.boxes import areas, corners, outline_of, reaches, within_outline
from crystal_search.crystals.decoding import EDGE_PX
from crystal_search.model_card import DENSE, INSTANCES

#: How far middles of outermost pixels lie within the edge of a crystal, pixels; along a long straight side some come
#: nearer, so that it counts around a circle as wide as the short side. It stands for half of the middles on the outline
#: between them: with these and one more Pick's theorem counts pixels by the area of an outline.
WITHIN_EDGE = 0.3
SectionArea = Callable[[Crystal, float], float]  #: of a crystal, and the size of a pixel that the detector saw


def around_edge(crystal: Crystal, _: float) -> float:
    """Return the area of a crystal whose outline is its edge, px²: the outline's, at most that of its box."""
    return min(crystal.area_px2, crystal.long_px * crystal.short_px)


def around_pixels(crystal: Crystal, pixel_px: float) -> float:
    """Return the area of a crystal whose box is drawn around whole pixels, and its outline as a dense detector's, px².

    Both are drawn in to the middles of the outermost pixels; what lies in both is the crystal without its edge.

    Parameters
    ----------
    crystal
        In stored pixels.
    pixel_px
        A pixel of the image that the detector saw, in stored ones.
    """
    points = np.array(crystal.outline, np.float64)
    if len(points) < 3:
        return 0.0
    middle = points.mean(axis=0)
    inner = outline_of(reaches(points[None], middle[None])[0] - pixel_px * EDGE_PX, middle)
    box = np.array(crystal.box)
    box[2:4] -= pixel_px * (abs(cos(crystal.angle_rad)) + abs(sin(crystal.angle_rad)))
    long, short = (max(float(side), 0.0) for side in box[2:4])
    edge = WITHIN_EDGE * pixel_px * pi * short
    return max(_in_both(inner, box) + edge, long * pixel_px) + pixel_px**2


def _in_both(outline: NDArray[np.float64], box: NDArray[np.float64]) -> float:
    if len(outline) < 3 or min(box[2:4]) <= 0:
        return 0.0
    both = within_outline(outline, corners(box[None])[0])
    return float(areas(both)) if len(both) > 2 else 0.0


#: The area of a crystal by how it is read from what a detector answers.
SECTION_AREAS: dict[str, SectionArea] = {DENSE: around_pixels, INSTANCES: around_edge}
