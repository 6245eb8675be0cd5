"""What is usual for an imager: learnt from images of a time when all was well, as far as anybody knows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from crystal_search.errors import UserError
from crystal_search.metrics import Floats
from crystal_search.outcomes import GROUPS
from crystal_search.sentinel.vitals import Vitals

LEAST_IMAGES = 200  #: from which what is usual can be told
RARE = 0.05  #: of the images are beyond each limit
OF_PLATE = 20  #: images from which the share of a plate counts
ROOM, LEAST_BOUND, LARGEST_BOUND = 0.05, 0.1, 0.8  #: of the bounds

DEFOCUS, DARK, BRIGHT, EMPTY, CLASSES, DIRT = "defocus", "dark lamp", "bright lamp", "empty wells", "classes", "dirt"
#: Kind of fault by thing: the things in their order, before the places of the shade map.
KINDS = (DEFOCUS, DEFOCUS, DARK, BRIGHT, EMPTY, *[CLASSES] * len(GROUPS))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Look:
    """One image as the sentinel sees it."""

    vitals: Vitals
    group: int | None  #: position in GROUPS of what the machine called it; None for an empty well
    plate: str


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Usual:
    """Limits that few images pass, and how often each may be passed."""

    sharpness_low: float
    coarse_sharpness_low: float
    brightness_low: float
    brightness_high: float
    shade_low: NDArray[np.float16]  #: (rows, columns) of places
    bounds: Floats  #: (things,): share of images that may pass each limit, in the order of `happened`

    def happened(self, look: Look) -> NDArray[np.bool_]:
        """Return which limits an image passes: `KINDS`, then the places of the shade map, row by row; (things,).

        A picture of another format than those it was learnt from has no places that can be compared.
        """
        vitals = look.vitals
        fits = vitals.shade.shape == self.shade_low.shape
        dark = vitals.shade < self.shade_low if fits else np.zeros(self.shade_low.shape, np.bool_)
        return np.concatenate(
            [
                [
                    vitals.sharpness < self.sharpness_low,
                    vitals.coarse_sharpness < self.coarse_sharpness_low,
                    vitals.brightness < self.brightness_low,
                    vitals.brightness > self.brightness_high,
                    look.group is None,
                    *(look.group == each for each in range(len(GROUPS))),
                ],
                dark.ravel(),
            ]
        ).astype(np.bool_)


def learnt(looks: Sequence[Look]) -> Usual:
    """Return what is usual for an imager, from at least `LEAST_IMAGES` images.

    A limit may be passed as often as on the plate of these images where it was passed most often, and somewhat more:
    images of a plate resemble each other, and a plate full of precipitate is no fault.

    Raises
    ------
    UserError
        If there are too few images.
    """
    if len(looks) < LEAST_IMAGES:
        raise UserError(f"{len(looks)} images tell nothing of an imager yet; wait for {LEAST_IMAGES}")
    shapes = [each.vitals.shade.shape for each in looks]
    shape = max(set(shapes), key=shapes.count)
    sharpness = [(each.vitals.sharpness, each.vitals.coarse_sharpness) for each in looks]
    fine, coarse = np.quantile(sharpness, RARE, axis=0)
    low, high = np.quantile([each.vitals.brightness for each in looks], [RARE, 1 - RARE])
    shade = np.stack([each.vitals.shade for each in looks if each.vitals.shade.shape == shape])
    limits = Usual(
        sharpness_low=float(fine),
        coarse_sharpness_low=float(coarse),
        brightness_low=float(low),
        brightness_high=float(high),
        shade_low=np.quantile(shade.astype(np.float32), RARE, axis=0).astype(np.float16),
        bounds=np.zeros(0),
    )
    happened = np.stack([limits.happened(each) for each in looks])
    return replace(limits, bounds=_bounds(happened, [each.plate for each in looks]))


def _bounds(happened: NDArray[np.bool_], plates: Sequence[str]) -> Floats:
    """Return how often each thing may happen, of (images, things) and the plate of each image."""
    shares = [happened.mean(axis=0)]
    names, plate_of = np.unique(np.array(plates, np.str_), return_inverse=True)
    for plate in range(len(names)):
        mine = happened[plate_of == plate]
        if len(mine) >= OF_PLATE:
            shares.append(mine.mean(axis=0))
    return np.asarray(np.clip(np.max(shares, axis=0) + ROOM, LEAST_BOUND, LARGEST_BOUND))
