"""Frames with their crystals: which images of a table are some, and for how many crystals each counts."""

from pathlib import Path

import numpy as np
import pytest

from crystal_search.columns import csv_text
from crystal_search.crystal import Crystal
from crystal_search.direct.counted_crystals import NO_DROP
from crystal_search.direct.crystal_files import COLUMNS, SearchedFile, rows_of
from crystal_search.errors import UserError
from crystal_search.populations.crystal_frames import Frame, found_frames, read_frames


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
