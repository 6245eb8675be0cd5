"""Training of the drop locator on rendered wells, with and without a drop."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from crystal_search.images import Grey, normalised, resized
from crystal_search.networks.augmentation import enlarged, recorded_differently, turned
from crystal_search.networks.cards import DROP_NORMALISATION, DROP_WIDTH_PX
from crystal_search.networks.shards import Shard, read_shard, shard_names
from crystal_search.networks.training import Plan, Training, Whereabouts
from crystal_search.unet_drop.network import SIDE_MULTIPLE_PX, UNet

EMPTY_SHARE = 0.2  #: of the wells in a batch
ROWS_PX = 224  #: of every training image, whatever its proportions: cut or padded with zeros as in the client
SMALLEST_ZOOM = 0.75  #: part of the image that is seen at the least
DICE_SMOOTHING = 50.0  #: pixels; makes the Dice of an empty well well-defined


@dataclass
class ImageSource:
    """Draws batches of whole images from the shards that are there; the same step gives the same batch."""

    folder: Path
    split: str
    seed: int
    shards: list[Shard] = field(default_factory=list)
    _full: list[tuple[int, int]] = field(default_factory=list)
    _empty: list[tuple[int, int]] = field(default_factory=list)

    def names(self) -> list[str]:
        """Return the names of the shards in use."""
        return [shard.name for shard in self.shards]

    def refresh(self) -> None:
        """Take up the shards that were written since."""
        self.use(shard_names(self.folder, self.split))

    def use(self, names: list[str]) -> None:
        """Draw from the shards `names`, which start with those in use already, from now on."""
        for name in names[len(self.shards) :]:
            shard = read_shard(self.folder / name)
            for well, winner in enumerate(shard.winners):
                (self._empty if winner is None else self._full).append((len(self.shards), well))
            self.shards.append(shard)

    def batch(self, step: int, size: int) -> tuple[Tensor, Tensor]:
        """Return views (N, 1, 224, 256) float32 and how much of each pixel is drop, the same shape."""
        generator = np.random.default_rng([self.seed, step])
        pairs = [self._draw(generator) for _ in range(size)]
        views, drops = (torch.from_numpy(np.stack(each)[:, None]) for each in zip(*pairs, strict=True))
        return views, drops

    def _draw(self, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        wells = self._empty if self._empty and generator.random() < EMPTY_SHARE else self._full
        shard, well = wells[int(generator.integers(len(wells)))]
        grey, drop = self.shards[shard].grey[well], self.shards[shard].drops[well]
        grey, drop = _zoomed(np.asarray(grey), np.asarray(drop), generator)
        turn = int(generator.integers(8))
        grey, drop = turned(grey, turn), turned(drop, turn)
        grey = recorded_differently(resized(grey, DROP_WIDTH_PX), generator)
        drop = enlarged(drop, *grey.shape, smooth=True).astype(np.float32) / 255
        return _fitted(normalised(grey, DROP_NORMALISATION)), _fitted(drop)


def _zoomed(grey: Grey, drop: Grey, generator: np.random.Generator) -> tuple[Grey, Grey]:
    """Return a part of the image, or all of it, and the same part of the mask."""
    share = min(1.0, generator.uniform(SMALLEST_ZOOM, 1.15))
    places = generator.random(2)
    parts = []
    for array in (grey, drop):
        sides = [round(side * share) for side in array.shape]
        starts = [round(place * (side - part)) for place, side, part in zip(places, array.shape, sides, strict=True)]
        rows, columns = (slice(start, start + part) for start, part in zip(starts, sides, strict=True))
        parts.append(np.ascontiguousarray(array[rows, columns]))
    return parts[0], parts[1]


def _fitted(image: np.ndarray) -> np.ndarray:
    """Cut or pad the bottom with zeros to the rows of all training images."""
    rows = image[:ROWS_PX]
    return np.pad(rows, ((0, ROWS_PX - len(rows)), (0, -rows.shape[1] % SIDE_MULTIPLE_PX)))


def drop_losses(network: nn.Module, views: Tensor, drops: Tensor) -> dict[str, Tensor]:
    """Return binary cross-entropy and Dice loss by name, their sum as ``loss``; all shapes (N, 1, H, W)."""
    logits = network(views)  # (N, 1, H, W)
    entropy = binary_cross_entropy_with_logits(logits, drops)
    found = logits.sigmoid()
    shared, both = (found * drops).sum(dim=(1, 2, 3)), (found + drops).sum(dim=(1, 2, 3))  # (N,)
    dice = 1 - ((2 * shared + DICE_SMOOTHING) / (both + DICE_SMOOTHING)).mean()
    return {"loss": entropy + dice, "entropy": entropy, "dice": dice}


def train_drop_locator(shards: Path, plan: Plan, where: Whereabouts) -> nn.Module:
    """Train the U-Net on the shards of the split ``train`` and return it; checkpoints go where `where` says."""
    torch.manual_seed(plan.seed)
    network = UNet().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    source = ImageSource(shards, "train", plan.seed)
    trained: nn.Module = Training(network, source, drop_losses, plan, where).run()
    return trained
