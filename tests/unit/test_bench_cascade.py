"""What the benchmark of a first look counts, on wells written by hand, without networks."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.bench_cascade import (
    ARCHIVE,
    CRYSTAL,
    Cascade,
    Look,
    Well,
    beside_the_paper,
    half_width,
    in_archive,
    rows,
)
from benchmarks.wells import drawn_well
from crystal_search.geometry import Box
from crystal_search.images import normalised, resized, to_grey
from crystal_search.inference import OnnxNetwork
from crystal_search.model import Model, default_model
from crystal_search.model_card import ClassifierCard, FirstLookCard
from crystal_search.outcomes import GROUPS
from crystal_search.scoring.looking import scored_chops
from crystal_search.work_unit import Parameters

CRYSTALS = Look(group=0, peaks=(0.95, 0.1, 0.1, 0.9), cpu_s=0.04)
PRECIPITATE = Look(group=1, peaks=(0.3, 0.9, 0.1, 0.2), cpu_s=0.04)
CLEAR = Look(group=3, peaks=(0.05, 0.1, 0.2, 0.9), cpu_s=0.04)
SURE = Well(group=3, first=CLEAR, second=Look(group=1, peaks=(0.1, 0.9, 0.1, 0.5), cpu_s=0.1), before_s=0.02)
MISSED = Well(group=0, first=PRECIPITATE, second=Look(group=0, peaks=(0.9, 0.5, 0.1, 0.2), cpu_s=0.1), before_s=0.02)
CALLED = Well(group=1, first=CRYSTALS, second=Look(group=1, peaks=(0.4, 0.9, 0.1, 0.2), cpu_s=0.1), before_s=0.02)
WELLS = (SURE, MISSED, CALLED)

looks = st.builds(
    Look,
    group=st.integers(0, 3),
    peaks=st.tuples(*[st.floats(0, 1)] * 4),
    cpu_s=st.floats(0, 1),
)
some_wells = st.lists(
    st.builds(Well, group=st.integers(0, 3), first=looks, second=looks, before_s=st.floats(0, 1)), min_size=1
)


@pytest.mark.parametrize(("look", "doubt"), [(CRYSTALS, 1.0), (PRECIPITATE, 0.3), (CLEAR, 0.2)])
def test_doubt_is_what_speaks_for_another_group(look: Look, doubt: float) -> None:
    assert look.doubt == pytest.approx(doubt)


def test_a_group_behind_the_winner_raises_no_doubt() -> None:
    assert Look(group=1, peaks=(0.1, 0.95, 0.9, 0.9), cpu_s=0.0).doubt == pytest.approx(0.1)


def test_what_did_not_reach_the_threshold_is_in_doubt() -> None:
    assert replace(CLEAR, above_threshold=False).doubt == 1


def test_doubt_above_the_limit_gets_a_second_look() -> None:
    cascade = Cascade(WELLS, 0.25)
    assert cascade.again.tolist() == [False, True, True]
    assert cascade.right.tolist() == [1, 1, 1]
    assert cascade.cpu_s == pytest.approx([0.06, 0.16, 0.16])


def test_without_a_second_look_the_first_counts() -> None:
    cascade = Cascade(WELLS, 1.0)
    assert not cascade.again.any()
    assert cascade.right.tolist() == [1, 0, 0]
    assert cascade.cpu_s == pytest.approx([0.06] * 3)


@given(some_wells)
def test_at_no_doubt_allowed_all_answers_are_the_second(wells: list[Well]) -> None:
    cascade = Cascade(wells, 0.0)
    assert cascade.again.all()
    assert cascade.looks == [well.second for well in wells]


@given(some_wells, st.floats(0, 1), st.floats(0, 1))
def test_a_higher_limit_lets_fewer_be_looked_at_twice(wells: list[Well], one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert (Cascade(wells, high).again <= Cascade(wells, low).again).all()
    assert Cascade(wells, high).cpu_s.sum() <= Cascade(wells, low).cpu_s.sum() + 1e-9


@given(some_wells)
def test_groups_count_as_often_as_in_an_archive(wells: list[Well]) -> None:
    weights, groups = in_archive(wells), np.array([well.group for well in wells])
    shares = [weights[groups == number].sum() / len(wells) for number in range(4)]
    wanted = np.array([ARCHIVE[group] for group in GROUPS]) * np.isin(range(4), groups)
    assert shares == pytest.approx((wanted / wanted.sum()).tolist())


def test_the_archive_is_told_whole() -> None:
    assert sum(ARCHIVE.values()) == pytest.approx(1)
    assert ARCHIVE[GROUPS[CRYSTAL]] <= 0.1


def test_the_table_tells_the_time_of_the_second_look_alone() -> None:
    every_group = [*WELLS, Well(group=2, first=CLEAR, second=CLEAR, before_s=0.02)]
    last = list(rows(every_group))[-1]
    alone = {0: 0.12, 1: 0.12, 2: 0.06, 3: 0.12}
    expected = sum(ARCHIVE[group] * alone[number] for number, group in enumerate(GROUPS))
    assert float(last.figure) == pytest.approx(expected, abs=5e-4)


def test_a_well_of_an_archive_costs_what_its_looks_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.bench_cascade.DRAWN", Box(900, 1000, 1412, 1512))
    half = half_width(default_model(ClassifierCard))
    told = {each.name: getattr(half.card, each.name) for each in fields(half.card)}
    first = Model(FirstLookCard(**told | {"most_doubt": 0.3}), half.onnx)
    times, usual, archive, ratio = beside_the_paper(first, 0.25, repeats=1)
    one_s, two_s, paper_s = map(float, times.figure.split(", "))
    assert one_s < two_s < paper_s
    alone_s, over_it = usual.figure.removesuffix(" x").split(", ")
    assert float(over_it) == pytest.approx(paper_s / float(alone_s), rel=0.02)
    assert float(archive.figure) == pytest.approx(0.75 * one_s + 0.25 * two_s, abs=1.1e-3)
    assert float(ratio.figure.removesuffix(" x")) == pytest.approx(paper_s / float(archive.figure), rel=0.02)


def test_half_the_width_is_the_same_file() -> None:
    usual = default_model(ClassifierCard)
    half = half_width(usual)
    assert half.card.working_width_px == usual.card.working_width_px // 2
    assert half.onnx == usual.onnx


def test_a_first_look_is_as_exact_densely_as_window_by_window() -> None:
    network = OnnxNetwork(half_width(default_model(ClassifierCard)))
    grey = to_grey(drawn_well(height=512, width=612, drop_px=300))
    view = normalised(resized(grey, network.card.working_width_px), network.card.normalisation)
    dense, windowed = (
        scored_chops(view, None, network, Parameters(scoring=way)).probabilities for way in ("dense", "windowed")
    )
    assert dense.std() > 0
    assert dense == pytest.approx(windowed, abs=1e-5)
