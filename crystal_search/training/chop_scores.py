"""What trained networks say of the chops of a dataset."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from tqdm import tqdm

from crystal_search.class_schemes import columns_by_outcome, scheme_of
from crystal_search.datasets.packed import ChopRow, PackedDataset, SampleRow
from crystal_search.errors import UserError
from crystal_search.images import View, normalised
from crystal_search.inference import Network
from crystal_search.model_card import ClassifierCard
from crystal_search.scoring.classify import channels_first
from crystal_search.training.checkpoints import Trained

BATCH = 16
Sample_co = TypeVar("Sample_co", bound=SampleRow, covariant=True)
Answer = Callable[[NDArray[np.float32]], NDArray[np.float32]]  #: from views (N, side, side[, 3]) to logits (N, classes)
GROUP_SCHEMES = ("groups-4", "groups-5")  #: their labels do not tell the 13 outcomes apart


@dataclass(frozen=True, slots=True, eq=False)
class SampleScores(Generic[Sample_co]):
    """What a network says of samples of a dataset."""

    rows: tuple[Sample_co, ...]
    logits: NDArray[np.float32]  #: (samples, classes)
    labels: NDArray[np.int64]  #: (samples,), positions in the network's classes


@dataclass(frozen=True, slots=True, eq=False)
class ChopScores(SampleScores[ChopRow]):
    """What a network says of chops."""


def chop_view(dataset: PackedDataset, row: ChopRow) -> View:
    """Return a chop as the client would see it: (side, side), or (side, side, 3) in colour, normalised."""
    return normalised(dataset.patch(row), dataset.about.normalisation)[dataset.box(row).slices]


def check_labels(classes: Sequence[str], dataset: PackedDataset) -> None:
    """Refuse a dataset whose labels do not tell the `classes` of a network apart.

    Raises
    ------
    UserError
        That says what to do.
    """
    theirs = dataset.scheme
    if theirs.name in GROUP_SCHEMES and scheme_of(classes).name not in GROUP_SCHEMES:
        raise UserError(
            f"the network tells {len(classes)} classes apart, the labels of {dataset.folder} only "
            f"{', '.join(theirs.class_names)}; name a dataset with finer labels, or a network that was trained for "
            f"{len(theirs.classes)} classes"
        )


def labels_of(rows: Sequence[SampleRow], classes: Sequence[str]) -> NDArray[np.int64]:
    """Return the position of each sample's class among `classes`, which are those of a trainable scheme."""
    columns = columns_by_outcome(scheme_of(classes))
    return np.array([columns[row.outcome] for row in rows], dtype=np.int64)


def mean_logits(network: nn.Module, views: NDArray[np.float32], device: str = "cpu") -> NDArray[np.float32]:
    """Return the logits of chops, (N, classes), the mean over each one's cells; views are (N, side, side[, 3])."""
    with torch.inference_mode():
        cells = network(torch.from_numpy(channels_first(views)).to(device))  # (N, classes, h, w)
    means: NDArray[np.float32] = cells.float().mean(dim=(2, 3)).cpu().numpy()  # (N, classes)
    return means


def cell_means(network: Network[ClassifierCard], views: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the logits that a model file gives chops, (N, classes), as `mean_logits` does of a network in torch."""
    means: NDArray[np.float32] = network.logits(channels_first(views)).mean(axis=(2, 3))
    return means


def chop_scores(trained: Trained, dataset: PackedDataset, rows: Sequence[ChopRow], device: str = "cpu") -> ChopScores:
    """Return what `trained` says of `rows` of a dataset."""
    answer = partial(mean_logits, trained.network.to(device), device=device)
    return scores_of(answer, trained.record.classes, dataset, rows)


def scores_of(answer: Answer, classes: Sequence[str], dataset: PackedDataset, rows: Sequence[ChopRow]) -> ChopScores:
    """Return what a network of `classes` says of `rows` of a dataset; `answer` gives its logits."""
    logits = [answer(views) for views in _batches(dataset, rows)]
    none = np.zeros((0, len(classes)), np.float32)
    return ChopScores(tuple(rows), np.concatenate([none, *logits]), labels_of(rows, classes))


def _batches(dataset: PackedDataset, rows: Sequence[ChopRow]) -> Iterator[NDArray[np.float32]]:
    for start in tqdm(range(0, len(rows), BATCH), "chops", unit="batch", disable=None, leave=False):
        yield np.stack([chop_view(dataset, row) for row in rows[start : start + BATCH]])
