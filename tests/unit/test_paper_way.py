"""The paper's way of scoring, as the benchmark runs it beside ours."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.bench_scoring import DRAWN, FLOAT32, beside_the_paper
from benchmarks.paper_way import padded_twin, paper_probabilities, window_starts, windows
from benchmarks.wells import drawn_jpeg
from crystal_search.geometry import Box
from crystal_search.inference import OnnxNetwork
from crystal_search.model import Model, default_model
from crystal_search.model_card import ClassifierCard, DropCard
from crystal_search.scoring.pipeline import Models, loaded


@pytest.fixture(scope="module")
def classifier() -> Model[ClassifierCard]:
    return default_model(ClassifierCard)


@pytest.fixture(scope="module")
def twins(classifier: Model[ClassifierCard]) -> Models:
    return Models(OnnxNetwork(padded_twin(classifier)), OnnxNetwork(default_model(DropCard)))


def test_the_twin_has_the_same_weights_and_the_published_maps(classifier: Model[ClassifierCard], twins: Models) -> None:
    twin = onnx.load_from_string(padded_twin(classifier).onnx).graph
    given = onnx.load_from_string(classifier.onnx).graph
    assert [each.SerializeToString() for each in twin.initializer] == [
        each.SerializeToString() for each in given.initializer
    ]
    assert twins.classifier.logits(np.zeros((1, 1, 256, 256), np.float32)).shape == (1, 13, 15, 15)
    pads = {tuple(a.ints) for node in twin.node if node.op_type == "Conv" for a in node.attribute if a.name == "pads"}
    assert pads == {(0, 0, 0, 0), (1, 1, 1, 1)}


def test_the_twin_s_zeros_are_seen(twins: Models) -> None:
    """A uniform chop gives one number everywhere without padding, and another at the border with it."""
    (cells,) = twins.classifier.logits(np.ones((1, 1, 256, 256), np.float32))
    assert np.ptp(cells, axis=(1, 2)).max() > 0.1
    assert np.allclose(cells[:, 7, 7], cells[:, 7, 8], atol=1e-4)


@given(height=st.integers(256, 1500), width=st.integers(256, 1500))
def test_windows_cover_the_drop(height: int, width: int) -> None:
    box = Box(30, 40, 30 + height, 40 + width)
    chops = windows(box, 256)
    assert chops[0][:2] == box[:2]
    assert chops[-1][2:] == box[2:]
    assert len(set(chops)) == len(chops)


def test_all_pixels_give_400_chops_and_the_working_width_64(twins: Models) -> None:
    assert len(windows(DRAWN, 256)) == 400
    found = paper_probabilities(drawn_jpeg(drop_px=1200), twins, DRAWN, width_px=1224)
    assert found.shape == (64, 13)
    assert np.allclose(found.sum(axis=1), 1)


def test_a_target_that_is_missed_is_said(
    classifier: Model[ClassifierCard], twins: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.bench_scoring.DRAWN", Box(900, 1000, 1412, 1512))
    models = loaded([classifier, default_model(DropCard)])
    data = drawn_jpeg(drop_px=500)
    rows = beside_the_paper(models, twins, data, replace(FLOAT32, ratio=1e9), what="float32", repeats=1)
    assert [row.reached for row in rows] == [True, None, False, None, None]


@given(side=st.integers(1, 300), extra=st.integers(0, 3000), data=st.data())
def test_windows_cover_every_pixel(side: int, extra: int, data: st.DataObject) -> None:
    stride = data.draw(st.integers(1, side))
    starts = window_starts(side + extra, side, stride)
    assert (starts[0], starts[-1] + side) == (0, side + extra)
    assert all(0 < b - a <= stride for a, b in pairwise(starts))


@pytest.mark.parametrize(
    ("length", "side", "stride", "why"),
    [
        (100, 101, 1, "pad"),
        (10, 0, 1, "pad"),
        (10, -1, 1, "pad"),
        (100, 10, 11, "gaps"),
    ],
)
def test_windows_that_cannot_be_are_refused(length: int, side: int, stride: int, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        window_starts(length, side, stride)
