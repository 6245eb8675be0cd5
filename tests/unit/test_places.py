"""Where chops can lie, by the rules by which they are cut."""

import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from crystal_search.geometry import Box
from crystal_search.result import BestChop, ImageScore
from crystal_search.scoring.pipeline import Models, score_data
from crystal_search.scoring.places import misplaced
from crystal_search.work_unit import Parameters
from tests.unit.test_classify import DropNetwork, classifier

CLASSIFIER = replace(classifier().card, working_width_px=512)
DROP = DropNetwork().card


def scored(height: int, width: int, drop: tuple[float, float, float, float], kind: str = "PNG") -> ImageScore:
    """Score a picture with a dark drop, whose top, left, height and width are told as shares of the picture."""
    top, left, tall, wide = drop
    grey = np.full((height, width), 200, np.uint8)
    grey[int(top * height) : int((top + tall) * height), int(left * width) : int((left + wide) * width)] = 60
    file = io.BytesIO()
    Image.fromarray(grey).save(file, kind)
    network = classifier()
    network.card = CLASSIFIER
    return score_data(file.getvalue(), Models(network, DropNetwork()), Parameters(no_drop="whole_image"))[0]


SHARES = st.floats(0.15, 0.85)


@settings(deadline=None, max_examples=60)
@given(
    height=st.integers(128, 2500),
    width=st.integers(128, 2500),
    drop=st.tuples(SHARES, SHARES, SHARES, SHARES),
    kind=st.sampled_from(["PNG", "JPEG"]),
)
def test_no_chop_that_was_scored_is_refused(
    height: int, width: int, drop: tuple[float, float, float, float], kind: str
) -> None:
    if max(height, width) > 5 * min(height, width):
        height = width
    found = scored(height, width, drop, kind)
    assert found.best_chops
    assert misplaced(found, CLASSIFIER, DROP) == ""


@pytest.fixture(scope="module")
def found() -> ImageScore:
    return scored(800, 1024, (0.25, 0.3, 0.5, 0.4))


def with_box(found: ImageScore, box: Box) -> ImageScore:
    return replace(found, best_chops=(replace(found.best_chops[0], box=box), *found.best_chops[1:]))


@pytest.mark.parametrize("rows", range(-31, 32, 6))
@pytest.mark.parametrize("columns", range(-31, 32, 6))
def test_a_box_between_the_chops_is_refused(found: ImageScore, rows: int, columns: int) -> None:
    box = found.best_chops[0].box.shifted(rows, columns)
    assert "no chop of the drop" in misplaced(with_box(found, box), CLASSIFIER, DROP)


@pytest.mark.parametrize("box", [(0, 0, 128, 128), (300, 300, 301, 301), (200, 300, 600, 700), (0, 0, 800, 1024)])
def test_a_box_elsewhere_or_of_another_size_is_refused(found: ImageScore, box: tuple[int, int, int, int]) -> None:
    assert "no chop of the drop" in misplaced(with_box(found, Box(*box)), CLASSIFIER, DROP)


def test_a_drop_between_the_locator_s_pixels_is_refused(found: ImageScore) -> None:
    assert found.drop
    moved = replace(found, drop=replace(found.drop, box=found.drop.box.shifted(1, 2)))
    assert "is none of a mask" in misplaced(moved, CLASSIFIER, DROP)


def test_chops_of_another_drop_are_refused(found: ImageScore) -> None:
    other = scored(800, 1024, (0.2, 0.2, 0.45, 0.55))
    assert "no chop" in misplaced(replace(found, best_chops=other.best_chops), CLASSIFIER, DROP)


def test_more_chops_than_the_drop_has_are_refused(found: ImageScore) -> None:
    assert found.chops == 36
    assert misplaced(replace(found, chops=37), CLASSIFIER, DROP) == "37 chops, of 36 that the drop has"


def test_frames_on_one_another_are_refused(found: ImageScore) -> None:
    first = found.best_chops[0]
    close = replace(first, box=first.box.shifted(0, 64))
    crowded = replace(found, best_chops=(first, close))
    assert "lie too much on one another" in misplaced(crowded, CLASSIFIER, DROP)


def test_an_image_without_a_score_has_no_places() -> None:
    assert misplaced(ImageScore(height_px=800, width_px=1024), CLASSIFIER, DROP) == ""


def test_the_whole_image_has_chops_where_no_drop_was_found() -> None:
    bright = replace(scored(800, 1024, (0.5, 0.5, 0, 0)), best_chops=())
    assert bright.drop is None
    assert misplaced(bright, CLASSIFIER, DROP) == ""
    stranger = BestChop(box=Box(1, 1, 129, 129), outcome="clear", probability=1.0)
    assert "no chop" in misplaced(replace(bright, best_chops=(stranger,)), CLASSIFIER, DROP)
