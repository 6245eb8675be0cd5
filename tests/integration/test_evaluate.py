"""The command ``evaluate`` from trainings and a dataset to a page."""

import csv
import json
import re
from pathlib import Path

import pytest

from crystal_search.demo.truth import plate_folder, read_truth
from crystal_search.exit_codes import FAILED, OK, USAGE
from crystal_search.main import main
from tests.unit.dataset_files import coarse, write_dataset
from tests.unit.evaluation_files import CHOPS, write_demo_dataset, write_training

FILES = {
    *("index.html", "evaluation.json", "table-2.csv", "table-3.csv", "table-5.csv", "groups.csv", "classes.csv"),
    *("confusion-of-chops.csv", "confusion-of-images.csv", "figures.csv", "sources.csv"),
    *("tables.md", "ece.csv", "calibration.csv", "needed.csv", "looking.csv", "wells.csv"),
}


def few_of_the_demo_plate() -> list[tuple[str, str, bytes]]:
    """Return two wells of the demo plate for each of four outcomes, the same well twice, and a file that is none."""
    kept: dict[str, list[tuple[str, str, bytes]]] = {}
    for file, outcome in read_truth(plate_folder()).items():
        if outcome in ("crystal_harvestable", "clear", "precipitate_bad"):
            image = (file.split(".")[0], outcome, (plate_folder() / file).read_bytes())
            kept.setdefault(outcome, []).append(image)
    images = [image for each in kept.values() for image in each[:2]]
    return [*images, images[0], ("broken", "clear", b"no image")]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a dataset and two trainings, and their evaluation in ``out``."""
    folder = tmp_path_factory.mktemp("evaluate")
    data = write_demo_dataset(folder / "data", few_of_the_demo_plate())
    write_training(folder / "thirteen", data)
    write_training(folder / "four", data, scheme="groups-4", seed=1)
    words = ["evaluate", str(folder / "thirteen"), str(folder / "four"), "--data", str(data)]
    assert main([*words, "--out", str(folder / "out"), "--chops", "6"]) == OK
    return folder


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_file_is_there_and_nothing_else(site: Path) -> None:
    assert {path.name for path in (site / "out").iterdir()} == FILES
    assert {path.name for path in site.iterdir()} == {"data", "thirteen", "four", "out"}


def test_table_2_of_both_side_by_side(site: Path) -> None:
    thirteen, four = rows(site / "out" / "table-2.csv")
    assert (thirteen["network"], four["network"]) == ("thirteen", "four")
    assert (thirteen["classes"], thirteen["weight_layers"], thirteen["epochs"]) == ("13", "18", "2.0")
    assert (thirteen["total_s"], thirteen["train_chops"], thirteen["validation_chops"]) == ("64.0", "6", "6")
    assert 2.5 < float(thirteen["model_mb"]) < 3.5
    assert thirteen["validation_top5_percent"] != ""
    assert four["validation_top5_percent"] == ""  # of four classes, five are always right
    assert float(four["validation_loss"]) == pytest.approx(1.386, abs=0.1)  # untrained: the logarithm of 4


def test_table_3_at_every_threshold(site: Path) -> None:
    found = rows(site / "out" / "table-3.csv")
    assert [row["threshold_percent"] for row in found[:5]] == ["50.0", "70.0", "80.0", "85.0", "90.0"]
    assert {row["images"] for row in found} == {"8"}
    assert {row["unreadable"] for row in found} == {"1"}
    assert {row["no_drop_found"] for row in found} == {"0"}
    assert {row["other_percent"] for row in found} == {""}
    wells = [row for row in rows(site / "out" / "wells.csv") if row["network"] == "thirteen"]
    right = sum(row["truth_group"] == row["group"] for row in wells)
    assert float(found[3]["weighted_mean_percent"]) == pytest.approx(100 * right / 8)


def test_the_json_file_says_the_same_as_the_tables(site: Path) -> None:
    read = json.loads((site / "out" / "evaluation.json").read_text())
    assert (read["format"], read["version"], read["split"]) == ("crystal-search evaluation", 1, "test")
    assert [each["name"] for each in read["networks"]] == ["thirteen", "four"]
    for name, records in read["tables"].items():
        table = rows(site / "out" / f"{name}.csv")
        assert [row["network"] for row in table] == [record["network"] for record in records]


def test_the_page_needs_no_other_file(site: Path) -> None:
    page = (site / "out" / "index.html").read_text(encoding="utf-8")
    assert set(re.findall(r'(?:src|href)="([^"#]{1,40})"', page)) == FILES - {"index.html"}
    assert page.count("data:image/svg+xml;base64,") == 3 + 3 * 2
    assert "data:image/jpeg;base64," in page
    assert "Thielmann et al. (2023)" in page
    assert "nan" not in re.sub(r"base64,[^\"]*", "", page).lower().split()


def test_an_evaluation_is_replaced_only_when_told_so(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["evaluate", str(site / "four"), "--data", str(site / "data"), "--out", str(site / "out")]
    before = (site / "out" / "evaluation.json").read_bytes()
    assert main(words) == USAGE
    assert "--replace" in capsys.readouterr().err
    assert (site / "out" / "evaluation.json").read_bytes() == before


def test_replacing(site: Path, tmp_path: Path) -> None:
    words = ["evaluate", str(site / "four"), "--data", str(site / "data"), "--out", str(tmp_path / "out")]
    words += ["--chops", "2", "--wells", "1", "--thresholds", "0.6"]
    assert main(words) == OK
    (tmp_path / "out" / "old.csv").write_text("old")
    assert main([*words, "--replace"]) == OK
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    assert len(rows(tmp_path / "out" / "table-3.csv")) == 1


def test_wells_that_the_network_was_trained_on_are_said(site: Path, tmp_path: Path) -> None:
    well = rows(site / "data" / "images-test-00000.csv")[0]["well"]  # of which there are two images
    table = write_dataset(tmp_path / "earlier", CHOPS) / "chops-train-00000.csv"
    table.write_text(table.read_text().replace(",W0000,", f",{well},"))
    run = write_training(tmp_path / "run", tmp_path / "earlier", scheme="groups-4")
    words = [str(run), "--data", str(site / "data"), "--out", str(tmp_path / "out"), "--chops", "2"]
    assert main(["evaluate", *words, "--thresholds", "0.6"]) == OK
    said = "run was trained on wells that 2 of these images show"
    assert said in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "was trained on wells" not in (site / "out" / "index.html").read_text(encoding="utf-8")


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = main(["evaluate", *words])
    return code, capsys.readouterr().err


def test_what_is_no_evaluation_is_never_replaced(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    words = [str(site / "four"), "--data", str(site / "data"), "--out", str(tmp_path), "--replace"]
    code, said = refused(words, capsys)
    assert code == USAGE
    assert "no evaluation" in said
    assert (tmp_path / "thesis.txt").exists()


def test_a_training_without_weights(site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_training(tmp_path / "run", site / "data")
    (run / "checkpoint.pt").unlink()
    code, said = refused([str(run), "--data", str(site / "data"), "--out", str(tmp_path / "out")], capsys)
    assert code == FAILED
    assert "checkpoint.pt" in said
    assert not (tmp_path / "out").exists()


def test_a_folder_without_a_training(site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = refused([str(tmp_path), "--data", str(site / "data"), "--out", str(tmp_path / "out")], capsys)
    assert code == USAGE
    assert "no training" in said


def test_labels_too_coarse_for_the_network(site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_dataset(tmp_path / "data", CHOPS, wells={"test": {"clear": 1}}, about=coarse())
    code, said = refused([str(site / "thirteen"), "--data", str(data), "--out", str(tmp_path / "out")], capsys)
    assert code == USAGE
    assert "13 classes" in said
    assert "trained for 4 classes" in said


def test_a_split_without_whole_images(site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [str(site / "four"), "--data", str(site / "data"), "--out", str(tmp_path / "out"), "--split", "validation"]
    code, said = refused(words, capsys)
    assert code == USAGE
    assert "(train 0, validation 0, test 8)" in said


@pytest.mark.parametrize("words", [["--thresholds", "0"], ["--thresholds", "1.5"], ["--chops", "0"], ["--wells", "-1"]])
def test_arguments_out_of_range(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["evaluate", "run", "--data", "data", "--out", "out", *words])
    assert "must be" in capsys.readouterr().err
