import argparse
import csv
import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pillow

from crystal_search.errors import UserError
from crystal_search.outcomes import IMAGE_OUTCOMES, outcome_named
from crystal_search.synthesis import render_command as commands
from crystal_search.synthesis.seeds import WellSeed
from crystal_search.synthesis.wells.rendered_well import render_well
from crystal_search.synthesis.wells.visits import WELLS_SHOWING, file_name, plate_outcomes, well_seed

DEMO = Path(commands.__file__).parents[1] / "demo" / "plate"


def run(*words: str) -> None:
    parser = argparse.ArgumentParser()
    commands.add_arguments(parser)
    commands.run(parser.parse_args(words))


def pixels_of(path: Path) -> NDArray[np.uint8]:
    with Pillow.open(path) as picture:
        return np.array(picture)


def truth_of(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((folder / "truth.csv").read_text())))


def test_a_plate_shows_every_outcome() -> None:
    assert set(WELLS_SHOWING) == set(IMAGE_OUTCOMES)
    assert sum(WELLS_SHOWING.values()) == len(plate_outcomes(WellSeed("demo", 0))) == 96


def test_no_two_wells_of_plates_share_a_seed() -> None:
    seeds = {
        well_seed(WellSeed("demo", plate), row, column) for plate in (0, 1) for row in range(8) for column in range(12)
    }
    assert len(seeds) == 192


def test_wells_are_written_with_their_truth(tmp_path: Path) -> None:
    run("wells", "--out", str(tmp_path), "--count", "3", "--split", "test", "--width", "306", "--height", "256")
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        "truth.csv",
        "annotations.json",
        "checksums.sha256",
        "contact-sheet.png",
        *(f"{number:05d}{suffix}" for number in range(3) for suffix in (".jpg", ".mask.png")),
    }
    assert [line["file"] for line in truth_of(tmp_path)] == ["00000.jpg", "00001.jpg", "00002.jpg"]
    assert pixels_of(tmp_path / "00000.mask.png").shape == (64, 76)


def test_an_empty_well_has_the_outcome_no_drop(tmp_path: Path) -> None:
    number = next(
        n for n in range(100) if render_well(WellSeed("test", n), height_px=130, width_px=160).outcome is None
    )
    place = ("--out", str(tmp_path), "--split", "test", "--count", "1", "--seed-start", str(number), "--no-sheet")
    run("wells", *place, "--width", "160", "--height", "130")
    (line,) = truth_of(tmp_path)
    assert (line["outcome"], line["score_number"], line["group"]) == ("no_drop", "", "")


def test_nothing_to_render_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="at least 1"):
        run("wells", "--out", str(tmp_path), "--count", "0")


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="another --out"):
        run("wells", "--out", str(tmp_path / "file" / "below"), "--count", "1")


def test_the_demo_plate_has_96_wells_and_says_what_they_show() -> None:
    lines = truth_of(DEMO)
    outcomes = plate_outcomes(demo_imager())
    for index, line in enumerate(lines):
        row, column = divmod(index, 12)
        outcome = outcome_named(outcomes[index])
        assert line == {
            "file": file_name("demo", row, column),
            "well": f"{'ABCDEFGH'[row]}{column + 1:02d}",
            "row": str(row + 1),
            "column": str(column + 1),
            "drop": "1",
            "outcome": outcome.name,
            "score_number": str(outcome.score_number),
            "group": str(outcome.group),
        }
        assert (DEMO / line["file"]).is_file()
        assert (DEMO / f"{Path(line['file']).stem}.mask.png").is_file()
    assert len(lines) == 96


def demo_imager() -> WellSeed:
    return WellSeed("demo", DEMO_NUMBER)


DEMO_NUMBER = 41


@pytest.mark.parametrize(("row", "column"), [(0, 0), (4, 6)])
def test_the_demo_plate_is_what_the_renderer_draws(row: int, column: int) -> None:
    imager = demo_imager()
    outcome = plate_outcomes(imager)[row * 12 + column]
    well = render_well(well_seed(imager, row, column), outcome=outcome, imager=imager)
    stored = pixels_of(DEMO / file_name("demo", row, column)).astype(np.int16)
    assert stored.shape == well.image.shape
    assert np.abs(stored - well.image).mean() < 4  # a JPEG of quality 75 and 4:2:0
    mask = pixels_of(DEMO / file_name("demo", row, column).replace(".jpg", ".mask.png"))
    assert np.abs(mask.mean() - well.drop_mask.mean()) < 0.002


@pytest.mark.parametrize("words", [("--count", "5"), ("--outcome", "clear")])
def test_what_a_plate_cannot_be_told_is_refused(tmp_path: Path, words: tuple[str, str]) -> None:
    with pytest.raises(UserError, match="96 wells"):
        run("plate", "--out", str(tmp_path), *words)


@pytest.mark.parametrize("what", ["wells", "plate"])
def test_a_device_that_there_is_not_is_refused_before_anything_is_written(tmp_path: Path, what: str) -> None:
    with pytest.raises(UserError, match="no device 'abacus' here"):
        run(what, "--out", str(tmp_path / "new"), "--device", "abacus")
    assert not (tmp_path / "new").exists()
