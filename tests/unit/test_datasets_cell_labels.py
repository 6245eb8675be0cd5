"""What cells and chops should say."""

import numpy as np
import pytest
import torch
from torch import Tensor

from crystal_search.datasets.cell_labels import IGNORED, cell_labels, chop_labels, texture_labels
from crystal_search.datasets.outcome_maps import OUTSIDE
from crystal_search.outcomes import OUTCOME_NAMES, Group, classes_of
from crystal_search.training.losses import cell_losses, groups_of_logits
from tests.unit.networks_fakes import CLEAR, CRYSTAL, RIM

SIDE = 384 // 4
PRECIPITATE = OUTCOME_NAMES.index("precipitate")


def drop_with(outcome: int = CLEAR, box: tuple[slice, slice] = (slice(0, 0), slice(0, 0))) -> Tensor:
    """Return the outcome map of a crop inside a clear drop, with `outcome` in `box` (blocks of 4 px)."""
    outcomes = np.full((1, SIDE, SIDE), CLEAR, np.uint8)
    outcomes[0][box] = outcome
    return torch.from_numpy(outcomes)


def test_a_clear_drop_is_clear_in_every_cell_and_chop() -> None:
    assert cell_labels(drop_with()).eq(CLEAR).all()
    assert cell_labels(drop_with()).shape == (1, 12, 12)
    assert chop_labels(drop_with()).shape == (1, 9, 9)


def test_without_a_drop_everything_is_rim() -> None:
    assert cell_labels(torch.full((1, SIDE, SIDE), OUTSIDE, dtype=torch.uint8)).eq(RIM).all()


def test_a_small_crystal_is_the_label_of_the_cells_that_have_it_in_their_middle() -> None:
    labels = cell_labels(drop_with(CRYSTAL, (slice(46, 50), slice(46, 50))))[0]
    # The first cell is asked about blocks 12 to 39, each next one about 4 blocks more.
    expected = [12 + 4 * cell < 50 and 12 + 4 * cell + 28 > 46 for cell in range(12)]
    np.testing.assert_array_equal(labels.eq(CRYSTAL).any(dim=0).numpy(), expected)
    assert labels[0, 0] == CLEAR


def test_a_speck_of_crystal_leaves_the_label_open() -> None:
    labels = cell_labels(drop_with(CRYSTAL, (slice(48, 49), slice(48, 50))))
    assert set(np.unique(labels.numpy()).tolist()) == {IGNORED, CLEAR}


def test_a_crystal_comes_before_the_precipitate_around_it() -> None:
    outcomes = drop_with(PRECIPITATE, (slice(0, SIDE), slice(0, SIDE)))
    outcomes[:, 44:52, 44:52] = CRYSTAL
    assert set(np.unique(chop_labels(outcomes).numpy()).tolist()) <= {CRYSTAL, PRECIPITATE, IGNORED}
    assert chop_labels(outcomes)[0, 4, 4] == CRYSTAL


def test_from_near_the_empty_plate_is_clear_and_a_crystal_is_one_only_where_it_is() -> None:
    outcomes = drop_with(CRYSTAL, (slice(40, 44), slice(40, 44)))
    outcomes[:, :, 60:] = OUTSIDE
    labels = texture_labels(outcomes)[0]
    assert labels.shape == (41, 41)
    assert set(np.unique(labels.numpy()).tolist()) == {CRYSTAL, CLEAR}
    # Cell k is asked about blocks 6 + 2k to 9 + 2k.
    assert labels.eq(CRYSTAL).any(dim=0).nonzero().flatten().tolist() == [16, 17, 18]


def losses_of(logits: Tensor, outcomes: Tensor) -> dict[str, Tensor]:
    return cell_losses(logits, torch.zeros(1, 13, 41, 41), outcomes)


def logits_for(outcome: int, side: int = 12) -> Tensor:
    logits = torch.zeros(1, len(OUTCOME_NAMES), side, side)
    logits[:, outcome] = 12.0
    return logits


def test_a_right_answer_costs_little_and_a_false_alarm_much() -> None:
    right = losses_of(logits_for(CLEAR), drop_with())
    wrong = losses_of(logits_for(CRYSTAL), drop_with())
    assert right["alarm"] < 0.01
    assert wrong["alarm"] > 1
    assert right["loss"] + 5 < wrong["loss"]


def test_one_chop_of_many_is_an_alarm() -> None:
    logits = logits_for(CLEAR)
    logits[:, CRYSTAL, 2:6, 2:6] = 24.0
    assert losses_of(logits, drop_with())["alarm"] > 1
    in_place = drop_with(CRYSTAL, (slice(24, 40), slice(24, 40)))
    assert losses_of(logits, in_place)["alarm"] < 0.01


def test_one_chop_is_enough_for_a_crystal_too_small_for_the_label_of_a_chop() -> None:
    small = drop_with(CRYSTAL, (slice(40, 43), slice(40, 43)))  # 9 blocks; a label takes 13 of a chop's 1600
    assert not chop_labels(small).eq(CRYSTAL).any()
    assert losses_of(logits_for(CLEAR), small)["miss"] > 5
    one = logits_for(CLEAR)
    one[:, CRYSTAL, 2:6, 2:6] = 24.0
    assert losses_of(one, small)["miss"] < 0.01
    assert losses_of(logits_for(CLEAR), drop_with())["miss"] == 0
    speck = drop_with(CRYSTAL, (slice(40, 41), slice(40, 45)))  # 5 blocks
    at_the_edge = drop_with(CRYSTAL, (slice(0, 10), slice(0, 10)))  # no chop is asked about these
    assert losses_of(logits_for(CLEAR), speck)["miss"] == losses_of(logits_for(CLEAR), at_the_edge)["miss"] == 0


@pytest.mark.parametrize("group", list(Group))
def test_a_groups_probability_is_the_sum_of_its_outcomes(group: Group) -> None:
    probabilities = groups_of_logits(torch.zeros(1, 13, 1, 1))[0, :, 0, 0]
    assert probabilities[list(Group).index(group)] == pytest.approx(len(classes_of(group)) / 13)
