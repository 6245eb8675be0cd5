"""Images of crystals in suspension with their truth: from seeds to pictures, a batch at a time.

Every random number of an image comes from its own seed, so that an image is the same in whatever batch it is made.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crystal_search.synthesis.rays import Lamps, light_along
from crystal_search.synthesis.seeds import WellSeed
from crystal_search.synthesis.suspension.crystal_model import SIDE_PX, Wanted, drawn, library
from crystal_search.synthesis.suspension.microscope import drawn_shots, exposed, focused, recorded
from crystal_search.synthesis.suspension.noise import with_noise
from crystal_search.synthesis.suspension.pixels import Pixels, offsets, under
from crystal_search.synthesis.suspension.placing import Placed, placed

MOST_CRYSTALS, OVERLAP = 100, 0.3
DARKEST = 0.03  #: light behind a crystal that lets none through: some is scattered into it
TOO_FAINT = 0.03  #: mean change of light over a crystal, of the field's, below which it cannot be seen
CONDENSER_RANGE, SOFTNESS_RANGE, OFFSET_RANGE = (0.12, 0.5), (0.02, 0.12), (-0.12, 0.12)  #: sines, in the liquor
HIGHLIGHT_SHARE, HIGHLIGHT = 0.3, 0.12  #: of images; by which some of their crystals are brighter or darker


@dataclass(frozen=True, slots=True)
class Settings:
    """What all images of a set share."""

    most: int = MOST_CRYSTALS  #: crystals in an image
    fewest: int = 1
    overlap: float = OVERLAP  #: largest part of a crystal's rectangle that may lie on larger ones
    across_border: bool = False
    noise: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Suspension:
    """A batch of images and the truth about every crystal in them."""

    images: Tensor  #: (N, 384, 384) uint8, grey
    crystals: Placed  #: one a row
    pixels: Pixels  #: of their masks
    visible: Tensor  #: (n,), part of each mask that no crystal nearer to the camera covers
    contrast: Tensor  #: (n,), mean change of light over the mask, of the empty field's, before noise

    @property
    def habits(self) -> tuple[str, ...]:
        """The habit of every crystal."""
        names = library().names
        return tuple(names[number] for number in self.crystals.body.tolist())

    @property
    def too_faint(self) -> Tensor:
        """Which crystals cannot be seen, (n,) bool."""
        return self.contrast * self.visible < TOO_FAINT


def suspension_images(
    split: str, first: int, count: int, *, settings: Settings | None = None, device: str = "cpu", batch: int = 2
) -> Iterator[Suspension]:
    """Yield images `first` to `first + count` - 1 of a split in batches; nothing touches a disk.

    >>> found = next(suspension_images("train", 0, 2, settings=Settings(most=5)))
    >>> found.images.shape
    torch.Size([2, 384, 384])
    """
    for start in range(first, first + count, batch):
        numbers = range(start, min(start + batch, first + count))
        seeds = [WellSeed(split, number) for number in numbers]
        yield rendered(seeds, settings or Settings(), torch.device(device))


def rendered(seeds: Sequence[WellSeed], settings: Settings, device: torch.device) -> Suspension:
    """Return the images that `seeds` name."""
    generators = [seed.generator("suspension") for seed in seeds]
    return with_crystals(
        generators, [drawn(each, settings.most, fewest=settings.fewest) for each in generators], settings, device
    )


def with_crystals(
    generators: Sequence[np.random.Generator],
    wanted: Sequence[Wanted[NDArray[Any]]],
    settings: Settings,
    device: torch.device,
) -> Suspension:
    """Return images of the crystals that are `wanted` in each, all else drawn from its own generator."""
    crystals = placed(wanted, device, overlap=settings.overlap, across_border=settings.across_border)
    lamps, gains = _lamps(generators, crystals)
    pixels, light = _lit(crystals, lamps)
    image = crystals.image[pixels.crystal]
    flat = pixels.row * SIDE_PX + pixels.column
    shown = (light * gains[pixels.crystal]).clamp_min(DARKEST)
    field = focused(shown, crystals.depth[pixels.crystal], image, flat, len(generators))
    shots = drawn_shots(generators, device)
    levels = exposed(field, shots)
    if settings.noise:
        levels = with_noise(levels, generators)
    return Suspension(
        recorded(levels, shots),
        crystals,
        pixels,
        _mean_of(_on_top(crystals, pixels, image * SIDE_PX**2 + flat).float(), pixels, len(crystals.image)),
        _mean_of((1 - light).abs(), pixels, len(crystals.image)),
    )


def _lamps(generators: Sequence[np.random.Generator], crystals: Placed) -> tuple[Lamps, Tensor]:
    """Return the lamp of each crystal's image, and how much brighter than it is a crystal is shown, (n,)."""
    rows, gains = [], []
    counts = torch.bincount(crystals.image, minlength=len(generators)).tolist()
    for count, rng in zip(counts, generators, strict=True):
        spans = (CONDENSER_RANGE, SOFTNESS_RANGE, OFFSET_RANGE, OFFSET_RANGE)
        rows.append([rng.uniform(*span) for span in spans])
        amount = HIGHLIGHT * (rng.random() < HIGHLIGHT_SHARE)
        gains.append(1 + amount * rng.uniform(-1, 1, count))
    device = crystals.image.device
    values = torch.tensor(rows, dtype=torch.float32, device=device)[crystals.image]
    lamps = Lamps(values[:, 0], values[:, 1], values[:, 2:])
    order = crystals.image.argsort(stable=True)
    bright = torch.empty(len(order), device=device)
    bright[order] = torch.from_numpy(np.concatenate(gains).astype(np.float32)).to(device)
    return lamps, bright


def _lit(crystals: Placed, lamps: Lamps) -> tuple[Pixels, Tensor]:
    """Return the pixels of all crystals' masks, and the light (M,) that comes through the crystal there."""
    around = under(crystals.boxes)
    rows, columns = offsets(around, crystals)
    light, hit = light_along(crystals.solids, lamps, around.crystal, rows, columns)
    return around.among(hit), light[hit]


def _on_top(crystals: Placed, pixels: Pixels, place: Tensor) -> Tensor:
    """Return for pixels (M,) of masks, at `place` in the batch, whether no nearer crystal covers them."""
    depth = crystals.depth[pixels.crystal]
    if not len(place):
        return torch.zeros(0, dtype=torch.bool, device=depth.device)
    nearest = torch.zeros(int(crystals.image.max() + 1) * SIDE_PX**2, device=depth.device)
    nearest.scatter_reduce_(0, place, depth, "amax")
    return depth >= nearest[place]


def _mean_of(values: Tensor, pixels: Pixels, crystals: int) -> Tensor:
    """Return the means (crystals,) of `values` (M,) over masks; 0 where a mask is empty."""
    sums = torch.zeros(2, crystals, device=values.device)
    sums[0].index_add_(0, pixels.crystal, values)
    sums[1].index_add_(0, pixels.crystal, torch.ones_like(values))
    return sums[0] / sums[1].clamp_min(1)
