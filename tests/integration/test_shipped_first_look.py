"""The first look that comes with the program, on a part of the demo plate: what it spares, and what it never does."""

import csv
from pathlib import Path

import pytest

from crystal_search.demo.truth import group_or_answer, plate_folder, read_truth
from crystal_search.direct.as_installed import models_in
from crystal_search.exit_codes import OK
from crystal_search.main import main
from crystal_search.model import default_model, default_models, default_models_folder
from crystal_search.model_card import ClassifierCard, FirstLookCard
from crystal_search.outcomes import Group
from crystal_search.result import ImageScore
from crystal_search.scoring.pipeline import score_data
from crystal_search.work_unit import Parameters

NAME = "squeezenet-first-1"


@pytest.fixture(scope="module")
def found() -> dict[str, ImageScore]:
    """Return what both looks say of a quarter of the plate, with all four groups."""
    card = default_models_folder() / f"{NAME}.card.json"
    models = models_in(default_models_folder(), [card])
    files = sorted(read_truth(plate_folder()))[::4]
    return {file: score_data((plate_folder() / file).read_bytes(), models, Parameters())[0] for file in files}


def test_it_comes_with_the_program_and_nobody_uses_it_unasked() -> None:
    card, classifier = default_model(FirstLookCard).card, default_model(ClassifierCard).card
    assert (card.name, card.working_width_px) == (NAME, classifier.working_width_px // 2)
    assert card.features
    assert classifier.features
    assert card.features.numbers == classifier.features.numbers
    assert "rendered" in card.training_data
    assert len(card.measured) > 5
    assert FirstLookCard.role not in {model.card.role for model in default_models(default_models_folder())}


def test_it_spares_the_classifier_much_and_loses_little(found: dict[str, ImageScore]) -> None:
    truth = {file: group_or_answer(outcome) for file, outcome in read_truth(plate_folder()).items()}
    right = [file for file, score in found.items() if score.score and group_or_answer(score.outcome) == truth[file]]
    crystals = [file for file in right if truth[file] == Group.CRYSTAL]
    assert sum(score.looks == 1 for score in found.values()) >= 6
    assert len(right) >= 18  # of 24, as by the classifier alone
    assert len(crystals) >= 7  # of 10


def test_no_image_is_called_crystal_or_unsure_by_it_alone(found: dict[str, ImageScore]) -> None:
    alone = [score for score in found.values() if score.looks == 1]
    assert alone
    assert all(score.score and score.score.above_threshold for score in alone)
    assert all(score.score and score.score.group is not Group.CRYSTAL for score in alone)


def test_it_is_called_by_its_name(tmp_path: Path) -> None:
    table = tmp_path / "scores.csv"
    words = ["score", str(plate_folder() / "demo_01A_1.jpg"), "--first-look", NAME, "--csv", str(table)]
    assert main([*words, "--workers", "1"]) == OK
    with table.open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["looks"] in ("1", "2")
