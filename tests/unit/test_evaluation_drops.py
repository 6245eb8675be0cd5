"""How well a drop locator does, in figures and on a page."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from crystal_search.datasets.packed import WellRow, open_dataset
from crystal_search.errors import UserError
from crystal_search.evaluation.drop_evaluation import (
    FIGURES,
    PAGE,
    WELLS,
    drop_figures,
    evaluate_drop,
    judged_split,
    verdicts_of,
)
from crystal_search.evaluation.drop_page import WORST, DropEvaluation, drop_page
from crystal_search.evaluation.drop_verdicts import DropVerdict
from crystal_search.model_card import DropCard
from crystal_search.networks.cards import drop_locator_card
from crystal_search.training.checkpoints import save_checkpoint
from crystal_search.training.run_record import RunRecord, write_run
from crystal_search.unet_drop.network import UNet
from tests.unit.dataset_files import write_dataset

RECORD = RunRecord(
    kind="drop_locator",
    architecture="u-net",
    classes=("drop",),
    normalisation="centred-1",
    working_width_px=256,
    data="masks",
    taught_by="masks",
    command="crystal-search train drop --data masks --out runs/y",
    seed=0,
)


class Bright:
    """Says that all that is brighter than the mean of the image is drop."""

    def __init__(self, card: DropCard) -> None:
        self.card = card

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(20 * (batch - 0.8), np.float32)


def well(image: str, name: str = "") -> WellRow:
    return WellRow(
        key=image, outcome="clear", image=image, well=name or image, plate="", shard="", parts="",
    )  # fmt: skip


def verdict(image: str, overlap: float, *, empty: bool = False, found: bool = True, of: str = "") -> DropVerdict:
    true = np.zeros((20, 30), np.bool_)
    true[4:16, 5:25] = not empty
    answer = np.zeros_like(true)
    answer[5:17, 6:26] = True
    return DropVerdict(well(image, of), np.full((20, 30), 90, np.uint8), true, answer if found else None, overlap)


def figures_of(verdicts: list[DropVerdict]) -> dict[str, tuple[float, int]]:
    return {each.measure: (round(each.interval.value, 4), each.count) for each in drop_figures(verdicts)}


def test_figures_by_hand() -> None:
    verdicts = [
        verdict("a", 0.95),
        verdict("b", 0.6),
        verdict("c", 0.0, found=False),
        verdict("d", 0.4),
        verdict("e", 1.0, empty=True, found=False),
        verdict("f", 0.0, empty=True),
        verdict("g", 1.0, empty=True, found=False),
    ]
    assert figures_of(verdicts) == {
        "mean intersection over union": (0.4875, 4),
        "median intersection over union": (0.5, 4),
        "drops with at least 0.9": (0.25, 4),
        "drops with at least 0.5": (0.5, 4),
        "drops found": (0.75, 4),
        "empty wells reported empty": (0.6667, 3),
        "empty wells with a false drop": (0.3333, 3),
    }


def test_images_of_one_well_are_drawn_together() -> None:
    alone = [verdict(str(number), (number % 10) / 10) for number in range(60)]
    together = [replace(each, row=replace(each.row, well=str(number % 10))) for number, each in enumerate(alone)]
    widths = [drop_figures(each)[0].interval for each in (alone, together)]
    assert widths[0].value == widths[1].value
    assert widths[1].high - widths[1].low > 1.8 * (widths[0].high - widths[0].low)  # 10 wells, not 60


def test_figures_without_empty_wells_say_nothing_of_them() -> None:
    assert not any("empty" in measure for measure in figures_of([verdict("a", 0.9)]))


def test_a_locator_that_sees_the_drops_overlaps_them(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path, {}, wells={"test": {"clear": 2, "no_drop": 2}})
    verdicts = list(verdicts_of(open_dataset(folder), "test", Bright(drop_locator_card("bright"))))
    assert [each.empty for each in verdicts] == [False, False, True, True]
    assert all(0.3 < each.overlap < 1 for each in verdicts[:2])  # stripes: only the bright ones are found
    assert verdicts[0].true.mean() == pytest.approx(np.pi * 0.45**2 * 512 / 612, abs=0.01)


def test_validation_images_judge_where_no_test_image_has_a_mask(tmp_path: Path) -> None:
    wells = {"test": {"no_drop": 2}, "validation": {"clear": 1}}
    assert judged_split(open_dataset(write_dataset(tmp_path / "a", {}, wells=wells))) == "validation"
    with pytest.raises(UserError, match=r"no test or validation image of .* has a mask"):
        judged_split(open_dataset(write_dataset(tmp_path / "b", {}, wells={"test": {"no_drop": 2}})))


def test_tables_and_page_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_dataset(tmp_path / "data", {}, wells={"test": {"clear": 2, "no_drop": 1}})
    torch.manual_seed(0)
    save_checkpoint(tmp_path / "run", 1, UNet(), None, {})
    write_run(tmp_path / "run", RECORD)
    assert evaluate_drop(tmp_path / "run", open_dataset(data), tmp_path / "out") == tmp_path / "out" / PAGE
    with (tmp_path / "out" / WELLS).open() as file:
        wells = list(csv.DictReader(file))
    assert [(row["image"], row["drop"]) for row in wells] == [
        ("test/well-2000.jpg", "yes"),
        ("test/well-2001.jpg", "yes"),
        ("test/well-2002.jpg", "no"),
    ]
    with (tmp_path / "out" / FIGURES).open() as file:
        figures = {row["measure"]: row for row in csv.DictReader(file)}
    assert figures["mean intersection over union"]["images"] == "2"
    assert "mean intersection over union: " in capsys.readouterr().out
    assert RECORD.command in (tmp_path / "out" / PAGE).read_text()


def test_the_split_that_was_asked_for_is_judged(tmp_path: Path) -> None:
    data = open_dataset(write_dataset(tmp_path / "data", {}, wells={"test": {"clear": 1}, "validation": {"clear": 3}}))
    save_checkpoint(tmp_path / "run", 1, UNet(), None, {})
    write_run(tmp_path / "run", RECORD)
    evaluate_drop(tmp_path / "run", data, tmp_path / "out", split="validation", wells=2)
    with (tmp_path / "out" / WELLS).open() as file:
        judged_images = [row["image"] for row in csv.DictReader(file)]
    assert len(judged_images) == 2
    assert all(image.startswith("validation/") for image in judged_images)
    with pytest.raises(UserError, match=r"out is there already"):
        evaluate_drop(tmp_path / "run", data, tmp_path / "out")
    with pytest.raises(UserError, match=r"no train image of .* has a mask"):
        judged_split(data, "train")


def test_the_training_of_a_classifier_is_refused(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data", {}, wells={"test": {"clear": 1}})
    write_run(tmp_path / "run", replace(RECORD, kind="classifier", architecture="squeezenet"))
    with pytest.raises(UserError, match="the training of a classifier, expected one of a drop locator"):
        evaluate_drop(tmp_path / "run", open_dataset(data), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_page_needs_no_other_file_and_shows_the_worst_first() -> None:
    verdicts = [verdict(f"<i>{number:02d}</i>.jpg", 1 - number / 40) for number in range(40)]
    page = drop_page(
        DropEvaluation(
            record=RECORD, run="runs/y", data="masks", split="test", verdicts=verdicts, figures=drop_figures(verdicts)
        )
    )
    shown = [part.split("&lt;")[0] for part in page.split('<span class="dim">&lt;i&gt;')[1:]]
    assert shown == [f"{number:02d}" for number in range(39, 39 - WORST, -1)]
    assert "<i>" not in page
    assert not [word for word in page.split('"') if word.startswith(("http", "//"))]
