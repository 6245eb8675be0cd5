"""Crops of rendered wells to train a classifier on, drawn so that every outcome is seen equally often.

A crop is resampled and recorded differently first and normalised then, together with as much of its
surroundings as the normalisation looks at, so that it holds the numbers that the client would see there.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from crystal_search.datasets.outcome_maps import REDUCTION
from crystal_search.datasets.rendered_shards import Shard, ShardsInUse
from crystal_search.geometry import Box
from crystal_search.images import Grey, normalised
from crystal_search.networks.cards import CLASSIFIER_NORMALISATION
from crystal_search.outcomes import OUTCOME_NAMES
from crystal_search.training.augmentation import enlarged, recorded_differently, turned

SURROUNDINGS_PX = 64  #: what the local mean of ``local-contrast-1`` reaches
SCALE_LOG_RANGE = 0.18
FEWEST_BLOCKS = 6  #: blocks of 4 x 4 px that an outcome must have in a well to be aimed at
CENTRAL_SHARE = 0.6  #: the block aimed at lies in this middle part of the crop

#: How often a crop is aimed at each outcome, in arbitrary units. What looks like a crystal comes as often as one.
AIMS = dict.fromkeys(OUTCOME_NAMES, 1.0) | {
    "crystal_harvestable": 1.4,
    "clear": 0.7,
    "clear_with_features": 2.0,
    "rim": 1.4,
}
ANYWHERE = 0.6  #: the same for a crop anywhere in any image, also where there is no drop


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """A normalised view (side, side) float32 and its outcome map (side/4, side/4) uint8."""

    view: np.ndarray[tuple[int, ...], np.dtype[np.float32]]
    outcomes: Grey


@dataclass
class CropSource(ShardsInUse):
    """Draws batches of crops from the shards that are there; the same step gives the same batch."""

    side_px: int
    seed: int
    augmented: bool = True
    _wells: dict[int, list[tuple[int, int]]] = field(default_factory=dict)

    def _take_up(self, number: int, shard: Shard) -> None:
        for well, outcomes in enumerate(shard.outcomes):
            counts = np.bincount(outcomes.ravel(), minlength=len(OUTCOME_NAMES))[: len(OUTCOME_NAMES)]
            for outcome in np.flatnonzero(counts >= FEWEST_BLOCKS).tolist():
                self._wells.setdefault(outcome, []).append((number, well))

    def batch(self, step: int, size: int) -> tuple[Tensor, Tensor]:
        """Return views (N, 1, side, side) float32 and outcome maps (N, side/4, side/4) uint8."""
        generator = np.random.default_rng([self.seed, step])
        crops = [self._draw(generator) for _ in range(size)]
        views = torch.from_numpy(np.stack([crop.view for crop in crops])[:, None])
        return views, torch.from_numpy(np.stack([crop.outcomes for crop in crops]))

    def _draw(self, generator: np.random.Generator) -> Crop:
        shard, well, row, column = self._aim(generator)
        grey, outcomes = self.shards[shard].grey[well], self.shards[shard].outcomes[well]
        scale = np.exp(generator.uniform(-SCALE_LOG_RANGE, SCALE_LOG_RANGE)) if self.augmented else 1.0
        side = min(round(self.side_px * scale / REDUCTION) * REDUCTION, *(REDUCTION * each for each in outcomes.shape))
        top, left = (
            _start(aim * REDUCTION, side, blocks * REDUCTION, generator)
            for aim, blocks in zip((row, column), outcomes.shape, strict=True)
        )
        return self._cut(grey, outcomes, Box(top, left, top + side, left + side), generator)

    def _aim(self, generator: np.random.Generator) -> tuple[int, int, int, int]:
        """Return shard, well, and row and column of a block to aim at."""
        weights = np.array([AIMS[OUTCOME_NAMES[outcome]] for outcome in sorted(self._wells)] + [ANYWHERE])
        choice = int(generator.choice(len(weights), p=weights / weights.sum()))
        if choice == len(self._wells):
            shard = int(generator.integers(len(self.shards)))
            shape = self.shards[shard].outcomes.shape
            well, row, column = (int(generator.integers(side)) for side in shape)
            return shard, well, row, column
        outcome = sorted(self._wells)[choice]
        wells = self._wells[outcome]
        shard, well = wells[int(generator.integers(len(wells)))]
        outcomes = self.shards[shard].outcomes[well]
        blocks = np.flatnonzero(outcomes.ravel() == outcome)
        row, column = divmod(int(blocks[generator.integers(len(blocks))]), outcomes.shape[1])
        return shard, well, row, column

    def _cut(self, grey: Grey, outcomes: Grey, box: Box, generator: np.random.Generator) -> Crop:
        wide = Box(
            box.top - SURROUNDINGS_PX,
            box.left - SURROUNDINGS_PX,
            box.bottom + SURROUNDINGS_PX,
            box.right + SURROUNDINGS_PX,
        ).clipped(*grey.shape)
        factor = self.side_px / box.height
        around = np.ascontiguousarray(grey[wide.slices])
        around = enlarged(around, round(wide.height * factor), round(wide.width * factor), smooth=True)
        turn = 0
        if self.augmented:
            around = recorded_differently(around, generator)
            turn = int(generator.integers(8))
        top, left = round((box.top - wide.top) * factor), round((box.left - wide.left) * factor)
        view = normalised(around, CLASSIFIER_NORMALISATION)[top : top + self.side_px, left : left + self.side_px]
        blocks = Box(*(edge // REDUCTION for edge in box))
        labels = np.ascontiguousarray(outcomes[blocks.slices])
        labels = enlarged(labels, self.side_px // REDUCTION, self.side_px // REDUCTION, smooth=False)
        return Crop(turned(view, turn), turned(labels, turn))


def _start(aim_px: int, side_px: int, length_px: int, generator: np.random.Generator) -> int:
    """Return where a crop starts that has `aim_px` in its middle part, moved so that it fits."""
    offset = side_px * (0.5 + CENTRAL_SHARE * (generator.random() - 0.5))
    start = min(max(0, round(aim_px - offset)), length_px - side_px)
    return start // REDUCTION * REDUCTION
