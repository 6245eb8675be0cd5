"""Crystals over time, from a rendered experiment to tables and a page."""

import csv
import hashlib
import os
import re
from pathlib import Path

import pytest

from crystal_search.archives.set_hash import set_hash
from crystal_search.exit_codes import OK, USAGE
from crystal_search.main import main
from crystal_search.server.home import Home

HOURS = ("0", "4", "6", "8", "10")


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a rendered experiment without a crystal at its first time."""
    folder = tmp_path_factory.mktemp("growth") / "set"
    words = ["--mean-crystals", "20", "--hours", *HOURS, "--frames", "2", "--no-noise", "--batch", "4"]
    assert main(["render", "growth", "--out", str(folder), *words]) == OK
    return folder


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("what", "option", "other"),
    [("growth", "--most-crystals", "--mean-crystals"), ("suspension", "--mean-crystals", "--most-crystals")],
)
def test_crystals_at_most_and_in_the_mean_are_not_mixed_up(
    what: str, option: str, other: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["render", what, "--out", str(tmp_path / "set"), option, "5"]) == USAGE
    assert other in capsys.readouterr().err
    assert not (tmp_path / "set").exists()


def test_an_experiment_is_rendered_with_its_truth(rendered: Path) -> None:
    images = [row["path"] for row in rows(rendered / "times.csv")]
    assert len(images) == 10
    assert all((rendered / image).is_file() for image in images)
    truth = rows(rendered / "course.csv")
    assert [row["hours"] for row in truth] == ["0.0", "4.0", "6.0", "8.0", "10.0"]
    for name, falls in (("concentration", True), ("grown_px", False)):
        values = [float(row[name]) for row in truth]
        assert values == sorted(values, reverse=falls)
    crystals = rows(rendered / "crystals.csv")
    assert {row["path"] for row in crystals} == set(images)
    assert not any(row["crystal"] for row in crystals if row["path"].startswith("images/0h"))
    assert set_hash(rendered) == hashlib.sha256((rendered / "checksums.sha256").read_bytes()).hexdigest()


def test_its_crystals_over_time_are_tables_and_a_page_that_needs_no_other(
    rendered: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, trends, page = tmp_path / "times.csv", tmp_path / "trends.csv", tmp_path / "page.html"
    words = ["crystals", "sizes", str(rendered / "crystals.csv"), "--times", str(rendered / "times.csv")]
    words += ["--concentrations", str(rendered / "concentrations.csv"), "--by", "time", "--um-per-px", "2"]
    assert main([*words, "--csv", str(table), "--trends", str(trends), "--page", str(page)]) == OK
    said = capsys.readouterr().out
    assert "crystals in 10 frames at 5 times, from 0 to 10 h" in said
    assert "The same crystals grow by" in said
    assert "Growth is told by crystals of a probability of 0.6 or more, each once" in said
    times = rows(table)
    assert [row["frames"] for row in times] == ["2"] * 5
    medians = [float(row["long_um_median"]) for row in times[1:]]
    assert medians == sorted(medians)
    assert times[0]["long_um_median"] == ""
    by_measure = {row["measure"]: row for row in rows(trends)}
    assert float(by_measure["crystal area a frame"]["pearson"]) < -0.7
    grown = [float(row["grown_px"]) for row in rows(rendered / "course.csv")]
    fastest, slowest = (2 * (after - before) / 2 for before, after in (grown[1:3], grown[3:5]))  # of 2 um a px, in 2 h
    growth = float(by_measure["growth of the same crystals"]["change_an_hour"])
    assert 0.8 * slowest < growth < 1.2 * fastest
    text = page.read_text(encoding="utf-8")
    assert text.count("data:image/svg+xml;base64,") == 4
    assert not re.search(r"(?:src|href)=\"(?!data:|#)", text)
    assert "Kolmogorov" in text
    assert "Benjamini and Hochberg" in text


def earlier(table: Path, column: str, by_hours: float, out: Path) -> Path:
    """Write a table with all its times so many hours earlier."""
    lines = rows(table)
    shifted = [{**row, column: f"{float(row[column]) - by_hours:g}"} for row in lines]
    text = [",".join(lines[0]), *(",".join(row.values()) for row in shifted)]
    out.write_text("\n".join(text) + "\n")
    return out


def test_hours_may_count_from_any_moment_and_change_nothing_else(
    rendered: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = []
    for hours in (0, 6):
        times = earlier(rendered / "times.csv", "time", hours, tmp_path / f"t{hours}.csv")
        dissolved = earlier(rendered / "concentrations.csv", "time", hours, tmp_path / f"c{hours}.csv")
        words = ["crystals", "sizes", str(rendered / "crystals.csv"), "--times", str(times)]
        words += ["--concentrations", str(dissolved), "--page", str(tmp_path / "page.html")]
        places = [tmp_path / f"{name}{hours}.csv" for name in ("populations", "trends")]
        assert main([*words, "--csv", str(places[0]), "--trends", str(places[1])]) == OK
        told.append([rows(place) for place in places])
    assert "from -6 to 4 h" in capsys.readouterr().out
    (populations, trends), (before, trends_before) = told
    assert trends_before == trends
    assert [float(row.pop("hours")) + 6 for row in before] == [float(row.pop("hours")) for row in populations]
    assert before == populations


def test_images_are_searched_by_the_shipped_detector(
    rendered: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, words = tmp_path / "times.csv", ["--times", str(rendered / "times.csv"), "--threads", "1"]
    assert main(["crystals", "sizes", str(rendered / "images"), *words, "--csv", str(table)]) == OK
    assert "crystals in 10 frames at 5 times" in capsys.readouterr().out
    there = sum(bool(row["crystal"]) for row in rows(rendered / "crystals.csv"))
    found = sum(int(row["crystals"]) + int(row["crystals_cut_off"]) for row in rows(table))
    assert found == pytest.approx(there, rel=0.3)


def test_an_image_with_a_link_to_it_is_one_frame(
    rendered: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "links").mkdir()
    images = [rendered / row["path"] for row in rows(rendered / "times.csv")]
    for name, image in zip((*map(str, range(10)), "again"), (*images, images[-1]), strict=True):
        (tmp_path / "links" / f"{name}.png").symlink_to(image)
    lines = [f"{n}.png,{row['time']}" for n, row in enumerate(rows(rendered / "times.csv"))]
    (tmp_path / "times.csv").write_text("\n".join(("path,time", *lines)) + "\n")
    words = ["--times", str(tmp_path / "times.csv"), "--threads", "1", "--csv", str(tmp_path / "out.csv")]
    assert main(["crystals", "sizes", str(tmp_path / "links"), *words]) == OK
    told = capsys.readouterr()
    assert "1 image was named again" in told.err
    assert "crystals in 10 frames" in told.out


def test_which_share_is_found_is_not_known_of_images_enlarged_otherwise_than_the_card_says(
    rendered: Path, tmp_path: Path
) -> None:
    last, crystals = str(max((rendered / "images").iterdir())), tmp_path / "crystals.csv"
    known = {}
    for factor in ("1", "1.5"):
        assert main(["crystals", last, "--threads", "1", "--enlarge", factor, "--csv", str(crystals)]) == OK
        told = [row for row in rows(crystals) if row["crystal"]]
        assert told
        known[factor] = any(row["found_share"] for row in told)
    assert known == {"1": True, "1.5": False}


def test_a_table_of_crystals_tells_the_growth_that_their_images_tell(rendered: Path, tmp_path: Path) -> None:
    images, crystals = str(rendered / "images"), tmp_path / "crystals.csv"
    assert main(["crystals", images, "--threads", "1", "--csv", str(crystals)]) == OK
    told = [row for row in rows(crystals) if row["crystal"]]
    assert all((row["found_share"] != "") == (float(row["probability"]) >= 0.6) for row in told)
    sure = [row for row in told if row["found_share"]]
    shares = {float(row["long_px"]) * float(row["short_px"]): float(row["found_share"]) for row in sure}
    assert list(dict(sorted(shares.items())).values()) == sorted(shares.values())
    assert 0 < min(shares.values()) < max(shares.values()) < 1
    for name, source in (("table", str(crystals)), ("images", images)):
        words = ["--times", str(rendered / "times.csv"), "--trends", str(tmp_path / f"{name}.csv"), "--threads", "1"]
        assert main(["crystals", "sizes", source, *words, "--csv", str(tmp_path / "times.csv")]) == OK
    by_table, by_images = (rows(tmp_path / f"{name}.csv")[0] for name in ("table", "images"))
    assert by_table["measure"] == "growth of the same crystals"
    assert float(by_table["change_an_hour"]) == pytest.approx(float(by_images["change_an_hour"]), abs=0.02)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["crystals.csv"], "tell them with --times"),
        (["crystals.csv", "--times", "concentrations.csv"], "has no column path"),
        (["crystals.csv", "--times", "times.csv", "--detector", "x.json"], "leave it out for a CSV file"),
        (["crystals.csv", "--times", "times.csv", "--enlarge", "2"], "--enlarge is for one: leave it out"),
        (["no.csv"], "cannot read"),
        (["course.csv"], "has no column path"),
    ],
)
def test_what_tells_nothing_is_refused_and_nothing_is_written(
    words: list[str], message: str, rendered: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = [str(rendered / word) if "." in word else word for word in words]
    assert main(["crystals", "sizes", *named, "--csv", str(tmp_path / "out.csv")]) == USAGE
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def scaled(folder: Path, *scales: str) -> list[str]:
    """Return the words of a command on frames of these scales, each with a crystal, and one without."""
    head = "path,crystal,centre_row_px,centre_column_px,long_px,short_px,angle_degrees,um_per_px,image_height_px"
    lines = [f"{n}.png,1,50,60,20,10,90,{scale},100,200," for n, scale in enumerate(scales)]
    text = "\n".join((f"{head},image_width_px,error", *lines, "empty.png,,,,,,,,100,200,")) + "\n"
    (folder / "crystals.csv").write_text(text)
    times = [f"{n}.png,{n}" for n in range(len(scales))]
    (folder / "times.csv").write_text("\n".join(("path,time", "empty.png,0", *times)) + "\n")
    words = ["crystals", "sizes", str(folder / "crystals.csv"), "--times", str(folder / "times.csv")]
    return [*words, "--csv", str(folder / "out.csv")]


def test_where_only_some_images_tell_a_scale_none_is_taken_for_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = scaled(tmp_path, ".5", "", "")
    assert main(words) == USAGE
    assert "2 images with crystals tell no scale, as 1.png" in capsys.readouterr().err
    assert not (tmp_path / "out.csv").exists()
    assert main([*words, "--um-per-px", "0.5"]) == OK
    home = Home(tmp_path / "home").made()
    home.settings.write_text('[micrometres_per_pixel]\n"all images" = 0.5\n')
    assert main([*words, "--home", str(home.path)]) == OK
    assert [row["long_um_median"] for row in rows(tmp_path / "out.csv")] == ["10.0"] * 3
    assert main(scaled(tmp_path, ".5", ".5", ".5")) == OK
    assert [row["long_um_median"] for row in rows(tmp_path / "out.csv")] == ["10.0"] * 3


def test_growth_of_doubtful_crystals_is_told_where_it_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = "path,crystal,probability,centre_row_px,centre_column_px,long_px,short_px,angle_degrees"
    sides = {f"{hour}.png": [10 + 3 * hour + n for n in range(5)] for hour in range(3)}
    lines = [f"{name},{n},.4,50,60,{side},5,90" for name, longs in sides.items() for n, side in enumerate(longs, 1)]
    (tmp_path / "crystals.csv").write_text("\n".join((head, *lines)) + "\n")
    (tmp_path / "times.csv").write_text("path,time\n0.png,0\n1.png,1\n2.png,2\n")
    words = ["crystals", "sizes", str(tmp_path / "crystals.csv"), "--times", str(tmp_path / "times.csv")]
    assert main([*words, "--csv", str(tmp_path / "out.csv")]) == OK
    assert "Growth is not told: it takes 3 times with 5 sure crystals or more" in capsys.readouterr().out
    assert main([*words, "--csv", str(tmp_path / "out.csv"), "--growth-from", "0.3"]) == OK
    assert "The same crystals grow by 3 px an hour along their long side, from 0 to 2 h." in capsys.readouterr().out


def test_images_that_follow_each_other_too_closely_for_two_times_are_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = scaled(tmp_path, *[".5"] * 3)
    for n, name in enumerate(("empty", "0", "1", "2")):
        (tmp_path / f"{name}.png").touch()
        os.utime(tmp_path / f"{name}.png", (1_700_000_000 + 1200 * n,) * 2)
    monkeypatch.chdir(tmp_path)
    words = [*words[:3], "--file-times", *words[5:]]
    assert main(words) == USAGE
    assert "--gap-minutes below 20" in capsys.readouterr().err
    assert main([*words, "--gap-minutes", "19"]) == OK


def test_a_place_that_is_not_there_is_told_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["crystals", "sizes", "no.csv", "--csv", str(tmp_path / "nowhere" / "out.csv")]) == USAGE
    assert "there is no folder" in capsys.readouterr().err


def test_nothing_that_is_read_or_written_already_is_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "crystals.csv"
    table.write_text("path\n", encoding="utf-8")
    for words in (["--csv", str(table)], ["--csv", str(tmp_path / "a.csv"), "--page", str(tmp_path / "a.csv")]):
        assert main(["crystals", "sizes", str(table), *words]) == USAGE
        assert "is read or written already; name another place" in capsys.readouterr().err
    assert table.read_text(encoding="utf-8") == "path\n"
    assert not (tmp_path / "a.csv").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--hours", "1"], "times are two or more"),
        (["--hours", "2", "1"], "each later than the one before"),
        (["--nucleation", "sudden"], "choose from seeded, burst, steady"),
        (["--depletion", "1"], "from 0 to below 1"),
        (["--count", "5"], "leave out --count"),
        (["--overlap", "2"], "between 0 and 1"),
    ],
)
def test_an_experiment_that_cannot_be_is_refused(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["render", "growth", "--out", str(tmp_path / "new"), *words]) == USAGE
    assert message in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_images_without_a_drop_are_left_out_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = "path,crystal,centre_row_px,centre_column_px,long_px,short_px,angle_degrees,image_height_px,image_width_px"
    lines = [f"{name}.png,1,50,60,20,10,90,100,200," for name in "abc"]
    dry = "d.png,,,,,,,100,200,no drop was found to look in"
    (tmp_path / "in.csv").write_text("\n".join((f"{head},none_because", *lines, dry)) + "\n")
    (tmp_path / "times.csv").write_text("path,time\na.png,1\nb.png,2\nc.png,3\nd.png,3\n")
    words = ["crystals", "sizes", str(tmp_path / "in.csv"), "--times", str(tmp_path / "times.csv")]
    assert main([*words, "--csv", str(tmp_path / "out.csv")]) == OK
    assert [row["frames"] for row in rows(tmp_path / "out.csv")] == ["1", "1", "1"]
    said = capsys.readouterr().err
    assert said == "warning: 1 image left out, not searched: d.png: no drop was found to look in\n"
