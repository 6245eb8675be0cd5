"""Corrections that people made: reading them, and putting them into an archive's list."""

from pathlib import Path

import pytest

from crystal_search.archives.archive import ArchiveOptions
from crystal_search.archives.image_table import open_csv
from crystal_search.class_schemes import SCHEMES
from crystal_search.errors import UserError
from crystal_search.main import main
from crystal_search.review.corrections import Correction, changes_by_pair, corrected_list, read_corrections
from tests.unit.dataset_files import write_dataset

LIST = "file,plate,outcome\nplates/a.jpg,P1,clear\n./plates/b.jpg,P1,Crystals harvestable\nplates/c.jpg,P2,clear\n"
CORRECTIONS = (
    "image,well,old,new\nplates/a.jpg,A01,clear,crystal_bad_form\nplates/b.jpg,A02,crystal_harvestable,no_drop\n"
)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return text(tmp_path / "archive.csv", LIST)


@pytest.fixture
def corrections(tmp_path: Path) -> Path:
    return text(tmp_path / "corrections.csv", CORRECTIONS)


def text(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def test_the_list_keeps_all_but_what_was_corrected(
    archive: Path, corrections: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "corrected.csv"
    assert main(["review", "apply", str(corrections), str(archive), "--out", str(out)]) == 0
    assert out.read_text() == (
        "file,plate,outcome\n"
        "plates/a.jpg,P1,crystal_bad_form\n"
        "./plates/b.jpg,P1,no_drop\n"
        "plates/c.jpg,P2,clear\n"
    )  # fmt: skip
    said = capsys.readouterr().out
    assert "2 labels changed" in said
    assert "1  clear -> crystal_bad_form" in said
    for image in ("a", "b", "c"):
        (tmp_path / "plates").mkdir(exist_ok=True)
        (tmp_path / f"plates/{image}.jpg").touch()
    read = list(open_csv(out, ArchiveOptions()).images())
    assert [getattr(each, "outcome", None) for each in read] == ["crystal_bad_form", "no_drop", "clear"]


def test_a_list_with_semicolons_stays_one(tmp_path: Path, corrections: Path) -> None:
    archive = text(tmp_path / "a.csv", LIST.replace(",", ";"))
    corrected = corrected_list(read_corrections(corrections), archive, SCHEMES["outcomes-13"])
    assert corrected.splitlines()[1] == "plates/a.jpg;P1;crystal_bad_form"


def test_no_cell_of_a_corrected_list_is_a_formula_and_numbers_stay_numbers(tmp_path: Path) -> None:
    archive = text(tmp_path / "a.csv", "file,outcome,shift,=note\n-a.jpg,clear,-1.5,@x\n'=b.jpg,clear,+2,'tis\n")
    fixes = {"-a.jpg": Correction("-a.jpg", "", "clear", "spherulites")}
    assert corrected_list(fixes, archive, SCHEMES["outcomes-13"]) == (
        "file,outcome,shift,'=note\n'-a.jpg,spherulites,-1.5,'@x\n'=b.jpg,clear,+2,'tis\n"
    )


def test_a_list_in_another_scheme_gets_the_names_of_that_scheme(tmp_path: Path) -> None:
    archive = text(tmp_path / "a.csv", "outcome,file\nClear,a.jpg\nCrystals,b.jpg\n")
    fixes = {"a.jpg": Correction("a.jpg", "", "clear", "crystal_harvestable")}
    assert corrected_list(fixes, archive, SCHEMES["groups-4"]) == "outcome,file\ncrystal,a.jpg\nCrystals,b.jpg\n"
    with pytest.raises(UserError, match="no class for spherulites"):
        corrected_list({"a.jpg": Correction("a.jpg", "", "clear", "spherulites")}, archive, SCHEMES["groups-4"])


def test_each_of_several_archives_gets_its_own_corrections(tmp_path: Path) -> None:
    lists = [text(tmp_path / name, "file,outcome\na.jpg,clear\n") for name in ("one.csv", "two.csv")]
    here = f"table {tmp_path.name}"
    fixes = {
        f"{here}/one.csv/a.jpg": Correction(f"{here}/one.csv/a.jpg", "", "clear", "other"),
        f"{here}/two.csv/a.jpg": Correction(f"{here}/two.csv/a.jpg", "", "clear", "precipitate"),
    }
    corrected = [corrected_list(fixes, each, SCHEMES["outcomes-13"]).splitlines()[1] for each in lists]
    assert corrected == ["a.jpg,other", "a.jpg,precipitate"]


def test_corrections_can_be_applied_twice(tmp_path: Path, archive: Path, corrections: Path) -> None:
    fixes, scheme = read_corrections(corrections), SCHEMES["outcomes-13"]
    once = text(tmp_path / "once.csv", corrected_list(fixes, archive, scheme))
    assert corrected_list(fixes, once, scheme) == once.read_text()


def test_pairs_are_counted_and_the_frequent_come_first() -> None:
    made = [Correction("a", "", "clear", "other"), Correction("b", "", "clear", "clear")]
    made += [Correction(image, "", "other", "clear") for image in "cd"]
    assert changes_by_pair(made) == [("other", "clear", 2), ("clear", "other", 1)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("image,well,old,new\na.jpg,,clear,krystal\n", "line 2: no class 'krystal'; choose from crystal_harvestable"),
        ("image,well,old,new\na.jpg,,clear,rim\n", "no class 'rim'"),
        ("image,well,old,new\na.jpg,,clear,other\na.jpg,,clear,other\n", "line 3: a.jpg stands there twice"),
        ("image,old,new\na.jpg,clear,other\n", "no column well"),
        ("image,well,old,new\na.jpg,clear,other\n", "3 cells, expected 4"),
    ],
)
def test_corrections_that_make_no_sense_are_refused(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_corrections(text(tmp_path / "c.csv", content))


def test_corrections_of_other_images_are_refused(tmp_path: Path, archive: Path) -> None:
    others = {f"{number}.png": Correction(f"{number}.png", "", "clear", "other") for number in range(7)}
    with pytest.raises(UserError, match=r"lacks 0.png, 1.png, 2.png, 3.png, 4.png and 2 more"):
        corrected_list(others, archive, SCHEMES["outcomes-13"])


def test_a_label_that_changed_in_between_is_refused(archive: Path) -> None:
    fixes = {"plates/a.jpg": Correction("plates/a.jpg", "", "spherulites", "other")}
    with pytest.raises(UserError, match=r"plates/a.jpg is clear, the corrections expect spherulites"):
        corrected_list(fixes, archive, SCHEMES["outcomes-13"])


def test_what_people_wrote_is_never_replaced(
    archive: Path, corrections: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["review", "apply", str(corrections), str(archive), "--out", str(archive)]) == 2
    assert "would replace what people wrote" in capsys.readouterr().err
    assert archive.read_text() == LIST
    other = archive.with_name("other.csv")
    other.write_text("somebody's list")
    assert main(["review", "apply", str(corrections), str(archive), "--out", str(other)]) == 2
    assert "other.csv is there already" in capsys.readouterr().err
    assert other.read_text() == "somebody's list"


def test_corrections_for_an_archive_of_another_kind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = write_dataset(tmp_path / "data", wells={"test": {"no_drop": 1}})
    made = "image,well,old,new\ntrain/0.jpg,W0000,clear,other\ntest/well-2000.jpg,V2000,no_drop,clear\n"
    corrections, out = text(tmp_path / "c.csv", made), tmp_path / "out.csv"
    assert main(["review", "apply", str(corrections), "--dataset", str(dataset), "--out", str(out)]) == 0
    assert out.read_text() == "file,outcome\ntrain/0.jpg,other\ntest/well-2000.jpg,clear\n"
    text(corrections, "image,well,old,new\nnone.jpg,W0000,clear,other\n")
    assert main(["review", "apply", str(corrections), "--dataset", str(dataset), "--out", str(out)]) == 2
    assert "lacks none.jpg" in capsys.readouterr().err


def test_apply_without_a_list_says_what_is_missing(corrections: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["review", "apply", str(corrections), "--out", "x.csv"]) == 2
    assert "either a list or --dataset" in capsys.readouterr().err


def test_a_review_needs_a_thread(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["review", "run", "--data", "d", "--out", "o", "--threads", "0"])
    assert "argument --threads: must be a whole number, at least 1, got 0" in capsys.readouterr().err
