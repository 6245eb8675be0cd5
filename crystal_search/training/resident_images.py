"""Rendered wells in a device's memory, and batches of whole views with their drops made there.

What `train.ImageSource` does on a processor, fast enough for a GPU, and with cameras of more proportions and fields
of view.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crystal_search.datasets.rendered_shards import WELLS_PER_SHARD, Shard, ShardsInUse
from crystal_search.networks.cards import DROP_WIDTH_PX
from crystal_search.training.device_views import centred, recorded_differently, reduced, sampled

EMPTY_SHARE = 0.3  #: of the wells in a batch
MOST_WELLS = 16_384  #: kept at a time, 0.4 MB each; later shards take the place of the first
KEPT_REDUCTION = 2  #: pixels of a shard's image to one in memory, along a side
HEIGHTS_PX = (160, 192, 208, 224, 256)  #: of views 256 px wide: proportions of 8:5, 4:3, 5:4 and others
PART_RANGE = (0.42, 1.0)  #: of the well's width that a view shows where it is nearer
WHOLE_SHARE = 0.5  #: of views that show all of the well


@dataclass
class ResidentImages(ShardsInUse):
    """Draws batches of views, on the device, from the shards that are there; the same step gives the same batch."""

    seed: int
    device: torch.device
    most_wells: int = MOST_WELLS
    _grey: Tensor = field(init=False)
    _drops: Tensor = field(init=False)
    _empty: NDArray[np.bool_] = field(init=False)

    def _take_up(self, number: int, shard: Shard) -> None:
        grey = reduced(torch.from_numpy(np.array(shard.grey)).to(self.device), KEPT_REDUCTION)
        drops = torch.from_numpy(np.array(shard.drops)).to(self.device)
        if number == 0:
            self._grey = torch.empty((self.most_wells, *grey.shape[1:]), dtype=torch.uint8, device=self.device)
            self._drops = torch.empty((self.most_wells, *drops.shape[1:]), dtype=torch.uint8, device=self.device)
            self._empty = np.zeros(self.most_wells, np.bool_)
        first = number % (self.most_wells // WELLS_PER_SHARD) * WELLS_PER_SHARD
        wells = slice(first, first + len(grey))
        self._grey[wells], self._drops[wells] = grey, drops
        self._empty[wells] = [winner is None for winner in shard.winners]

    def batch(self, step: int, size: int) -> tuple[Tensor, Tensor]:
        """Return views (N, 1, h, 256) float32 and how much of each pixel is drop, the same shape; h is the batch's."""
        generator = np.random.default_rng([self.seed, step])
        height, width = int(generator.choice(HEIGHTS_PX)), DROP_WIDTH_PX
        upright = [self._views(generator, size - size // 2, height, width)]
        lying = [field.transpose(1, 2) for field in self._views(generator, size // 2, width, height)]
        views, drops = (torch.cat(pair) for pair in zip(upright[0], lying, strict=True))
        views = centred(recorded_differently(views, generator))
        for axis in (1, 2):
            views[::2], drops[::2] = views[::2].flip(axis), drops[::2].flip(axis)
            order = torch.from_numpy(generator.permutation(size)).to(self.device)
            views, drops = views[order], drops[order]
        return views[:, None].contiguous(), drops[:, None].contiguous()

    def _views(self, generator: np.random.Generator, count: int, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Return parts of wells, (count, height, width) in [0, 1], and how much of each pixel is drop."""
        wells = self._wells(generator, count)
        sides = np.array(self._grey.shape[1:])
        largest = (sides / [height, width]).min()  # pixels of the well to one of the view, all of it
        part = np.where(generator.random(count) < WHOLE_SHARE, 1.0, generator.uniform(*PART_RANGE, count))
        step = (largest * part)[:, None]
        corner = generator.random((count, 2)) * (sides - step * [height, width])
        fields = []
        for store in (self._grey, self._drops):
            factor = store.shape[2] / sides[1]
            axes = [
                torch.from_numpy(
                    (factor * (corner[:, axis, None] + step * (np.arange(length) + 0.5)) - 0.5).astype(np.float32)
                ).to(self.device)
                for axis, length in enumerate((height, width))
            ]
            fields.append(sampled(store, torch.from_numpy(wells).to(self.device), axes[0], axes[1]))
        return fields[0], fields[1]

    def _wells(self, generator: np.random.Generator, count: int) -> NDArray[np.int64]:
        stored = min(len(self.shards) * WELLS_PER_SHARD, self.most_wells)
        empty, full = np.flatnonzero(self._empty[:stored]), np.flatnonzero(~self._empty[:stored])
        of_empty = empty[generator.integers(0, max(1, len(empty)), count)] if len(empty) else full[:1].repeat(count)
        of_full = full[generator.integers(0, len(full), count)]
        return np.where((generator.random(count) < EMPTY_SHARE) & (len(empty) > 0), of_empty, of_full)
