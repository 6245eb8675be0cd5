"""In which crystals two hosts must agree: rounding decides about doubtful ones, nobody makes up or hides clear ones."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crystal_search.crystal import Crystal, Uncounted
from crystal_search.geometry import Box
from crystal_search.networks.network_kinds import crystal_detector_card
from crystal_search.result import DropRegion, ImageScore
from crystal_search.result_crystals import MAX_CRYSTALS, MAX_UNCOUNTED, rounded, uncounted_of
from crystal_search.server.engines.boinc.agreement import score_disagreement
from crystal_search.server.engines.boinc.crystal_agreement import Tolerance
from tests.unit.builders import crystal_score

LEAST = 0.6  #: probability from which on the detector counts crystals in drops
CARD = replace(
    crystal_detector_card("tiny", "dense-crystals", normalisation="local-contrast-1", working_width_px=1224),
    least_in_drops=LEAST,
)
BAND = 0.02
TOLERANCE = Tolerance(probability=BAND, detector=CARD)
DROP = DropRegion(
    box=Box(100, 100, 900, 1100), area_fraction=0.6, outline=((100, 100), (100, 1100), (900, 1100), (900, 100))
)
SIZE = (1024, 1280)
DROP_TO_THE_EDGES = DropRegion(
    box=Box(0, 0, 1024, 1280), area_fraction=1.0, outline=((0, 0), (0, 1280), (1024, 1280), (1024, 0))
)
NEAR_PX = 10  #: to the drop's border: 1/128 of 1280 px
EVERY_PX = 60  #: between the places of crystals
PLACES = [(row, column) for row in range(130, 880, EVERY_PX) for column in range(130, 1080, EVERY_PX)]

Crystals = tuple[Crystal, ...]


def crystal(row: float, column: float, probability: float = 0.9) -> Crystal:
    """Return an upright crystal of 30 x 12 px."""
    around = ((row - 6, column - 15), (row - 6, column + 15), (row + 6, column + 15), (row + 6, column - 15))
    return Crystal(
        probability=probability,
        **{"row": row, "column": column, "long_px": 30.0, "short_px": 12.0, "angle_rad": 0.0},
        outline=around,
        contrast=0.2,
    )


def told(crystals: Crystals, **changes: object) -> ImageScore:
    """Return a score as results have it: the most probable crystals, from the most probable on."""
    found = sorted(crystals, key=lambda each: -each.probability)[:MAX_CRYSTALS]
    score = replace(crystal_score(), drop=DROP, crystals=tuple(map(rounded, found)), best_chops=())
    height_px, width_px = SIZE
    return replace(score, height_px=height_px, width_px=width_px, **changes)  # type: ignore[arg-type]


def agree(one: ImageScore, other: ImageScore, tolerance: Tolerance = TOLERANCE) -> bool:
    """Tell whether two agree, which does not depend on which is asked first."""
    here, there = (score_disagreement(*pair, tolerance) for pair in ((one, other), (other, one)))
    assert bool(here) == bool(there)
    return not here


def elsewhere(each: Crystal, draw: Callable[[st.SearchStrategy[float]], float]) -> Crystal:
    """Return a crystal as another processor may have it: all numbers a little off."""
    little, px = st.floats(-1e-3, 1e-3), st.floats(-0.2, 0.2)
    return replace(
        each,
        probability=each.probability + draw(little),
        row=each.row + draw(px),
        column=each.column + draw(px),
        long_px=each.long_px + draw(px),
        short_px=each.short_px + draw(px),
        angle_rad=(each.angle_rad + draw(little)) % np.pi,
        outline=tuple((row + draw(px), column + draw(px)) for row, column in each.outline),
    )


@st.composite
def clear(draw: st.DrawFn, most: int = 30) -> Crystals:
    """Draw crystals that no rounding error touches: in the drop, apart from each other, far above the limit."""
    places = draw(st.lists(st.sampled_from(PLACES), max_size=most, unique=True))
    return tuple(crystal(*place, draw(st.floats(LEAST + 2 * BAND, 1))) for place in places)


@given(data=st.data(), crystals=clear(), doubtful=st.floats(LEAST - 1e-3, LEAST + 1e-3))
def test_honest_hosts_agree_whatever_rounding_does_at_the_limit(
    data: st.DataObject, crystals: Crystals, doubtful: float
) -> None:
    scene = (*crystals, crystal(109, 700, doubtful))
    one, other = (tuple(elsewhere(each, data.draw) for each in scene) for _ in range(2))
    counted = [told(tuple(each for each in seen if each.probability >= LEAST)) for seen in (one, other)]
    assert agree(counted[0], counted[1])


@given(crystals=clear(), data=st.data())
def test_nobody_hides_a_clear_crystal(crystals: Crystals, data: st.DataObject) -> None:
    hidden = crystal(*data.draw(st.sampled_from(PLACES)), data.draw(st.floats(LEAST + BAND + 1e-3, 1)))
    others = tuple(each for each in crystals if (each.row, each.column) != (hidden.row, hidden.column))
    assert not agree(told((*others, hidden)), told(others))


@given(crystals=clear(), data=st.data())
def test_nobody_puts_a_clear_crystal_elsewhere(crystals: Crystals, data: st.DataObject) -> None:
    place, other = data.draw(st.lists(st.sampled_from(PLACES), min_size=2, max_size=2, unique=True))
    others = tuple(each for each in crystals if (each.row, each.column) not in (place, other))
    assert not agree(told((*others, crystal(*place))), told((*others, crystal(*other))))


@pytest.mark.parametrize("probability", [LEAST, LEAST + BAND - 1e-3])
def test_one_doubtful_crystal_is_forgiven_and_of_many_a_twentieth(probability: float) -> None:
    doubtful = [crystal(*place, probability) for place in PLACES[:4]]
    for clear_ones, forgiven in ((0, 1), (18, 1), (38, 2), (57, 3)):
        common = tuple(crystal(*place) for place in PLACES[4 : 4 + clear_ones])
        for count in range(1, len(doubtful) + 1):
            assert agree(told(common), told((*common, *doubtful[:count]))) is (count <= forgiven)


def test_what_a_detector_counts_is_not_known_of_one_that_is_gone() -> None:
    one, other = told((crystal(200, 200, LEAST),)), told(())
    assert agree(one, other)
    assert not agree(one, other, Tolerance(probability=BAND))


@given(data=st.data())
def test_which_is_the_hundredth_rounding_may_decide(data: st.DataObject) -> None:
    shares = data.draw(st.lists(st.floats(0.9, 0.999), min_size=MAX_CRYSTALS - 1, max_size=MAX_CRYSTALS - 1))
    kept = tuple(crystal(*place, share) for place, share in zip(PLACES, shares, strict=False))
    one, other = (crystal(*place, 0.8) for place in PLACES[-2:])
    assert agree(told((*kept, one)), told((*kept, other)))
    assert not agree(told((*kept, one)), told(kept))  # there was room for it
    assert not agree(told((*kept, replace(one, probability=0.87))), told((*kept, replace(other, probability=0.84))))


@pytest.mark.parametrize(("row", "agrees"), [(91, True), (100, True), (109, True), (112, False), (500, False)])
def test_at_the_border_of_the_drop_rounding_may_decide(row: int, agrees: bool) -> None:
    assert agree(told((crystal(row, 600),)), told(())) is agrees


def test_between_two_borders_that_may_differ_a_crystal_is_of_one_host_alone() -> None:
    drop = replace(DROP, box=Box(118, 100, 900, 1100), outline=((118, 100), (118, 1100), (900, 1100), (900, 100)))
    assert agree(told((crystal(109, 600),)), told((), drop=drop))
    assert not agree(told((crystal(130, 600),)), told((), drop=drop))


@pytest.mark.parametrize(("row", "agrees"), [(4, True), (40, False), (100, False)])
def test_without_a_drop_the_border_is_that_of_the_image(row: int, agrees: bool) -> None:
    assert agree(told((crystal(row, 600),), drop=None), told((), drop=None)) is agrees


@pytest.mark.parametrize(
    ("apart", "probability", "agrees"),
    [(10.0, 0.85, True), (10.0, 0.95, False), (5.0, 0.85, False), (16.0, 0.85, False)],
)
def test_of_two_boxes_that_overlap_by_as_much_as_counts_the_less_probable_may_go(
    apart: float, probability: float, agrees: bool
) -> None:
    """Boxes of 30 px that lie 10 px apart overlap by 0.5, which is what this detector's card says."""
    both = (crystal(500, 500), crystal(500, 500 + apart, probability))
    assert agree(told(both), told(both[:1])) is agrees


# Those that do not count

SEEN = CARD.seen_from  #: probability from which on the detector tells crystals that do not count


def seen(crystals: Crystals) -> tuple[Uncounted, ...]:
    """Return crystals as results have those that do not count: the most probable, from the most probable on."""
    found = sorted(crystals, key=lambda each: -each.probability)[:MAX_UNCOUNTED]
    return tuple(map(uncounted_of, found))


def seen_alone(*crystals: Crystal) -> ImageScore:
    """Return a score in which no crystal counts."""
    return told((), uncounted=seen(crystals))


@given(data=st.data(), crystals=clear(), limit=st.floats(LEAST - 1e-3, LEAST + 1e-3))
def test_honest_hosts_agree_whichever_of_them_counts_a_crystal(
    data: st.DataObject, crystals: Crystals, limit: float
) -> None:
    scene = (*crystals, crystal(109, 700, limit), crystal(109, 900, SEEN + data.draw(st.floats(-1e-3, 1e-3))))
    hosts = []
    for _ in range(2):
        sees = [elsewhere(each, data.draw) for each in scene]
        others = tuple(each for each in sees if SEEN <= each.probability < LEAST)
        hosts.append(told(tuple(each for each in sees if each.probability >= LEAST), uncounted=seen(others)))
    assert agree(hosts[0], hosts[1])


@given(crystals=clear(), data=st.data(), probability=st.floats(SEEN + BAND + 1e-3, 1))
def test_nobody_hides_or_makes_up_a_crystal_that_does_not_count(
    crystals: Crystals, data: st.DataObject, probability: float
) -> None:
    hidden = crystal(*data.draw(st.sampled_from(PLACES)), probability)
    others = tuple(each for each in crystals if (each.row, each.column) != (hidden.row, hidden.column))
    assert agree(seen_alone(*others, hidden), seen_alone(hidden, *others))
    assert not agree(seen_alone(*others, hidden), seen_alone(*others))


def test_nobody_calls_a_clear_crystal_one_that_does_not_count() -> None:
    clear_one = crystal(500, 500)
    assert not agree(told((clear_one,), uncounted=()), seen_alone(clear_one))


def test_who_tells_none_that_do_not_count_is_an_older_client() -> None:
    assert agree(told(()), told(()))
    assert not agree(told(()), seen_alone())


@pytest.mark.parametrize(
    ("row", "probability", "agrees"),
    [(500, SEEN + 1e-3, True), (500, 0.9, False), (84, 0.9, True), (70, 0.9, False), (100, 0.9, False)],
)
def test_at_the_limit_and_as_far_outside_of_the_drop_as_it_reaches_rounding_may_decide(
    row: int, probability: float, agrees: bool
) -> None:
    """A crystal of 30 x 12 px reaches 16 px far; the drop begins at row 100."""
    assert agree(seen_alone(crystal(row, 600, probability)), seen_alone()) is agrees


@pytest.mark.parametrize(
    ("place", "agrees"),
    [((0.1, 600), True), ((500, 1279.9), True), ((10, 600), True), ((500, 9), True), ((500, 12), False)],
)
@pytest.mark.parametrize("drop", [None, DROP_TO_THE_EDGES])
def test_whether_a_centre_lies_in_the_image_rounding_may_decide(
    place: tuple[float, float], drop: DropRegion | None, *, agrees: bool
) -> None:
    one, other = (replace(each, drop=drop) for each in (seen_alone(crystal(*place)), seen_alone()))
    assert agree(one, other) is agrees


def test_which_is_the_hundredth_that_does_not_count_rounding_may_decide() -> None:
    kept = [crystal(*place) for place in PLACES[: MAX_UNCOUNTED - 1]]
    one, other = (crystal(*place, 0.8) for place in PLACES[-2:])
    assert agree(seen_alone(*kept, one), seen_alone(*kept, other))
    assert not agree(seen_alone(*kept, one), seen_alone(*kept))


def test_few_that_do_not_count_are_forgiven() -> None:
    doubtful = [crystal(*place, SEEN) for place in PLACES[:2]]
    assert agree(seen_alone(doubtful[0]), seen_alone())
    assert not agree(seen_alone(*doubtful), seen_alone())


def test_a_likelier_crystal_over_it_may_take_one_away_that_does_not_count() -> None:
    over, under = crystal(500, 500), crystal(500, 510, 0.5)
    assert agree(told((over,), uncounted=seen((under,))), told((over,), uncounted=()))
    assert not agree(seen_alone(under), seen_alone())
