"""When images were taken, and what was dissolved then: by tables, names and files."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from crystal_search.errors import UserError
from crystal_search.populations.crystal_frames import Frame, read_frames
from crystal_search.populations.times import read_concentrations, times_of_files, times_of_names, times_of_table
from tests.unit.test_crystal_frames import crystals_table


def frames_called(*names: str) -> list[Frame]:
    return [Frame(path=name, boxes=np.zeros((0, 5))) for name in names]


def test_times_of_a_table_are_hours_or_dates_by_path_or_name(tmp_path: Path) -> None:
    table = tmp_path / "times.csv"
    table.write_text("path,time\nimages/a.png,2.5\nimages/b.png,1\n")
    assert times_of_table(frames_called("images/a.png", "/else/b.png"), table).hours == (2.5, 1)
    table.write_text("path;time\na.png;2026-01-05T10:00\nb.png;2026-01-05 08:30\n")
    found = times_of_table(frames_called("a.png", "b.png"), table)
    assert found.hours == (1.5, 0)
    assert found.began == datetime(2026, 1, 5, 8, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,time\nb.png,1\n", "does not tell the time of a.png, and no line"),
        ("path,time\nx/a.png,1\ny/a.png,2\n", "2 lines have its name"),
        ("path,time\na.png,noon\n", "line 2: 'noon' is no time"),
        ("path;time\na.png;1.234\nb.png;0,5\n", "line 2: '1.234' is no time"),
        ("path,time\na.png,1\nb.png,2026-01-05\n", "some times in hours and some as dates"),
        ("path,when\na.png,1\n", "no column time"),
        ("path,time\na.png,1\na.png,1\na.png,2\n", "line 4: a.png has two times"),
    ],
)
def test_a_table_of_times_that_does_not_tell_them_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "times.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        times_of_table(frames_called("a.png"), tmp_path / "times.csv")


def test_tables_have_decimal_commas_where_commas_divide_no_columns(tmp_path: Path) -> None:
    """As spreadsheets save them in Germany and France, and as text with tabs."""
    times, concentrations = tmp_path / "times.csv", tmp_path / "c.csv"
    times.write_text("path;time\r\na.png;0,5\r\nb.png;2.25\r\n")
    concentrations.write_bytes("time\tconcentration\r\n0,5\t10,25\r\n3\t9\r\n".encode("utf-16"))
    assert times_of_table(frames_called("a.png", "b.png"), times).hours == (0.5, 2.25)
    found = read_concentrations(concentrations, None)
    assert (found.hours, found.values) == ((0.5, 3), (10.25, 9))
    table = crystals_table(tmp_path, "a.png,1,50.5,60,20,10.25,90,0.5,100,200,")
    text = table.read_text().replace(",", ";").replace(".5", ",5").replace(".25", ",25")
    table.write_text(text)
    ((frame,), _) = read_frames(table)
    assert frame.boxes[0].tolist() == pytest.approx([50.5, 60, 20, 10.25, np.pi / 2])
    assert frame.um_per_px == 0.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('path,time\na.png,"1,234"\n', "line 2: '1,234' is no time"),
        ("path,time\na.png,1,234\n", "line 2 has 3 cells, expected 2"),
        ("path;time\na.png;1.234,5\n", "line 2: '1.234,5' is no time"),
    ],
)
def test_a_comma_that_may_be_no_decimal_one_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "times.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        times_of_table(frames_called("a.png"), tmp_path / "times.csv")


def test_dates_count_from_the_first_image_that_is_there(tmp_path: Path) -> None:
    table = tmp_path / "times.csv"
    table.write_text("path,time\ngone.png,2026-01-01\na.png,2026-01-05T10:00\nb.png,2026-01-05T08:30\n")
    found = times_of_table(frames_called("a.png", "b.png"), table)
    assert (found.hours, found.began) == ((1.5, 0), datetime(2026, 1, 5, 8, 30, tzinfo=UTC))


def test_times_of_names_are_those_of_inspections() -> None:
    names = ("90j8_2018-04-11_RI1000/90j8_02C_1.jpg", "90j8_2018-04-12_RI1000/90j8_02C_1.jpg")
    assert times_of_names(frames_called(*names), 30).hours == (0, 24)
    with pytest.raises(UserError, match="tell them with --times"):
        times_of_names(frames_called("image 7.jpg"), 30)
    with pytest.raises(UserError, match="its name tells no time"):
        times_of_names(frames_called("P1_A01.jpg"), 30)


def test_times_of_files_are_taken_together_until_a_gap(tmp_path: Path) -> None:
    import os

    paths = [tmp_path / f"{minute}.png" for minute in (0, 20, 40, 100)]
    for minute, path in zip((0, 20, 40, 100), paths, strict=True):
        path.touch()
        os.utime(path, (1_700_000_000 + 60 * minute,) * 2)
    found = times_of_files(frames_called(*map(str, paths)), 30)
    assert found.hours == pytest.approx((0, 0, 0, 100 / 60))
    (warning,) = found.warnings
    assert "up to 40 minutes count as one time" in warning
    assert "--gap-minutes below 20" in warning
    assert times_of_files(frames_called(*map(str, paths)), 40).warnings == ()
    apart = times_of_files(frames_called(*map(str, paths)), 19)
    assert (len(set(apart.hours)), apart.warnings) == (4, ())
    with pytest.raises(UserError, match="No such file"):
        times_of_files(frames_called(str(tmp_path / "gone.png")), 30)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time,concentration\n1,2\n", "tells 1 times in 1 lines"),
        ("time,concentration\n1,2\n1,3\n", "tells 1 times in 2 lines"),
        ("time,concentration\n1,much\n2,3\n", "'much' is no number"),
        ("time,concentration\n2026-01-05,2\n2026-01-06,3\n", "of another kind"),
    ],
)
def test_concentrations_that_are_none_are_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        read_concentrations(tmp_path / "c.csv", None)


def test_concentrations_count_from_the_first_image(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("time,concentration,unit\n2026-01-05T12:00,2,mg/ml\n2026-01-05T10:00,3,mg/ml\n")
    found = read_concentrations(tmp_path / "c.csv", datetime(2026, 1, 5, 9, tzinfo=UTC))
    assert (found.hours, found.values, found.unit) == ((1, 3), (3, 2), "mg/ml")
