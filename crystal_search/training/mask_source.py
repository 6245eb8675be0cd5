"""Whole images with their drops, to train the drop locator on and to check it with.

Photographs have masks, pictures of any size as people draw them; rendered wells have the share of drop in each block.
An image that was called ``no_drop`` is an empty well and needs neither.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as Pillow
from torch import Tensor

from crystal_search.datasets.drawn_masks import BRIGHT, mask_over
from crystal_search.datasets.packed import DROPS, GREY, PackedDataset, ShardFile, ShardsInUse, WellRow
from crystal_search.errors import ImageError, UserError
from crystal_search.images import Grey, decode, resized, to_grey
from crystal_search.networks.network_kinds import CLASSIFIER_WIDTH_PX, DROP_WIDTH_PX
from crystal_search.outcomes import NO_DROP
from crystal_search.training.device_views import KeptImages, centred, sampled, stacked
from crystal_search.training.view_augmentation import recorded_differently
from crystal_search.unet_drop.regions import Mask

EMPTY_SHARE = 0.3  #: of the wells in a batch
KEPT_WIDTH_PX, KEPT_REDUCTION = 612, 2  #: of images in memory, and of the shares of drop beside them
ROOM_BYTES = 256 * 2**20  #: for images in the memory of a processor, about 0.4 MB each
HEIGHTS_PX = (160, 192, 208, 224, 256)  #: of views 256 px wide: proportions of 8:5, 4:3, 5:4 and others
PART_RANGE = (0.42, 1.0)  #: of the image's width that a view shows where it is nearer
WHOLE_SHARE = 0.5  #: of views that show all of the image
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class KnownDrop:
    """An image and where its drop is."""

    grey: Grey  #: (rows, columns)
    share: Grey  #: how much of each part of the image is drop, 0 to 255; any size of about the same proportions

    @property
    def mask(self) -> Mask:
        """Where the drop is."""
        return np.asarray(self.share > BRIGHT)


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
    if row.part(DROPS):
        grey, share = (np.array(dataset.array(row, name)) for name in (GREY, DROPS))
        return KnownDrop(resized(grey, width_px), share)
    try:
        colour = decode(dataset.image(row), at_least_width_px=max(width_px, CLASSIFIER_WIDTH_PX)).colour
        data = dataset.mask(row)
        mask = np.zeros((1, 1), np.bool_) if data is None else mask_over(data, colour.shape)
    except ImageError as error:
        raise UserError(f"{row.image}: {error}; take it out of the archive, and build the dataset again") from error
    return KnownDrop(resized(to_grey(colour), width_px), 255 * mask.astype(np.uint8))


def at_size(share: Grey, height: int, width: int) -> Grey:
    """Return how much of each part of a picture of another size is drop, 0 to 255."""
    return np.asarray(Pillow.fromarray(share).resize((width, height), Pillow.Resampling.BOX))


@dataclass
class MaskSource(ShardsInUse):
    """Draws batches of whole images; the same step gives the same batch.

    Raises
    ------
    UserError
        If no image of the split has a mask of its drop.
    """

    seed: int
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    _full: list[WellRow] = field(default_factory=list)
    _empty: list[WellRow] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not any(row.knows_drop for row in self.dataset.wells(self.split)):
            raise UserError(
                f"no image in the split {self.split} of {self.dataset.folder} has a mask of its drop; draw some "
                f"(docs/training-drops.md), and build the dataset again"
            )
        self._kept = KeptImages(self._fields, self.device, ROOM_BYTES)

    def _take_up(self, shard: ShardFile) -> None:
        rows = self.dataset.table(WellRow, shard)
        self._full += [row for row in rows if row.knows_drop]
        self._empty += [row for row in rows if row.outcome == NO_DROP]

    def _fields(self, row: WellRow) -> tuple[Tensor, Tensor]:
        """Return an image and its shares of drop, on the device."""
        known = known_drop(self.dataset, row, KEPT_WIDTH_PX)
        share = at_size(known.share, *(side // KEPT_REDUCTION for side in known.grey.shape))
        grey, share = (np.array(each) for each in (known.grey, share))
        return torch.from_numpy(grey).to(self.device), torch.from_numpy(share).to(self.device)

    def batch(self, step: int, size: int) -> tuple[Tensor, Tensor]:
        """Return views (N, 1, h, 256) float32 and how much of each pixel is drop, the same shape; h is the batch's."""
        generator = np.random.default_rng([self.seed, step])
        shape = (int(generator.choice(HEIGHTS_PX)), DROP_WIDTH_PX)
        rows = self._drawn(generator, size)
        upright = self._views(generator, rows[size // 2 :], shape)
        lying = [field.transpose(1, 2) for field in self._views(generator, rows[: size // 2], shape[::-1])]
        views, shares = (torch.cat(pair) for pair in zip(upright, lying, strict=True))
        views = centred(recorded_differently(views, generator))
        for axis in (1, 2):
            mirrored = torch.from_numpy(generator.random((size, 1, 1)) < 0.5).to(self.device)
            views, shares = (torch.where(mirrored, each.flip(axis), each) for each in (views, shares))
        return views[:, None].contiguous(), shares[:, None].contiguous()

    def _drawn(self, generator: np.random.Generator, size: int) -> list[WellRow]:
        empty = generator.random(size) < (EMPTY_SHARE if self._empty else 0.0)
        kinds = [self._empty if each else self._full for each in empty]
        return [rows[int(generator.integers(len(rows)))] for rows in kinds]

    def _views(
        self, generator: np.random.Generator, rows: Sequence[WellRow], shape: tuple[int, ...]
    ) -> tuple[Tensor, Tensor]:
        """Return parts of images, (N, height, width) in [0, 1], and how much of each pixel is drop."""
        if not rows:
            nothing = torch.empty((0, *shape), device=self.device)
            return nothing, nothing
        images = [self._kept.of(row) for row in rows]
        sides = np.array([grey.shape for grey, _ in images], dtype=np.float64)
        largest = (sides / shape).min(axis=1)  # pixels of the image to one of the view, all of it
        part = np.where(generator.random(len(rows)) < WHOLE_SHARE, 1.0, generator.uniform(*PART_RANGE, len(rows)))
        step = (largest * part)[:, None]
        corner = generator.random((len(rows), 2)) * (sides - step * shape)
        grey, share = stacked(images)
        return (
            sampled(grey, *self._positions(shape, corner, step, sides)),
            sampled(share, *self._positions(shape, *(each / KEPT_REDUCTION for each in (corner, step, sides)))),
        )

    def _positions(self, shape: Sequence[int], corner: Floats, step: Floats, sides: Floats) -> list[Tensor]:
        """Return the rows and columns, (N, h) and (N, w), of the pixels of views in images of `sides`."""
        found = []
        for axis, length in enumerate(shape):
            positions = corner[:, axis, None] + step * (np.arange(length) + 0.5) - 0.5
            positions = np.clip(positions, 0, sides[:, axis, None] - 1)
            found.append(torch.from_numpy(positions.astype(np.float32)).to(self.device))
        return found
