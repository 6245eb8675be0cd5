"""Held-out scores, what they prove, and what people are told."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crystal_search.adaptation import held_out as held_out_module
from crystal_search.adaptation.folds import divided, folds
from crystal_search.adaptation.gain import gained, missing_labels, more_labels
from crystal_search.adaptation.held_out import CHOICES, HeldOut, chosen, held_out, learnt
from crystal_search.adaptation.labelled import NOT_CRYSTAL, Labelled
from crystal_search.adaptation.readout import Choice, Readout, Scale, scale_of
from crystal_search.bootstrap import Interval
from tests.unit.adapted_drops import NUMBERS, an_imager


@given(names=st.lists(st.sampled_from("abcdefgh"), min_size=1), most=st.integers(1, 6), seed=st.integers(0, 99))
def test_no_name_is_in_two_parts_and_no_part_is_empty(names: list[str], most: int, seed: int) -> None:
    part = divided(names, np.random.default_rng(seed).random(len(names)) < 0.5, most)
    assert len({(name, each) for name, each in zip(names, part.tolist(), strict=True)}) == len(set(names))
    assert set(part.tolist()) == set(range(min(most, len(set(names)))))


def test_whole_plates_are_held_out_and_drops_where_there_is_one_plate() -> None:
    assert folds(an_imager(0, plates=3), 10).unit == "plate"
    one = an_imager(0, plates=1, drops=6)
    twice = replace(one, drops=("x", "x", "y", "y", "z", "z"))
    found = folds(twice, 10)
    assert (found.unit, found.parts) == ("drop", 3)
    assert found.part[0] == found.part[1]


def test_no_image_is_scored_by_a_readout_that_saw_its_plate(monkeypatch: pytest.MonkeyPatch) -> None:
    labelled = an_imager(0, plates=4)
    asked: list[set[str]] = []

    def spy(seen: Labelled, scale: Scale, choice: Choice) -> Readout:
        asked.append(set(seen.plates))
        return learnt(seen, scale, choice)

    monkeypatch.setattr(held_out_module, "learnt", spy)
    held_out(labelled, scale_of(labelled.seen), CHOICES[:1])
    assert all(len(plates) < 4 for plates in asked)
    assert {frozenset(plates) for plates in asked if len(plates) == 3} == {
        frozenset(set(labelled.plates) - {plate}) for plate in labelled.plates
    }


def test_what_numbers_say_and_the_shipped_score_does_not_is_a_gain_that_counts() -> None:
    labelled = an_imager(5, told_by_shipped=0.2, told_by_numbers=3)
    gain = gained(labelled, held_out(labelled, scale_of(labelled.seen)))
    assert gain.counts
    assert gain.readout.value > 0.9 > gain.shipped.value + 0.2
    assert gain.difference.low > 0.1
    assert (gain.held_out, gain.drawn, gain.labels, len(gain.plates)) == ("plate", "plate", 120, 6)
    assert sum(each.crystals for each in gain.plates) == gain.crystals == labelled.crystal.sum()
    assert more_labels(gain) == ""


def test_numbers_that_say_nothing_count_in_few_imagers() -> None:
    counted = 0
    for seed in range(20):
        labelled = an_imager(seed, plates=5, drops=12, told_by_shipped=0.7, told_by_numbers=0)
        counted += gained(labelled, held_out(labelled, scale_of(labelled.seen), CHOICES[:1])).counts
    assert counted <= 1


def test_labels_of_one_class_add_nothing_and_prove_nothing() -> None:
    labelled = an_imager(0)
    clear = labelled.of(~labelled.crystal)
    found = held_out(clear, scale_of(clear.seen))
    np.testing.assert_allclose(found.logits[:, 0], np.log(clear.seen.peaks[:, 0] / (1 - clear.seen.peaks[:, 0])))
    gain = gained(clear, found)
    assert not gain.counts
    assert np.isnan(gain.difference.value)


def test_a_choice_other_than_the_first_needs_labels_that_speak_clearly() -> None:
    labelled = an_imager(2, plates=8, drops=30, told_by_numbers=3)
    scale = scale_of(labelled.seen)
    bad, good = Choice(penalty=1e5, trust=0, numbers=0.5), Choice(penalty=1, trust=0.5, numbers=0.8)
    assert chosen(labelled, scale, (bad, good)) == good
    assert chosen(labelled, scale, (good, bad)) == good
    few = labelled.of(np.arange(240) % 60 == 0)
    assert chosen(few, scale, (bad, good)) == bad


def test_the_difference_is_paired() -> None:
    labelled = an_imager(1)
    same = HeldOut(unit="plate", logits=np.log(labelled.seen.peaks), choices=())
    gain = gained(labelled, same)
    assert tuple(gain.difference) == (0, 0, 0)
    assert gain.shipped == gain.readout
    assert gain.shipped.low < gain.shipped.value < gain.shipped.high
    assert not gain.counts
    assert more_labels(gain) == "nothing was gained so far: labels of drops that the shipped score gets wrong help most"


@pytest.mark.parametrize(
    ("low", "said"),
    [
        (0.0, "about 1 more label would prove a gain of this size, if it is there"),
        (-0.01, "about 300 more labels would prove a gain of this size, if it is there"),
        (-0.09, "a gain of 0.010 is too small for 1000 more labels to prove it"),
    ],
)
def test_people_are_told_how_many_labels_would_prove_a_gain(low: float, said: str) -> None:
    labelled = an_imager(1, plates=5, drops=20)
    gain = gained(labelled, HeldOut(unit="plate", logits=np.log(labelled.seen.peaks), choices=()))
    assert gain.labels == 100
    assert more_labels(replace(gain, difference=Interval(0.01, low, 0.03))) == said


def test_people_are_told_which_labels_are_missing() -> None:
    labelled = an_imager(1, plates=1, drops=14)
    groups = np.array([0] * 3 + [1] * 6 + [NOT_CRYSTAL] * 5)
    assert missing_labels(replace(labelled, groups=groups)) == [
        "3 crystal among 14 labels: score 2 more",
        "labels are of 1 plate: score drops of 4 more, for what holds on one plate may not on the next",
        "no other among 14 labels: score 5",
        "no clear among 14 labels: score 5",
    ]
    yes_or_no = np.where(np.arange(14) < 7, 0, NOT_CRYSTAL)
    assert len(missing_labels(replace(labelled, groups=yes_or_no))) == 1
    assert missing_labels(an_imager(4, plates=6, drops=30)) == []


def test_readouts_have_as_many_weights_as_there_are_numbers() -> None:
    labelled = an_imager(0)
    scale = scale_of(labelled.seen)
    assert learnt(labelled, scale, CHOICES[0]).weights.shape == (4, NUMBERS + 4 + 13)
