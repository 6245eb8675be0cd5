"""The sentinel's numbers: vitals, evidence with its bound, what is usual, faults, strange images."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from crystal_search.errors import UserError
from crystal_search.outcomes import GROUPS
from crystal_search.sentinel.evidence import BETS, Evidence
from crystal_search.sentinel.imager_faults import IMAGES_TO_FALSE_ALARM, Alarm, ImagerWatch
from crystal_search.sentinel.strange_images import ordinary, shrunk_covariance
from crystal_search.sentinel.usual import BRIGHT, CLASSES, DARK, DEFOCUS, DIRT, EMPTY, KINDS, Look, Usual, learnt
from crystal_search.sentinel.vitals import Vitals, box_means, shade_of, vitals_of

ROWS, COLUMNS = 6, 8


def textured(seed: int = 0, size: tuple[int, int] = (512, 612)) -> NDArray[np.uint8]:
    """Return a lit floor with black squares on it."""
    rng = np.random.default_rng(seed)
    picture = np.full(size, 180.0)
    for row, column in zip(rng.integers(0, size[0] - 9, 40), rng.integers(0, size[1] - 9, 40), strict=True):
        picture[row : row + 9, column : column + 9] = 30
    return (picture + rng.normal(0, 2, size)).clip(0, 255).astype(np.uint8)


def look(rng: np.random.Generator, plate: str = "P", **changes: Any) -> Look:
    vitals = Vitals(
        brightness=float(rng.normal(-0.3, 0.02)),
        sharpness=float(rng.normal(-1, 0.1)),
        coarse_sharpness=float(rng.normal(-1, 0.1)),
        shade=rng.normal(0, 0.05, (ROWS, COLUMNS)).astype(np.float16),
    )
    group = None if rng.random() < 0.1 else int(rng.integers(len(GROUPS)))
    return Look(vitals=replace(vitals, **changes), group=group, plate=plate)


@pytest.fixture(scope="module")
def usual() -> Usual:
    rng = np.random.default_rng(1)
    return learnt([look(rng, plate=f"P{number // 50}") for number in range(400)])


def played(usual: Usual, looks: list[Look]) -> list[Alarm]:
    watch = ImagerWatch(usual)
    return [alarm for each in looks for alarm in watch.look(each)]


class TestVitals:
    def test_blur_makes_a_picture_less_sharp_and_no_darker(self) -> None:
        sharp = textured()
        blurred = np.asarray(
            sum(np.roll(sharp.astype(float), (r, c), (0, 1)) for r in (0, 1, 2) for c in (0, 1, 2)) / 9
        )
        before, after = vitals_of(sharp), vitals_of(blurred.astype(np.uint8))
        assert after.sharpness < before.sharpness - 0.5
        assert after.brightness == pytest.approx(before.brightness, abs=0.02)

    def test_less_light_changes_brightness_alone(self) -> None:
        before, after = vitals_of(textured()), vitals_of((textured() * 0.8).astype(np.uint8))
        assert after.brightness - before.brightness == pytest.approx(np.log(0.8), abs=0.01)
        assert after.sharpness == pytest.approx(before.sharpness, abs=0.05)
        assert np.abs(after.shade - before.shade).max() < 0.1

    def test_a_speck_is_dark_where_it_is(self) -> None:
        picture = np.full((512, 612), 200, np.uint8)
        picture[160:168, 240:248] = 100
        shade = vitals_of(picture).shade
        assert shade.shape == (64, 76)
        assert shade[20, 30] == pytest.approx(np.log(0.5), abs=1e-3)
        assert np.count_nonzero(shade) == 1

    def test_any_size_has_vitals(self) -> None:
        assert vitals_of(np.zeros((128, 128), np.uint8)).shade.shape[1] == 76
        assert vitals_of(textured(size=(1024, 1224))).shade.shape == (64, 76)

    def test_means_of_boxes(self) -> None:
        assert box_means(np.array([[1.0, 3, 9], [5, 7, 9], [9, 9, 9]]), 2).tolist() == [[4]]

    def test_slow_changes_of_light_are_no_shade(self) -> None:
        slope = np.exp(np.linspace(0, 1, 76))[None] * np.ones((64, 1)) / 4
        assert np.abs(shade_of(slope)[:, 3:-3]).max() < 1e-3


class TestEvidence:
    def test_one_step_by_hand(self) -> None:
        evidence = Evidence(np.array([0.2, 0.2]))
        found = np.exp(evidence.add(np.array([True, False])))
        bets = 0.2 + np.array(BETS) * 0.8
        assert found == pytest.approx([np.mean(bets / 0.2), np.mean((1 - bets) / 0.8)])

    @given(bound=st.floats(0.01, 0.95), below=st.floats(0, 1))
    def test_a_bet_gains_nothing_on_average(self, bound: float, below: float) -> None:
        bets, often = Evidence(np.array([bound])).bets[:, 0], bound * below
        gained = often * bets / bound + (1 - often) * (1 - bets) / (1 - bound)
        assert (gained <= 1 + 1e-9).all()

    def test_so_many_images_pass_until_a_false_alarm(self) -> None:
        rng, waits = np.random.default_rng(0), []
        for _ in range(300):  # with the seed 0; the mean is far from the bound for others, too
            evidence, images = Evidence(np.array([0.3])), 0
            while evidence.add(rng.random(1) < 0.3)[0] < np.log(50):
                images += 1
            waits.append(images)
        assert np.mean(waits) > 50

    def test_it_knows_since_when(self) -> None:
        evidence = Evidence(np.array([0.1]))
        for number in range(60):
            evidence.add(np.array([number >= 40]))
        assert evidence.since(0) == 40

    def test_it_forgets(self) -> None:
        evidence = Evidence(np.array([0.1, 0.1]))
        for _ in range(5):
            evidence.add(np.array([True, True]))
        evidence.forget(np.array([True, False]))
        first, second = evidence.add(np.array([True, True]))
        assert first == pytest.approx(np.log(np.mean((0.1 + np.array(BETS) * 0.9) / 0.1)))
        assert second > first + 5


class TestUsual:
    def test_limits_are_passed_rarely(self, usual: Usual) -> None:
        rng = np.random.default_rng(2)
        often = np.mean([usual.happened(look(rng)) for _ in range(1000)], axis=0)
        assert (often[: KINDS.index(EMPTY)] < 0.09).all()
        assert (often[len(KINDS) :] < 0.12).all()
        assert (often < usual.bounds).all()

    def test_a_bound_is_that_of_the_worst_plate(self) -> None:
        rng = np.random.default_rng(3)
        looks = [look(rng, plate=f"P{number // 50}") for number in range(200)]
        looks[:50] = [replace(each, group=0) if at < 40 else each for at, each in enumerate(looks[:50])]
        crystal = KINDS.index(CLASSES)
        assert learnt(looks).bounds[crystal] == pytest.approx(
            np.mean([each.group == 0 for each in looks[:50]]), abs=0.06
        )

    def test_too_few_images_are_said(self) -> None:
        with pytest.raises(UserError, match="199 images tell nothing of an imager yet; wait for 200"):
            learnt([look(np.random.default_rng(0))] * 199)

    def test_pictures_of_another_format_have_no_dirt(self, usual: Usual) -> None:
        other = look(np.random.default_rng(0), shade=np.full((3, 3), -5, np.float16))
        assert not usual.happened(other)[len(KINDS) :].any()


class TestFaults:
    def test_nothing_is_said_where_nothing_is_the_matter(self, usual: Usual) -> None:
        rng = np.random.default_rng(4)
        assert played(usual, [look(rng) for _ in range(3000)]) == []

    @pytest.mark.parametrize(
        ("kind", "changes"),
        [
            (DEFOCUS, {"sharpness": -1.3}),
            (DEFOCUS, {"coarse_sharpness": -1.3}),
            (DARK, {"brightness": -0.5}),
            (BRIGHT, {"brightness": -0.1}),
        ],
    )
    def test_each_is_noticed_soon_and_alone(self, usual: Usual, kind: str, changes: dict[str, Any]) -> None:
        rng = np.random.default_rng(5)
        watch = ImagerWatch(usual)
        for _ in range(200):
            assert not watch.look(look(rng))
        alarms = [alarm for _ in range(50) for alarm in watch.look(look(rng, **changes))]
        assert {alarm.kind for alarm in alarms} == {kind}
        assert 200 < alarms[0].image <= 215
        assert abs(alarms[0].since - 200) <= 3

    def test_empty_wells_and_classes(self, usual: Usual) -> None:
        rng = np.random.default_rng(6)
        empty = played(usual, [replace(look(rng), group=None) for _ in range(50)])
        assert empty[0].kind == EMPTY
        clear = played(usual, [replace(look(rng), group=3) for _ in range(50)])
        assert (clear[0].kind, clear[0].what) == (CLASSES, "clear")

    def test_dirt_is_told_with_its_place(self, usual: Usual) -> None:
        rng, looks = np.random.default_rng(7), []
        for _ in range(50):
            each = look(rng)
            each.vitals.shade[2, 5] -= 0.5
            each.vitals.shade[2, 6] -= 0.5
            looks.append(each)
        (alarm, *_) = played(usual, looks)
        assert alarm.kind == DIRT
        assert alarm.image < 25
        assert set(alarm.places) <= {(2, 5), (2, 6)}
        assert alarm.what == "69 % from the left, 42 % from the top"

    def test_a_speck_that_wanders_is_no_dirt_in_place(self, usual: Usual) -> None:
        rng, looks = np.random.default_rng(8), []
        for _ in range(500):
            each = look(rng)
            each.vitals.shade[rng.integers(ROWS), rng.integers(COLUMNS)] -= 0.5
            looks.append(each)
        assert played(usual, looks) == []

    def test_all_kinds_share_the_false_alarms(self, usual: Usual) -> None:
        assert np.exp(-ImagerWatch(usual).needed).sum() == pytest.approx(1 / IMAGES_TO_FALSE_ALARM)


class TestStrange:
    def test_few_ordinary_images_are_called_strange(self) -> None:
        called = []
        for seed in range(40):  # heavy tails, fewer images than numbers
            rng = np.random.default_rng(seed)
            images = rng.standard_t(3, (260, 80)) @ rng.normal(0, 1, (80, 80))
            called.append(float((ordinary(images[:200], rng).p_values(images[200:]) <= 0.05).mean()))
        assert np.mean(called) <= 0.06

    def test_strange_ones_are_found(self) -> None:
        rng = np.random.default_rng(0)
        mixing = rng.normal(0, 1, (20, 60))
        found = ordinary(rng.normal(0, 1, (400, 20)) @ mixing, rng)
        strange = rng.normal(0, 1, (10, 20)) @ mixing + rng.normal(0, 2, (10, 60))  # beside what images vary in
        assert (found.p_values(strange) == 1 / 201).all()

    def test_a_history_that_is_too_short_calls_nothing_strange(self) -> None:
        # Of 2 n images n are compared with, and the smallest p-value is 1 / (n + 1): above 0.01 with 98, 0.01 with 99.
        found = ordinary(np.random.default_rng(0).normal(0, 1, (196, 5)), np.random.default_rng(0))
        assert found.p_values(np.full((1, 5), 1e6))[0] == pytest.approx(1 / 99)
        enough = ordinary(np.random.default_rng(0).normal(0, 1, (198, 5)), np.random.default_rng(0))
        assert enough.p_values(np.full((1, 5), 1e6))[0] <= 0.01
        with pytest.raises(UserError, match="wait for 40"):
            ordinary(np.zeros((39, 5)), np.random.default_rng(0))

    @given(st.integers(2, 60), st.integers(1, 40))
    def test_a_covariance_can_always_be_inverted(self, images: int, numbers: int) -> None:
        beside = np.random.default_rng(images * 100 + numbers).normal(0, 1, (images, numbers)) * np.arange(numbers)
        found = shrunk_covariance(beside - beside.mean(axis=0))
        assert np.linalg.eigvalsh(found).min() > 0
        assert np.trace(found) == pytest.approx(beside.var(axis=0).sum(), rel=1e-4, abs=1e-6)

    def test_many_images_need_no_shrinking(self) -> None:
        rng = np.random.default_rng(0)
        true = np.diag([1.0, 4.0, 9.0])
        assert shrunk_covariance(rng.normal(0, 1, (20000, 3)) * [1, 2, 3]) == pytest.approx(true, abs=0.3)
