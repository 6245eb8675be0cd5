"""Crops of whole images whose outcomes are known place by place, drawn so that every outcome is seen equally often.

A crop is resampled and recorded differently first and normalised then, together with as much of its
surroundings as the normalisation looks at, so that it holds the numbers that the client would see there.
"""

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crystal_search.datasets.outcome_maps import REDUCTION, Bytes, highest_priority
from crystal_search.datasets.packed import GREY, OUTCOMES, ShardFile, ShardsInUse, WellRow
from crystal_search.errors import UserError
from crystal_search.networks.network_kinds import CLASSIFIER_WIDTH_PX
from crystal_search.outcomes import OUTCOME_NAMES
from crystal_search.training.device_views import KeptImages, local_contrast, looked_up, reduced, sampled, stacked
from crystal_search.training.view_augmentation import recorded_differently, turned

SURROUNDINGS_PX = 64  #: what the local mean of ``local-contrast-1`` reaches
FEWEST_BLOCKS = 6  #: blocks of 4 x 4 px that an outcome must have in an image to be aimed at
CENTRAL_SHARE = 0.6  #: the block aimed at lies in this middle part of the crop
PLACES = 48  #: remembered of an outcome in an image
USUAL_STEP, NEARER_STEP = (0.8, 1.4), (0.4, 1.0)  #: pixels of the image to one of the crop: as it is, and nearer
NEARER_SHARE = 0.45
COMPRESSED_SHARE = 0.35  #: of crops are JPEGs of poor quality, as many archives hold them

#: How often a crop is aimed at each outcome, in arbitrary units. What looks like a crystal comes as often as one.
AIMS = dict.fromkeys(OUTCOME_NAMES, 1.0) | {
    "crystal_harvestable": 1.4,
    "crystal_bad_form": 1.4,
    "crystal_overnucleated": 1.2,
    "clear": 0.7,
    "clear_with_features": 2.0,
    "rim": 1.4,
}
ANYWHERE = 0.6  #: the same for a crop anywhere in any image, also where there is no drop

Floats = NDArray[np.float64]


@dataclass
class Places:
    """Where an outcome is seen."""

    images: list[int] = field(default_factory=list)
    blocks: list[NDArray[np.intp]] = field(default_factory=list)  #: (`PLACES`, 2) each, row and column


@dataclass
class CropSource(ShardsInUse):
    """Draws batches of crops from the shards that are there; the same step gives the same batch.

    On a GPU images are kept in its memory as long as there is room. On a processor they are mapped and never kept.

    Raises
    ------
    UserError
        If images of the dataset cannot be reduced to `width_px` by a whole number.
    """

    seed: int
    side_px: int
    width_px: int = CLASSIFIER_WIDTH_PX  #: to which images are reduced: that of the dataset, or a whole part of it
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    augmented: bool = True
    _images: list[WellRow] = field(default_factory=list)
    _sides: list[tuple[int, ...]] = field(default_factory=list)  #: rows and columns of blocks
    _places: dict[int, Places] = field(default_factory=lambda: defaultdict(Places))  #: by outcome

    def __post_init__(self) -> None:
        if (width_px := self.dataset.about.working_width_px) % self.width_px:
            raise UserError(
                f"images {width_px} px wide are reduced to whole parts, not to {self.width_px} px; name one"
            )
        self._kept = KeptImages(self._fields, self.device, room_bytes=0)

    def _take_up(self, shard: ShardFile) -> None:
        generator = np.random.default_rng([self.seed, len(self.shards)])
        for row in self.dataset.table(WellRow, shard):
            if row.part(OUTCOMES):
                outcomes = self._outcomes(row)
                for outcome, blocks in _places(outcomes, generator).items():
                    self._places[outcome].images.append(len(self._images))
                    self._places[outcome].blocks.append(blocks)
                self._images.append(row)
                self._sides.append(outcomes.shape)

    def _outcomes(self, row: WellRow) -> Bytes:
        """Return an image's outcome map at the width asked for."""
        return highest_priority(self.dataset.array(row, OUTCOMES), self.dataset.about.working_width_px // self.width_px)

    def _fields(self, row: WellRow) -> tuple[Tensor, Tensor]:
        """Return an image and its outcome map at the width asked for, on the device."""
        grey = torch.from_numpy(np.array(self.dataset.array(row, GREY))).to(self.device)
        if (factor := self.dataset.about.working_width_px // self.width_px) > 1:
            grey = reduced(grey[None], factor)[0]
        return grey, torch.from_numpy(self._outcomes(row)).to(self.device)

    def batch(self, step: int, size: int) -> tuple[Tensor, Tensor]:
        """Return views (N, 1, side, side) float32 and outcome maps (N, side/4, side/4) uint8."""
        generator = np.random.default_rng([self.seed, step])
        images, aims = self._aims(generator, size)
        grey, outcomes = stacked(self._kept.of(self._images[image]) for image in images)
        sides = REDUCTION * np.array([self._sides[image] for image in images], dtype=np.float64)
        steps = _steps(generator, size) if self.augmented else np.ones(size)
        corners = self._corners(generator, aims, sides, steps)
        around = self._seen(grey, corners, sides, steps)  # (N, side + 128, side + 128)
        if self.augmented:
            around = recorded_differently(around, generator, compressed_share=COMPRESSED_SHARE)
        middle = slice(SURROUNDINGS_PX, SURROUNDINGS_PX + self.side_px)
        views = local_contrast(around)[:, middle, middle]
        labels = looked_up(outcomes, *self._positions(corners / REDUCTION, steps, self.side_px // REDUCTION, 0.5))
        turns = generator.permutation(size) % 8 if self.augmented else np.zeros(size, np.int_)
        return turned(views, turns)[:, None], turned(labels, turns)

    def _seen(self, grey: Tensor, corners: Floats, sides: Floats, steps: Floats) -> Tensor:
        """Return crops with their surroundings, in [0, 1]."""
        around = corners - SURROUNDINGS_PX * steps[:, None]
        rows, columns = self._positions(around + 0.5 * (steps[:, None] - 1), steps, self.side_px + 2 * SURROUNDINGS_PX)
        heights, widths = self._on_device(sides).T[:, :, None]
        return sampled(grey, continued(rows, heights), continued(columns, widths))

    def _positions(self, starts: Floats, steps: Floats, count: int, first: float = 0.0) -> tuple[Tensor, Tensor]:
        """Return `count` rows and columns (N, count) from `starts` (N, 2) on, the first so many steps behind them."""
        along = torch.arange(count, device=self.device) + first
        rows, columns = self._on_device(starts).T[:, :, None] + along * self._on_device(steps)[:, None]
        return rows, columns

    def _on_device(self, values: Floats) -> Tensor:
        return torch.from_numpy(values.astype(np.float32)).to(self.device)

    def _aims(self, generator: np.random.Generator, size: int) -> tuple[list[int], Floats]:
        """Return images (N,), and positions (N, 2) in pixels that crops shall hold in their middle part."""
        seen = sorted(self._places)
        weights = np.array([AIMS[OUTCOME_NAMES[outcome]] for outcome in seen] + [ANYWHERE])
        choices = generator.choice(len(weights), size, p=weights / weights.sum())
        images = generator.integers(0, len(self._images), size).tolist()
        blocks = generator.random((size, 2)) * [self._sides[image] for image in images]
        for crop in np.flatnonzero(choices < len(seen)).tolist():
            places = self._places[seen[choices[crop]]]
            which = int(generator.integers(len(places.images)))
            images[crop], blocks[crop] = places.images[which], places.blocks[which][generator.integers(PLACES)]
        return images, blocks * REDUCTION

    def _corners(self, generator: np.random.Generator, aims: Floats, sides: Floats, steps: Floats) -> Floats:
        """Return the upper left corners of crops (N, 2) that hold the aims and lie within the image."""
        lengths = self.side_px * steps[:, None]
        offsets = lengths * (0.5 + CENTRAL_SHARE * (generator.random(aims.shape) - 0.5))
        corners = np.clip(aims - offsets, 0, np.maximum(sides - lengths, 0))
        return np.asarray(corners if self.augmented else corners // REDUCTION * REDUCTION)


def continued(positions: Tensor, lengths: Tensor) -> Tensor:
    """Return positions (N, k) in images of `lengths` (N, 1) px, of which those beyond the border lie in its last 4 px.

    So the local mean, which is taken of blocks of 4 px, goes on as at the border, which is what the client has.

    >>> continued(torch.tensor([[-2.0, 3.0, 8.0, 9.0]]), torch.tensor([[8.0]])).tolist()
    [[2.0, 3.0, 4.0, 5.0]]
    """
    positions = torch.where(positions < 0, positions % REDUCTION, positions)
    beyond = lengths - REDUCTION + (positions - lengths) % REDUCTION
    return torch.where(positions > lengths - 1, beyond, positions).minimum(lengths - 1)


def _steps(generator: np.random.Generator, size: int) -> Floats:
    """Return how many pixels of the image one of each crop is, (N,)."""
    usual, nearer = (
        np.exp(generator.uniform(np.log(low), np.log(high), size)) for low, high in (USUAL_STEP, NEARER_STEP)
    )
    return np.where(generator.random(size) < NEARER_SHARE, nearer, usual)


def _places(outcomes: Bytes, generator: np.random.Generator) -> dict[int, NDArray[np.intp]]:
    """Return some places (`PLACES`, 2) of each outcome that an image has enough of."""
    flat = outcomes.ravel()
    counts = np.bincount(flat, minlength=len(OUTCOME_NAMES))[: len(OUTCOME_NAMES)]
    found = {}
    for outcome in np.flatnonzero(counts >= FEWEST_BLOCKS).tolist():
        blocks = np.flatnonzero(flat == outcome)
        chosen = blocks[generator.integers(0, len(blocks), PLACES)]
        found[outcome] = np.stack(np.divmod(chosen, outcomes.shape[1]), axis=1)
    return found
