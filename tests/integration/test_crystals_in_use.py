"""A crystal detector put to use: packed, asked by the client, kept in the ledger, told in tables, and forgotten."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image as Pillow

import crystal_search as cs
from crystal_search.demo.truth import plate_folder
from crystal_search.exit_codes import OK, USAGE
from crystal_search.main import main
from crystal_search.model import default_models, default_models_folder, read_model
from crystal_search.result_crystals import MAX_CRYSTALS
from crystal_search.scoring.pipeline import loaded, score_data
from crystal_search.server.engines.local_engine import LocalEngine
from crystal_search.server.home import Home
from crystal_search.server.installation import opened, recipe_of
from crystal_search.server.services.create_work import create_work
from crystal_search.work_unit import Parameters
from tests.integration.test_models import finish, home_with
from tests.service_site import auto_scores
from tests.tiny_detector import tiny_detector

WELL = plate_folder() / "demo_10D_1.jpg"  #: with crystals


def rows_in(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_client_finds_crystals_until_the_detector_is_forgotten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = home_with(1, tmp_path)
    with (home / "settings.toml").open("a") as settings:
        settings.write("crystals_from = 0.0\n")
    with opened(home) as site:
        create_work(site, recipe_of(site))
        with LocalEngine(site.home, site.settings, site.models) as engine:
            finish(site, engine)
            card = str(tiny_detector(tmp_path / "out"))
            assert main(["models", "use", card, "--as", "classifier", "--home", str(home)]) == USAGE
            assert "tiny-crystals is a crystal detector, not a classifier" in capsys.readouterr().err
            assert main(["models", "use", card, "--home", str(home)]) == OK
            assert "crystal detectors are not compared" in capsys.readouterr().out
            create_work(site, recipe_of(site))
            finish(site, engine)
        (scores,) = auto_scores(site).values()
        first, second = (each.found for each in scores)
        assert [model.role for model in scores[1].recipe.models] == ["classifier", "crystals", "drop"]
        assert first.crystals is None
        assert second.crystals
        assert second.uncounted is not None
        assert replace(second, crystals=None, uncounted=None, seconds={}) == replace(first, seconds={})
        drop = second.drop
        assert drop
        for each in second.crystals:
            assert drop.box.top - 1 <= each.row <= drop.box.bottom + 1
            assert drop.box.left - 1 <= each.column <= drop.box.right + 1
        assert main(["models", "forget", "tiny-crystals", "--home", str(home)]) == OK
        assert [model.role for model in recipe_of(site).models] == ["classifier", "drop"]
        rows = [row for path in site.home.scored.glob("*.csv") for row in rows_in(path)]
        told = [(row["crystals_found"], row["longest_px"]) for row in rows if row["crystals_found"]]
        longest = max(each.long_px for each in second.crystals)
        assert told == [(str(len(second.crystals)), f"{longest:.6f}")]
        assert len(rows) == 2
        assert len(second.crystals) <= MAX_CRYSTALS


def test_files_of_ones_own_are_searched_by_a_detector_that_is_named(tmp_path: Path) -> None:
    card = tiny_detector(tmp_path / "out")
    words = ["score", str(WELL), "--detector", str(card), "--um-per-px", "2", "--csv", str(tmp_path / "scores.csv")]
    assert main([*words, "--workers", "1"]) == OK
    (row,) = rows_in(tmp_path / "scores.csv")
    networks = loaded([*default_models(default_models_folder()), read_model(card)])
    found, _ = score_data(WELL.read_bytes(), networks, Parameters())
    assert found.crystals
    assert int(row["crystals_found"]) == len(found.crystals)
    assert float(row["longest_um"]) == pytest.approx(2 * float(row["longest_px"]), abs=0.1)


def test_the_scale_of_scores_is_that_of_the_option_else_of_the_settings_else_of_the_file(tmp_path: Path) -> None:
    card, picture = tiny_detector(tmp_path / "out"), tmp_path / "a.jpg"
    with Pillow.open(WELL) as image:
        image.save(picture, quality="keep", dpi=(10160, 10160))  # 2.5 um a pixel
    home = Home(tmp_path / "home").made()
    home.settings.write_text('[micrometres_per_pixel]\n"all images" = 4\n')
    words = ["score", str(picture), "--detector", str(card), "--csv", str(tmp_path / "scores.csv"), "--workers", "1"]
    for said, um_per_px in (
        ([], 2.5),
        (["--home", str(home.path)], 4),
        (["--home", str(home.path), "--um-per-px", "2"], 2),
    ):
        assert main([*words, *said]) == OK
        (row,) = rows_in(tmp_path / "scores.csv")
        assert float(row["longest_um"]) == pytest.approx(um_per_px * float(row["longest_px"]), rel=1e-2)
    assert main(["models", "use", str(card), "--home", str(home.path)]) == OK
    (told,) = cs.score_many(picture, cs.load(home=home.path))
    assert told["longest_um"] == pytest.approx(4 * float(told["longest_px"] or 0))


def test_a_card_that_is_no_detectors_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    classifier = default_models_folder() / "squeezenet-wells-2.card.json"
    words = ["score", str(WELL), "--detector", str(classifier), "--csv", str(tmp_path / "scores.csv")]
    assert main(words) != OK
    assert "squeezenet-wells-2 is a classifier, expected a crystal detector" in capsys.readouterr().err
    assert not (tmp_path / "scores.csv").exists()
