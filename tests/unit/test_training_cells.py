"""Training on rendered wells: crops of them, and what a training on their cells leaves."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from crystal_search.datasets.packed import GREY, open_dataset
from crystal_search.errors import UnknownNameError, UserError
from crystal_search.images import normalised
from crystal_search.networks.network_kinds import CLASSIFIER_NORMALISATION
from crystal_search.outcomes import OUTCOMES
from crystal_search.training import cells_task, loop, losses
from crystal_search.training.checkpoints import BEST, load_trained
from crystal_search.training.crops import CropSource
from crystal_search.training.learning_curve import curve_rows
from crystal_search.training.requests import CellRequest
from crystal_search.training.run_record import read_run
from crystal_search.training.train import train
from tests.unit.dataset_files import write_dataset, write_rendered
from tests.unit.networks_fakes import CRYSTAL, fake_well


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    wells = [fake_well(number) for number in range(12)]
    return write_rendered(tmp_path_factory.mktemp("shards"), train=[wells[:8]], validation=[wells[8:]])


def crops_of(data: Path, **options: Any) -> CropSource:
    source = CropSource(open_dataset(data), 0, 256, **options)
    source.refresh()
    return source


def test_a_crop_holds_the_numbers_that_the_client_sees(shards: Path) -> None:
    source = crops_of(shards, augmented=False)
    views, outcomes = source.batch(0, 6)
    assert (views.shape, outcomes.shape) == ((6, 1, 256, 256), (6, 64, 64))
    rows = source.dataset.wells("train")
    whole = [normalised(np.array(source.dataset.array(row, GREY)), CLASSIFIER_NORMALISATION) for row in rows]
    for view in views[:, 0].numpy():
        assert min(_least_difference(view, each) for each in whole) < 0.001


def _least_difference(view: np.ndarray, whole: np.ndarray) -> float:
    rows, columns = (range(0, side - 256 + 1, 4) for side in whole.shape)
    return min(float(np.abs(view[::64] - whole[r : r + 256 : 64, c : c + 256]).max()) for r in rows for c in columns)


def test_the_same_step_gives_the_same_crops_and_another_step_others(shards: Path) -> None:
    source = crops_of(shards)
    one, same, other = source.batch(4, 2)[0], source.batch(4, 2)[0], source.batch(5, 2)[0]
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_rare_outcomes_are_aimed_at(shards: Path) -> None:
    source = crops_of(shards)
    _, outcomes = source.batch(0, 40)
    assert (outcomes == CRYSTAL).flatten(1).any(dim=1).float().mean() > 0.3


def request(shards: Path, out: Path, **options: Any) -> CellRequest:
    usual: dict[str, Any] = {"steps": 4, "batch_size": 2, "validate_every": 2, "device": "cpu", "quiet": True}
    return CellRequest(data=shards, out=out, **usual | options)


@pytest.fixture(scope="module")
def run(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a small training."""
    out = tmp_path_factory.mktemp("runs") / "squeezenet"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "add_events", lambda *_: None)
        patch.setattr(cells_task, "HELD_CROPS", 4)
        train("cells", request(shards, out))
    return out


def test_the_classifier_learns_on_a_few_wells(run: Path) -> None:
    falling = [float(row["train_loss"]) for row in curve_rows(run)]
    assert falling[1] < falling[0]
    assert {"train_cell", "train_chop", "train_alarm", "train_texture", "validation_loss"} <= curve_rows(run)[0].keys()


def test_a_kept_lower_half_gives_the_same_features_while_the_upper_one_learns(
    run: Path, shards: Path, tmp_path: Path
) -> None:
    train("cells", request(shards, tmp_path / "run", start_from=run, steps=2, keep_lowest=True))
    before, after = (load_trained(folder).network for folder in (run, tmp_path / "run"))
    views = torch.randn(1, 1, 256, 256)
    with torch.inference_mode():
        (logits, features), (new_logits, new_features) = (each.with_features(views) for each in (before, after))  # type: ignore[operator]
    assert torch.equal(features, new_features)
    assert not torch.equal(logits, new_logits)


def test_a_training_leaves_a_record_and_the_best_weights(run: Path) -> None:
    record = read_run(run)
    assert (record.role, record.architecture, record.task) == ("classifier", "squeezenet", "cells")
    assert (run / BEST).exists()
    assert load_trained(run).network(torch.zeros(1, 1, 256, 256)).shape == (1, 13, 4, 4)


def test_a_network_that_cannot_learn_cells_is_refused(shards: Path, tmp_path: Path) -> None:
    message = "no network 'alexnet' that can be trained on cells; choose from squeezenet, squeezenet-wide"
    with pytest.raises(UnknownNameError, match=message):
        train("cells", request(shards, tmp_path / "run", network="alexnet"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("width_px", [1224, 612])
def test_without_wells_there_is_no_training(width_px: int, tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data", wells={"train": {"clear": 1}})
    with pytest.raises(UserError, match=r"no wells known place by place in .*data; render some"):
        train("cells", request(data, tmp_path / "run", width_px=width_px))


def test_walls_and_empty_liquid_weigh_less_than_what_is_looked_for() -> None:
    """Cross entropy with smoothed labels and weights of classes, by hand."""
    names = [outcome.name for outcome in OUTCOMES]
    labels = [names.index(name) for name in ("rim", "clear", "crystal_harvestable")]
    logits = np.random.default_rng(5).normal(0, 2, (3, len(OUTCOMES)))
    weights = np.array([{"rim": 0.5, "clear": 0.7}.get(name, 1.0) for name in names])
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    told = [-0.97 * weights[label] * log_p[cell, label] for cell, label in enumerate(labels)]
    smoothed = -0.03 / len(OUTCOMES) * (weights * log_p).sum()
    expected = (sum(told) + smoothed) / weights[labels].sum()
    cells = torch.tensor(logits.T[None, :, None, :])  # (1, 13, 1, 3)
    found = losses._class_loss(cells.float(), torch.tensor(labels)[None, None])
    assert float(found) == pytest.approx(expected, rel=1e-5)
