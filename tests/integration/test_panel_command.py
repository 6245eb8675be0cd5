"""A whole panel from lists of scores to a report, by played experts whose agreement is known."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from crystal_search.demo.truth import plate_folder, read_truth
from crystal_search.exit_codes import OK, USAGE
from crystal_search.main import main
from crystal_search.outcomes import BY_NAME
from crystal_search.panel.experts import sheets_of
from crystal_search.panel.panel_app import panel_app
from crystal_search.panel.panel_set import CLASSES, PanelSet, read_set
from tests.viewer_site import Client

IMAGES, REPEATS = 32, 8
Says = Callable[[int, bool], str]  #: number of the image, whether it is shown again -> class


def truth_of(panel: PanelSet) -> list[str]:
    known = read_truth(plate_folder())
    return [str(BY_NAME[known[Path(image.path).name]].group) for image in panel.images]


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    """Write what a machine says of the demo plate, which is rendered, at two inspections: the truth."""
    path = tmp_path / "scores.csv"
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("path", "plate", "well", "drop", "inspection", "outcome"))
        for number, (name, outcome) in enumerate(read_truth(plate_folder()).items()):
            for inspection in (1, 2):
                table.writerow((plate_folder() / name, "demo", f"W{number}", 1, inspection, outcome))
    return path


@pytest.fixture
def folder(tmp_path: Path, scores: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    out = tmp_path / "panel"
    words = [
        "--scores",
        str(scores),
        "--count",
        str(IMAGES),
        "--repeats",
        str(REPEATS),
        "--experts",
        "Ada",
        "Bob",
        "Cy",
    ]
    assert main(["panel", "draw", "--out", str(out), *words]) == OK
    assert f"{IMAGES} images, each of another of" in capsys.readouterr().out
    return out


def test_one_in_ten_of_those_that_were_drawn_is_shown_twice(scores: Path, tmp_path: Path) -> None:
    assert main(["panel", "draw", "--out", str(tmp_path / "few"), "--scores", str(scores)]) == OK
    panel = read_set(tmp_path / "few")
    assert panel.repeats == len(panel.images) // 10 > 0


def play(folder: Path, says: dict[str, Says]) -> None:
    """Answer for each expert, in their own order, through their own pages."""
    panel = read_set(folder)
    client = Client(panel_app(folder, panel))
    for sheet in sheets_of(folder, panel):
        seen: set[int] = set()
        for place, at in enumerate(sheet.shown):
            what = says[sheet.expert.name](at, at in seen)
            seen.add(at)
            body = json.dumps({"place": place, "answer": what}).encode()
            assert client.post(f"/expert/{sheet.expert.token}/answer", body).status_code == 201


def other_than(name: str, by: int = 1) -> str:
    return CLASSES[(CLASSES.index(name) + by) % len(CLASSES)]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_known_experts_and_models_get_known_figures(
    folder: Path, scores: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = truth_of(read_set(folder))
    play(
        folder,
        {
            "Ada": lambda at, again: truth[at],
            "Bob": lambda at, again: other_than(truth[at]) if at < 8 or again else truth[at],
            "Cy": lambda at, again: other_than(truth[at], 2) if at < 4 else truth[at],
        },
    )
    out = tmp_path / "report"
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("path,outcome\n" + "".join(f"images/{n + 1:04d}.jpg,no_drop\n" for n in range(IMAGES)))
    (folder / "wrong.csv").write_text(wrong.read_text())
    words = ["--model-scores", f"perfect={scores}", "--model-scores", f"blind={folder / 'wrong.csv'}"]
    assert main(["panel", "report", str(folder), "--out", str(out), *words]) == OK
    assert "They agree on 24 of these (75%); more than half agree on 28 (88%)" in capsys.readouterr().out

    pairs = {(row["person"], row["other_person"]): float(row["agreement_percent"]) for row in rows(out / "pairs.csv")}
    assert pairs == {("Ada", "Bob"): 75.0, ("Ada", "Cy"): 87.5, ("Bob", "Cy"): 75.0}
    people = {row["person"]: (row["images"], row["repeated"]) for row in rows(out / "experts.csv")}
    assert set(people.values()) == {(str(IMAGES), str(REPEATS))}
    selves = {row["person"]: float(row["self_agreement_percent"]) for row in rows(out / "experts.csv")}
    assert selves["Ada"] == selves["Cy"] == 100
    bob = next(each for each in sheets_of(folder, read_set(folder)) if each.expert.name == "Bob")
    again = [at for place, at in enumerate(bob.shown) if at in bob.shown[:place]]
    assert selves["Bob"] == pytest.approx(100 * sum(at < 8 for at in again) / REPEATS)

    kappa = {row["measure"]: row for row in rows(out / "agreement.csv")}["Fleiss' kappa"]
    assert float(kappa["value_low"]) < float(kappa["value"]) < float(kappa["value_high"]) < 1
    total = next(row for row in rows(out / "test-sets.csv") if row["class"] == "total")
    assert (total["unambiguous_images"], total["mostly_unambiguous_images"]) == ("24", "28")
    f1 = {(row["network"], row["test_set"]): float(row["f1_mean"]) for row in rows(out / "models.csv")}
    assert f1["perfect", "unambiguous"] == f1["perfect", "mostly unambiguous"] == 1
    assert f1["blind", "unambiguous"] == 0
    assert [row["label"] for row in rows(out / "unambiguous.csv")] == truth[8:]
    assert len(rows(out / "answers.csv")) == 3 * IMAGES
    page = (out / "index.html").read_text(encoding="utf-8")
    assert "Images on which nobody agrees" in page
    assert page.count("data:image/jpeg") == 4


def test_some_of_the_experts(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = truth_of(read_set(folder))
    play(folder, dict.fromkeys(("Ada", "Bob", "Cy"), lambda at, again: truth[at]))
    words = ["panel", "report", str(folder), "--out", str(tmp_path / "report"), "--experts", "Ada"]
    assert main([*words, "Eve"]) == USAGE
    assert "Eve answered nothing; those who did: Ada, Bob, Cy" in capsys.readouterr().err
    assert main(words) == USAGE
    assert "1 experts have answered; agreement takes 2" in capsys.readouterr().err
    assert main([*words, "Cy"]) == OK
    assert "what 2 experts say" in (tmp_path / "report/index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--inspection-range", "7-2"], "expected two numbers such as 2-7"),
        (["--repeats", "2000"], "expected 0 to 1000"),
        (["--experts", ""], "a name has 1 to 60 printable characters"),
        (
            ["--inspection-range", "3-7"],
            "no drop has 2 inspections or more and a scored image among inspections 3 to 7",
        ),
    ],
)
def test_what_cannot_be_drawn_is_said(
    scores: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(["panel", "draw", "--out", str(tmp_path / "x"), "--scores", str(scores), *words]) == USAGE
    assert said in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_a_panel_is_never_drawn_over_another(folder: Path, scores: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["panel", "draw", "--out", str(folder), "--scores", str(scores)]) == USAGE
    assert "is there already" in capsys.readouterr().err
