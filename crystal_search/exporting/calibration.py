"""Making a classifier's probabilities mean what the threshold of the ranked score asks of them.

The temperature is fitted to the chops of validation wells. Then each group's logits get a constant, so that
as many whole wells as possible fall into their group under the rule that scores wells. Both come from
rendered validation wells only.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from crystal_search.chopper.cutting import chops_of_drop, cut
from crystal_search.chopper.tiling import ChopGrid, grid_over
from crystal_search.datasets.cell_labels import IGNORED, chop_labels
from crystal_search.datasets.outcome_maps import OUTSIDE, REDUCTION, Bytes, highest_priority
from crystal_search.datasets.rendered_shards import read_shard, shard_names
from crystal_search.geometry import Box
from crystal_search.images import normalised, resized
from crystal_search.model_card import ClassifierCard
from crystal_search.networks.squeezenet import chop_logits
from crystal_search.outcomes import GROUPS, OUTCOMES, THRESHOLD, Group, classes_of, outcome_named
from crystal_search.result import winning_group
from crystal_search.scoring.classify import probabilities
from crystal_search.unet_drop.regions import box_around

TEMPERATURES = tuple(np.geomspace(0.4, 2.5, 43).tolist())
SHIFTS = tuple(np.arange(-3.0, 3.01, 0.25).tolist())  #: added to a group's logits, after the temperature
NEIGHBOURS = (1 / 9, 2 / 9, 3 / 9, 2 / 9, 1 / 9)  #: how much neighbouring shifts count
PRICE = 0.003  #: accuracy that a shift of 1 must be worth
RAISED = (1.0, 1.15, 1.3)  #: temperatures tried, of the fitted one
MOST_FALSE_CRYSTALS = 0.03  #: of wells without crystals, called crystal
LOWERED = tuple(np.arange(0, 3.01, 0.05).tolist())  #: by which crystals' logits are lowered for it, the first that does
ROUNDS = 2  #: of the search through the groups' shifts

Cells = Callable[[Tensor], Tensor]  #: from views (N, 1, H, W) to logits (N, classes, h, w), as a network does


@dataclass(frozen=True, slots=True, eq=False)
class ScoredWell:
    """A well's chops as the client would take them from the true drop."""

    logits: NDArray[np.float64]  #: (chops, classes)
    labels: NDArray[np.int64]  #: (chops,); `IGNORED` where there is no telling
    group: Group  #: the well's own


def scored_wells(network: Cells, card: ClassifierCard, shards: Path, split: str) -> Iterator[ScoredWell]:
    """Yield the chops of every well of `split` that holds a drop."""
    for name in shard_names(shards, split):
        shard = read_shard(shards / name)
        for grey, outcomes, drop, winner in zip(shard.grey, shard.outcomes, shard.drops, shard.winners, strict=True):
            if winner is not None:
                seen = _at_width((grey, outcomes, drop), card.working_width_px)
                yield _scored(network, card, seen, outcome_named(winner).group)


def _at_width(well: tuple[Bytes, Bytes, Bytes], width_px: int) -> tuple[Bytes, Bytes, Bytes]:
    """Return a shard's image, outcome map and coverage for an image of another width, the maps in blocks of 4 px."""
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


def fitted_temperature(wells: Sequence[ScoredWell]) -> float:
    """Return the temperature at which the chops' labels are most probable."""
    logits = np.concatenate([well.logits for well in wells])
    labels = np.concatenate([well.labels for well in wells])
    logits, labels = logits[labels != IGNORED], labels[labels != IGNORED]
    rows = np.arange(len(labels))
    losses = [-np.log(probabilities(logits, t)[rows, labels] + 1e-12).mean() for t in TEMPERATURES]
    return float(TEMPERATURES[int(np.argmin(losses))])


def group_of(well: ScoredWell, temperature: float, shifts: NDArray[np.float64]) -> Group:
    """Return the group that the ranked score gives a well.

    Parameters
    ----------
    well
        Its chops.
    temperature
        By which logits are divided.
    shifts
        Added to the divided logits, one for each class.
    """
    shares = probabilities(well.logits / temperature + shifts, 1.0)
    peaks = [float(shares[:, list(classes_of(group))].sum(axis=1).max()) for group in GROUPS]
    return winning_group(peaks, shares.mean(axis=0).tolist(), THRESHOLD)[0]


def well_accuracy(wells: Sequence[ScoredWell], temperature: float, shifts: NDArray[np.float64]) -> float:
    """Return the share of wells that the ranked score puts into their own group."""
    return float(np.mean([group_of(well, temperature, shifts) is well.group for well in wells]))


def chop_accuracy(wells: Sequence[ScoredWell]) -> tuple[float, int]:
    """Return the share of labelled chops whose most probable class is their label, and how many there are."""
    right = np.concatenate([(well.logits.argmax(axis=1) == well.labels)[well.labels != IGNORED] for well in wells])
    return float(right.mean()), len(right)


def calibrated(wells: Sequence[ScoredWell]) -> tuple[float, NDArray[np.float64]]:
    """Return the temperature, and for each class what to add to its divided logit.

    A well's score is the surest of many chops, which is surer than a chop on its own should be: somewhat higher
    temperatures than the chops' own are tried as well.
    """
    fitted = fitted_temperature(wells)
    tried = [(fitted * raised, fitted_shifts(wells, fitted * raised)) for raised in RAISED]
    temperature, shifts = max(tried, key=lambda pair: well_accuracy(wells, *pair))
    return temperature, with_few_false_crystals(wells, temperature, shifts)


def with_few_false_crystals(
    wells: Sequence[ScoredWell], temperature: float, shifts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the shifts with crystals made as much less probable as keeps false alarms below `MOST_FALSE_CRYSTALS`."""
    others = [well for well in wells if well.group is not Group.CRYSTAL]
    crystals = np.array([outcome.group is Group.CRYSTAL for outcome in OUTCOMES])
    for lowered in LOWERED:
        careful: NDArray[np.float64] = shifts - lowered * crystals
        false = sum(group_of(well, temperature, careful) is Group.CRYSTAL for well in others)
        if false <= MOST_FALSE_CRYSTALS * len(others):
            return careful
    return shifts


def fitted_shifts(wells: Sequence[ScoredWell], temperature: float) -> NDArray[np.float64]:
    """Return for each class what to add to its logit: one constant a group, none for clear.

    A constant is as good as its neighbours are on average, so that no single well decides; and it has a price,
    so that none is taken without need.
    """
    by_group = dict.fromkeys(GROUPS, 0.0)
    for _, group in product(range(ROUNDS), GROUPS[:-1]):
        scores = [well_accuracy(wells, temperature, _by_class(by_group | {group: shift})) for shift in SHIFTS]
        half = len(NEIGHBOURS) // 2
        smooth = np.convolve(np.pad(scores, half, mode="edge"), NEIGHBOURS, mode="valid")
        by_group[group] = SHIFTS[int(np.argmax(smooth - PRICE * np.abs(SHIFTS)))]
    return _by_class(by_group)


def _by_class(by_group: dict[Group, float]) -> NDArray[np.float64]:
    return np.array([by_group[outcome.group] for outcome in OUTCOMES])


def shift_logits(network: nn.Module, shifts: NDArray[np.float64], temperature: float) -> None:
    """Add `shifts`, meant for logits divided by `temperature`, to the constants of the network's last layer."""
    bias = network.get_parameter("head.bias")
    with torch.no_grad():
        bias.add_(torch.from_numpy(shifts * temperature).to(bias))
