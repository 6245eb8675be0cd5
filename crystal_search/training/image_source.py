"""Batches of whole images, fitted into squares whose sides grow from phase to phase."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from crystal_search.datasets.packed import GREY, IMAGE, IMAGES, PackedDataset, WellRow
from crystal_search.datasets.packed import sampled as sample_of
from crystal_search.errors import ImageError, UserError
from crystal_search.images import WORKING_WIDTH_PX, View, decode, from_array, normalised
from crystal_search.outcomes import NO_DROP
from crystal_search.scoring.classify import channels_first
from crystal_search.scoring.image_opinion import Pixels, fitted, pixels_for
from crystal_search.training.chop_scores import labels_of
from crystal_search.training.epochs import CHANGES, EpochSource
from crystal_search.training.image_augmentation import image_seen_differently
from crystal_search.training.requests import Phase
from crystal_search.training.task import Batch


def square_of(dataset: PackedDataset, row: WellRow, side_px: int, normalisation: str) -> Pixels:
    """Return a whole image of a dataset fitted into a square, in colour where the normalisation reads colours.

    Raises
    ------
    UserError
        If the image does not decode.
    """
    try:
        if row.part(IMAGE):
            image = decode(dataset.part(row, IMAGE), at_least_width_px=WORKING_WIDTH_PX)  # as scoring does
        else:
            image = from_array(dataset.array(row, GREY))
    except ImageError as error:
        raise UserError(f"{dataset.folder / row.shard}: {row.image} does not decode: {error}; take it out") from error
    return fitted(pixels_for(image, normalisation), side_px)


def labelled(dataset: PackedDataset, split: str) -> list[WellRow]:
    """Return the whole images of a split of which an outcome is known; those without a drop have none."""
    return [row for row in dataset.wells(split) if row.outcome != NO_DROP]


@dataclass
class ImageSource(EpochSource):
    """Batches of whole images to train on."""

    kind, samples = IMAGES, "images"
    normalisation: str = field(kw_only=True)
    phases: tuple[Phase, ...] = field(kw_only=True)  #: one after another, before the last side
    side_px: int = field(kw_only=True)
    _side_px: int = field(default=0, init=False)  #: of the batch that is being made

    def _labelled(self) -> tuple[Sequence[WellRow], NDArray[np.int64]]:
        rows = labelled(self.dataset, self.split)
        return rows, labels_of(rows, self.classes)

    def batch(self, step: int, size: int) -> Batch:
        """Return a batch of `size` images, all of the side that its first one's phase has."""
        self._side_px = self.side_at(step * size / len(self.rows))
        return super().batch(step, size)

    def side_at(self, epoch: float) -> int:
        """Return the side of the squares after so many epochs, parts of one counted."""
        for phase in self.phases:
            if epoch < phase.epochs:
                return phase.side_px
            epoch -= phase.epochs
        return self.side_px

    def _view(self, row: WellRow, place: int) -> View:
        generator = np.random.default_rng([self.seed, CHANGES, place])
        square = square_of(self.dataset, row, self._side_px, self.normalisation)
        return normalised(image_seen_differently(square, generator), self.normalisation)


@dataclass
class PlainImages:
    """Whole images as scoring sees them, in order; what validation sees."""

    dataset: PackedDataset
    rows: Sequence[WellRow]
    labels: NDArray[np.int64]
    side_px: int
    normalisation: str

    def views(self, part: slice) -> NDArray[np.float32]:
        """Return some of the images as the network reads them, (n, channels, side, side)."""
        squares = (square_of(self.dataset, row, self.side_px, self.normalisation) for row in self.rows[part])
        return channels_first(np.stack([normalised(square, self.normalisation) for square in squares]))

    def batch(self, step: int, size: int) -> Batch:
        """Return the images of the `step`-th `size`."""
        part = slice(step * size, (step + 1) * size)
        return torch.from_numpy(self.views(part)), torch.from_numpy(self.labels[part])


def validation_images(
    dataset: PackedDataset,
    classes: tuple[str, ...],
    most: int,
    *,
    side_px: int,
    normalisation: str,
    rank: int = 0,
    ranks: int = 1,
) -> PlainImages:
    """Return a rank's part of a sample of at most `most` images of the validation split, always the same one.

    Raises
    ------
    UserError
        If there are none.
    """
    rows = labelled(dataset, "validation")
    if not rows:
        raise UserError(f"{dataset.folder} has no validation images; build it with a part for validation")
    mine = sample_of(rows, most)[rank::ranks]
    return PlainImages(dataset, mine, labels_of(mine, classes), side_px, normalisation)
