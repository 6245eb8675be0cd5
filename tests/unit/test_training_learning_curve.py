"""The learning curve: its table, its picture, its events."""

from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from crystal_search.training.learning_curve import (
    CURVE,
    EVENTS,
    PICTURE,
    add_events,
    append_row,
    cut_curve,
    draw_curve,
)

ROW = {
    "step": 10,
    "train_loss": 2.0,
    "train_accuracy": 0.3,
    "validation_loss": 2.1,
    "validation_accuracy": 0.25,
    "validation_top5": 0.8,
}


def test_rows_after_the_checkpoint_are_cut(tmp_path: Path) -> None:
    curve = tmp_path / CURVE
    cut_curve(curve, 5)  # nothing there yet
    for step in (10, 20, 30):
        append_row(curve, ROW | {"step": step})
    cut_curve(curve, 20)
    assert [line.split(",")[0] for line in curve.read_text(encoding="utf-8").splitlines()] == ["step", "10", "20"]


def test_the_picture_shows_both_panels(tmp_path: Path) -> None:
    for step in (10, 20, 30):
        append_row(tmp_path / CURVE, ROW | {"step": step, "train_loss": 30 / step})
    draw_curve(tmp_path, "squeezenet, 13 classes, 12 chops", {"loss": ("loss",), "accuracy": ("accuracy", "top5")})
    pixels = np.asarray(Pillow.open(tmp_path / PICTURE).convert("RGB"))
    assert pixels.shape == (500, 1000, 3)
    blue = (pixels == (31, 119, 180)).all(axis=2)  # the first line of each panel
    assert blue[:, :500].sum() > 300
    assert blue[:, 500:].sum() > 300


def test_events_hold_the_same_numbers(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    add_events(tmp_path, 10, ROW)
    add_events(tmp_path, 20, ROW | {"step": 20, "validation_loss": 1.5})
    events = EventAccumulator(str(tmp_path / EVENTS)).Reload()
    assert [(each.step, round(each.value, 4)) for each in events.Scalars("validation/loss")] == [(10, 2.1), (20, 1.5)]
    assert "step" not in events.Tags()["scalars"]
