"""What trained classifiers of whole images say of those of a dataset."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from crystal_search.datasets.packed import PackedDataset, WellRow, sampled
from crystal_search.training.checkpoints import Trained
from crystal_search.training.chop_scores import SampleScores, check_labels, labels_of
from crystal_search.training.image_source import PlainImages, labelled

BATCH = 8


@dataclass(frozen=True, slots=True, eq=False)
class ImageScores(SampleScores[WellRow]):
    """What a network says of whole images."""


def image_scores(trained: Trained, dataset: PackedDataset, split: str, most: int | None = None) -> ImageScores:
    """Return what `trained` says of the images of a split whose outcome is known, of at most `most` of them.

    Raises
    ------
    UserError
        If the dataset's labels do not tell the network's classes apart.
    """
    record = trained.record
    check_labels(record.classes, dataset)
    rows = tuple(sampled(labelled(dataset, split), most))
    labels = labels_of(rows, record.classes)
    plain = PlainImages(dataset, rows, labels, record.working_width_px, record.normalisation)
    none = np.zeros((0, len(record.classes)), np.float32)
    return ImageScores(rows, np.concatenate([none, *_logits(trained, plain)]), labels)


def _logits(trained: Trained, plain: PlainImages) -> Iterator[NDArray[np.float32]]:
    for start in tqdm(range(0, len(plain.rows), BATCH), "images", unit="batch", disable=None, leave=False):
        with torch.inference_mode():
            cells = trained.network(torch.from_numpy(plain.views(slice(start, start + BATCH))))  # (n, classes, 1, 1)
        yield cells.float().mean(dim=(2, 3)).numpy()
