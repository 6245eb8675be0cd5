"""Chops that int8 models are made and judged by: those of a dataset, or of rendered wells."""

from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crystal_search.datasets.packed import OUTCOMES, PackedDataset, open_dataset
from crystal_search.errors import UserError
from crystal_search.exporting.quantising import Examples
from crystal_search.exporting.rendered_chops import chop_accuracy, scored_wells
from crystal_search.inference import Network
from crystal_search.model_card import ClassifierCard
from crystal_search.outcomes import OUTCOME_NAMES
from crystal_search.scoring.classify import channels_first
from crystal_search.training.chop_scores import cell_means, check_labels, chop_view, scores_of
from crystal_search.training.crops import CropSource


def examples_in(folder: Path, card: ClassifierCard) -> Examples:
    """Return the chops in the dataset `folder` for the model of `card`; of a rendered one, those of its wells.

    Raises
    ------
    UserError
        If there are none, or they are nothing that the model reads.
    """
    dataset = open_dataset(folder)
    if dataset.chops("validation") or not any(row.part(OUTCOMES) for row in dataset.wells("validation")):
        check_fit(dataset, card)
        return _of_chops(dataset, card)
    if card.classes != OUTCOME_NAMES:
        raise UserError(
            f"{card.name} tells {len(card.classes)} classes apart, rendered wells are labelled in "
            f"{len(OUTCOME_NAMES)}; name a dataset with chops (crystal-search dataset build)"
        )
    return _of_wells(dataset, card)


def check_fit(dataset: PackedDataset, card: ClassifierCard) -> None:
    """Refuse a dataset whose chops are none that the model of `card` reads.

    Raises
    ------
    UserError
        That says what differs, or that there are no validation chops.
    """
    about = dataset.about
    for what in ("side_px", "working_width_px", "normalisation"):
        if (theirs := getattr(about, what)) != (ours := getattr(card, what)):
            raise UserError(
                f"{dataset.folder}: its chops have {what} {theirs}, {card.name} reads {ours}; name another dataset"
            )
    check_labels(card.classes, dataset)
    if not dataset.chops("validation"):
        raise UserError(f"{dataset.folder} has no validation chops; build it again with more plates or wells")


def _of_chops(dataset: PackedDataset, card: ClassifierCard) -> Examples:
    """Return the chops of a dataset; those of validation also to fix ranges by, where there are none to train on."""
    taught = dataset.chops("train") or dataset.chops("validation")
    judged = dataset.chops("validation")

    def views(count: int, seed: int) -> NDArray[np.float32]:
        chosen = np.random.default_rng(seed).permutation(len(taught))[:count]
        return channels_first(np.stack([chop_view(dataset, taught[index]) for index in sorted(chosen)]))

    def accuracy(network: Network[ClassifierCard]) -> tuple[float, int]:
        scores = scores_of(partial(cell_means, network), card.classes, dataset, judged)
        return float((scores.logits.argmax(axis=1) == scores.labels).mean()), len(judged)

    return Examples(dataset.folder.resolve().name, views, accuracy)


def _of_wells(dataset: PackedDataset, card: ClassifierCard) -> Examples:
    """Return crops of rendered wells, and their labelled chops; as `_of_chops` where there are none to train on."""
    split = "train" if dataset.wells("train") else "validation"

    def views(count: int, seed: int) -> NDArray[np.float32]:
        source = CropSource(dataset, seed, card.side_px, card.working_width_px, augmented=False, split=split)
        source.refresh()
        return np.asarray(source.batch(0, count)[0].numpy())

    def accuracy(network: Network[ClassifierCard]) -> tuple[float, int]:
        return chop_accuracy(list(scored_wells(partial(_answer, network), card, dataset, "validation")))

    return Examples("rendered wells", views, accuracy)


def _answer(network: Network[ClassifierCard], views: Tensor) -> Tensor:
    return torch.from_numpy(network.logits(views.numpy()))
