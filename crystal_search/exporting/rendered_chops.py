"""Chops of rendered wells as a client would take them from the true drop, with what a network says of them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crystal_search.chopper.cutting import chops_of_drop, cut
from crystal_search.chopper.tiling import ChopGrid, grid_over
from crystal_search.datasets.cell_labels import IGNORED, chop_labels
from crystal_search.datasets.outcome_maps import OUTSIDE, REDUCTION, Bytes, highest_priority
from crystal_search.datasets.packed import DROPS, GREY, OUTCOMES, PackedDataset
from crystal_search.geometry import Box
from crystal_search.images import normalised, resized
from crystal_search.model_card import ClassifierCard
from crystal_search.networks.squeezenet import chop_logits
from crystal_search.outcomes import NO_DROP, Group, outcome_named
from crystal_search.unet_drop.regions import box_around

Cells = Callable[[Tensor], Tensor]  #: from views (N, 1, H, W) to logits (N, classes, h, w), as a network does


@dataclass(frozen=True, slots=True, eq=False)
class ScoredWell:
    """A well's chops as the client would take them from the true drop."""

    logits: NDArray[np.float64]  #: (chops, classes)
    labels: NDArray[np.int64]  #: (chops,); `IGNORED` where there is no telling
    group: Group  #: the well's own


def scored_wells(network: Cells, card: ClassifierCard, dataset: PackedDataset, split: str) -> Iterator[ScoredWell]:
    """Yield the chops of every well of `split` that holds a drop and is known place by place."""
    for row in dataset.wells(split):
        if row.part(OUTCOMES) and row.outcome != NO_DROP:
            grey, outcomes, drop = (dataset.array(row, name) for name in (GREY, OUTCOMES, DROPS))
            seen = _at_width((grey, outcomes, drop), card.working_width_px)
            yield _scored(network, card, seen, outcome_named(row.outcome).group)


def _at_width(well: tuple[Bytes, Bytes, Bytes], width_px: int) -> tuple[Bytes, Bytes, Bytes]:
    """Return an image, outcome map and coverage for an image of another width, the maps in blocks of 4 px."""
    grey, outcomes, drop = (np.asarray(each) for each in well)
    if grey.shape[1] == width_px:
        return grey, outcomes, drop
    factor = grey.shape[1] // width_px
    return resized(grey, width_px), highest_priority(outcomes, factor), drop[::factor, ::factor]


def _scored(network: Cells, card: ClassifierCard, well: tuple[Bytes, Bytes, Bytes], group: Group) -> ScoredWell:
    grey, outcomes, drop = well
    grid = _grid(drop > 127, grey.shape, card)
    region = cut(normalised(np.asarray(grey), card.normalisation), grid.region)
    with torch.no_grad():
        cells = network(torch.from_numpy(np.ascontiguousarray(region))[None, None])  # (1, classes, h, w)
    step = grid.stride_px // card.output_stride_px
    logits = chop_logits(cells, cells_per_chop=card.cells_per_chop, stride_cells=step)[0]  # (classes, rows, columns)
    blocks = Box(*(edge // REDUCTION for edge in grid.region))
    seen = OUTSIDE - cut(OUTSIDE - np.asarray(outcomes), blocks)  # type: ignore[arg-type]
    labels = chop_labels(torch.from_numpy(np.ascontiguousarray(seen))[None])[0, ::step, ::step]  # (rows, columns)
    chosen = chops_of_drop(drop > 127, [box.scaled(1 / REDUCTION) for box in grid.boxes()])
    return ScoredWell(
        logits.flatten(1).T.double().numpy()[chosen],
        labels.flatten().numpy()[chosen],
        group,
    )


def _grid(drop: NDArray[np.bool_], shape: Sequence[int], card: ClassifierCard) -> ChopGrid:
    return grid_over(
        box_around(drop > 0).scaled(REDUCTION).clipped(shape[0], shape[1]),
        image_height=shape[0],
        image_width=shape[1],
        side_px=card.side_px,
        stride_px=card.chop_stride_px,
    )


def chop_accuracy(wells: Sequence[ScoredWell]) -> tuple[float, int]:
    """Return the share of labelled chops whose most probable class is their label, and how many there are."""
    right = np.concatenate([(well.logits.argmax(axis=1) == well.labels)[well.labels != IGNORED] for well in wells])
    return float(right.mean()), len(right)
