"""Frames with their crystals: which images of a table are some, and for how many crystals each counts."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crystal_search.columns import csv_text
from crystal_search.crystal import Crystal
from crystal_search.direct.counted_crystals import NO_DROP
from crystal_search.direct.crystal_files import COLUMNS, SearchedFile, rows_of
from crystal_search.direct.file_scales import FileScale
from crystal_search.errors import UserError
from crystal_search.populations.crystal_frames import Frame, found_frames, read_frames, sure_frames, sure_said


def searched(name: str, *crystals: Crystal, **more: str) -> SearchedFile:
    return SearchedFile(path=Path(name), height_px=100, width_px=200, crystals=crystals, **more)  # type: ignore[arg-type]


def crystal(probability: float = 0.9, side_px: float = 10.0) -> Crystal:
    box = {"row": 50.0, "column": 60.0, "long_px": side_px, "short_px": side_px, "angle_rad": 0.0}
    return Crystal(probability=probability, outline=((49, 59), (49, 61), (51, 61)), **box)


def table_of(folder: Path, *files: SearchedFile) -> Path:
    """Return a table as `crystals` writes it."""
    path = folder / "crystals.csv"
    path.write_text(csv_text(COLUMNS, [row for each in files for row in rows_of(each)]))
    return path


def test_an_image_in_which_nobody_looked_is_no_frame_without_crystals(tmp_path: Path) -> None:
    files = (
        searched("a.png", crystal()),
        searched("b.png", none_because="the detector finds no crystal with a probability of 0.5 or more"),
        searched("c.png", none_because="1 crystal beside the drop, none in it"),
        searched("d.png", none_because=NO_DROP),
        searched("e.png", error="no picture"),
    )
    found = list(found_frames(files))
    frames, wrong = read_frames(table_of(tmp_path, *files))
    assert [(each.path, len(each.boxes)) for each in frames] == [("a.png", 1), ("b.png", 0), ("c.png", 0)]
    assert wrong == [f"d.png: {NO_DROP}", "e.png: no picture"]
    assert [each.path for each in found if isinstance(each, Frame)] == [each.path for each in frames]
    assert [each for each in found if isinstance(each, str)] == wrong
    np.testing.assert_allclose(frames[0].boxes[:, :4], [[50, 60, 10, 10]])
    with pytest.raises(UserError, match=r"no image that was searched, as d\.png: no drop was found"):
        read_frames(table_of(tmp_path, *files[3:]))


def test_growth_is_told_by_sure_crystals_and_by_marked_ones() -> None:
    boxes = np.array([[50.0, 50, side, 5, 0] for side in (10, 20, 30)])
    told = Frame(
        path="", boxes=boxes, probabilities=np.array([0.5, 0.7, np.nan]), found_shares=np.array([np.nan, 0.5, np.nan])
    )
    (by_share,), (by_probability,) = sure_frames([told], None), sure_frames([told], 0.65)
    assert (by_share.boxes[:, 2].tolist(), by_share.weights.tolist()) == ([20, 30], [2, 1])
    assert (by_probability.boxes[:, 2].tolist(), by_probability.weights.tolist()) == ([20, 30], [1, 1])
    (without,) = sure_frames([replace(told, found_shares=None)], None)
    assert (without.boxes[:, 2].tolist(), without.weights.tolist()) == ([20, 30], [1, 1])
    (marked,) = sure_frames([Frame(path="", boxes=boxes)], None)
    assert len(marked.boxes) == 3


def test_by_which_crystals_growth_is_told_is_said() -> None:
    boxes = np.array([[50.0, 50, 10, 5, 0]])
    marked = Frame(path="", boxes=boxes)
    told = replace(marked, probabilities=np.array([0.9]), found_shares=np.array([np.nan]))
    known = replace(told, found_shares=np.array([0.5]))
    for frames, least, said in (
        ([told, known], None, "of sizes of which the share found is known, each by the inverse of that."),
        ([told, known], 0.7, "of a probability of 0.7 or more, each once, as --growth-from says."),
        ([told, marked], None, "of a probability of 0.6 or more, each once: of none it is known how often"),
        ([marked, marked], None, "by all crystals, each once: none has a probability."),
    ):
        assert said in sure_said(frames, least)


HEADER = (
    "path,crystal,centre_row_px,centre_column_px,long_px,short_px,angle_degrees,um_per_px,"
    "image_height_px,image_width_px,error"
)


def crystals_table(folder: Path, *lines: str) -> Path:
    path = folder / "crystals.csv"
    path.write_text("\n".join((HEADER, *lines)) + "\n")
    return path


def test_frames_are_read_from_what_the_command_wrote(tmp_path: Path) -> None:
    table = crystals_table(
        tmp_path, "a.png,1,50,60,20,10,90,2,100,200,", "b.png,,,,,,,,100,200,", "c.png,,,,,,,,,,broken"
    )
    (a, b), wrong = read_frames(table)
    np.testing.assert_allclose(a.boxes, [[50, 60, 20, 10, np.pi / 2]])
    assert (a.height_px, a.width_px, a.um_per_px) == (100, 200, 2)
    assert (len(b.boxes), b.um_per_px) == (0, None)
    assert wrong == ["c.png: broken"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a.png,1,50,60,x,10,90,,100,200,", "line 2: long_px is 'x', expected a number"),
        ("a.png,1,50,60,nan,10,90,,100,200,", "expected a number"),
        ("a.png,1,50,60,20,10,90,5000,100,200,", "um_per_px is 5000, expected 0.01 to 1000"),
        ("a.png,1,50,60,20,0,90,,100,200,", "sides of 20 and 0 px"),
        ("a.png,1,50,60,10,20,90,,100,200,", "line 2: the long side of 10 px is below the short one of 20"),
        ("a.png,1,50,60,20,10,90,,-1,200,", "image_height_px"),
        ("c.png,,,,,,,,,,broken", r"no image that was searched, as c\.png: broken; make it"),
    ],
)
def test_a_line_that_cannot_be_is_refused(line: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        read_frames(crystals_table(tmp_path, line))


def test_probabilities_and_shares_of_a_table_are_read_where_it_tells_them(tmp_path: Path) -> None:
    table = tmp_path / "sure.csv"
    head = "path,crystal,probability,centre_row_px,centre_column_px,long_px,short_px,angle_degrees,found_share"
    table.write_text(f"{head}\na.png,1,.9,50,60,20,10,90,.8\na.png,2,,50,60,20,10,90,\n")
    ((frame,), _) = read_frames(table)
    np.testing.assert_equal(frame.probabilities, [0.9, np.nan])
    np.testing.assert_equal(frame.found_shares, [0.8, np.nan])
    for cells in ("1.1,50,60,20,10,90,.8", ".9,50,60,20,10,90,0", "-1,50,60,20,10,90,.8"):
        table.write_text(f"{head}\na.png,1,{cells}\n")
        with pytest.raises(UserError, match=r"line 2: .* expected a part of 1"):
            read_frames(table)


def test_files_that_were_searched_are_frames_of_the_scale_that_was_found() -> None:
    scale = FileScale(um_per_px=0.5, said_by="file")
    files = [SearchedFile(path=Path("a.png"), scale=scale), SearchedFile(path=Path("b.png"))]
    assert [each.um_per_px for each in found_frames(files) if isinstance(each, Frame)] == [0.5, None]
