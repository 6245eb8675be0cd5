"""A detector's card says how often crystals of a size are found: measured by export, read by growth."""

import csv
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from crystal_search.exit_codes import OK, USAGE
from crystal_search.main import main
from crystal_search.model import in_role, read_model, write_model
from crystal_search.model_card import CrystalCard
from crystal_search.synthesis.rendered_folder import CHECKSUMS
from tests.tiny_detector import tiny_detector
from tests.unit.crystal_dataset import write_crystals

IMAGES = 20


@pytest.fixture(scope="module")
def suspensions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of rendered suspensions."""
    folder = tmp_path_factory.mktemp("rendered") / "suspensions"
    assert main(["render", "suspension", "--count", str(IMAGES), "--no-noise", "--out", str(folder)]) == OK
    return folder


@pytest.fixture(scope="module")
def run(suspensions: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a training of one step that began with the shipped detector."""
    folder = tmp_path_factory.mktemp("training")
    data, shares = folder / "ours", ["--shares", "5/95/0", "--workers", "1"]
    assert main(["dataset", "build", str(suspensions), "--out", str(data), *shares]) == OK
    words = ["--start-from", "shipped", "--steps", "1", "--validate-every", "1", "--side", "64", "--batch-size", "1"]
    assert main(["train", "crystals", "--data", str(data), "--out", str(folder / "run"), *words]) == OK
    return folder / "run"


def detector(card: Path) -> CrystalCard:
    """Return a card that is read with its model."""
    return in_role(read_model(card), CrystalCard).card


def test_an_exported_detector_says_how_often_it_finds_crystals_of_a_size(
    run: Path, suspensions: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert main(["export", str(run), "--name", "ours-1", "--least-in-drops", "0.7"]) == OK
    card = detector(run / "ours-1.card.json")
    assert card.found_share is not None
    assert card.least_in_drops == 0.7
    assert card.found_share.from_probability == max(0.6, card.least_probability)
    small, large = card.found_share.of(card.found_share.from_area_px2), card.found_share.of(3000)
    assert small is not None
    assert large is not None
    assert 0.05 <= small < large <= 1
    figures = [each for each in card.measured if each.measure.startswith("found_share: crystals of ")]
    assert {each.data for each in figures} == {"validation images of ours"}
    assert min(each.count for each in figures) >= 50
    assert figures[-1].measure.startswith("found_share: crystals of 3072 to 6144 px² found from a probability of")
    assert "does not say how often" not in caplog.text
    picture = sorted((suspensions / "images").iterdir())[-1]
    words = ["--detector", str(run / "ours-1.card.json"), "--csv", str(tmp_path / "found.csv")]
    assert main(["crystals", str(picture), *words]) == OK
    rows = list(csv.DictReader((tmp_path / "found.csv").read_text(encoding="utf-8").splitlines()))
    sure = [float(row["probability"]) >= card.found_share.from_probability for row in rows]
    assert any(sure)
    assert any(row["found_share"] for row in rows)
    assert all(is_sure for row, is_sure in zip(rows, sure, strict=True) if row["found_share"])


def test_images_of_ones_own_are_measured_on(run: Path, suspensions: Path, tmp_path: Path) -> None:
    """Of the training, and again of its card: the same curve of the same images, and nothing else is changed."""
    words = ["--models", str(tmp_path), "--coco", str(suspensions)]
    assert main(["export", str(run), "--name", "ours-2", *words]) == OK
    card = detector(tmp_path / "ours-2.card.json")
    assert {each.data.split(" (")[0] for each in card.measured} == {"suspensions"}
    old = replace(card, measured=(replace(card.measured[0], measure="AP50"), card.measured[0]), found_share=None)
    write_model((tmp_path / "ours-2.onnx").read_bytes(), old, tmp_path)
    again = ["export", str(tmp_path / "ours-2.card.json"), "--coco", str(suspensions)]
    assert main(again) == USAGE
    assert detector(tmp_path / "ours-2.card.json") == old
    assert main([*again, "--replace"]) == OK
    assert detector(tmp_path / "ours-2.card.json") == replace(card, measured=(old.measured[0], *card.measured))


def test_why_a_card_does_not_say_it_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data, run = write_crystals(tmp_path), tmp_path / "run"
    words = ["--data", str(data), "--out", str(run), "--steps", "1", "--validate-every", "1", "--side", "64"]
    assert main(["train", "crystals", *words, "--batch-size", "2"]) == OK
    assert main(["export", str(run), "--name", "few"]) == OK
    told = caplog.text
    assert "the card does not say how often crystals of a size are found" in told
    assert "0 such sizes are among the 2 marked crystals (2 images: validation images of" in told
    assert f"crystal-search export {run}/few.card.json --coco FOLDER --replace" in told
    assert detector(run / "few.card.json").found_share is None


def test_a_card_stays_as_it_is_where_too_few_crystals_are_marked(
    suspensions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card, few = tiny_detector(tmp_path), tmp_path / "few"
    shutil.copytree(suspensions, few)
    (few / CHECKSUMS).unlink()
    told = json.loads((few / "annotations.json").read_text())
    told["annotations"] = told["annotations"][:30]
    (few / "annotations.json").write_text(json.dumps(told))
    before = card.read_bytes()
    assert main(["export", str(card), "--coco", str(few), "--replace"]) == USAGE
    assert re.search(r"30 marked crystals \(\d images?: few\); the card stays as it is", capsys.readouterr().err)
    picture = few / "images" / told["images"][0]["file_name"].rpartition("/")[2]
    picture.write_bytes(b"none")
    assert main(["export", str(card), "--coco", str(few), "--replace"]) == USAGE
    assert picture.name in capsys.readouterr().err
    picture.unlink()
    assert main(["export", str(card), "--coco", str(few), "--replace"]) == USAGE
    assert "the file is missing; render or copy it again" in capsys.readouterr().err
    assert card.read_bytes() == before


@pytest.fixture
def named(run: Path, tmp_path: Path) -> dict[str, Path]:
    """Return paths by what the words of commands call them."""
    (tmp_path / "empty").mkdir()
    return {"CARD": tiny_detector(tmp_path / "models"), "EMPTY": tmp_path / "empty", "RUN": run}


@pytest.mark.parametrize(
    ("words", "trouble"),
    [
        (["CARD", "--coco", "EMPTY"], "cannot read"),
        (["CARD", "--coco", "EMPTY", "--name", "other"], "is measured anew, and nothing else: leave out"),
        (["CARD", "--coco", "EMPTY", "--int8"], "--coco is for crystal detectors"),
        (["CARD", "--coco", "EMPTY", "--features"], "--coco is for crystal detectors"),
        (["squeezenet-wells-2", "--coco", "EMPTY"], "expected a crystal detector"),
        (["RUN", "--coco", "EMPTY", "--name", "x"], "cannot read"),
    ],
)
def test_what_cannot_be_measured_is_said(
    words: list[str],
    trouble: str,
    named: dict[str, Path],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(named["EMPTY"])
    replacing = ["--replace"] if words[0] == "CARD" else []
    assert main(["export", *(str(named.get(word, word)) for word in words), *replacing]) in (1, USAGE)
    assert trouble in capsys.readouterr().err
    assert list(named["EMPTY"].iterdir()) == []
    assert not (named["RUN"] / "x.card.json").exists()


def test_folders_of_experiments_are_measured_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--mean-crystals", "9", "--hours", "3", "8", "--frames", "1", "--out", str(tmp_path / "growth")]
    assert main(["render", "growth", *words]) == OK
    assert main(["export", str(tiny_detector(tmp_path)), "--coco", str(tmp_path / "growth"), "--replace"]) == USAGE
    assert "marked crystals (2 images: growth (" in capsys.readouterr().err
