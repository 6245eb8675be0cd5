"""Masks that people drew: reading them, and training the drop locator on them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from crystal_search.datasets.drawn_masks import mask_png
from crystal_search.datasets.packed import open_dataset
from crystal_search.errors import ModelError, UserError
from crystal_search.inference import OnnxNetwork
from crystal_search.main import main
from crystal_search.model import default_model
from crystal_search.model_card import ClassifierCard, DropCard
from crystal_search.training.cell_training import CURVE, Plan, Whereabouts
from crystal_search.training.checkpoints import BEST
from crystal_search.training.learning_curve import PICTURE, curve_rows
from crystal_search.training.mask_source import MaskSource, coverage_at, known_drop, masked_wells
from crystal_search.training.run_record import read_run
from crystal_search.training.shipped_weights import begin_with
from crystal_search.training.train_drops import DropExaminer, Held, taught_by, train_drop_locator
from crystal_search.unet_drop.network import UNet
from tests.unit.dataset_files import write_dataset

WELLS = {"train": {"clear": 3, "precipitate_bad": 2, "no_drop": 2}, "validation": {"clear": 1, "no_drop": 1}}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data"), {}, wells=WELLS)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_coverage_keeps_the_area(rows: int, columns: int, seed: int) -> None:
    mask = np.random.default_rng(seed).random((2 * rows, 3 * columns)) > 0.5
    assert coverage_at(mask, rows, columns).mean() / 255 == pytest.approx(mask.mean(), abs=0.003)


def test_wells_without_a_mask_are_not_trained_on(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = open_dataset(data)
    rows = dataset.wells("train")
    unmasked = (replace(rows[0], parts=rows[0].parts.split()[0]), *rows[1:])
    monkeypatch.setattr(dataset, "wells", lambda _: unmasked)
    assert len(masked_wells(dataset, "train")) == len(rows) - 1 == 6


def test_a_mask_of_another_image_is_refused(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = open_dataset(data)
    monkeypatch.setattr(dataset, "mask", lambda _: mask_png(np.ones((8, 10), np.bool_)))
    with pytest.raises(UserError, match="10 x 8 px, other proportions than the image"):
        known_drop(dataset, dataset.wells("train")[0], 256)


def test_batches_show_drops_and_empty_wells(data: Path) -> None:
    views, drops = MaskSource(open_dataset(data), seed=0).batch(0, 24)
    assert views.shape == drops.shape == (24, 1, 224, 256)
    filled = drops.flatten(1).any(dim=1)
    assert 0 < int((~filled).sum()) < 12
    for view, drop in zip(views[filled], drops[filled] > 0.5, strict=True):
        assert view[drop].mean() > view[~drop].mean()  # the drops are lighter than what is around them


def test_the_same_step_gives_the_same_batch(data: Path) -> None:
    one, other = (MaskSource(open_dataset(data), seed=3) for _ in range(2))
    other.batch(4, 2)  # now it keeps images that the first has not decoded yet
    for mine, its in zip(one.batch(5, 3), other.batch(5, 3), strict=True):
        torch.testing.assert_close(mine, its, rtol=0, atol=0)


def test_a_dataset_without_masks_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_dataset(tmp_path / "data", wells={"train": {"no_drop": 2}})
    assert main(["train", "drop", "--data", str(folder), "--out", str(tmp_path / "run")]) == 2
    assert "has a mask of its drop; draw some" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_folder_that_is_no_data_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "drop", "--data", str(tmp_path), "--out", str(tmp_path / "run")]) == 2
    assert "neither a packed dataset nor a folder of rendered wells" in capsys.readouterr().err


def test_the_shipped_weights_answer_as_the_shipped_file() -> None:
    model, network = default_model(DropCard), UNet()
    views = torch.randn(3, 1, 64, 96, generator=torch.Generator().manual_seed(0))
    begin_with(model, network, views)
    expected = OnnxNetwork(model).logits(views.numpy())
    with torch.no_grad():
        answer = network.eval()(views)
        in_training = network.train()(views)
    np.testing.assert_allclose(answer.numpy(), expected, rtol=0, atol=1e-4)
    # In training the statistics are those of the batch, the very one from which they were taken.
    np.testing.assert_allclose(in_training.numpy(), expected, rtol=0, atol=0.05)


def test_a_file_of_another_network_is_no_beginning() -> None:
    with pytest.raises(ModelError, match="another network than the U-Net"):
        begin_with(default_model(ClassifierCard), UNet(), torch.zeros(1, 1, 32, 32))


class TestExaminer:
    def test_it_keeps_the_best_and_ends(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        mask = np.ones((208, 256), np.bool_)
        answers = iter([0.5, 0.8, 0.7, 0.6])
        monkeypatch.setattr("crystal_search.training.train_drops.overlap", lambda *_: next(answers))
        examiner = DropExaminer([Held(np.zeros((208, 256), np.uint8), mask)], tmp_path, patience=2)
        kept = []
        for step in range(1, 5):
            assert not examiner.ended
            examiner.examine(step, UNet())
            kept.append(torch.load(tmp_path / BEST, weights_only=True)["step"])
        assert kept == [1, 2, 2, 2]
        assert examiner.ended

    def test_it_remembers_by_the_checkpoint(self, tmp_path: Path) -> None:
        examiner, other = (DropExaminer([], tmp_path, patience=2) for _ in range(2))
        for loss in (0.5, 0.2, 0.3):
            examiner.stagnation.see(loss)
        other.restore(examiner.state())
        assert other == examiner
        assert not other.ended


def test_training_on_masks_leaves_a_record_a_curve_and_the_best_weights(data: Path, tmp_path: Path) -> None:
    words = ["--steps", "4", "--batch-size", "2", "--validate-every", "2"]
    assert main(["train", "drop", "--data", str(data), "--out", str(tmp_path / "run"), *words]) == 0
    record = read_run(tmp_path / "run")
    assert (record.kind, record.architecture, record.taught_by) == ("drop_locator", "u-net", "masks")
    assert (record.normalisation, record.working_width_px, record.classes) == ("centred-1", 256, ("drop",))
    rows = curve_rows(tmp_path / "run")
    assert [row["step"] for row in rows] == ["2", "4"]
    assert all(0 <= float(row["validation_iou"]) <= 1 for row in rows)
    assert (tmp_path / "run" / PICTURE).read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "run" / BEST).exists()


def test_weights_that_a_training_only_makes_worse_stay_the_best(data: Path, tmp_path: Path) -> None:
    plan = Plan(steps=2, batch_size=1, peak_rate=5.0, steps_per_epoch=2)
    train_drop_locator(data, plan, Whereabouts(tmp_path), shipped=True)
    assert torch.load(tmp_path / BEST, weights_only=True)["step"] == 0


def test_a_training_that_was_stopped_ends_as_one_that_was_not(data: Path, tmp_path: Path) -> None:
    plan = Plan(steps=4, batch_size=2, peak_rate=1e-3, steps_per_epoch=2, steps_per_checkpoint=3)
    whole = train_drop_locator(data, plan, Whereabouts(tmp_path / "whole"))
    with pytest.raises(KeyboardInterrupt):
        _stopped_after(3, data, plan, tmp_path / "stopped")
    resumed = train_drop_locator(data, plan, Whereabouts(tmp_path / "stopped", resume=True))
    for mine, its in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        torch.testing.assert_close(mine, its, rtol=0, atol=0)
    columns = [(row["step"], row["validation_iou"]) for row in curve_rows(tmp_path / "whole")]
    assert columns == [(row["step"], row["validation_iou"]) for row in curve_rows(tmp_path / "stopped")]
    assert (tmp_path / "stopped" / CURVE).exists()


def _stopped_after(steps: int, data: Path, plan: Plan, folder: Path) -> None:
    def batch(self: MaskSource, step: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
        if step == steps:
            raise KeyboardInterrupt
        return untouched(self, step, size)

    untouched = MaskSource.batch
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MaskSource, "batch", batch)
        train_drop_locator(data, plan, Whereabouts(folder))


def test_what_is_validated_on_comes_from_the_whole_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crystal_search.training.train_drops.MOST_VALIDATED", 4)
    wells = {"train": {"clear": 1}, "validation": {"clear": 6, "no_drop": 6}}
    _, held = taught_by(write_dataset(tmp_path, {}, wells=wells), seed=0)
    assert {bool(each.mask.any()) for each in held} == {True, False}  # by the seed of the sample
    assert len(held) == 4


def test_another_dataset_does_not_go_on_with_a_training(data: Path, tmp_path: Path) -> None:
    plan = Plan(steps=1, batch_size=1, peak_rate=1e-3)
    train_drop_locator(data, plan, Whereabouts(tmp_path / "run"))
    other = write_dataset(tmp_path / "other", {}, wells={"train": {"other": 1}, "validation": {"other": 1}})
    with pytest.raises(UserError, match="not the dataset that the training began with"):
        train_drop_locator(other, replace(plan, steps=2), Whereabouts(tmp_path / "run", resume=True))
