"""How often a detector finds crystals of a size, measured where crystals are known."""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crystal_search.card_file import card_from_json, card_to_json
from crystal_search.datasets.packed import IMAGES, MASK, OBJECTS, open_dataset
from crystal_search.exporting.crystal_threshold import DetectorInTorch
from crystal_search.exporting.found_shares import Sizes, classes_of, fitted, matched, share_of, sizes_in
from crystal_search.exporting.marked_images import of_dataset
from crystal_search.found_share import LEAST_SHARE, FoundShare
from crystal_search.images import Sight
from crystal_search.training.crystal_source import KnownImage
from crystal_search.training.crystal_targets import KnownCrystals
from tests.tiny_detector import tiny_card
from tests.unit.dataset_files import write_about, write_shard
from tests.unit.test_crystal_thresholds import TwoCrystals, crystals, sample

#: Area, crystals, of them found: 0.8 of 1 / (1 + (50 / area)^2) of each size.
BY_LAW = ((25.0, 100, 16), (50.0, 100, 40), (100.0, 100, 64), (200.0, 85, 64))


def counted(rows: Sequence[tuple[float, int, int]]) -> Sizes:
    """Return crystals of areas, so many of each, so many of them found."""
    areas = np.repeat([area for area, _, _ in rows], [many for _, many, _ in rows])
    return Sizes(areas, np.concatenate([np.arange(many) < found for _, many, found in rows]))


def test_the_curve_is_that_by_which_crystals_were_found() -> None:
    sizes = counted(BY_LAW)
    np.testing.assert_allclose(fitted(sizes.areas_px2, sizes.found), (50, 0.5, 0.8), rtol=1e-3)
    wanted = FoundShare(from_probability=0.6, from_area_px2=25.0, half_px2=50.0, spread=0.5)
    assert share_of(sizes, 0.6) == wanted
    assert [wanted.of(area) for area, _, _ in BY_LAW] == pytest.approx([0.2, 0.5, 0.8, 16 / 17])


def test_crystals_are_counted_by_classes_that_double() -> None:
    sizes = counted([(6, 1, 0), (24, 2, 1), (47.9, 2, 2), (48, 1, 1)])
    told = [(each.said, each.crystals, each.found) for each in classes_of(sizes)]
    assert told == [("6 to 12 px²", 1, 0), ("24 to 48 px²", 4, 0.75), ("48 to 96 px²", 1, 1)]


def test_few_crystals_of_a_size_are_not_told_of() -> None:
    few = ((5.0, 49, 0), (12.5, 51, 0))
    assert share_of(counted((*few[:1], *BY_LAW)), 0.6) == share_of(counted(BY_LAW), 0.6)
    more = share_of(counted((*few, *BY_LAW)), 0.6)
    assert isinstance(more, FoundShare)
    assert (more.spread < 0.5, more.from_area_px2) == (True, 14.2)  # below, less than a twentieth is found
    rare = share_of(counted((*BY_LAW[:3], (200.0, 49, 37))), 0.6)
    assert rare == (
        "50 crystals or more of each of 4 sizes are needed, each twice the area of the one before, and 3 such sizes "
        "are among the 349 marked crystals"
    )
    gap = share_of(counted((BY_LAW[0], BY_LAW[1], (200.0, 85, 64), (400.0, 85, 64))), 0.6)
    assert "and 2 such sizes are among" in str(gap)
    assert "and 0 such sizes are among the 0 marked crystals" in str(share_of(counted([(9.0, 0, 0)]), 0.6))


def test_a_detector_that_finds_nearly_nothing_has_no_curve() -> None:
    barely = share_of(counted([(area, many, 12) for area, many, _ in BY_LAW]), 0.7)
    assert barely == (
        "50 crystals or more must be found with a probability of 0.7, and 48 are of the 385 marked ones of 24 px² or "
        "more"
    )


def test_sizes_of_which_hardly_any_is_found_are_not_told() -> None:
    found = share_of(counted([(25, 400, 1), (50, 400, 8), (100, 400, 200), (200, 400, 392), (400, 400, 400)]), 0.6)
    assert isinstance(found, FoundShare)
    assert 50 < found.from_area_px2 < 100
    assert found.of(found.from_area_px2) == pytest.approx(LEAST_SHARE, abs=0.01)


def test_where_all_sizes_are_found_as_often_each_counts_once() -> None:
    flat = share_of(counted([(area, 100, 90) for area in (25, 50, 100, 200, 400)]), 0.6)
    assert isinstance(flat, FoundShare)
    assert [flat.of(area) for area in (25, 100, 400)] == pytest.approx([1, 1, 1], abs=0.02)


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    half=st.floats(1, 5000),
    spread=st.floats(0.05, 5),
    largest=st.floats(2, 5e5),
)
def test_every_curve_is_one_that_cards_take(seed: int, half: float, spread: float, largest: float) -> None:
    rng = np.random.default_rng(seed)
    areas = np.exp(rng.uniform(0, np.log(largest), 1500))
    share = share_of(Sizes(areas, rng.random(1500) < 1 / (1 + (half / areas) ** (1 / spread))), 0.6)
    if isinstance(share, FoundShare):
        card = replace(tiny_card(), file="a.onnx", sha256="0" * 64, found_share=share)
        assert card_from_json(card_to_json(card).encode()) == card
        assert np.diff([share.of(area) or 0 for area in np.geomspace(share.from_area_px2, 1e6, 20)]).min() >= 0
    else:
        assert "are needed" in share or "must be found" in share


def test_each_box_is_found_by_one_at_most() -> None:
    true = np.array([[20.0, 20, 10, 6, 0], [20.0, 24, 10, 6, 0], [60.0, 60, 10, 6, 0]])
    once = np.array([[20.0, 21, 10, 6, 0]])
    assert matched(true, once).tolist() == [True, False, False]
    assert matched(true, np.repeat(once, 2, axis=0)).tolist() == [True, True, False]
    assert matched(true, np.array([[60.0, 60, 30, 8.1, 0]])).tolist() == [False] * 3  # overlap 60 / 243
    assert matched(true, np.zeros((0, 5))).tolist() == [False] * 3
    assert matched(np.zeros((0, 5)), once).tolist() == []


FOUND, FOUND_TOO = (42.0, 42.0, 8.0, 4.0, 0.0), (122.0, 122.0, 8.0, 4.0, 0.0)  #: what `TwoCrystals` tells, 0.6 and 0.9


def marked(boxes: Sequence[tuple[float, ...]], ignored: Sequence[int] = ()) -> KnownImage:
    """Return an image of 160 px with these crystals."""
    known = KnownCrystals(
        np.array(boxes, np.float64).reshape(-1, 5), np.zeros((len(boxes), 1, 2)), np.isin(range(len(boxes)), ignored)
    )
    return KnownImage(np.full((160, 160), 120, np.uint8), known, np.zeros((40, 40), np.uint8))


def told(images: Sequence[KnownImage], least: float) -> list[tuple[float, bool]]:
    """Return areas of the crystals of images that count, and which of them `TwoCrystals` finds."""
    asked: list[Sight] = []

    def seen(image: KnownImage, sight: Sight) -> KnownImage:
        asked.append(sight)
        return image

    detector = DetectorInTorch(TwoCrystals(), replace(tiny_card(), enlarged=2.0))
    sizes = sizes_in([partial(seen, image) for image in images], detector, least)
    assert asked == [Sight(1224, 2.0)] * len(images)
    return list(zip(sizes.areas_px2.tolist(), sizes.found.tolist(), strict=True))


def test_crystals_wholly_inside_are_found_or_not() -> None:
    beside, tiny, at_border = (80.0, 20.0, 9.0, 5.0, 0.0), (80.0, 50.0, 1.0, 0.9, 0.0), (3.0, 80.0, 8.0, 4.0, 0.0)
    image = marked([FOUND, beside, tiny, FOUND_TOO, at_border])
    assert told([image, marked([]), marked([FOUND_TOO])], 0.59) == [(32, True), (45, False), (32, True), (32, True)]
    assert told([image], 0.7) == [(32, False), (45, False), (32, True)]


def test_what_cannot_be_seen_is_neither_found_nor_missed_but_takes_its_box() -> None:
    faint, beside = (42.0, 42.0, 8.0, 4.0, 0.0), (42.0, 46.0, 8.0, 4.0, 0.0)
    assert told([marked([faint, beside], ignored=[0])], 0.59) == [(32, False)]
    assert told([marked([beside])], 0.59) == [(32, True)]
    assert told([marked([faint], ignored=[0])], 0.59) == []


def test_images_of_drops_are_left_out_where_there_are_others(tmp_path: Path) -> None:
    drop = sample(0, {OBJECTS: crystals(1), MASK: sample(0, {})[1]["image"]})
    empty = sample(1, {OBJECTS: crystals(0)})
    empty[0]["outcome"] = "no_drop"
    suspension = sample(2, {OBJECTS: crystals(3)})
    for samples, counts in (([drop, empty, suspension], [3]), ([drop, empty], [1, 0])):
        write_about(tmp_path, [write_shard(tmp_path, IMAGES, "validation", samples)])
        images = of_dataset(open_dataset(tmp_path))
        assert images.name == f"validation images of {tmp_path.name}"
        assert [len(each(Sight(1224)).crystals.boxes) for each in images.images] == counts


def test_a_card_with_a_curve_is_json_that_others_read() -> None:
    share = share_of(counted(BY_LAW), 0.6)
    assert isinstance(share, FoundShare)
    card = replace(tiny_card(), file="a.onnx", sha256="0" * 64, found_share=share)
    curve = {"from_probability": 0.6, "from_area_px2": 25.0, "half_px2": 50.0, "spread": 0.5}
    assert json.loads(card_to_json(card))["found_share"] == curve
