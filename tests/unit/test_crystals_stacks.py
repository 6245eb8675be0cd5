"""Crystals of sections joined to bodies: by hand, and stacks whose volumes are known."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis.strategies import floats, integers
from numpy.typing import NDArray

from crystal_search.crystal import Crystal
from crystal_search.crystals.boxes import (
    areas,
    corners,
    outlines_in_boxes,
    overlaps,
    reaches,
    smallest_around,
    within_outline,
)
from crystal_search.crystals.decoding import EDGE_PX
from crystal_search.crystals.section_areas import around_edge, around_pixels
from crystal_search.crystals.stacks import StackedCrystal, joined
from crystal_search.direct.counted_crystals import NO_DROP
from crystal_search.direct.crystal_files import SearchedFile, coco_text
from crystal_search.direct.crystal_stacks import COLUMNS, stacked_rows
from crystal_search.direct.file_scales import FileScale
from crystal_search.main import main
from crystal_search.model_card import DENSE, INSTANCES
from crystal_search.synthesis.frames import Frame
from crystal_search.synthesis.insect_cells.cell_crystals import drawn_crystals
from crystal_search.synthesis.insect_cells.cell_culture import FIELD_UM, Culture, drawn_cells
from crystal_search.synthesis.insect_cells.cell_image import Stage, photographed
from crystal_search.synthesis.insect_cells.cell_shapes import shaped
from crystal_search.synthesis.insect_cells.confocal import sections
from crystal_search.synthesis.seeds import WellSeed
from tests.tiny_detector import tiny_card

STEP_UM = 0.6
CARD = replace(tiny_card(), decoding=INSTANCES)  # outlines are edges


def square(row: float, column: float, side: float = 10.0) -> Crystal:
    outline = tuple(
        (row + down * side / 2, column + right * side / 2) for down, right in ((-1, -1), (-1, 1), (1, 1), (1, -1))
    )
    sides = {"long_px": side, "short_px": side, "angle_rad": 0.0, "probability": 0.9}
    return Crystal(row=row, column=column, outline=outline, **sides)


def outlined(places: NDArray[np.int64], side_px: int) -> Crystal:
    """Return the box and the convex outline of a mask as a dense detector tells them that is taught the mask."""
    points = np.stack(np.divmod(places, side_px), axis=1) + 0.5
    around = smallest_around(points, pixel_px=1.0)
    reach = reaches(points[None], around[None, :2])[0] + EDGE_PX
    (within_box,) = outlines_in_boxes(reach[None], around[None])
    outline = tuple((float(down), float(right)) for down, right in within_box)
    row, column, long, short, angle = around.tolist()
    box = {"row": row, "column": column, "long_px": long, "short_px": short, "angle_rad": angle}
    return Crystal(probability=0.9, outline=outline, **box)


@given(integers(0, 10_000), floats(-3, 3), floats(-3, 3))
def test_what_two_boxes_share_is_what_their_overlap_says(seed: int, down: float, right: float) -> None:
    rng = np.random.default_rng(seed)
    one = np.array([[0, 0, *rng.uniform(1, 8, 2), rng.uniform(0, np.pi)]])
    other = np.array([[down, right, *rng.uniform(1, 8, 2), rng.uniform(0, np.pi)]])
    mine, its = corners(one), corners(other)
    both = within_outline(mine[0], its[0])
    shared = float(areas(both)) if len(both) else 0.0
    union = float(areas(mine)[0] + areas(its)[0]) - shared
    assert shared / union == pytest.approx(float(overlaps(one, other)[0]), abs=1e-6)


def test_a_body_goes_on_where_outlines_overlap_and_ends_where_none_does() -> None:
    stack = [[square(20, 20)], [square(21, 22), square(60, 60)], [square(61, 60)], [square(20, 20)]]
    found = joined(stack)
    assert [(each.first, len(each.parts)) for each in found] == [(0, 2), (1, 2), (3, 1)]
    assert found[0].volume_um3(0.5, 2.0) == pytest.approx(2 * 100 * 0.25 * 2)
    assert found[1].height_um(2.0) == 4


def test_of_two_that_overlap_the_one_that_does_more_goes_on() -> None:
    found = joined([[square(20, 20), square(20, 28)], [square(20, 27)]])
    assert [[each.column for each in body.parts] for body in found] == [[20], [28, 27]]


@pytest.mark.parametrize(("apart", "bodies"), [(5.9, 1), (6.1, 2)])
def test_outlines_that_share_too_little_are_two_crystals(apart: float, bodies: int) -> None:
    assert len(joined([[square(20, 20)], [square(20, 20 + apart)]])) == bodies


def test_an_outline_that_is_a_line_is_joined_to_nothing() -> None:
    line = replace(square(20, 20), outline=((20.0, 15.0), (20.0, 25.0), (20.0, 15.0)))
    assert len(joined([[square(20, 20)], [line]])) == 2


@pytest.mark.parametrize("stack", [[], [[], []], [[], [square(5, 5)], []]])
def test_empty_sections_are_no_fault(stack: Sequence[Sequence[Crystal]]) -> None:
    assert len(joined(stack)) == sum(map(len, stack))


@pytest.mark.parametrize(("target", "off", "each_off"), [("long", 0.05, 0.15), ("clustered", 0.05, 0.1)])
def test_rendered_crystals_have_their_volume(target: str, off: float, each_off: float) -> None:
    """Sections 0.6 um apart, 0.59 um a pixel; crystals that the border cuts or that touch others are left out."""
    side_px, um_per_px, seed = 512, FIELD_UM / 512, WellSeed("test", 12)
    stage = few_cells(target, side_px)
    truth = photographed(seed, stage)
    stack = [
        [outlined(places, side_px) for places in each.crystals if len(places) > 3]
        for each in sections(seed, stage, 26, step_um=STEP_UM)
    ]
    bodies = joined(stack)
    alone = [
        one for one in truth.crystals if lies_alone(one.places, [other.places for other in truth.crystals], side_px)
    ]
    compared = [(one.volume_um3, _volume_at(bodies, one.places, side_px, um_per_px)) for one in alone]
    known, measured = (np.array(each) for each in zip(*compared, strict=True))
    large = known > 25
    assert large.sum() >= 5
    assert measured[large].sum() == pytest.approx(known[large].sum(), rel=off)
    np.testing.assert_allclose(measured[large], known[large], rtol=each_off)


def few_cells(target: str, side_px: int, scene: int = 1) -> Stage:
    """Return a stage with a dozen infected cells."""
    rng = np.random.default_rng(scene)
    culture = Culture(14, radius=9.0, spread=0.1, clumped=0.0, infected=1.0, lysed=0.0, flatness=0.7, index=0.03)
    cells = drawn_cells(rng, culture)
    crystals, growth = drawn_crystals(rng, cells, target)
    frame = Frame(0, 0, side_px, side_px, side_px / FIELD_UM, torch.device("cpu"))
    return Stage(frame, cells, crystals, growth, shaped(rng, cells, crystals))


def file(name: str, *crystals: Crystal, **more: object) -> SearchedFile:
    known = {"height_px": 100, "width_px": 100, "scale": FileScale(um_per_px=0.5, said_by="told")} | more
    return SearchedFile(path=Path(name), crystals=crystals, **known)  # type: ignore[arg-type]


def test_a_row_for_each_crystal_of_each_folder() -> None:
    files = [
        *(file("a/0.png", square(20, 20)), file("a/1.png", square(20, 21, 12), square(4, 60))),
        *(file("b/0.png"), file("c/0.png", error="no image"), file("c/1.png", square(20, 20))),
        *(file("d/0.png", square(20, 20)), file("d/1.png", square(20, 20), height_px=90)),
    ]
    rows = list(stacked_rows(files, 2.0, CARD))
    assert [list(row) for row in rows] == [list(COLUMNS)] * 5
    told = [[row[name] for name in ("path", "crystal", "first_section", "sections", "volume_um3")] for row in rows]
    assert told == [
        ["a", 1, 1, 2, (100 + 144) * 0.25 * 2],
        ["a", 2, 2, 1, 50.0],
        *([each, None, None, None, None] for each in "bcd"),
    ]
    assert (rows[0]["long_um"], rows[0]["height_um"], rows[0]["centre_column_px"]) == (6.0, 4.0, 21)
    assert [row["cut_off"] for row in rows[:2]] == [False, True]
    assert rows[2]["error"] is None
    assert rows[3]["error"] == "0.png: no image"
    assert str(rows[4]["error"]).startswith("sections of 2 different sizes")


def test_a_section_without_a_drop_is_no_empty_one() -> None:
    files = [file("a/0.png", square(20, 20)), file("a/1.png", none_because=NO_DROP), file("a/2.png", square(20, 20))]
    (row,) = stacked_rows(files, 2.0, CARD)
    assert (row["crystal"], row["volume_um3"], row["error"]) == (None, None, f"1.png: {NO_DROP}")
    empty = replace(files[1], none_because="1 crystal beside the drop, none in it")
    assert [row["sections"] for row in stacked_rows([files[0], empty, files[2]], 2.0, CARD)] == [1, 1]
    listed = json.loads(coco_text([*files, replace(empty, path=Path("a/3.png")), file("a/4.png", error="no picture")]))
    assert [each["file_name"] for each in listed["images"]] == ["a/0.png", "a/2.png", "a/3.png"]
    assert [each["image_id"] for each in listed["annotations"]] == [1, 2]


def pixels_of(row: float, column: float, sides: tuple[float, float], angle: float) -> NDArray[np.int64]:
    """Return the pixels of 200 x 200 whose middles lie in a turned rectangle; the first side lies along the angle."""
    rows, columns = np.mgrid[:200, :200] + 0.5
    along = (rows - row) * np.sin(angle) + (columns - column) * np.cos(angle)
    across = (rows - row) * np.cos(angle) - (columns - column) * np.sin(angle)
    return np.flatnonzero((np.abs(along) <= sides[0] / 2) & (np.abs(across) <= sides[1] / 2))


@pytest.mark.parametrize(
    ("sides", "off", "as_told"),
    [((60, 4), 0.06, 1.26), ((40, 8), 0.06, 1.12), ((10, 8), 0.04, 1.07), ((30, 30), 0.04, 1.06), ((5, 4), 0.1, 1.01)],
)
def test_areas_of_turned_rectangles_are_right_in_the_mean_whatever_their_shape(
    sides: tuple[float, float], off: float, as_told: float
) -> None:
    rng = np.random.default_rng(5)  # the places are of this seed
    turned = [(*rng.uniform(95, 105, 2), rng.uniform(0, np.pi)) for _ in range(60)]
    seen = [outlined(pixels_of(row, column, sides, angle), 200) for row, column, angle in turned]
    right = sides[0] * sides[1]
    assert np.mean([around_pixels(each, 1.0) for each in seen]) == pytest.approx(right, rel=off)
    assert np.mean([around_edge(each, 1.0) for each in seen]) == pytest.approx(as_told * right, rel=0.02)


def test_areas_are_of_pixels_that_the_detector_saw() -> None:
    one = outlined(pixels_of(100, 100, (30, 10), 0.4), 200)
    assert around_pixels(one.enlarged(2.0), 2.0) == pytest.approx(4 * around_pixels(one, 1.0))
    assert around_pixels(square(20, 20, 0.5), 1.0) == 1.0
    card = replace(CARD, decoding=DENSE, working_width_px=50)
    (halved,) = stacked_rows([file("a/0.png", square(50, 50, 20))], 1.0, card)
    assert halved["volume_um3"] == pytest.approx((18**2 + 0.3 * 2 * np.pi * 18 + 2**2) * 0.25, abs=0.01)


@pytest.mark.parametrize(
    ("scales", "said"),
    [
        ((None, None), "the scale of the image is not known"),
        ((0.5, None), "the scale of the image is not known"),
        ((0.5, 0.6), "sections have 0.5 to 0.6 micrometres a pixel"),
    ],
)
def test_volumes_need_the_one_size_of_a_pixel(scales: tuple[float | None, ...], said: str) -> None:
    told = [None if each is None else FileScale(um_per_px=each, said_by="file") for each in scales]
    files = [file(f"a/{number}.png", square(20, 20), scale=scale) for number, scale in enumerate(told)]
    (row,) = stacked_rows(files, 2.0, CARD)
    assert str(row["error"]).startswith(said)
    assert row["volume_um3"] is None


@pytest.mark.parametrize(
    "words", [["--section-um", "0"], ["--section-um", "2", "--um-per-px", "nan"], ["--um-per-px", "1e9"]]
)
def test_scales_that_cannot_be_are_refused_before_anything_is_searched(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["crystals", str(tmp_path), "--csv", str(tmp_path / "x.csv"), *words])
    assert "must be from 0.01 to 1000 micrometres" in capsys.readouterr().err


def lies_alone(places: NDArray[np.int64], all_places: Sequence[NDArray[np.int64]], side_px: int) -> bool:
    """Tell whether a crystal lies wholly in the image and shares no pixel with another."""
    rows, columns = np.divmod(places, side_px)
    inside = min(rows.min(), columns.min()) > 0 and max(rows.max(), columns.max()) < side_px - 1
    return bool(inside) and sum(len(np.intersect1d(places, each)) > 0 for each in all_places) == 1


def _volume_at(bodies: Sequence[StackedCrystal], places: NDArray[np.int64], side_px: int, um_per_px: float) -> float:
    """Return the volume of the body whose middle lies on one of `places`; 0 where there is none."""
    wanted = set(places.tolist())
    found = 0.0
    for body in bodies:
        part = body.largest
        if int(part.row) * side_px + int(part.column) in wanted:
            found = max(found, body.volume_um3(um_per_px, STEP_UM, area=around_pixels))
    return found
