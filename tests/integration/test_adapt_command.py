"""Labels in a table, a readout of them, and files scored with it, by the command line."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from markupsafe import escape
from PIL import Image

from crystal_search.demo.truth import plate_folder, read_truth
from crystal_search.evaluation import adapt_command, teach_command
from crystal_search.evaluation.label_table import read_labels, refuse_to_lose_labels
from crystal_search.evaluation.teach_command import plates_of
from crystal_search.exit_codes import OK, USAGE
from crystal_search.main import main
from crystal_search.outcomes import GROUPS, Group, outcome_named

WELLS = 24
HOME_LIST = "image_id,plate,well,drop,inspection,path\n7,p,A01,1,1,/robot/7.jpg"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a quarter of the demo plate's wells, as if they were of six plates."""
    folder = tmp_path_factory.mktemp("images")
    for number, name in enumerate(sorted(read_truth(plate_folder()))[::4]):
        plate = folder / f"plate{number % 6}"
        plate.mkdir(exist_ok=True)
        shutil.copy(plate_folder() / name, plate)
    return folder


def labels_of(folder: Path, table: Path, *, yes_or_no: bool = False) -> Path:
    """Write the truth of the wells as Excel does, with other words for columns."""
    truth = read_truth(plate_folder())
    with table.open("w", encoding="utf-16", newline="") as file:
        rows = csv.writer(file, delimiter=";")
        rows.writerow(["Filename", "Barcode", "Crystals" if yes_or_no else "Score"])
        for path in sorted(folder.rglob("*.jpg")):
            outcome = truth[path.name]
            group = outcome_named(outcome).group if outcome != "no_drop" else None
            said = ("yes" if group is Group.CRYSTAL else "No") if yes_or_no else outcome
            rows.writerow([f"{path.parent.name}\\{path.name}", path.parent.name, said])
    return table


@pytest.fixture(scope="module")
def readout(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the card of a readout of all the wells."""
    out = tmp_path_factory.mktemp("readout")
    table = labels_of(folder, out / "labels.csv")
    words = ["adapt", "--folder", str(folder), "--labels", str(table), "--imager", "demo", "--workers", "1"]
    assert main([*words, "--out", str(out / "ours.card.json"), "--anyway"]) == OK
    return out / "ours.card.json"


def test_a_table_as_people_save_it_is_read(folder: Path, tmp_path: Path) -> None:
    files = read_labels([labels_of(folder, tmp_path / "labels.csv")], folder)
    assert len(files) == WELLS
    assert {each.plate for each in files} == {f"plate{number}" for number in range(6)}
    assert {each.group for each in files} >= set(range(4))
    told = {each.path: each.group for each in read_labels([labels_of(folder, tmp_path / "l", yes_or_no=True)], folder)}
    assert told == {each.path: 0 if each.group == 0 else -1 for each in files}


def test_a_table_may_be_filled_in_by_and_by(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("file,outcome\ndemo_01A_1.jpg,crystal\ndemo_01A_1.jpg,\ndemo_01E_1.jpg,\n")
    assert [(each.path.name, each.group) for each in read_labels([tmp_path / "labels.csv"], folder)] == [
        ("demo_01A_1.jpg", 0)
    ]


def test_labels_may_be_in_several_tables_of_which_the_last_counts(folder: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    first.write_text("file,outcome\ndemo_01A_1.jpg,crystal\ndemo_01E_1.jpg,clear\n")
    second.write_text("file;crystal\ndemo_01E_1.jpg;\ndemo_01A_1.jpg;no\n")
    found = read_labels([first, second], folder)
    assert [(each.path.name, each.group) for each in found] == [("demo_01A_1.jpg", -1), ("demo_01E_1.jpg", 3)]


def test_files_may_be_named_from_the_root(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    path = next(folder.rglob("demo_01A_1.jpg"))
    (tmp_path / "labels.csv").write_text(f"path,outcome\n{path},crystal\n")
    (found,) = read_labels([tmp_path / "labels.csv"], Path(folder.name))
    assert found.path == path.relative_to(folder.parent)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file\n", "lists no image"),
        ("name,outcome\na,clear\n", "has no column file or path or image"),
        ("file,outcome\n/etc/passwd,clear\n", "line 2: no file '/etc/passwd'"),
        ("file,outcome\n../labels.csv,clear\n", "line 2: no file '../labels.csv'"),
        ("file,plate\na,b\n", "neither a column outcome nor a column crystal"),
        ("file,outcome\nnone.jpg,clear\n", "line 2: no file 'none.jpg'"),
        ("file,crystal\ndemo_01A_1.jpg,perhaps\n", "line 2: crystal must be yes or no, got 'perhaps'"),
        ("file,outcome\ndemo_01A_1.jpg,ugly\n", "line 2: nobody knows the outcome 'ugly'"),
        ("file,outcome,crystal\ndemo_01A_1.jpg,clear,yes\n", "line 2: 'clear' contradicts 'yes' in column crystal"),
    ],
)
def test_what_nobody_understands_is_told_with_its_line(
    text: str, said: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "labels.csv").write_text(text)
    assert main(["adapt", "--folder", str(folder), "--labels", str(tmp_path / "labels.csv")]) == USAGE
    assert said in capsys.readouterr().err


def test_it_says_what_was_gained_and_what_would_help(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = labels_of(folder, tmp_path / "labels.csv", yes_or_no=True)
    out = tmp_path / "ours.card.json"
    words = ["adapt", "--folder", str(folder), "--labels", str(table), "--out", str(out), "--workers", "1"]
    assert main([*words, "--page", str(tmp_path / "page.html")]) == OK
    page = (tmp_path / "page.html").read_text()
    assert "What its probabilities mean</h2>" in page
    assert "Beside this page" not in page
    assert f"<code>crystal-search adapt --folder {folder} " in page
    assert all(f"plate{number}" in page for number in range(6))
    said = capsys.readouterr().out
    assert " labels of 6 plates, " in said
    assert "the shipped score puts a drop with crystals before one without in " in said
    assert "on plates that it has not seen" in said
    assert "cannot promise to miss at most 1 % of the crystals" in said
    assert ("no readout was written" in said) is not out.exists()


def test_a_page_that_cannot_be_drawn_is_told_before_anything_is_scored(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr(adapt_command, "material_of", lambda *_: pytest.fail("it began to score"))
    table = labels_of(folder, tmp_path / "labels.csv")
    words = ["adapt", "--folder", str(folder), "--labels", str(table), "--page", str(tmp_path / "page.html")]
    assert main(words) == USAGE
    assert "pip install 'crystal-search[adapt]'" in capsys.readouterr().err


def test_files_are_scored_with_it(
    folder: Path, readout: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = readout.with_name("ours.readout.json")
    words = ["score", str(folder), "--csv", str(tmp_path / "s.csv"), "--workers", "1", "--readout", str(weights)]
    assert main(words) == OK
    assert f"by the readout: 0 to look at, 0 need no look, of {WELLS} nothing is promised" in capsys.readouterr().out
    with (tmp_path / "s.csv").open() as file:
        rows = list(csv.DictReader(file))
    told = [row for row in rows if row["readout"]]
    assert len(rows) == WELLS
    assert len(told) >= WELLS - 3  # all that have a drop
    shares = np.array([[float(row[f"readout_p_{group}"]) for group in GROUPS] for row in told])
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)
    assert {row["triage"] for row in rows} == {"cannot_promise"}


def test_an_image_without_a_drop_is_neither_learnt_from_nor_scored(
    folder: Path, readout: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = tmp_path / "images"
    for path in sorted(folder.rglob("*.jpg"))[::4]:
        (images / path.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, images / path.parent.name)
    Image.new("L", (1224, 1024), 120).save(images / "plate0" / "empty.jpg")
    words = ["score", str(images), "--csv", str(tmp_path / "s.csv"), "--workers", "1", "--readout", str(readout)]
    assert main([*words, "--no-drop", "whole_image"]) == OK
    with (tmp_path / "s.csv").open() as file:
        rows = {Path(row["path"]).name: row for row in csv.DictReader(file)}
    assert all((row["drop_found"] == "yes") == bool(row["readout"]) for row in rows.values())
    assert (rows["empty.jpg"]["drop_found"], rows["empty.jpg"]["triage"]) == ("no", "cannot_promise")
    assert rows["empty.jpg"]["outcome"] != "no_drop"
    lines = "".join(f"{name},{'clear' if at % 2 else 'crystal'}\n" for at, name in enumerate(sorted(rows)))
    (tmp_path / "labels.csv").write_text(f"file,outcome\n{lines}")
    capsys.readouterr()
    words = ["adapt", "--folder", str(images), "--labels", str(tmp_path / "labels.csv"), "--workers", "1"]
    assert main(words) == OK
    drops = sum(row["drop_found"] == "yes" for row in rows.values())
    said = capsys.readouterr().out
    assert drops == len(rows) - 1
    assert f"{drops} labels of " in said
    assert "1 more is of images without a drop" in said


def test_the_page_tells_every_option_and_the_card_its_own_name(folder: Path, tmp_path: Path) -> None:
    table = labels_of(folder, tmp_path / "labels.csv")
    words = ["adapt", "--folder", str(folder), "--labels", str(table), "--workers", "1", "--imager", "our imager"]
    options = ["--missed", "0.05", "--anyway"]
    page = tmp_path / "page.html"
    assert main([*words, *options, "--page", str(page), "--out", str(tmp_path / "ours.json")]) == OK
    assert sorted(path.name for path in tmp_path.glob("ours*")) == ["ours.card.json", "ours.readout.json"]
    command = json.loads((tmp_path / "ours.card.json").read_text())["training_command"]
    assert command.endswith("--imager 'our imager' --missed 0.05 --anyway")
    assert str(escape(command)) in page.read_text()


def test_a_folder_is_no_card(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["adapt", "--folder", str(tmp_path), "--labels", "labels.csv", "--out", str(tmp_path)])
    assert f"{tmp_path} is a folder; name a card in it, as {tmp_path}/ours.card.json" in capsys.readouterr().err


def test_a_readout_of_another_classifier_is_refused(
    folder: Path, readout: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = json.loads(readout.read_text()) | {"classifier_sha256": "a" * 64}
    shutil.copy(readout.with_name("ours.readout.json"), tmp_path)
    (tmp_path / "ours.card.json").write_text(json.dumps(card))
    words = ["score", str(folder), "--csv", str(tmp_path / "s.csv"), "--readout", str(tmp_path / "ours.card.json")]
    assert main(words) != OK
    assert "ours reads the answers of the classifier aaaaaaaaaaaa" in capsys.readouterr().err


def test_it_asks_for_images_that_have_no_label(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    priors: list[tuple[Path, int]] = []
    monkeypatch.setattr(teach_command, "prior_in", lambda *about: priors.append(about))
    table = labels_of(folder, tmp_path / "labels.csv")
    lines = table.read_text("utf-16").splitlines(keepends=True)
    table.write_text("".join(lines[:17]), "utf-16")
    words = ["teach", "--folder", str(folder), "--labels", str(table), "--count", "6", "--workers", "1"]
    assert main([*words, "--csv", str(tmp_path / "next.csv")]) == OK
    assert "6 images of " in capsys.readouterr().out
    assert len(priors) == 1
    with (tmp_path / "next.csv").open() as file:
        rows = list(csv.DictReader(file))
    labelled = {line.split(";")[0].replace("\\", "/") for line in lines[1:17]}
    assert len({row["file"] for row in rows} - labelled) == 6
    assert all(row["file"].startswith(f"{row['plate']}/") and not row["outcome"] for row in rows)
    (tmp_path / "filled.csv").write_text((tmp_path / "next.csv").read_text().replace(",\n", ",clear\n"))
    assert len(read_labels([tmp_path / "filled.csv"], folder)) == 6


@pytest.mark.parametrize("header", ["file,plate,outcome", "image;crystal"])
def test_a_table_that_is_filled_in_is_never_replaced(
    header: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "next.csv"
    text = f"{header}\n" + ("demo_01A_1.jpg,plate0,clear\n" if "," in header else "demo_01A_1.jpg;no\n")
    table.write_text(text)
    words = ["teach", "--folder", str(folder), "--labels", str(table), "--csv", str(table)]
    assert main(words) == USAGE
    assert f"{table} holds 1 label, which would be lost" in capsys.readouterr().err
    assert table.read_text() == text


@pytest.mark.parametrize(
    "text",
    ["", "file,plate,outcome\n", "file,plate,outcome\na.jpg,p,\n", "File;Plate;Outcome\r\na.jpg;p;\r\n", HOME_LIST],
)
def test_a_list_that_nobody_filled_in_is_replaced(text: str, tmp_path: Path) -> None:
    (tmp_path / "next.csv").write_text(text)
    refuse_to_lose_labels(tmp_path / "next.csv", teach_command.LISTS)
    refuse_to_lose_labels(tmp_path / "none.csv", teach_command.LISTS)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04", "is a workbook"),
        (b"file,plate,outcome\na.jpg,p,\nb.jpg,p,clear,sure\n", "line 3 has 4 cells, expected 3"),
        (b'file,plate,outcome\n"a.jpg,p,clear\n', "is no table"),
        (b"picture,plate,outcome\na.jpg,p,clear\n", "has no column file"),
        (b"file,plate,verdict\na.jpg,p,clear\n", "its columns are file, plate, verdict"),
        (f"{HOME_LIST.replace('path', 'path,verdict', 1)},clear\n".encode(), "its columns are image_id"),
        (b"not a table", "has no column file"),
        (b" ", "has no column file"),
        (b"file,plate,outcome\na.jpg,p,clear\n", "holds 1 label, which would be lost"),
    ],
    ids=("workbook", "cell too many", "lost quote", "picture", "verdict", "list of a home", "text", "space", "label"),
)
@pytest.mark.parametrize("whose", [["--folder", "images"], ["--home", "home"]])
def test_what_may_hold_labels_is_never_replaced(
    whose: list[str], content: bytes, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "next.csv"
    table.write_bytes(content)
    assert main(["teach", *whose, "--csv", str(table)]) == USAGE
    told = capsys.readouterr().err
    assert said in told
    assert "a new file by --csv" in told
    assert table.read_bytes() == content


def test_a_list_that_is_filled_in_meanwhile_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "next.csv"

    def scored(_: object) -> list[dict[str, str]]:
        table.write_text("file,plate,outcome\na.jpg,p,clear\n")
        return [{"file": "a.jpg", "plate": "p"}]

    monkeypatch.setattr(teach_command, "_of_folder", scored)
    assert main(["teach", "--folder", str(tmp_path), "--csv", str(table)]) == USAGE
    assert "holds 1 label" in capsys.readouterr().err
    assert table.read_text().endswith("clear\n")


@pytest.mark.parametrize(
    ("named", "plates"),
    [
        ({"p1/a.jpg": "clear", "p1/b.jpg": "crystal", "p2/a2.jpg": "clear"}, ["p1", "p1", "p2"]),
        ({"p1/a.jpg": "clear", "p2/b.jpg": "clear", "p3/c.jpg": "crystal"}, ["p1", "p2", "p3"]),
        ({"crystals/a.jpg": "crystal", "clear/b.jpg": "clear", "p1/c.jpg": "clear"}, ["", "", ""]),  # by what they show
        ({"good/a.jpg": "crystal", "good/b.jpg": "crystal", "bad/c.jpg": "clear"}, ["", "", ""]),
        ({"a.jpg": "crystal", "b.jpg": "clear"}, ["", ""]),
        ({"90j8_01A_1.jpg": "crystal", "90j9_01A_1.jpg": "clear"}, ["90j8", "90j9"]),
        ({"good/90j8_01A_1.jpg": "crystal", "bad/90j9_01A_1.jpg": "clear"}, ["90j8", "90j9"]),
    ],
)
def test_folders_are_plates_where_nothing_else_tells_and_they_are_no_classes(
    named: dict[str, str], plates: list[str], tmp_path: Path
) -> None:
    for name in named:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    lines = [f"{name},{label}" for name, label in named.items()]
    (tmp_path / "labels.csv").write_text("\n".join(["file,outcome", *lines]))
    assert [each.plate for each in read_labels([tmp_path / "labels.csv"], tmp_path)] == plates


def test_a_folder_below_stands_for_a_plate_and_the_folder_itself_for_none() -> None:
    paths = [Path("images/x.jpg"), Path("images/a/y.jpg"), Path("images/a/b/z.jpg")]
    assert plates_of(paths, [], Path("images")) == ["", "a", "a/b"]


def test_it_needs_no_torch() -> None:
    code = f"import sys, {adapt_command.__name__}; sys.exit('torch' in sys.modules or 'matplotlib' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
