"""From which probability on crystals count, so that as many are counted as there are."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from crystal_search.crystal import Crystal
from crystal_search.crystals.finding import crystals_in_view
from crystal_search.datasets.packed import OBJECTS, PackedDataset, sampled
from crystal_search.images import normalised
from crystal_search.inference import Maps, Network
from crystal_search.model_card import CrystalCard
from crystal_search.training.crystal_source import KnownImage, known_image

MOST_IMAGES = 50  #: of the validation split that are looked at
LEAST_PROBABILITY, USUAL = 0.05, 0.3  #: of a crystal that is looked at; of one that counts where nothing is known


@dataclass(frozen=True, slots=True, eq=False)
class DetectorInTorch:
    """A detector in torch, asked like a model file."""

    network: nn.Module
    card: CrystalCard

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the first of its answers to views (N, 1, H, W)."""
        return self.maps(batch)[self.card.outputs[0].name]

    def maps(self, batch: NDArray[np.float32]) -> Maps:
        """Return the maps of all outputs by their names."""
        with torch.inference_mode():
            answers = self.network(torch.from_numpy(batch))
        return {output.name: each.numpy() for output, each in zip(self.card.outputs, answers, strict=True)}


def least_probability(network: nn.Module, card: CrystalCard, dataset: PackedDataset) -> float:
    """Return the probability from which on as many crystals are found in validation images as they hold."""
    rows = [row for row in dataset.wells("validation") if row.part(OBJECTS)]
    detector, there = DetectorInTorch(network.eval(), card), 0
    probabilities: list[float] = []
    for row in sampled(rows, MOST_IMAGES):
        known = known_image(dataset, row, card.sight)
        probabilities += [each.probability for each in found_in(known, detector, LEAST_PROBABILITY)]
        there += int((~known.crystals.ignored).sum())
    return threshold_for(probabilities, there)


def found_in(known: KnownImage, detector: Network[CrystalCard], least: float) -> tuple[Crystal, ...]:
    """Return the crystals that a detector finds with a probability in an image as it sees it, the most probable first.

    They are in pixels of that.
    """
    view = normalised(known.grey, detector.card.normalisation)
    return crystals_in_view(view, detector, least_probability=least)


def threshold_for(probabilities: Iterable[float], there: int) -> float:
    """Return a probability that `there` of these have; a usual one where nothing is there.

    >>> threshold_for([0.9, 0.2, 0.7, 0.5], 3), threshold_for([0.90001, 0.12346], 2)
    (0.5, 0.1234)
    >>> threshold_for([0.9], 3), threshold_for([], 0)
    (0.05, 0.3)
    """
    ordered: Sequence[float] = sorted(probabilities, reverse=True)
    if not there:
        return USUAL
    return math.floor(ordered[there - 1] * 1e4) / 1e4 if len(ordered) >= there else LEAST_PROBABILITY
