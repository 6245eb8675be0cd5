"""Rendered wells in a device's memory, and batches of crops of them made there.

What `crops.CropSource` does on a processor, fast enough for a GPU: wells are drawn so that every outcome is seen
equally often, crops are resampled and recorded differently, then normalised with their surroundings.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crystal_search.datasets.outcome_maps import REDUCTION, highest_priority
from crystal_search.datasets.rendered_shards import WELLS_PER_SHARD, Shard, ShardsInUse
from crystal_search.networks.cards import CLASSIFIER_WIDTH_PX
from crystal_search.outcomes import OUTCOME_NAMES
from crystal_search.training.crops import AIMS, ANYWHERE, CENTRAL_SHARE, FEWEST_BLOCKS, SURROUNDINGS_PX
from crystal_search.training.device_views import (
    local_contrast,
    looked_up,
    recorded_differently,
    reduced,
    sampled,
    turned,
)

MOST_WELLS = 12_288  #: kept at a time, 1.3 MB each at full width; later shards take the place of the first
PLACES = 48  #: remembered of an outcome in a well
USUAL_STEP, NEARER_STEP = (0.8, 1.25), (0.4, 1.0)  #: pixels of the well to one of the crop: as it is, and nearer
NEARER_SHARE = 0.45


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Where an outcome is seen in wells of a shard."""

    wells: NDArray[np.int64]  #: (n,), number of the well in the store
    blocks: NDArray[np.int16]  #: (n, `PLACES`, 2), row and column of a block


@dataclass
class ResidentCrops(ShardsInUse):
    """Draws batches of crops, on the device, from the shards that are there; the same step gives the same batch."""

    side_px: int
    seed: int
    device: torch.device
    width_px: int = CLASSIFIER_WIDTH_PX  #: to which wells are reduced: that of the shards, or half of it
    most_wells: int = MOST_WELLS
    _grey: Tensor = field(init=False)
    _outcomes: Tensor = field(init=False)
    _places: dict[int, dict[int, Places]] = field(default_factory=dict)  #: by outcome and place of the shard

    def _take_up(self, number: int, shard: Shard) -> None:
        grey, outcomes = self._reduced(shard)
        if number == 0:
            self._grey = torch.empty((self.most_wells, *grey.shape[1:]), dtype=torch.uint8, device=self.device)
            self._outcomes = torch.empty((self.most_wells, *outcomes.shape[1:]), dtype=torch.uint8, device=self.device)
        slot = number % (self.most_wells // WELLS_PER_SHARD)
        first = slot * WELLS_PER_SHARD
        self._grey[first : first + len(grey)] = grey
        self._outcomes[first : first + len(grey)] = outcomes
        generator = np.random.default_rng([self.seed, number])
        for outcome in range(len(OUTCOME_NAMES)):
            self._places.setdefault(outcome, {})[slot] = _places(outcomes.cpu().numpy(), outcome, first, generator)

    def _reduced(self, shard: Shard) -> tuple[Tensor, Tensor]:
        """Return a shard's images and outcome maps at the width asked for, on the device."""
        grey = torch.from_numpy(np.array(shard.grey)).to(self.device)
        outcomes = np.asarray(shard.outcomes)
        if grey.shape[2] != self.width_px:
            factor = grey.shape[2] // self.width_px
            grey = reduced(grey, factor)
            outcomes = np.stack([highest_priority(each, factor) for each in outcomes])
        return grey, torch.from_numpy(np.array(outcomes)).to(self.device)

    def batch(self, step: int, size: int) -> tuple[Tensor, Tensor]:
        """Return views (N, 1, side, side) float32 and outcome maps (N, side/4, side/4) uint8; N a multiple of 8."""
        generator = np.random.default_rng([self.seed, step])
        wells, aims = self._aims(generator, size)
        steps = _steps(generator, size)
        corners = self._corners(generator, aims, steps)
        numbers, pixel = self._on_device(wells), self._on_device(steps.astype(np.float32))[:, None]
        top, left = self._on_device(corners.astype(np.float32)).T[:, :, None]  # (2, N, 1)
        places = torch.arange(-SURROUNDINGS_PX, self.side_px + SURROUNDINGS_PX, device=self.device)
        around = sampled(
            self._grey, numbers, top + (places + 0.5) * pixel - 0.5, left + (places + 0.5) * pixel - 0.5
        )  # (N, side + 128, side + 128)
        views = local_contrast(recorded_differently(around, generator))
        views = views[:, SURROUNDINGS_PX:-SURROUNDINGS_PX, SURROUNDINGS_PX:-SURROUNDINGS_PX]
        cells = torch.arange(self.side_px // REDUCTION, device=self.device) + 0.5
        labels = looked_up(
            self._outcomes, numbers, top / REDUCTION + cells * pixel, left / REDUCTION + cells * pixel
        )  # (N, side/4, side/4)
        return turned(views)[:, None], turned(labels)

    def _on_device(self, values: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.device)

    def _aims(self, generator: np.random.Generator, size: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return wells (N,), and positions (N, 2) in pixels that crops shall hold in their middle part."""
        seen = [outcome for outcome, slots in self._places.items() if any(len(each.wells) for each in slots.values())]
        weights = np.array([AIMS[OUTCOME_NAMES[outcome]] for outcome in seen] + [ANYWHERE])
        choices = generator.choice(len(weights), size, p=weights / weights.sum())
        stored = min(len(self.shards) * WELLS_PER_SHARD, self.most_wells)
        wells = generator.integers(0, stored, size)
        sides = np.array(self._outcomes.shape[1:])
        blocks = generator.random((size, 2)) * sides
        for choice in np.unique(choices[choices < len(seen)]):
            mine = np.flatnonzero(choices == choice)
            wells[mine], blocks[mine] = self._drawn(generator, seen[choice], len(mine))
        return wells, blocks * REDUCTION

    def _drawn(
        self, generator: np.random.Generator, outcome: int, count: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int16]]:
        slots = list(self._places[outcome].values())
        sizes = np.array([len(each.wells) for each in slots])
        ends = np.cumsum(sizes)
        picked = generator.integers(0, ends[-1], count)
        which = np.searchsorted(ends, picked, side="right")
        within = picked - (ends - sizes)[which]
        place = generator.integers(0, PLACES, count)
        wells = np.array([slots[slot].wells[index] for slot, index in zip(which, within, strict=True)])
        blocks = np.array(
            [slots[slot].blocks[index, each] for slot, index, each in zip(which, within, place, strict=True)]
        )
        return wells, blocks

    def _corners(
        self, generator: np.random.Generator, aims: NDArray[np.float64], steps: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the upper left corners of crops (N, 2) that hold the aims and lie within the image."""
        sides = self.side_px * steps[:, None]
        offsets = sides * (0.5 + CENTRAL_SHARE * (generator.random(aims.shape) - 0.5))
        most = np.array(self._grey.shape[1:]) - sides
        return np.asarray(np.clip(aims - offsets, 0, np.maximum(most, 0)))


def _steps(generator: np.random.Generator, size: int) -> NDArray[np.float64]:
    """Return how many pixels of the well one of each crop is, (N,)."""
    usual, nearer = (
        np.exp(generator.uniform(np.log(low), np.log(high), size)) for low, high in (USUAL_STEP, NEARER_STEP)
    )
    return np.where(generator.random(size) < NEARER_SHARE, nearer, usual)


def _places(outcomes: NDArray[np.uint8], outcome: int, first: int, generator: np.random.Generator) -> Places:
    """Return some places of `outcome` in each of the wells (n, rows, columns) that has enough of it."""
    columns = outcomes.shape[2]
    flat = outcomes.reshape(len(outcomes), -1)
    wells, blocks = [], []
    for well, each in enumerate(flat):
        found = np.flatnonzero(each == outcome)
        if len(found) >= FEWEST_BLOCKS:
            chosen = found[generator.integers(0, len(found), PLACES)]
            wells.append(first + well)
            blocks.append(np.stack(np.divmod(chosen, columns), axis=1))
    return Places(np.array(wells, dtype=np.int64), np.array(blocks, dtype=np.int16).reshape(len(wells), PLACES, 2))
