"""Crops of feature maps: what the lower half of a network sees of rendered wells, computed once.

The upper half of the network costs a fifteenth of the whole; taught alone, on maps that are kept in memory, it sees
many times as many scenes for the same work.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from crystal_search.datasets.outcome_maps import OUTSIDE, REDUCTION
from crystal_search.datasets.rendered_shards import Shard, ShardsInUse
from crystal_search.geometry import Box
from crystal_search.images import normalised
from crystal_search.networks.cards import CLASSIFIER_NORMALISATION
from crystal_search.outcomes import OUTCOME_NAMES
from crystal_search.training.crops import AIMS
from crystal_search.unet_drop.regions import box_around

AROUND_PX = 144  #: of the drop that is kept as well
STRIDE_PX = 16  #: working pixels per cell of the kept maps
CROP_CELLS = 14  #: side of a crop, 6 x 6 cells of the output
CROP_PX = 288  #: what such a crop was computed from
AIMED_CELLS = (5, 13)  #: where in a crop the place aimed at lies, of 18 strides
BLOCKS = STRIDE_PX // REDUCTION


@dataclass(frozen=True, slots=True, eq=False)
class SeenWell:
    """The surroundings of one drop."""

    features: Tensor  #: (channels, h, w) float16
    outcomes: Tensor  #: (rows, columns) uint8, blocks of 4 px, at least what the features were computed from
    places: dict[int, Tensor]  #: by outcome, the cells (n, 2) in which it is seen


@dataclass
class FeatureSource(ShardsInUse):
    """Draws batches of crops of feature maps; the same step gives the same batch."""

    seed: int
    lower_half: Callable[[Tensor], Tensor]
    _wells: list[SeenWell] = field(default_factory=list)
    _holding: dict[int, list[int]] = field(default_factory=dict)

    def _take_up(self, number: int, shard: Shard) -> None:
        for grey, outcomes in zip(shard.grey, shard.outcomes, strict=True):
            if (outcomes == OUTSIDE).all():
                continue
            well = self._seen(np.asarray(grey), np.asarray(outcomes))
            for outcome in well.places:
                self._holding.setdefault(outcome, []).append(len(self._wells))
            self._wells.append(well)

    def _seen(self, grey: np.ndarray, outcomes: np.ndarray) -> SeenWell:
        box = _surroundings(outcomes, grey.shape)
        view = normalised(grey, CLASSIFIER_NORMALISATION)[box.slices]
        with torch.no_grad():
            features = self.lower_half(torch.from_numpy(np.ascontiguousarray(view))[None, None])[0]
        blocks = torch.from_numpy(np.array(outcomes[Box(*(edge // REDUCTION for edge in box)).slices]))
        return SeenWell(features.half(), blocks, _places(blocks))

    def batch(self, step: int, size: int) -> tuple[Tensor, Tensor]:
        """Return features (N, channels, 14, 14) float32 and outcome maps (N, 72, 72) uint8."""
        generator = np.random.default_rng([self.seed, step])
        pairs = [self._draw(generator) for _ in range(size)]
        features, outcomes = (torch.stack(each) for each in zip(*pairs, strict=True))
        return features.float(), outcomes

    def _draw(self, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
        held = sorted(self._holding)
        weights = np.array([AIMS[OUTCOME_NAMES[outcome]] for outcome in held])
        outcome = held[int(generator.choice(len(held), p=weights / weights.sum()))]
        well = self._wells[self._holding[outcome][int(generator.integers(len(self._holding[outcome])))]]
        places = well.places[outcome]
        aim = places[int(generator.integers(len(places)))].tolist()
        top, left = (
            min(max(0, place - int(generator.integers(*AIMED_CELLS))), side - CROP_CELLS)
            for place, side in zip(aim, well.features.shape[1:], strict=True)
        )
        features = well.features[:, top : top + CROP_CELLS, left : left + CROP_CELLS]
        side = CROP_PX // REDUCTION
        row, column = top * BLOCKS, left * BLOCKS
        return features, well.outcomes[row : row + side, column : column + side]


def _surroundings(outcomes: np.ndarray, shape: tuple[int, ...]) -> Box:
    """Return the drop's rectangle with what is around it, on the grid of blocks, at least a crop and inside."""
    drop = box_around(outcomes != OUTSIDE).scaled(REDUCTION)
    edges = []
    for first, last, length in ((drop.top, drop.bottom, shape[0]), (drop.left, drop.right, shape[1])):
        start = min(max(0, first - AROUND_PX), length - CROP_PX)
        stop = min(length, last + AROUND_PX)
        edges.append((start, max(stop, start + CROP_PX)))
    (top, bottom), (left, right) = edges
    return Box(top, left, bottom, right)


def _places(blocks: Tensor) -> dict[int, Tensor]:
    places = {}
    for outcome in range(len(OUTCOME_NAMES)):
        cells = (blocks == outcome).nonzero() // BLOCKS
        if len(cells):
            places[outcome] = torch.unique(cells, dim=0)
    return places
