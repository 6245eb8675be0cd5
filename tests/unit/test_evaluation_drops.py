"""How well a drop locator does, in figures and on a page."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from crystal_search.datasets.packed import open_dataset
from crystal_search.errors import UserError
from crystal_search.evaluation.drop_judge import WORST, DropJudge, verdict_of
from crystal_search.evaluation.evaluation_report import page_of
from crystal_search.evaluation.image_figures import drop_figures
from crystal_search.evaluation.image_verdicts import DropVerdict
from crystal_search.evaluation.judge import Judged, Options
from crystal_search.evaluation.judge_kinds import Evaluation
from crystal_search.evaluation.known_images import Truth, dataset_truth
from crystal_search.exit_codes import OK, USAGE
from crystal_search.inference import Maps
from crystal_search.main import main
from crystal_search.model import default_models_folder
from crystal_search.model_card import LOGITS, DropCard
from crystal_search.networks.network_kinds import drop_locator_card
from crystal_search.training.checkpoints import save_checkpoint
from crystal_search.training.run_record import RunRecord, write_run
from crystal_search.unet_drop.network import UNet
from crystal_search.unet_drop.regions import overlap
from tests.unit.dataset_files import write_dataset
from tests.unit.evaluation_files import contender, known_image

RECORD = RunRecord(
    role="drop",
    architecture="u-net",
    classes=("drop",),
    normalisation="centred-1",
    working_width_px=256,
    data="masks",
    task="drops",
    command="crystal-search train drop --data masks --out runs/y",
    seed=0,
)


class Bright:
    """Says that all that is brighter than the mean of the image is drop."""

    def __init__(self, card: DropCard) -> None:
        self.card = card

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(20 * (batch - 0.8), np.float32)

    def maps(self, batch: NDArray[np.float32]) -> Maps:
        return {LOGITS: self.logits(batch)}


def verdict(image: str, overlap: float, *, empty: bool = False, found: bool = True, of: str = "") -> DropVerdict:
    true = np.zeros((20, 30), np.bool_)
    true[4:16, 5:25] = not empty
    answer = np.zeros_like(true)
    answer[5:17, 6:26] = True
    known = known_image(image, "no_drop" if empty else "clear", masked=True)
    known = replace(known, name=image, well=of or image)
    return DropVerdict(known, true, answer if found else None, overlap)


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
        "mean intersection over union of drops": (0.4875, 4),
        "median intersection over union of drops": (0.5, 4),
        "drops with at least 0.9": (0.25, 4),
        "drops with at least 0.5": (0.5, 4),
        "drops found": (0.75, 4),
        "empty wells reported empty": (0.6667, 3),
        "empty wells with a false drop": (0.3333, 3),
    }


def test_images_of_one_well_are_drawn_together() -> None:
    alone = [verdict(str(number), (number % 10) / 10) for number in range(60)]
    together = [verdict(str(number), (number % 10) / 10, of=str(number % 10)) for number in range(60)]
    widths = [drop_figures(each)[0].interval for each in (alone, together)]
    assert widths[0].value == widths[1].value
    assert widths[1].high - widths[1].low > 1.8 * (widths[0].high - widths[0].low)  # 10 wells, not 60


def test_figures_without_empty_wells_say_nothing_of_them() -> None:
    assert not any("empty" in measure for measure in figures_of([verdict("a", 0.9)]))


def test_a_locator_that_sees_the_drops_overlaps_them(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path, {}, wells={"test": {"clear": 2, "no_drop": 2}})
    truth = dataset_truth(open_dataset(folder), None, of_drops=True)
    verdicts = [verdict_of(each, Bright(drop_locator_card("bright"))) for each in truth.images]
    assert [each.known.empty for each in verdicts] == [False, False, True, True]
    assert all(0.3 < (each.overlap or 0) < 1 for each in verdicts[:2])  # stripes: only the bright ones are found
    assert verdicts[0].true is not None
    assert verdicts[0].true.mean() == pytest.approx(np.pi * 0.45**2 * 512 / 612, abs=0.01)


def test_validation_images_judge_where_no_test_image_has_a_mask(tmp_path: Path) -> None:
    wells = {"test": {"no_drop": 2}, "validation": {"clear": 1}}
    data = open_dataset(write_dataset(tmp_path / "a", {}, wells=wells))
    assert dataset_truth(data, None, of_drops=True).split == "validation"
    data = open_dataset(write_dataset(tmp_path / "b", {}, wells={"test": {"no_drop": 2}}))
    with pytest.raises(UserError, match=r"no test or validation image of .* has a mask"):
        dataset_truth(data, None, of_drops=True)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return the folder of the training of a drop locator that learnt nothing."""
    torch.manual_seed(0)
    save_checkpoint(tmp_path / "run", 1, UNet(), None, {})
    write_run(tmp_path / "run", RECORD)
    return tmp_path / "run"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_tables_and_page_are_written(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_dataset(tmp_path / "data", {}, wells={"test": {"clear": 2, "no_drop": 1}})
    assert main(["evaluate", str(run), "--data", str(data), "--out", str(tmp_path / "out")]) == OK
    assert [(row["image"], row["drop_there"]) for row in rows(tmp_path / "out" / "drop-wells.csv")] == [
        ("test/well-2000.jpg", "yes"),
        ("test/well-2001.jpg", "yes"),
        ("test/well-2002.jpg", "no"),
    ]
    figures = {row["measure"]: row for row in rows(tmp_path / "out" / "figures.csv")}
    assert figures["mean intersection over union of drops"]["images"] == "2"
    assert "mean intersection over union of drops: " in capsys.readouterr().out
    assert RECORD.command in (tmp_path / "out" / "index.html").read_text()


def test_the_split_that_was_asked_for_is_judged(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_dataset(tmp_path / "data", {}, wells={"test": {"clear": 1}, "validation": {"clear": 3}})
    words = ["evaluate", str(run), "--data", str(data), "--out", str(tmp_path / "out")]
    assert main([*words, "--split", "validation", "--wells", "2"]) == OK
    images = [row["image"] for row in rows(tmp_path / "out" / "drop-wells.csv")]
    assert len(images) == 2
    assert all(image.startswith("validation/") for image in images)
    assert main(words) == USAGE
    assert "--replace" in capsys.readouterr().err
    with pytest.raises(UserError, match=r"no train image of .* has a mask"):
        dataset_truth(open_dataset(data), "train", of_drops=True)


def test_locators_stand_side_by_side_on_any_truth(run: Path, tmp_path: Path) -> None:
    ours = default_models_folder() / "drop-unet-2.card.json"
    words = ["evaluate", str(run), str(ours), "--demo-plate", "--wells", "2", "--out", str(tmp_path / "out")]
    assert main(words) == OK
    found = {row["network"]: float(row["iou"]) for row in rows(tmp_path / "out" / "drop-wells.csv")}
    assert set(found) == {"run", "drop-unet-2"}
    assert found["run"] < 0.5 < found["drop-unet-2"]


def test_the_page_needs_no_other_file_and_shows_the_worst_first() -> None:
    verdicts = tuple(verdict(f"<i>{number:02d}</i>.jpg", 1 - number / 40) for number in range(40))
    truth, net = Truth(name="masks", source="masks", images=[]), contender("net")
    page = page_of(
        Evaluation(
            truth=truth,
            options=Options(),
            command="",
            contenders=(net,),
            chapters=(DropJudge().chapter([Judged(net, verdicts)], truth, Options()),),
            figures={"net": DropJudge().figures(verdicts)},
            warnings=(),
        )
    )
    shown = [part.split("&lt;")[0] for part in page.split("<span>&lt;i&gt;")[1:]]
    assert shown == [f"{number:02d}" for number in range(39, 39 - WORST, -1)]
    assert "<i>" not in page
    assert not [word for word in page.split('"') if word.startswith(("http", "//"))]


def test_overlap_is_one_only_where_masks_agree() -> None:
    mask = np.zeros((8, 8), bool)
    mask[:4] = True
    assert overlap(mask, mask) == 1
    assert overlap(mask, ~mask) == 0
    assert overlap(mask, None) == 0
    assert overlap(np.repeat(mask, 2, axis=1).repeat(2, axis=0), mask) == 1
    assert overlap(mask, np.ones_like(mask)) == 0.5
