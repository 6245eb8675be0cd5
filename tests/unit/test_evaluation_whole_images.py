"""Classifiers of whole images, judged beside those of chops, by the same judge and on the same page."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from crystal_search.bootstrap import Interval
from crystal_search.class_schemes import SCHEMES
from crystal_search.evaluation.comparison import compared
from crystal_search.evaluation.image_judge import ImageJudge, mistakes
from crystal_search.evaluation.image_tables import image_table, table_3, table_5
from crystal_search.evaluation.image_verdicts import ImageVerdict
from crystal_search.evaluation.judge_kinds import judges_of
from crystal_search.evaluation.known_images import Truth
from crystal_search.evaluation.paper import TABLE_5
from crystal_search.evaluation.tables import Cell
from crystal_search.evaluation.whole_image_verdicts import score_of, whole_image_verdicts
from crystal_search.exporting.export import export
from crystal_search.images import from_array
from crystal_search.main import main
from crystal_search.model import in_role, read_model
from crystal_search.model_card import ImageCard
from crystal_search.networks.network_kinds import IMAGE_CLASSIFIERS, build, image_classifier_card
from crystal_search.outcomes import GROUPS, OUTCOME_NAMES, Group
from tests.tiny_training import TINY_IMAGE
from tests.unit.dataset_files import write_dataset
from tests.unit.evaluation_files import judged_images, known_image, scored_image, write_training

FOUR = SCHEMES["groups-4"].class_names
GREY = from_array(np.full((128, 160), 90, np.uint8))


def opinion(**shares: float) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    return np.array([shares.get(name, 0.0) for name in OUTCOME_NAMES])


def verdict(well: str, label: str, **shares: float) -> ImageVerdict:
    score = score_of(GREY, opinion(**shares))
    return ImageVerdict(known=known_image(well, label), score=score, peaks=score.group_peaks, role="image")


def test_an_opinion_is_the_score_of_a_chop_that_is_the_whole_image() -> None:
    score = score_of(GREY, opinion(crystal_bad_form=0.3, crystal_harvestable=0.25, precipitate=0.05, clear=0.4))
    assert (score.outcome, score.above_threshold) == ("crystal_bad_form", False)
    assert score.probability == pytest.approx(0.55)
    assert score.group_peaks == pytest.approx((0.55, 0.05, 0.0, 0.4))
    assert (score.height_px, score.width_px, score.drop) == (128, 160, None)
    assert score_of(GREY, opinion(rim=0.95, other=0.05)).outcome == "clear"


def test_the_likeliest_group_is_the_answer_at_every_threshold() -> None:
    found = verdict("A", "clear", crystal_harvestable=0.35, precipitate=0.25, clear=0.4)
    assert [found.answer(threshold) for threshold in (0.5, 0.85, 0.9)] == [Group.CLEAR] * 3


WELLS = (
    scored_image("A", "crystal_harvestable", (0.95, 0.1, 0.1, 0.2)),
    scored_image("B", "crystal_bad_form", (0.1, 0.1, 0.1, 0.9)),  # called clear
    scored_image("C", "clear"),  # no drop found: right for no group
    scored_image("D", "clear", (0.1, 0.1, 0.1, 0.99)),
    scored_image("E", "no_drop"),  # in no table of groups
)


def value(cell: Cell) -> float:
    assert isinstance(cell, Interval)
    assert np.isnan(cell.value) or cell.low <= cell.value <= cell.high
    return cell.value


def test_table_5_by_hand() -> None:
    (row,) = table_5([judged_images(WELLS)], 0.85).rows
    crystal, precipitate, other, clear, mean = map(value, row[1:6])
    assert crystal == pytest.approx(2 * 1 / (2 + 1))  # one of two found, and nothing else called so
    assert clear == pytest.approx(2 * 1 / (2 + 2))
    assert np.isnan([precipitate, other]).all()
    assert mean == pytest.approx((crystal + clear) / 2)
    assert (row[0], row[6]) == ("net", 4)


def test_the_paper_s_means_are_those_of_its_rows() -> None:
    for row in TABLE_5.rows:
        numbers = [cell for cell in row[1:] if isinstance(cell, float)]
        assert np.mean(numbers[:4]) == pytest.approx(numbers[4], abs=1e-4)


def test_what_nobody_asked_it_is_not_held_against_it() -> None:
    verdicts = (verdict("A", "clear", clear=1.0), verdict("B", "no_drop", clear=1.0))
    assert set(ImageJudge().figures(verdicts)) == {"image"}
    assert not mistakes(verdicts, 0.85)["Drops not found"]
    assert set(ImageJudge().figures(WELLS)) == {"classifier", "drop"}
    columns = [column.name for column in image_table([judged_images(verdicts)], 0.85).columns]
    assert image_table([judged_images(verdicts)], 0.85).rows[0][columns.index("drop_found")] is None
    names = [column.name for column in table_3([judged_images(verdicts)], [0.85]).columns]
    assert table_3([judged_images(verdicts)], [0.85]).rows[0][names.index("no_drop_found")] == 0


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the card of a tiny classifier of whole images that learnt nothing."""
    monkeypatch.setitem(IMAGE_CLASSIFIERS, TINY_IMAGE.name, TINY_IMAGE)
    torch.manual_seed(0)
    card = image_classifier_card("whole", TINY_IMAGE.name, classes=FOUR, normalisation="rgb-1", side_px=64)
    return export(build(TINY_IMAGE.name, 4, 3), card, tmp_path / "models")


def test_an_image_that_cannot_be_read_is_no_answer(model: Path) -> None:
    network = in_role(read_model(model), ImageCard)
    broken = known_image("A", "clear")
    object.__setattr__(broken, "content", lambda: b"no picture")
    (found,) = whole_image_verdicts([broken], network)
    assert (found.readable, found.answer(0.85), found.score.outcome) == (False, None, "unreadable")


def test_both_kinds_of_classifiers_stand_in_the_same_tables(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert judges_of("image")[0] is judges_of("classifier")[0]
    wells = {"test": {"clear": 2, "crystal_bad_form": 1, "no_drop": 1}}
    chops = {"train": {"clear": 2, "crystal_bad_form": 2}, "validation": {"clear": 1, "crystal_bad_form": 1}}
    data = write_dataset(tmp_path / "data", chops, wells=wells)
    run = write_training(tmp_path / "chops", data)
    words = ["evaluate", str(run), str(model), "--data", str(data), "--out", str(tmp_path / "out"), "--workers", "1"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "whole: 4-group accuracy of wells with a drop: " in said
    assert "whole: drops found" not in said
    with (tmp_path / "out" / "table-5.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["network"] for row in rows] == ["chops", "whole"]
    assert [row["images"] for row in rows] == ["3", "3"]
    assert {f"f1_{group}" for group in GROUPS} <= rows[0].keys()
    told = json.loads((tmp_path / "out" / "evaluation.json").read_text())["networks"]
    assert [each["role"] for each in told] == ["classifier", "image"]
    assert told[1]["temperature"] == 1.0
    assert "CHiMP v2" in (tmp_path / "out" / "index.html").read_text()


def test_one_is_compared_with_the_one_in_use_by_the_groups_that_it_names(model: Path, tmp_path: Path) -> None:
    used = read_model(model)
    images = [known_image("A", "clear"), known_image("B", "crystal_bad_form"), known_image("C", "no_drop")]
    found = compared(used, used, tmp_path, Truth(name="three", source="made up", images=images))
    assert (found.measure, found.images) == ("images in the right group of four", 2)  # the empty well tells nothing
    assert found.gain.value == 0
    assert found.new.value in (0.0, 0.5)  # all images are alike, and so are its answers
    assert not found.worse
