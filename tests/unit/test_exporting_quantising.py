"""Integers instead of floating point: only where they are as good, and the same wherever a window lies."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from crystal_search.chopper.tiling import grid_over
from crystal_search.demo.truth import plate_folder
from crystal_search.errors import ModelError
from crystal_search.exporting.quantising import ROUNDINGS, Examples, quantised, rounded_by
from crystal_search.geometry import Box
from crystal_search.images import decode, normalised, resized, to_grey
from crystal_search.inference import OnnxNetwork
from crystal_search.model import Model, default_models_folder, in_role, read_model
from crystal_search.model_card import ClassifierCard
from crystal_search.scoring.classify import dense_answers, windowed_answers


@pytest.fixture(scope="module")
def model() -> Model[ClassifierCard]:
    return in_role(read_model(default_models_folder() / "squeezenet-wells-2.card.json"), ClassifierCard)


@pytest.fixture(scope="module")
def view() -> NDArray[np.float32]:
    """A well as the classifier sees it."""
    grey = to_grey(decode((plate_folder() / "demo_05D_1.jpg").read_bytes()).colour)
    return normalised(resized(grey, 1224), "local-contrast-1")


@pytest.fixture(scope="module")
def views(view: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.stack([view[row : row + 256, row : row + 256] for row in range(0, 640, 64)])[:, None]


def saying(accuracies: Iterator[float], chops: NDArray[np.float32]) -> Examples:
    """Return examples on which networks are as accurate as `accuracies` say, one after another."""
    return Examples("patterns", lambda *_: chops[:2], lambda _: (next(accuracies), 400))


def test_the_first_way_that_loses_little_enough_is_taken(
    model: Model[ClassifierCard], views: NDArray[np.float32]
) -> None:
    accuracies = iter([0.900, 0.894, 0.895])
    made = quantised(model, saying(accuracies, views), ROUNDINGS[:3])
    assert (made.rounding, made.accuracy, made.float_accuracy, made.count) == (ROUNDINGS[1], 0.895, 0.9, 400)
    assert list(accuracies) == []  # all three were asked for


def test_if_all_lose_too_much_the_message_says_how_much_each(
    model: Model[ClassifierCard], views: NDArray[np.float32]
) -> None:
    with pytest.raises(ModelError) as refused:
        quantised(model, saying(iter([0.9, 0.89, 0.85]), views), ROUNDINGS[:2])
    text = str(refused.value)
    assert f"{ROUNDINGS[0].name}: 1.00 points; {ROUNDINGS[1].name}: 5.00 points" in text
    assert "no int8 file is written: on 400 validation chops of patterns" in text


def operators(data: bytes) -> Sequence[str]:
    return [node.op_type for node in onnx.load_from_string(data).graph.node]


@pytest.mark.parametrize("rounding", ROUNDINGS, ids=lambda rounding: rounding.name)
def test_every_rounding_gives_a_file_that_runs_and_answers_much_the_same(
    model: Model[ClassifierCard], views: NDArray[np.float32], rounding: object
) -> None:
    data = rounded_by(model.onnx, views[:4], rounding)  # type: ignore[arg-type]
    found, expected = (OnnxNetwork(each).logits(views) for each in (Model(model.card, data), model))
    assert found.shape == expected.shape
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.95
    assert np.abs(found - expected).max() > 1e-3
    assert operators(data).count("QuantizeLinear") > 20


def test_an_int8_file_is_a_third_as_large_and_the_same_each_time(
    model: Model[ClassifierCard], views: NDArray[np.float32]
) -> None:
    data = rounded_by(model.onnx, views[:2], ROUNDINGS[0])
    assert len(data) < len(model.onnx) / 3
    assert rounded_by(model.onnx, views[:2], ROUNDINGS[0]) == data


@pytest.mark.parametrize("offset", [0, 1, 7])
def test_dense_and_windowed_scoring_agree_in_integers_too(
    model: Model[ClassifierCard], view: NDArray[np.float32], views: NDArray[np.float32], offset: int
) -> None:
    network = OnnxNetwork(Model(model.card, rounded_by(model.onnx, views[:4], ROUNDINGS[0])))
    grid = grid_over(
        Box(200 + offset, 250, 620, 811 - offset),
        image_height=view.shape[0],
        image_width=view.shape[1],
        side_px=model.card.side_px,
        stride_px=model.card.chop_stride_px,
    )
    chops = range(grid.rows * grid.columns)
    dense, windowed = (answers(view, grid, chops, network).logits for answers in (dense_answers, windowed_answers))
    assert len(dense) > 20
    np.testing.assert_allclose(dense, windowed, rtol=0, atol=1e-4)


def test_quantising_leaves_nothing_behind(
    model: Model[ClassifierCard], views: NDArray[np.float32], tmp_path: Path
) -> None:
    rounded_by(model.onnx, views[:1], ROUNDINGS[0])
    assert list(tmp_path.iterdir()) == []
