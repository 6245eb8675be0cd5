"""Crystals in results: written, read, checked against the work unit, kept in the ledger; nothing is believed."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crystal_search.crystal import Crystal
from crystal_search.errors import ResultError, WorkUnitError
from crystal_search.hostile_json import Reader, read_whole
from crystal_search.result import ImageScore, Result, image_score_of, result_to_json
from crystal_search.result_crystals import (
    MAX_CORNERS,
    MAX_CRYSTAL_BYTES,
    MAX_CRYSTALS,
    MAX_UNCOUNTED,
    crystals_read,
    is_convex,
    plain_crystals,
    rounded,
    uncounted_of,
)
from crystal_search.result_reader import check_against, read_result, result_from_json
from crystal_search.server.imaging.sql_rows import _found, _json
from crystal_search.work_unit import WorkUnit, manifest_from_json, manifest_to_json
from tests.unit.builders import (
    CRYSTALS,
    DETECTOR,
    GOLDEN,
    MODELS,
    UNCOUNTED,
    crystal_score,
    packed,
    result_for,
    searched_result,
    searched_score,
    searched_unit,
)

HEIGHT_PX, WIDTH_PX = 2000, 2400


@pytest.fixture
def unit(tmp_path: Path) -> WorkUnit:
    return searched_unit(tmp_path / "unit.zip")


def with_score(result: Result, **changes: Any) -> Result:
    """Change the score of the first image."""
    first, *others = result.images
    return replace(result, images=(replace(first, score=replace(first.score, **changes)), *others))


# What is written


def test_what_is_written_is_read_and_accepted(unit: WorkUnit) -> None:
    result = searched_result(unit)
    assert result_from_json(result_to_json(result).encode()) == result
    check_against(result, unit)


def test_the_golden_result_with_crystals_is_still_written_and_read(unit: WorkUnit) -> None:
    golden = (GOLDEN / "result-3-crystals.json").read_text()
    assert result_to_json(searched_result(unit)) == golden
    assert result_from_json(golden.encode()) == searched_result(unit)


def test_the_golden_result_with_crystals_that_do_not_count_is_still_written_and_read(unit: WorkUnit) -> None:
    golden = (GOLDEN / "result-3-uncounted.json").read_text()
    assert result_to_json(searched_result(unit, UNCOUNTED)) == golden
    assert result_from_json(golden.encode()) == searched_result(unit, UNCOUNTED)


def test_the_golden_work_unit_that_asks_for_crystals_is_still_written_and_read(unit: WorkUnit) -> None:
    golden = (GOLDEN / "work-unit-2-crystals.manifest.json").read_text()
    assert manifest_to_json(unit) == golden
    assert manifest_from_json(golden.encode()) == unit


def test_work_units_and_results_without_a_detector_are_as_they_were(tmp_path: Path) -> None:
    plain = packed(tmp_path / "plain.zip")
    assert "crystals" not in manifest_to_json(plain)
    assert '"crystals"' not in result_to_json(result_for(plain))


def test_not_searched_and_nothing_found_are_told_apart(unit: WorkUnit) -> None:
    for crystals in (None, ()):
        result = with_score(searched_result(unit), crystals=crystals)
        assert result_from_json(result_to_json(result).encode()).images[0].score.crystals == crystals


def test_the_ledger_keeps_them_and_reads_what_it_kept_before() -> None:
    kept = json.loads(_json(_found(searched_score())))
    assert image_score_of(kept).crystals == CRYSTALS
    assert image_score_of(kept | {"crystals": []}).crystals == ()
    assert image_score_of(kept).uncounted is None
    told = json.loads(_json(_found(replace(searched_score(), uncounted=UNCOUNTED))))
    assert image_score_of(told).uncounted == UNCOUNTED
    del kept["crystals"], kept["uncounted"]
    assert (image_score_of(kept).crystals, image_score_of(kept).uncounted) == (None, None)


# Laws


@st.composite
def ellipses(draw: st.DrawFn) -> Crystal:
    """Return a crystal whose outline is an ellipse, as small, thin or long as may be."""
    corners = draw(st.integers(3, MAX_CORNERS))
    long, share = draw(st.floats(0.01, 900)), draw(st.floats(0.001, 1))
    turn = draw(st.floats(0, math.pi, exclude_max=True))
    around = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    along, across = long / 2 * np.cos(around), long * share / 2 * np.sin(around)
    rows, columns = along * np.sin(turn) + across * np.cos(turn), along * np.cos(turn) - across * np.sin(turn)
    row, column = draw(st.floats(500, HEIGHT_PX - 500)), draw(st.floats(500, WIDTH_PX - 500))
    outline = tuple(zip((row + rows).tolist(), (column + columns).tolist(), strict=True))
    return Crystal(
        probability=draw(st.floats(0, 1)),
        row=row,
        column=column,
        long_px=long,
        short_px=long * share,
        angle_rad=turn,
        outline=outline[:: draw(st.sampled_from([1, -1]))],
        contrast=draw(st.none() | st.floats(0, 300)),
    )


def read_again(plain: list[dict[str, Any]]) -> tuple[Crystal, ...] | None:
    """Return what the reader makes of crystals in an image of HEIGHT_PX x WIDTH_PX."""

    def crystals(read: Reader) -> tuple[Crystal, ...] | None:
        return crystals_read(read, (HEIGHT_PX, WIDTH_PX))

    return read_whole(json.dumps({"crystals": plain}).encode(), "image", ResultError, crystals)


@given(found=st.lists(ellipses(), max_size=4))
def test_whatever_a_detector_finds_survives_being_written(found: list[Crystal]) -> None:
    ordered = tuple(sorted(found, key=lambda each: -each.probability))
    again = read_again(plain_crystals(ordered))
    assert again == tuple(map(rounded, ordered))
    assert read_again(plain_crystals(again)) == again


@given(crystal=ellipses(), data=st.data())
def test_a_corner_moved_well_inside_makes_an_outline_concave(crystal: Crystal, data: st.DataObject) -> None:
    outline = [(500.0, 500.0), (500.0, 900.0), (900.0, 900.0), (900.0, 500.0)]
    number = data.draw(st.integers(0, 3))
    middle = (data.draw(st.floats(690, 710)), data.draw(st.floats(690, 710)))
    spoilt = [*outline[:number], middle, *outline[number:]]
    assert is_convex(tuple(outline))
    assert not is_convex(tuple(spoilt))


def test_a_star_that_winds_twice_is_not_convex() -> None:
    angles = np.arange(5) * (4 * np.pi / 5)
    star = tuple(zip((500 + 90 * np.sin(angles)).tolist(), (500 + 90 * np.cos(angles)).tolist(), strict=True))
    assert not is_convex(star)


def test_a_rectangle_told_twice_is_not_convex() -> None:
    once = ((80.0, 60.0), (80.0, 140.0), (120.0, 140.0), (120.0, 60.0))
    assert is_convex(once)
    assert is_convex((*once, once[0]))
    assert not is_convex(once + once)
    assert not is_convex(once + tuple((row + 0.1, column) for row, column in once))


def test_the_most_that_may_be_told_fits_into_the_file(unit: WorkUnit) -> None:
    around = np.linspace(0, 2 * np.pi, MAX_CORNERS, endpoint=False)
    outline = tuple(
        zip((5000.1 + 999 * np.sin(around)).tolist(), (5000.1 + 999 * np.cos(around)).tolist(), strict=True)
    )
    large = replace(CRYSTALS[0], probability=0.123456, angle_rad=1.2345, row=5000.1, column=5000.1, outline=outline)
    large = replace(large, long_px=1234.5, short_px=1234.5, contrast=0.1234)
    told = {"crystals": (large,) * MAX_CRYSTALS, "uncounted": (uncounted_of(large),) * MAX_UNCOUNTED}
    most, none = (len(result_to_json(with_score(searched_result(unit), **each))) for each in (told, {"crystals": ()}))
    assert most - none <= MAX_CRYSTAL_BYTES


# What is refused

HOSTILE: dict[str, tuple[Callable[[list[dict[str, Any]]], object], str]] = {
    "no list": (lambda told: {"0": told[0]}, "crystals must be a list"),
    "a text": (lambda _: "none", "crystals must be a list"),
    "null": (lambda _: None, "crystals must be a list"),
    "too many": (lambda told: told[:1] * (MAX_CRYSTALS + 1), "at most 100"),
    "no crystal": (lambda _: [3], "object"),
    "from the least on": (lambda told: told[::-1], "from the most probable on"),
    "another field": (lambda told: [told[0] | {"mask": "AAA="}], "unknown 'mask'"),
    "a field less": (lambda told: [{key: told[0][key] for key in told[0] if key != "row"}], "row"),
    "a probability above one": (lambda told: [told[0] | {"probability": 1.5}], "probability must be"),
    "a truth value": (lambda told: [told[0] | {"probability": True}], "probability must be"),
    "a place above the image": (lambda told: [told[0] | {"row": -0.1}], "row must be"),
    "a place beside the drop": (lambda told: [told[0] | {"column": 20.0}], "is not in the drop's box"),
    "a place below the drop": (lambda told: [told[0] | {"row": 181.2}], "is not in the drop's box"),
    "no length": (lambda told: [told[0] | {"short_px": 0.0}], "short_px must be"),
    "longer than the image": (lambda told: [told[0] | {"long_px": 326.0}], "long_px must be"),
    "sides the other way": (lambda told: [told[0] | {"short_px": 41.0}], "short_px must be at most long_px"),
    "an angle beyond half a turn": (lambda told: [told[0] | {"angle_rad": 3.2}], "angle_rad must be"),
    "a contrast below nothing": (lambda told: [told[0] | {"contrast": -0.1}], "contrast must be"),
    "a contrast of null": (lambda told: [told[0] | {"contrast": None}], "contrast must be"),
    "a line": (lambda told: [told[0] | {"outline": told[0]["outline"][:2]}], "outline must be at least 3"),
    "corners without end": (lambda told: [told[0] | {"outline": told[0]["outline"] * 9}], "outline must be a list"),
    "corners outside the image": (lambda told: [told[0] | {"outline": [[0, 0], [0, 9], [201, 9]]}], "inside the image"),
    "corners of three": (lambda told: [told[0] | {"outline": [[0, 0, 1], [0, 9, 1], [9, 9, 1]]}], "inside the image"),
    "corners of texts": (lambda told: [told[0] | {"outline": ["ab", "cd", "ef"]}], "inside the image"),
    "corners of truth values": (lambda told: [told[0] | {"outline": [[True, 1], [9, 1], [9, 9]]}], "inside the image"),
    "a huge corner": (lambda told: [told[0] | {"outline": [[10**400, 1], [9, 1], [9, 9]]}], "inside the image"),
    "corners in a cross": (
        lambda told: [told[0] | {"outline": [told[0]["outline"][number] for number in (0, 2, 1, 3)]}],
        "outline must be convex",
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_crystals_are_refused(unit: WorkUnit, kind: str) -> None:
    spoil, trouble = HOSTILE[kind]
    content = json.loads(result_to_json(searched_result(unit)))
    score = content["images"][0]["score"]
    score["crystals"] = spoil(score["crystals"])
    with pytest.raises(ResultError, match=trouble):
        result_from_json(json.dumps(content).encode())


@pytest.mark.parametrize(
    ("spoil", "trouble"),
    [
        (lambda told: told[:1] * (MAX_UNCOUNTED + 1), "uncounted must be a list of at most 100"),
        (lambda _: None, "uncounted must be a list"),
        (lambda told: told[::-1], "uncounted must be told from the most probable on"),
        (lambda told: [told[0] | {"outline": [[0, 0], [0, 9], [9, 9]]}], "unknown 'outline'"),
        (lambda told: [told[0] | {"probability": 1.1}], "probability must be"),
        (lambda told: [told[0] | {"short_px": 31.0}], "short_px must be at most long_px"),
        (lambda told: [told[0] | {"row": 200.1}], "row must be"),
        (lambda told: [told[1] | {"row": 10.0}], r"a crystal at \(10, 120\) is not in the drop's box"),
    ],
)
def test_hostile_crystals_that_do_not_count_are_refused(
    unit: WorkUnit, spoil: Callable[[list[dict[str, Any]]], object], trouble: str
) -> None:
    content = json.loads(result_to_json(searched_result(unit, UNCOUNTED)))
    score = content["images"][0]["score"]
    score["uncounted"] = spoil(score["uncounted"])
    with pytest.raises(ResultError, match=trouble):
        result_from_json(json.dumps(content).encode())


def test_where_nobody_searched_none_does_not_count(unit: WorkUnit) -> None:
    result = with_score(searched_result(unit, UNCOUNTED), crystals=None)
    with pytest.raises(ResultError, match="not searched for crystals has some that do not count"):
        result_from_json(result_to_json(result).encode())


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"1e999"])
def test_numbers_that_are_none_are_refused(unit: WorkUnit, number: bytes) -> None:
    text = result_to_json(searched_result(unit)).encode()
    for spoilt in (text.replace(b"100.5", number, 1), text.replace(b"120.5", number, 1)):
        with pytest.raises(ResultError):
            result_from_json(spoilt)


def test_an_image_without_a_score_has_none(unit: WorkUnit) -> None:
    empty = ImageScore(height_px=200, width_px=256, crystals=())
    unread = ImageScore(height_px=0, width_px=0, error="cut off", crystals=())
    result = searched_result(unit)
    for score in (empty, unread):
        images = (replace(result.images[0], score=score), result.images[1])
        with pytest.raises(ResultError, match="an image without a score was searched for crystals"):
            result_from_json(result_to_json(replace(result, images=images)).encode())


def test_an_image_without_a_drop_need_not_be_searched(unit: WorkUnit) -> None:
    result = searched_result(unit)
    images = (replace(result.images[0], score=ImageScore(height_px=200, width_px=256)), result.images[1])
    check_against(replace(result, images=images), unit)


def test_version_2_had_no_crystals(unit: WorkUnit) -> None:
    content = json.loads(result_to_json(searched_result(unit))) | {"version": 2}
    for image in content["images"]:
        del image["score"]["features"]
    with pytest.raises(ResultError, match="unknown 'crystals'"):
        result_from_json(json.dumps(content).encode())


# Against the work unit


def with_peak(result: Result, peak: float) -> Result:
    """Lower what the crystal group reaches in the first image, whatever else that contradicts."""
    peaks = result.images[0].score.group_peaks
    return with_score(result, group_peaks=(peak, *peaks[1:]))


@pytest.mark.parametrize(
    ("crystals_from", "crystals", "trouble"),
    [
        (0.9, CRYSTALS, ""),
        (0.9, (), ""),
        (0.9, None, "image 1 was not searched for crystals, at 0.97 where 0.9 decides"),
        (0.98, None, ""),
        (0.98, (), "image 1 was searched for crystals, at 0.97 where 0.98 decides"),
        (0.970001, (), ""),  # rounding may have tipped either side
        (0.97, None, ""),
        (0.0, (), ""),
    ],
)
def test_what_was_searched_follows_from_the_peak(
    unit: WorkUnit, crystals_from: float, crystals: tuple[Crystal, ...] | None, trouble: str
) -> None:
    asked = replace(unit, parameters=replace(unit.parameters, crystals_from=crystals_from))
    result = searched_result(asked)
    images = tuple(replace(each, score=replace(each.score, crystals=crystals)) for each in result.images)
    if not trouble:
        check_against(replace(result, images=images), asked)
        return
    with pytest.raises(ResultError, match=trouble):
        check_against(replace(result, images=images), asked)


def test_crystals_that_no_model_found_are_refused(tmp_path: Path) -> None:
    plain = packed(tmp_path / "plain.zip")
    with pytest.raises(ResultError, match="image 1 has crystals of no model"):
        check_against(with_score(result_for(plain), crystals=()), plain)


def test_the_file_may_be_larger_where_crystals_are_told(tmp_path: Path, unit: WorkUnit) -> None:
    path = tmp_path / "result.json"
    text = result_to_json(searched_result(unit))
    path.write_text(text + " " * (500_000 - len(text)))
    assert read_result(path, unit) == searched_result(unit)
    with pytest.raises(ResultError, match="500000 bytes; a result for 2 images has at most 300000"):
        read_result(path, replace(unit, models=MODELS))


# In the manifest


@pytest.mark.parametrize(
    ("crystals_from", "models", "trouble"),
    [
        (KeyError, (*MODELS, DETECTOR), "crystals_from"),
        (1.5, (*MODELS, DETECTOR), "crystals_from must be"),
        (True, (*MODELS, DETECTOR), "crystals_from must be"),
        (0.3, MODELS, "unknown 'crystals_from'"),
    ],
)
def test_the_manifest_says_from_when_on_exactly_where_there_is_a_detector(
    unit: WorkUnit, crystals_from: Any, models: tuple[Any, ...], trouble: str
) -> None:
    content = json.loads(manifest_to_json(replace(unit, models=(*MODELS, DETECTOR))))
    content["models"] = [each for each in content["models"] if each["role"] in {model.role for model in models}]
    content["parameters"]["crystals_from"] = crystals_from
    if crystals_from is KeyError:
        del content["parameters"]["crystals_from"]
    with pytest.raises(WorkUnitError, match=trouble):
        manifest_from_json(json.dumps(content).encode())


def test_every_field_is_documented() -> None:
    docs = GOLDEN.parent.parent / "docs"
    told = json.loads((GOLDEN / "result-3-uncounted.json").read_text())["images"][0]["score"]["crystals"][0]
    assert not [
        field for field in (*told, "crystals", "uncounted") if f"`{field}`" not in (docs / "result.md").read_text()
    ]
    assert "`crystals_from`" in (docs / "work-unit.md").read_text()


def test_a_score_without_crystals_says_so() -> None:
    assert crystal_score().crystals is None
