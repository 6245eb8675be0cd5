"""A classifier of smaller views made the first look of another: up to which doubt its score counts."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from crystal_search.class_schemes import in_outcomes, scheme_of
from crystal_search.datasets.packed import open_dataset
from crystal_search.errors import ModelError, UserError
from crystal_search.exporting.calibration import ranked
from crystal_search.exporting.fitted_temperature import figure
from crystal_search.exporting.rendered_chops import Cells, scored_wells
from crystal_search.images import IN_COLOUR
from crystal_search.inference import OnnxNetwork
from crystal_search.model import Model
from crystal_search.model_card import ClassifierCard, FirstLookCard
from crystal_search.outcomes import Group
from crystal_search.scoring.classify import probabilities
from crystal_search.scoring.looking import check_sees_less

MOST_LOST = 0.02  #: of what the classifier alone has right, and of the crystals that it calls
LIMITS = tuple(step / 20 for step in range(19, 0, -1))  #: of doubt, that which spares most first


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TwoLooks:
    """What a first look and the classifier after it say of N wells."""

    true: Sequence[Group]
    first: Sequence[Group]
    doubts: NDArray[np.float64]  #: (N,), of the first look
    second: Sequence[Group]

    def counted(self, most_doubt: float) -> list[Group]:
        """Return the group that counts for each well."""
        pairs = zip(self.first, self.doubts.tolist(), self.second, strict=True)
        return [first if doubt <= most_doubt else second for first, doubt, second in pairs]

    def right(self, groups: Sequence[Group]) -> float:
        """Return the share of wells that are in their group."""
        return float(np.mean([found is true for found, true in zip(groups, self.true, strict=True)]))

    def called(self, groups: Sequence[Group]) -> float:
        """Return the share of wells with crystals that are called crystal; 1 where there are none."""
        found = [each is Group.CRYSTAL for each, true in zip(groups, self.true, strict=True) if true is Group.CRYSTAL]
        return float(np.mean(found)) if found else 1.0

    def again(self, most_doubt: float) -> float:
        """Return the share of wells that are left to the classifier."""
        return float((self.doubts > most_doubt).mean())


def first_look_card(first: Model[ClassifierCard], classifier: Model[ClassifierCard], data: Path) -> FirstLookCard:
    """Return the card of a model that looks first, its limit of doubt chosen by rendered validation wells.

    Parameters
    ----------
    first
        Sees images less wide than the classifier.
    classifier
        Gets what the first look doubts.
    data
        Dataset with validation wells that are known place by place.

    Raises
    ------
    UserError
        If there are no such wells, or one of the two sees colours or cannot be asked of whole drops at once.
    ModelError
        If the first look would see as much as the classifier, or spares nothing without losing more than `MOST_LOST`.
    """
    check_sees_less(first.card, classifier.card)
    _check_seen_densely((first.card, classifier.card))
    wells = two_looks(first, classifier, data)
    limit = most_doubt(wells)
    alone = f"by {classifier.card.name} alone"
    on_these = f"{len(wells.true)} rendered validation wells, true drop, by which the limit of doubt was chosen"
    counted, count = wells.counted(limit), len(wells.true)
    told = {each.name: getattr(first.card, each.name) for each in fields(first.card)}
    return FirstLookCard(
        **told
        | {
            "most_doubt": limit,
            "measured": (
                *first.card.measured,
                figure(on_these, f"wells left to {classifier.card.name}", wells.again(limit), count),
                figure(on_these, "4-group accuracy of both looks", wells.right(counted), count),
                figure(on_these, f"4-group accuracy {alone}", wells.right(wells.second), count),
                figure(on_these, "crystals called by both looks", wells.called(counted), count),
                figure(on_these, f"crystals called {alone}", wells.called(wells.second), count),
            ),
        }
    )


def two_looks(first: Model[ClassifierCard], classifier: Model[ClassifierCard], data: Path) -> TwoLooks:
    """Return what both say of the validation wells of a dataset, from their true drops.

    Raises
    ------
    UserError
        If there are no validation wells.
    """
    dataset = open_dataset(data)
    found = [
        [
            (well.group, *ranked(in_outcomes(probabilities(well.logits, model.card.temperature), scheme)))
            for well in scored_wells(_cells(model), model.card, dataset, "validation")
        ]
        for model, scheme in ((each, scheme_of(each.card.classes)) for each in (first, classifier))
    ]
    if not found[0]:
        raise UserError(f"no validation wells in {data}; render some (crystal-search dataset render)")
    firsts, seconds = found
    return TwoLooks(
        true=[true for true, _, _ in firsts],
        first=[group for _, group, _ in firsts],
        doubts=np.array([doubt for _, _, doubt in firsts]),
        second=[group for _, group, _ in seconds],
    )


def most_doubt(wells: TwoLooks) -> float:
    """Return the highest of `LIMITS` at which no more than `MOST_LOST` is lost to the classifier alone.

    Raises
    ------
    ModelError
        If there is none.
    """
    right, called = (of(wells.second) - MOST_LOST for of in (wells.right, wells.called))
    for limit in LIMITS:
        counted = wells.counted(limit)
        if wells.right(counted) >= right and wells.called(counted) >= called and wells.again(limit) < 1:
            return limit
    raise ModelError(
        f"a first look spares nothing: where it is sure, more than {MOST_LOST:.0%} is lost to the classifier alone; "
        "train it longer"
    )


def _check_seen_densely(cards: Sequence[ClassifierCard]) -> None:
    for card in cards:
        if card.padded or card.normalisation in IN_COLOUR:
            what = "pads with zeros" if card.padded else "sees colours"
            raise UserError(f"{card.name} {what}, rendered wells are scored densely, in grey; name another classifier")


def _cells(model: Model[ClassifierCard]) -> Cells:
    network = OnnxNetwork(model)
    return lambda views: torch.from_numpy(network.logits(views.numpy()))
