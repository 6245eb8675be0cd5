"""Tables of photographs whose truth people wrote down."""

import csv
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from crystal_search.adaptation.labelled import NOT_CRYSTAL
from crystal_search.bootstrap import Interval
from crystal_search.errors import UserError
from crystal_search.evaluation.image_figures import classifier_figures
from crystal_search.evaluation.image_judge import mistakes
from crystal_search.evaluation.image_tables import image_table, source_table
from crystal_search.evaluation.image_verdicts import ImageVerdict
from crystal_search.evaluation.known_images import labelled_photographs, photograph_truth
from crystal_search.evaluation.label_table import read_labels
from crystal_search.exit_codes import OK, USAGE
from crystal_search.main import main
from crystal_search.synthesis.seeds import WellSeed
from crystal_search.synthesis.wells.rendered_well import render_well
from tests.unit.evaluation_files import judged_images, scored_image

AUROC = "AUROC of crystal against no crystal"


def verdict(
    label: str,
    answer: str,
    crystal: float,
    *,
    source: str = "a",
    overlap: float | None = None,
    error: str | None = None,
) -> ImageVerdict:
    """A verdict as the models would give it; no drop where the answer is ``no_drop``."""
    name = f"{source}-{label}-{answer}-{crystal}"
    peaks = () if answer == "no_drop" or error else (crystal, 0.1, 0.1, 0.1)
    found = scored_image(name, label, peaks, error=error, likeliest=answer, source=source, overlap=overlap)
    return replace(found, peaks=() if error else (crystal, 0.1, 0.1, 0.1))


def write(folder: Path, text: str, *files: str) -> Path:
    for name in files:
        Pillow.new("RGB", (200, 160)).save(folder / name)
    (folder / "labels.csv").write_text(text)
    return folder / "labels.csv"


def test_labels_are_outcomes_groups_and_less(tmp_path: Path) -> None:
    text = "file,label,source,mask\na.png,crystal_bad_form,,\nb.png,Crystal,imager 2,a.png\nc.png,no-drop,,\n"
    labels, ignored = labelled_photographs([write(tmp_path, text, "a.png", "b.png", "c.png", "d.png")], tmp_path)
    assert [each.label for each in labels] == ["crystal_bad_form", "crystal", "no_drop"]
    assert [each.outcome for each in labels] == ["crystal_bad_form", None, None]
    assert [each.crystal for each in labels] == [True, True, False]
    assert [each.empty for each in labels] == [False, False, True]
    assert [each.source for each in labels] == ["photographs", "imager 2", "photographs"]
    assert [each.masked for each in labels] == [False, True, True]
    assert ignored == 1


@pytest.mark.parametrize(
    ("text", "label", "group"),
    [
        ("file,outcome\na.png,crystal_bad_form\n", "crystal_bad_form", 0),
        ("Path;Score\na.png;21\n", "crystal_overnucleated", 0),  # XtalTrak's number
        ("image,class\na.png,Precipitates\n", "precipitate", 1),
        ("filename,group\na.png,Crystals\n", "crystal", 0),  # a group: nobody knows which of its outcomes
        ("file name,label\na.png,3D crystals\n", "crystal_harvestable", 0),  # of VMXi
        ("file,label\na.png,no crystal\n", "no_crystal", NOT_CRYSTAL),
        ("file,outcome\na.png,No drop\n", "no_drop", NOT_CRYSTAL),
        ("file,outcome\na.png,yes\n", "crystal", 0),
        ("file,is_crystal\na.png,Y\n", "crystal", 0),
        ("file,crystals\na.png,0\n", "no_crystal", NOT_CRYSTAL),
    ],
)
def test_adapt_and_evaluate_understand_the_same(text: str, label: str, group: int, tmp_path: Path) -> None:
    table = write(tmp_path, text, "a.png")
    (known,) = photograph_truth(tmp_path, [table], None).images
    (file,) = read_labels([table], tmp_path)
    assert (known.label, file.label, file.group) == (label, label, group)
    assert known.crystal is (group == 0)


def test_plates_and_drops_of_a_table_are_those_that_are_drawn_with(tmp_path: Path) -> None:
    for plate in ("p1", "p2"):
        (tmp_path / plate).mkdir()
    text = "file,crystal,well\np1/a.png,yes,A1\np1/b.png,no,A1\np2/c.png,yes,A1\np2/d.png,no,\n"
    images, _ = labelled_photographs([write(tmp_path, text, "p1/a.png", "p1/b.png", "p2/c.png", "p2/d.png")], tmp_path)
    assert [each.drawn_with for each in images] == ["p1 A1", "p1 A1", "p2 A1", "p2/d.png"]
    assert [each.plate for each in images] == ["p1", "p1", "p2", "p2"]


def test_of_several_tables_the_last_line_with_a_label_counts(tmp_path: Path) -> None:
    first = write(
        tmp_path, "file,label\na.png,clear\nb.png,clear\n./a.png,crystal\nc.png,\n", "a.png", "b.png", "c.png"
    )
    second = tmp_path / "second.csv"
    second.write_text("file;crystal\nb.png;yes\na.png;\n")
    images, ignored = labelled_photographs([first, second], tmp_path)
    assert [(each.name, each.label) for each in images] == [("a.png", "crystal"), ("b.png", "crystal")]
    assert ignored == 1  # nobody says what c.png shows


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,truth\na.png,clear\n", "neither a column outcome nor a column crystal"),
        ("file,label\na.png,salt\n", "line 2: nobody knows the outcome 'salt'; write one of crystal_harvestable"),
        ("file,label\na.png,rim\n", "line 2: nobody knows the outcome 'rim'"),
        ("file,label\nb.png,clear\n", "line 2: no file 'b.png' in "),
        ("file,label\n", "lists no image"),
        ("file,label,mask\na.png,clear,m.png\n", "line 2: no file 'm.png' in "),
        ("file,label,crystal\na.png,no_crystal,yes\n", "line 2: 'no_crystal' contradicts 'yes' in column crystal"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        labelled_photographs([write(tmp_path, text, "a.png")], tmp_path)


def test_a_folder_named_as_what_only_chops_show_is_a_class(tmp_path: Path) -> None:
    (tmp_path / "rim").mkdir()
    (file,) = read_labels([write(tmp_path, "file,label\nrim/a.png,clear\n", "rim/a.png")], tmp_path)
    assert file.label == "clear"


def test_figures_by_source_against_a_count_by_hand() -> None:
    found = [
        verdict("crystal", "crystal_harvestable", 0.9),
        verdict("crystal_bad_form", "clear", 0.4),
        verdict("no_crystal", "crystal_bad_form", 0.6),
        verdict("precipitate", "precipitate", 0.2, overlap=0.8),
        verdict("clear", "no_drop", 0.0),
        verdict("clear", "unreadable", 0.0, error="broken"),
        verdict("no_drop", "no_drop", 0.1, source="b"),
        verdict("no_drop", "clear", 0.3, source="b"),
    ]
    rows = {(row["source"], row["measure"]): row for row in source_table([judged_images(found)]).records()}
    told = {
        key: (round(float(row["value"] or 0) * int(row["images"] or 0)), row["images"]) for key, row in rows.items()
    }
    assert told["a", "drops found"] == (4, 5)  # one of six cannot be read
    assert told["a", "crystal wells called crystal"] == (1, 2)
    assert told["a", "other wells called crystal"] == (1, 3)
    assert rows["a", AUROC]["value"] == pytest.approx(5 / 6, abs=1e-5)  # of 2 x 3 pairs one is the wrong way round
    assert told["a", "4-group accuracy of wells with a drop"] == (2, 4)
    assert told["a", "12-outcome accuracy of wells with a drop"] == (1, 3)
    assert rows["a", "mean intersection over union of drops"]["value"] == pytest.approx(0.8)
    assert rows["a", "mean intersection over union of drops"]["images"] == 1
    assert told["b", "empty wells reported empty"] == (1, 2)
    assert ("b", "drops found") not in rows
    assert ("b", AUROC) not in rows
    assert told["a", "images that cannot be read"] == (1, 6)
    assert (rows["a", "seconds an image"]["value"], rows["a", "seconds an image"]["images"]) == (0.5, 5)


def separation(found: list[ImageVerdict]) -> Interval | None:
    return next((each.interval for each in classifier_figures(found) if each.measure == AUROC), None)


def test_separation_has_an_interval_that_holds_it() -> None:
    generator = np.random.default_rng(0)
    found = [verdict("crystal", "clear", float(x)) for x in generator.normal(0.6, 0.2, 30)]
    found += [verdict("clear", "clear", float(x)) for x in generator.normal(0.4, 0.2, 30)]
    area = separation(found)
    assert area is not None
    assert 0.5 < area.low < area.value < area.high < 1
    assert separation(found[:30]) is None


def test_mistakes_come_with_the_worst_first() -> None:
    found = [
        verdict("clear", "crystal_bad_form", 0.5),
        verdict("clear", "crystal_bad_form", 0.9),
        verdict("crystal", "clear", 0.3),
        verdict("clear", "no_drop", 0.0),
        verdict("no_drop", "clear", 0.0),
        verdict("clear", "clear", 0.0),
    ]
    kinds = mistakes(found, 0.85)
    assert [each.crystal_peak for each in kinds["Called crystal without one"]] == [0.9, 0.5]
    assert [len(each) for each in kinds.values()] == [1, 2, 1, 1]
    assert image_table([judged_images(found)], 0.85).records()[0]["p_crystal"] == 0.5


def test_a_report_is_written_for_rendered_wells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["file,label,source,mask"]
    for number, outcome in enumerate(("crystal_harvestable", "clear", None)):
        well = render_well(WellSeed("test", number), outcome=outcome, height_px=480, width_px=600)
        Pillow.fromarray(well.image).save(tmp_path / f"{number}.png")
        Pillow.fromarray(255 * well.drop_mask.astype(np.uint8)).save(tmp_path / f"mask{number}.png")
        lines.append(f"{number}.png,{outcome or 'no_drop'},one,{'' if outcome is None else f'mask{number}.png'}")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    (tmp_path / "labels.csv").write_text("\n".join([*lines, "broken.png,clear,two,"]))
    out = tmp_path / "report"
    words = ["--photographs", str(tmp_path), "--labels", str(tmp_path / "labels.csv"), "--out", str(out)]
    assert main(["evaluate", *words, "--workers", "1"]) == OK
    assert "models: drops found: " in capsys.readouterr().out
    assert {row["source"] for row in csv.DictReader((out / "sources.csv").read_text().splitlines())} == {"one", "two"}
    wells = list(csv.DictReader((out / "wells.csv").read_text().splitlines()))
    assert [each["truth"] for each in wells] == ["crystal_harvestable", "clear", "no_drop", "clear"]
    assert wells[3]["error"]
    assert 0 <= float(wells[0]["p_crystal"]) <= 1
    assert not math.isnan(float(wells[0]["iou"]))
    page = (out / "index.html").read_text()
    assert "outlines-one-1.png" in page
    assert "Not readable: 1" in page
    with Pillow.open(out / "outlines-one-1.png") as sheet:
        assert sheet.size == (3 * 306, 256)


def test_a_folder_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--photographs", str(tmp_path / "no"), "--labels", str(tmp_path / "x.csv"), "--out", str(tmp_path / "r")]
    assert main(["evaluate", *words]) == USAGE
    assert "is no folder" in capsys.readouterr().err
