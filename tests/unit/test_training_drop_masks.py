"""Masks that people drew: reading them, and training the drop locator on them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from crystal_search.datasets.drawn_masks import mask_png
from crystal_search.datasets.packed import open_dataset
from crystal_search.errors import ModelError, UserError
from crystal_search.main import main
from crystal_search.networks.network_kinds import DROP_LOCATORS
from crystal_search.training import mask_source
from crystal_search.training.checkpoints import BEST
from crystal_search.training.distributed import Group
from crystal_search.training.drops_task import GENTLE_RATE, DropJudge, held_images
from crystal_search.training.learning_curve import PICTURE, curve_rows
from crystal_search.training.mask_source import HEIGHTS_PX, KnownDrop, MaskSource, at_size, known_drop, masked_wells
from crystal_search.training.requests import DropRequest
from crystal_search.training.run_record import read_run
from crystal_search.training.train import train
from crystal_search.unet_drop.network import UNet
from tests.tiny_training import TINY_LOCATOR
from tests.unit.dataset_files import write_dataset

CPU = torch.device("cpu")
WELLS = {"train": {"clear": 3, "precipitate_bad": 2, "no_drop": 2}, "validation": {"clear": 1, "no_drop": 1}}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data"), {}, wells=WELLS)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_coverage_keeps_the_area(rows: int, columns: int, seed: int) -> None:
    mask = np.random.default_rng(seed).random((2 * rows, 3 * columns)) > 0.5
    share = at_size(255 * mask.astype(np.uint8), rows, columns)
    assert share.mean() / 255 == pytest.approx(mask.mean(), abs=0.003)


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


def source_of(data: Path, seed: int) -> MaskSource:
    source = MaskSource(open_dataset(data), seed)
    source.refresh()
    return source


def test_batches_show_drops_and_empty_wells(data: Path) -> None:
    views, drops = source_of(data, 0).batch(0, 24)
    assert views.shape == drops.shape
    assert (len(views), views.shape[3]) == (24, 256)
    assert views.shape[2] in HEIGHTS_PX
    filled = drops.flatten(1).any(dim=1)
    assert 0 < int((~filled).sum()) < 12
    with_both = [(view, drop) for view, drop in zip(views, drops > 0.5, strict=True) if 0 < drop.float().mean() < 1]
    assert len(with_both) > 6  # a near view may show nothing but drop
    for view, drop in with_both:
        assert view[drop].mean() > view[~drop].mean()  # the drops are lighter than what is around them


@pytest.fixture
def one_drop(monkeypatch: pytest.MonkeyPatch) -> KnownDrop:
    """Show nothing but one image, 512 x 612 px, with a wide drop up and left of its middle, in views of its shape."""
    share = np.zeros((512, 612), np.uint8)
    share[100:160, 60:300] = 255
    known = KnownDrop(np.where(share > 0, 140, 90).astype(np.uint8), share)
    monkeypatch.setattr(mask_source, "known_drop", lambda *_: known)
    monkeypatch.setattr(mask_source, "EMPTY_SHARE", 0.0)
    monkeypatch.setattr(mask_source, "HEIGHTS_PX", (214,))
    return known


def test_views_of_a_batch_are_near_and_far(data: Path, one_drop: KnownDrop) -> None:
    _, drops = source_of(data, 0).batch(0, 48)
    assert drops[:24].mean(dim=(1, 2, 3)).max() > 2 * one_drop.mask.mean()  # the others are turned, and cut off


@pytest.mark.usefixtures("one_drop")
def test_views_of_a_batch_are_mirrored_turned_and_recorded_differently(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mask_source, "WHOLE_SHARE", 1.0)
    views, drops = source_of(data, 0).batch(0, 48)
    places = [np.argwhere(each > 0.5) for each in drops[:, 0].numpy()]
    assert [tall > wide for tall, wide in (np.ptp(each, axis=0) for each in places)] == [False] * 24 + [True] * 24
    assert len({tuple(each.mean(axis=0) > (107, 128)) for each in places[:24]}) == 4
    contrasts = [float(views[n][drops[n] > 0.9].mean() - views[n][drops[n] < 0.1].mean()) for n in range(24)]
    assert max(contrasts) > 1.1 * min(contrasts) > 0


def test_the_same_step_gives_the_same_batch(data: Path) -> None:
    one, other = (source_of(data, 3) for _ in range(2))
    other.batch(4, 2)  # now it keeps images that the first has not decoded yet
    for mine, its in zip(one.batch(5, 3), other.batch(5, 3), strict=True):
        torch.testing.assert_close(mine, its, rtol=0, atol=0)


def test_a_dataset_without_masks_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_dataset(tmp_path / "data", wells={"train": {"no_drop": 2}})
    assert main(["train", "drops", "--data", str(folder), "--out", str(tmp_path / "run")]) == 2
    assert "has a mask of its drop; draw some" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_folder_that_is_no_data_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "drops", "--data", str(tmp_path), "--out", str(tmp_path / "run")]) == 2
    assert "no dataset in" in capsys.readouterr().err


def test_drops_are_judged_by_their_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([0.5, 0.8])
    monkeypatch.setattr("crystal_search.training.drops_task.overlap", lambda *_: next(answers))
    held = KnownDrop(np.zeros((208, 256), np.uint8), np.full((208, 256), 255, np.uint8))
    verdict = DropJudge([held, held], Group(CPU))(UNet())
    assert verdict.figures == {"validation_iou": 0.65}
    assert verdict.falls == pytest.approx(0.35)


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a small training, as people run it."""
    out = tmp_path_factory.mktemp("runs") / "drops"
    words = ["--steps", "4", "--batch-size", "2", "--validate-every", "2", "--device", "cpu"]
    assert main(["train", "drops", "--data", str(data), "--out", str(out), *words]) == 0
    return out


def test_training_on_masks_leaves_a_record_a_curve_and_the_best_weights(run: Path) -> None:
    record = read_run(run)
    assert (record.role, record.architecture, record.task) == ("drop", "u-net", "drops")
    assert (record.normalisation, record.working_width_px, record.classes) == ("centred-1", 256, ("drop",))
    rows = curve_rows(run)
    assert [row["step"] for row in rows] == ["2", "4"]
    assert all(0 <= float(row["validation_iou"]) <= 1 for row in rows)
    assert (run / PICTURE).read_bytes().startswith(b"\x89PNG")
    assert (run / BEST).exists()
    assert list((run / "tensorboard").iterdir())


def test_photographs_are_learnt_from_shipped_weights_gently(run: Path) -> None:
    assert float(curve_rows(run)[-1]["rate"]) == pytest.approx(GENTLE_RATE * 0.005, rel=1e-3)


def test_shipped_weights_that_a_training_only_makes_worse_stay_the_best(data: Path, tmp_path: Path) -> None:
    train("drops", request(data, tmp_path / "run", steps=2, rate=5.0))
    assert torch.load(tmp_path / "run" / BEST, weights_only=True)["step"] == 0


def request(data: Path, out: Path, **options: Any) -> DropRequest:
    usual: dict[str, Any] = {"batch_size": 1, "validate_every": 2, "device": "cpu", "quiet": True}
    return DropRequest(data=data, out=out, **usual | options)


def test_shipped_weights_are_those_of_one_network(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DROP_LOCATORS, TINY_LOCATOR.name, TINY_LOCATOR)
    with pytest.raises(ModelError, match=r"drop-unet-2\.onnx is of another network than the one to train; .* u-net"):
        train("drops", request(data, tmp_path / "run", network=TINY_LOCATOR.name))


def test_what_is_validated_on_comes_from_the_whole_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crystal_search.training.drops_task.MOST_VALIDATED", 4)
    wells = {"train": {"clear": 1}, "validation": {"clear": 6, "no_drop": 6}}
    held = held_images(open_dataset(write_dataset(tmp_path, {}, wells=wells)))
    assert {bool(each.mask.any()) for each in held} == {True, False}  # by the seed of the sample
    assert len(held) == 4


def test_another_dataset_does_not_go_on_with_a_training(data: Path, run: Path, tmp_path: Path) -> None:
    other = write_dataset(tmp_path / "other", {}, wells={"train": {"other": 1}, "validation": {"other": 1}})
    with pytest.raises(UserError, match="not the dataset that the training began with"):
        train("drops", request(other, run, steps=6, batch_size=2, resume=True))
