"""Whole images with masks of their drops, packed or rendered, to train a drop locator on and to check it with.

A mask is a picture of any size as people draw it: bright where the drop is. An image that was called ``no_drop`` is an
empty well and needs no mask.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as Pillow
from torch import Tensor

from crystal_search.datasets.drawn_masks import mask_over
from crystal_search.datasets.packed import PackedDataset, ShardFile, ShardsInUse, WellRow
from crystal_search.datasets.rendered_shards import Shard
from crystal_search.datasets.rendered_shards import ShardsInUse as RenderedShards
from crystal_search.errors import ImageError, UserError
from crystal_search.images import Grey, decode, normalised, resized, to_grey
from crystal_search.networks.cards import CLASSIFIER_WIDTH_PX, DROP_NORMALISATION, DROP_WIDTH_PX
from crystal_search.outcomes import NO_DROP
from crystal_search.training.augmentation import enlarged, recorded_differently, turned
from crystal_search.unet_drop.network import SIDE_MULTIPLE_PX
from crystal_search.unet_drop.regions import Mask

EMPTY_SHARE = 0.2  #: of the wells in a batch
ROWS_PX = 224  #: of every training image, whatever its proportions: cut or padded with zeros as in the client
SMALLEST_ZOOM, LARGEST_ZOOM = 0.75, 1.15  #: part of the image that is seen; more than 1 is all of it
KEPT_WIDTH_PX = 352  #: of images in memory: the smallest part is still wider than what the network sees
MOST_KEPT = 2000  #: images in memory, about 0.2 MB each; others are decoded again


@dataclass(frozen=True, slots=True, eq=False)
class KnownDrop:
    """An image and where its drop is."""

    row: WellRow
    grey: Grey  #: (rows, columns)
    mask: Mask  #: any size of the same proportions, nothing set in an empty well

    @property
    def empty(self) -> bool:
        """Whether there is no drop."""
        return not self.mask.any()


def masked_wells(dataset: PackedDataset, split: str) -> list[WellRow]:
    """Return the images of a split of which it is known where the drop is, or that there is none."""
    return [row for row in dataset.wells(split) if row.knows_drop or row.outcome == NO_DROP]


def known_drop(dataset: PackedDataset, row: WellRow, width_px: int) -> KnownDrop:
    """Return an image as the client would see it at `width_px`, with its drop.

    Raises
    ------
    UserError
        If the image does not decode, or its mask is none.
    """
    try:
        colour = decode(dataset.image(row), at_least_width_px=max(width_px, CLASSIFIER_WIDTH_PX)).colour
        data = dataset.mask(row)
        mask = np.zeros((1, 1), np.bool_) if data is None else mask_over(data, colour.shape)
    except ImageError as error:
        raise UserError(f"{row.image}: {error}; take it out of the archive, and build the dataset again") from error
    return KnownDrop(row, resized(to_grey(colour), width_px), mask)


def coverage_at(mask: Mask, height: int, width: int) -> Grey:
    """Return how much of each pixel of a picture of another size is drop, 0 to 255."""
    picture = Pillow.fromarray(255 * mask.astype(np.uint8))
    return np.asarray(picture.resize((width, height), Pillow.Resampling.BOX))


@dataclass
class MaskSource(ShardsInUse):
    """Draws batches of whole images of a dataset; the same step gives the same batch."""

    seed: int
    _full: list[WellRow] = field(default_factory=list)
    _empty: list[WellRow] = field(default_factory=list)
    _kept: dict[str, tuple[Grey, Grey]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.shards = list(self.dataset.shards(self.kind, self.split))
        rows = masked_wells(self.dataset, self.split)
        self._full = [row for row in rows if row.knows_drop]
        self._empty = [row for row in rows if row.outcome == NO_DROP]
        if not self._full:
            raise UserError(
                f"no image in the split {self.split} of {self.dataset.folder} has a mask of its drop; draw some "
                f"(docs/training-drops.md), and build the dataset again"
            )

    def refresh(self) -> None:
        """Do nothing: a dataset that was built does not grow."""

    def _take_up(self, shard: ShardFile) -> None:
        raise NotImplementedError(shard.file)

    def __len__(self) -> int:
        """Return how many images there are."""
        return len(self._full) + len(self._empty)

    def batch(self, step: int, size: int) -> tuple[Tensor, Tensor]:
        """Return views (N, 1, 224, 256) float32 and how much of each pixel is drop, the same shape."""
        generator = np.random.default_rng([self.seed, step])
        return stacked(seen_differently(*self._draw(generator), generator) for _ in range(size))

    def _draw(self, generator: np.random.Generator) -> tuple[Grey, Grey]:
        rows = self._empty if self._empty and generator.random() < EMPTY_SHARE else self._full
        row = rows[int(generator.integers(len(rows)))]
        if row.key in self._kept:
            return self._kept[row.key]
        known = known_drop(self.dataset, row, KEPT_WIDTH_PX)
        pair = known.grey, coverage_at(known.mask, *known.grey.shape)
        if len(self._kept) < MOST_KEPT:
            self._kept[row.key] = pair
        return pair


@dataclass
class ImageSource(RenderedShards):
    """Draws batches of whole images from the shards that are there; the same step gives the same batch."""

    seed: int
    _full: list[tuple[int, int]] = field(default_factory=list)
    _empty: list[tuple[int, int]] = field(default_factory=list)

    def _take_up(self, number: int, shard: Shard) -> None:
        for well, winner in enumerate(shard.winners):
            (self._empty if winner is None else self._full).append((number, well))

    def batch(self, step: int, size: int) -> tuple[Tensor, Tensor]:
        """Return views (N, 1, 224, 256) float32 and how much of each pixel is drop, the same shape."""
        generator = np.random.default_rng([self.seed, step])
        return stacked(seen_differently(*self._draw(generator), generator) for _ in range(size))

    def _draw(self, generator: np.random.Generator) -> tuple[Grey, Grey]:
        wells = self._empty if self._empty and generator.random() < EMPTY_SHARE else self._full
        shard, well = wells[int(generator.integers(len(wells)))]
        return self.shards[shard].grey[well], self.shards[shard].drops[well]


def stacked(pairs: Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]) -> tuple[Tensor, Tensor]:
    """Return views and masks (N, 1, rows, columns) of pairs of single ones."""
    views, drops = (torch.from_numpy(np.stack(each)[:, None]) for each in zip(*pairs, strict=True))
    return views, drops


def seen_differently(
    grey: Grey, drop: Grey, generator: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return an image as another camera, turned or nearer, might show it, and how much of each pixel is drop.

    Parameters
    ----------
    grey
        (rows, columns), any size.
    drop
        How much of each part of the image is drop, 0 to 255; any size.
    generator
        Of the random numbers.

    Returns
    -------
    view, drop
        (224, 256) float32 each: normalised as the client does it, and in [0, 1].
    """
    grey, drop = _zoomed(np.asarray(grey), np.asarray(drop), generator)
    turn = int(generator.integers(8))
    grey, drop = turned(grey, turn), turned(drop, turn)
    grey = recorded_differently(resized(grey, DROP_WIDTH_PX), generator)
    shares = enlarged(drop, *grey.shape, smooth=True).astype(np.float32) / np.float32(255)
    return _fitted(normalised(grey, DROP_NORMALISATION)), _fitted(np.asarray(shares, np.float32))


def _zoomed(grey: Grey, drop: Grey, generator: np.random.Generator) -> tuple[Grey, Grey]:
    """Return a part of the image, or all of it, and the same part of the mask."""
    share = min(1.0, generator.uniform(SMALLEST_ZOOM, LARGEST_ZOOM))
    places = generator.random(2)
    parts = []
    for array in (grey, drop):
        sides = [round(side * share) for side in array.shape]
        starts = [round(place * (side - part)) for place, side, part in zip(places, array.shape, sides, strict=True)]
        rows, columns = (slice(start, start + part) for start, part in zip(starts, sides, strict=True))
        parts.append(np.ascontiguousarray(array[rows, columns]))
    return parts[0], parts[1]


def _fitted(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cut or pad the bottom with zeros to the rows of all training images."""
    rows = image[:ROWS_PX]
    return np.pad(rows, ((0, ROWS_PX - len(rows)), (0, -rows.shape[1] % SIDE_MULTIPLE_PX)))
