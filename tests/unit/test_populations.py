"""Populations of crystals over time, whose course is known."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp, theilslopes

from crystal_search.crystals.border_weights import BORDER_PX
from crystal_search.found_share import FoundShare
from crystal_search.populations import population
from crystal_search.populations.crystal_frames import Frame, sure_frames
from crystal_search.populations.draw_intervals import count_interval, drawn_interval
from crystal_search.populations.frame_tests import FEWEST_CRYSTALS, kolmogorov_smirnov
from crystal_search.populations.population import Population, populations_of, weighted_quantile
from crystal_search.populations.times import (
    Concentrations,
)
from crystal_search.populations.trend_tests import corrected_for_many, correlations, least_p, mann_kendall
from crystal_search.populations.trends import (
    AREA,
    COUNT,
    changes,
    growth,
    interpolated,
    trends,
)
from crystal_search.synthesis.suspension.growth_law import GrowthLaw

SIDE_PX = 384.0
HOURS = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
FRAMES = 10


def seen(law: GrowthLaw, rng: np.random.Generator, hours: float, *, frames: int = FRAMES) -> list[Frame]:
    """Return what a perfect detector says of frames of an experiment."""
    there = law.population(rng, hours, frames)
    found = []
    for number in range(frames):
        which = (there.frame == number) & (there.area_px2 >= 24)
        long, count = there.long_px[which], int(which.sum())
        sides = np.column_stack((long, long / there.ratio[which]))
        boxes = np.column_stack((rng.uniform(0, SIDE_PX, (count, 2)), sides, rng.uniform(0, np.pi, count)))
        found.append(Frame(path=f"{hours}_{number}.png", boxes=boxes, height_px=SIDE_PX, width_px=SIDE_PX))
    return found


def populations(law: GrowthLaw, seed: int = 0) -> list[Population]:
    rng = np.random.default_rng(seed)
    frames = [frame for hour in HOURS for frame in seen(law, rng, hour)]
    return populations_of(frames, np.repeat(HOURS, FRAMES).tolist(), 1.0)


def law(crystals: float, nucleation: str) -> GrowthLaw:
    return GrowthLaw(hours=10, crystals=crystals, growth_px_per_hour=5, nucleation=nucleation)


def dissolved(course: GrowthLaw) -> Concentrations:
    hours = np.linspace(0, 10, 21).tolist()
    return Concentrations(hours=tuple(hours), values=tuple(map(course.concentration, hours)), unit="g/l")


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(population, "DRAWS", 40)


@pytest.mark.parametrize("crystals", [50, 20, 5])
@pytest.mark.parametrize("nucleation", ["seeded", "burst"])
def test_growth_is_found_within_10_percent_whether_new_crystals_come_or_not(crystals: int, nucleation: str) -> None:
    course, found = law(crystals, nucleation), []
    for seed in range(5):
        there = populations(course, seed)
        known = [each.hours for each in there if len(each.long) >= FEWEST_CRYSTALS]
        found.append(growth(there).a_hour.value / theilslopes(course.grown_px(np.array(known)), known).slope)
    assert np.mean(found) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("crystals", [50, 20, 5])
def test_what_crystals_cover_falls_and_rises_against_the_concentration(crystals: int) -> None:
    course = law(crystals, "burst")
    found = {each.measure: each for each in trends(populations(course), dissolved(course))}
    assert -1 <= found[AREA].pearson.value < -0.9
    assert found[AREA].spearman.value < -0.9
    assert found[COUNT].tau > 0.3
    assert found[COUNT].p_corrected < 0.01


def test_the_median_alone_is_too_slow_while_new_crystals_come() -> None:
    course = law(50, "steady")
    there = populations(course)
    median = next(each for each in trends(there, None) if each.measure.startswith("long"))
    assert median.a_hour.high < growth(there).a_hour.low


def test_what_does_not_change_has_no_trend_and_no_difference() -> None:
    course = law(30, "seeded")
    rng = np.random.default_rng(3)
    frames = [frame for _ in HOURS for frame in seen(course, rng, 6.0)]
    there = populations_of(frames, np.repeat(HOURS, FRAMES).tolist(), 1.0)
    corrected = [*(each.p_corrected for each in trends(there, None)), *(each.p_corrected for each in changes(there))]
    assert min(corrected) > 0.005
    a_hour = growth(there).a_hour
    assert abs(a_hour.value) < 2 * (a_hour.high - a_hour.value)


def test_neighbouring_times_of_fast_growth_differ_in_length_and_not_in_aspect() -> None:
    found = changes(populations(law(50, "seeded")))
    early = [each for each in found if each.after <= 5]
    assert all(each.p_corrected < 0.005 for each in early if each.measure.startswith("long"))
    assert all(each.p_corrected > 0.05 for each in early if each.measure.startswith("aspect"))
    assert all(each.p_corrected >= each.p for each in found)


def lengths(*frames: tuple[float, ...]) -> Population:
    """Return a time whose frames show crystals of these long sides."""
    long = np.array([each for frame in frames for each in frame], np.float64)
    frame = np.repeat(np.arange(len(frames)), [len(each) for each in frames])
    ones = np.ones(len(long))
    return Population(hours=0.0, frames=len(frames), cut_off=0, frame=frame, weight=ones, long=long, short=ones)


def distance_and_p(before: Population, after: Population) -> tuple[float, float]:
    return kolmogorov_smirnov(before, after, before.long, after.long)


def test_a_difference_is_as_probable_as_frames_divided_anew_make_it() -> None:
    small, large = lengths((1, 2, 3), (1, 2, 3)), lengths((7, 8, 9), (7, 8, 9))
    assert distance_and_p(small, large) == pytest.approx((1.0, 2 / 6))  # of 6 divisions it, and the other way round
    mixed = lengths((1, 2, 3), (7, 8, 9))
    assert distance_and_p(mixed, mixed) == (0.0, 1.0)


def test_frames_that_differ_among_themselves_make_no_difference_of_times() -> None:
    """Pairs of times of one population, frames with a scatter of 10 %; crystals alone would find every fourth."""
    rng = np.random.default_rng(1)
    found, by_crystals = [], []
    for _ in range(60):
        one, other = (
            lengths(*(tuple(rng.lognormal(3, 0.3, 30) * np.exp(rng.normal(0, 0.1))) for _ in range(5)))
            for _ in range(2)
        )
        found.append(distance_and_p(one, other)[1])
        by_crystals.append(ks_2samp(one.long, other.long).pvalue)
    assert np.mean(np.array(found) < 0.05) <= 0.1
    assert np.mean(np.array(by_crystals) < 0.05) > 0.15


def test_of_many_frames_divisions_are_drawn_and_of_one_each_crystals_count() -> None:
    rng = np.random.default_rng(2)
    one, other = (lengths(*(tuple(rng.normal(mean, 1, 4)) for _ in range(9))) for mean in (10, 14))
    distance, p = distance_and_p(one, other)
    assert distance == pytest.approx(ks_2samp(one.long, other.long).statistic)
    assert p == 1 / 2000
    alone, beside = lengths((1, 2, 3, 4, 5)), lengths((3, 4, 5, 6, 7, 8))
    assert distance_and_p(alone, beside) == pytest.approx(tuple(ks_2samp(alone.long, beside.long))[:2])
    assert np.isnan(distance_and_p(lengths((1, 2, 3, 4)), beside)).all()


@settings(max_examples=25, deadline=None)
@given(long=st.floats(4, 150), short=st.floats(2, 60), angle=st.floats(0, np.pi), seed=st.integers(0, 99))
def test_crystals_wholly_in_the_frame_count_for_those_that_are_cut_off(
    long: float, short: float, angle: float, seed: int
) -> None:
    count = 4000
    places = np.random.default_rng(seed).uniform(0, SIDE_PX, (count, 2))
    boxes = np.column_stack((places, np.tile((long, min(short, long), angle), (count, 1))))
    weights = Frame(path="", boxes=boxes, height_px=SIDE_PX, width_px=SIDE_PX).weights
    assert weights.sum() == pytest.approx(count, rel=0.15)
    assert (weights == 0).any()


def test_a_crystal_at_the_border_counts_not_and_one_of_unknown_frame_once() -> None:
    boxes = np.array([[50.0, BORDER_PX + 9.9, 20, 10, 0.0], [50.0, BORDER_PX + 10.1, 20, 10, 0.0]])
    assert (Frame(path="", boxes=boxes, height_px=100, width_px=100).weights > 0).tolist() == [False, True]
    assert Frame(path="", boxes=boxes).weights.tolist() == [1, 1]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 4)), min_size=1, max_size=12))
def test_a_weighted_median_is_that_of_repeated_values(pairs: list[tuple[int, int]]) -> None:
    pairs = sorted(pairs)
    values, counts = np.array(pairs, np.float64).T
    repeated = np.repeat(values, counts.astype(int))
    assert weighted_quantile(values, counts[None], 0.5)[0] == pytest.approx(np.median(repeated))


def test_probabilities_are_corrected_by_hand() -> None:
    found = corrected_for_many([0.01, float("nan"), 0.04, 0.03, 0.5])
    np.testing.assert_allclose(found, [0.04, np.nan, 0.16 / 3, 0.16 / 3, 0.5])
    assert np.isnan(corrected_for_many([float("nan")])).all()


def test_a_trend_is_of_times_and_not_of_frames() -> None:
    course = law(50, "burst")
    rng = np.random.default_rng(1)
    frames = [frame for hour in (2.0, 4.0, 6.0) for frame in seen(course, rng, hour)]
    found = {
        each.measure: each for each in trends(populations_of(frames, np.repeat((2, 4, 6), FRAMES).tolist(), 1.0), None)
    }
    assert (found[COUNT].tau, found[COUNT].p) == pytest.approx((1, 1 / 3))
    assert all(each.p >= least_p(3) for each in found.values())
    assert [least_p(times) for times in (3, 4, 5)] == pytest.approx([1 / 3, 1 / 12, 1 / 60])


@given(st.lists(st.integers(0, 4), min_size=3, max_size=6))
def test_no_trend_is_surer_than_times_allow_and_its_p_is_that_of_all_orders(figures: list[int]) -> None:
    values = np.array(figures, np.float64)
    _, p = mann_kendall(np.arange(len(values), dtype=float), values)
    if len(set(figures)) == 1:
        assert np.isnan(p)
        return
    assert least_p(len(figures)) <= p + 1e-12 <= 1 + 1e-12
    scores = [
        abs(sum(np.sign(later - one) for place, one in enumerate(order) for later in order[place + 1 :]))
        for order in permutations(figures)
    ]
    assert p == pytest.approx(np.mean(np.array(scores) >= scores[0]))


def test_intervals_of_draws_by_hand() -> None:
    found = drawn_interval(np.array([5.0, 4, 6, np.nan]), [3, 3])
    half = 2.7764451 * np.sqrt(6 / 4)  # t of four degrees of freedom, draws that scatter by 1
    assert found == pytest.approx((5, 5 - half, 5 + half))
    assert drawn_interval(np.array([5.0, 4, 6]), [2], least=0.0).low == 0
    for alike_or_alone in (np.array([5.0, 5, 5]), np.array([np.nan, 4, 6])):
        assert np.isnan(drawn_interval(alike_or_alone, [3])[1:]).all()
    assert np.isnan(drawn_interval(np.array([5.0, 4, 6]), [1, 1])[1:]).all()


@pytest.mark.parametrize("value", [9.52, 9.5213, 1 / 3, -0.7])
def test_draws_that_differ_by_rounding_have_no_interval(value: float) -> None:
    alike = np.full(1001, value)
    rounded = np.where(np.arange(1001) % 2, alike, np.nextafter(value, np.inf))
    assert rounded.std() > 0, "the draws do not differ"
    for drawn in (alike, rounded):
        assert np.isnan(drawn_interval(drawn, [2])[1:]).all()
    other = np.where(np.arange(1001) % 2, alike, value * 1.0001)
    assert drawn_interval(other, [2]).low < value < drawn_interval(other, [2]).high


def test_no_crystals_in_some_frames_are_not_none_in_all() -> None:
    assert count_interval(np.zeros(9), 10, 0, 10) == pytest.approx((0, 0, 3.6888795 / 10))
    alike = count_interval(np.full(9, 2.0), 4, 8, 4)
    assert (alike.low, alike.high) == pytest.approx((3.4538 / 4, 15.7632 / 4), abs=1e-3)


def test_correlations_have_fishers_bounds_or_none() -> None:
    one, other = np.array([1.0, 2, 3, 4, 6]), np.array([1.0, 3, 2, 5, 4])
    pearson, spearman = correlations(one, other)
    assert pearson.value == pytest.approx(np.corrcoef(one, other)[0, 1])
    wide = 1.959964 / np.sqrt(2)
    assert pearson[1:] == pytest.approx(np.tanh(np.arctanh(pearson.value) + np.array([-wide, wide])))
    wide *= np.sqrt(1 + 0.8**2 / 2)
    assert spearman == pytest.approx((0.8, *np.tanh(np.arctanh(0.8) + np.array([-wide, wide]))))
    assert np.isnan(correlations(one[:3], other[:3])[0][1:]).all()
    assert np.isnan(correlations(one, -one)[1][1:]).all()


@pytest.mark.parametrize("frames", [2, 3, 10])
def test_intervals_hold_what_many_frames_would_tell(frames: int) -> None:
    course, rng, held, away = law(20, "seeded"), np.random.default_rng(frames), [], np.array([1e3, 1e3, 0, 0, 0])
    true = [len(frame.boxes) for frame in seen(course, rng, 6.0, frames=400)]
    lengths = np.concatenate([frame.boxes[:, 2] for frame in seen(course, rng, 6.0, frames=400)])
    for _ in range(60):
        there = [
            Frame(path="", boxes=each.boxes + away, height_px=3e3, width_px=3e3)
            for each in seen(course, rng, 6.0, frames=frames)
        ]
        (one,) = populations_of(there, [6.0] * frames, 1.0)
        count = count_interval(one.a_frame(np.ones_like(one.long)), one.units, len(one.long), one.frames)
        median = drawn_interval(one.quantile(one.long, 0.5), [one.units])
        held += [count.low / 1.03 <= np.mean(true) <= count.high, median.low <= np.median(lengths) <= median.high]
    assert np.mean(held) >= 0.9


def test_growth_of_a_few_crystals_by_hand() -> None:
    def frame(name: str, lengths: Sequence[float]) -> Frame:
        return Frame(path=name, boxes=np.array([[50, 50, each, 5, 0] for each in lengths], np.float64))

    old = [10.0, 12, 14, 16, 18]
    frames = [
        frame(str(hour), [*(each + 4 * hour for each in old), *new]) for hour, new in enumerate(([], [6], [10, 7]))
    ]
    found = growth(populations_of(frames, [0, 1, 2], 1.0))
    assert found.a_hour.value == pytest.approx(4)
    assert [each.value for each in found.since_before] == pytest.approx([np.nan, 4, 4], nan_ok=True)


SHARE = FoundShare(from_probability=0.6, from_area_px2=24.0, half_px2=57.0, spread=0.68)


def by_a_detector(frame: Frame, rng: np.random.Generator, fibres: float) -> Frame:
    """Return what a detector says that misses small crystals, and takes parts of fibres for long ones."""
    shares = np.array([SHARE.of(area) for area in frame.boxes[:, 2:4].prod(axis=1)])
    hit = rng.random(len(shares)) < shares
    boxes, shares = frame.boxes[hit], shares[hit]
    count = int(rng.poisson(fibres))
    long = np.column_stack((np.full((count, 2), 192.0), rng.uniform(60, 150, count), np.full((count, 2), 7.0)))
    boxes, shares = np.concatenate((boxes, long)), np.concatenate((shares, np.ones(count)))
    return replace(frame, boxes=boxes, probabilities=np.full(len(boxes), 0.9), found_shares=shares)


@pytest.mark.parametrize(("crystals", "nucleation"), [(50, "burst"), (50, "steady"), (20, "seeded")])
def test_growth_is_that_of_all_crystals_where_small_ones_are_missed_and_some_are_fibres(
    crystals: int, nucleation: str
) -> None:
    course = law(crystals, nucleation)
    found: list[float] = []
    alone: list[float] = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        frames = [by_a_detector(frame, rng, 0.2) for hour in HOURS for frame in seen(course, rng, hour)]
        for least, errors in ((None, found), (0.6, alone)):
            told = growth(populations_of(sure_frames(frames, least), np.repeat(HOURS, FRAMES).tolist(), 1.0))
            true = theilslopes(course.grown_px(np.array(told.hours)), told.hours).slope
            errors.append(told.a_hour.value / true - 1)
    assert np.mean(found) == pytest.approx(0, abs=0.1)
    assert np.mean(alone) > np.mean(found)


@given(times=st.integers(1, 4), long=st.lists(st.floats(6, 60), min_size=5, max_size=30))
def test_crystals_that_count_many_times_are_as_many_crystals(times: int, long: list[float]) -> None:
    def one(hour: int, many: bool) -> Frame:
        sides = np.repeat([each + 3.0 * hour for each in long], 1 if many else times)
        boxes = np.column_stack((np.full((len(sides), 2), 50.0), sides, np.full((len(sides), 2), 5.0)))
        return Frame(path=str(hour), boxes=boxes, stands_for=np.full(len(sides), float(times)) if many else None)

    told = [growth(populations_of([one(hour, many) for hour in range(3)], [0, 1, 2], 1.0)) for many in (True, False)]
    assert told[0].a_hour.value == pytest.approx(told[1].a_hour.value) == pytest.approx(3)


def test_growth_tells_of_which_times_it_is() -> None:
    lengths = {1: (8.0, 9), 2: (10.0, 11, 12, 13, 14), 5: (13.0, 14, 15, 16, 17)}
    frames = [Frame(path="", boxes=np.array([[50, 50, each, 5, 0] for each in some])) for some in lengths.values()]
    assert growth(populations_of(frames, list(lengths), 1.0)).hours == (2, 5)


def test_one_frame_a_time_has_intervals_too_and_none_has_nothing_to_measure() -> None:
    frames = [Frame(path=name, boxes=np.zeros((0, 5)), height_px=99, width_px=99) for name in "ab"]
    nothing = growth(populations_of(frames, [0, 1], 1.0))
    assert np.isnan(nothing.a_hour.value)
    course = law(40, "seeded")
    rng = np.random.default_rng(0)
    there = populations_of([seen(course, rng, hour, frames=1)[0] for hour in HOURS], HOURS, 1.0)
    count = trends(there, None)[0].figures[0]
    assert count.low < count.value < count.high


def test_concentrations_are_on_straight_lines_and_nowhere_else() -> None:
    told = Concentrations(hours=(0.0, 2.0), values=(10.0, 4.0), unit="")
    np.testing.assert_allclose(interpolated(told, np.array([-1.0, 0, 1, 2, 3])), [np.nan, 10, 7, 4, np.nan])
