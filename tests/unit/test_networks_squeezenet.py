"""The unpadded SqueezeNet: shapes, size, and that one pass over a region equals window after window."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis.strategies import integers
from numpy.typing import NDArray
from torch import nn

from crystal_search.errors import UnknownNameError
from crystal_search.exporting.export import INPUT, export
from crystal_search.inference import onnx_runtime
from crystal_search.networks.network_kinds import build, classifier_card, classifier_named
from crystal_search.networks.squeezenet import CHOP_SIDE_PX, FIELD_OF_VIEW_PX, OUTPUT_STRIDE_PX, chop_logits
from crystal_search.outcomes import OUTCOMES

CHOP_STRIDE_PX = classifier_named("squeezenet").chop_stride_px


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(1)
    network = build("squeezenet", len(OUTCOMES))
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1.0
    with torch.no_grad():
        network(torch.randn(2, 1, 300, 300))  # normalises every layer, so that cells differ as after a training
    return network.eval()


@pytest.fixture(scope="module")
def session(network: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("models")
    export(network, classifier_card("under-test"), folder)
    return onnx_runtime().InferenceSession(folder / "under-test.onnx", providers=["CPUExecutionProvider"])


def noise(rows: int, columns: int) -> NDArray[np.float32]:
    return np.random.default_rng(rows + columns).normal(size=(1, 1, rows, columns)).astype(np.float32)


def in_torch(network: nn.Module, batch: NDArray[np.float32]) -> NDArray[np.float32]:
    with torch.no_grad():
        cells: NDArray[np.float32] = network(torch.from_numpy(batch)).numpy()
    return cells


def test_a_chop_gives_4_by_4_cells_of_13_classes(network: nn.Module) -> None:
    assert in_torch(network, noise(CHOP_SIDE_PX, CHOP_SIDE_PX)).shape == (1, 13, 4, 4)


def test_it_is_as_small_as_published(network: nn.Module) -> None:
    sizes = {name: weights.numel() for name, weights in network.named_parameters() if "texture" not in name}
    # 722 496 without the last layer as published; one colour instead of three; batch norm has no fewer constants.
    assert 722_496 - 2 * 64 * 9 + 13 * 513 <= sum(sizes.values()) < 735_000


@settings(max_examples=6, deadline=None)
@given(rows=integers(207, 420), columns=integers(207, 420))
def test_the_map_has_a_cell_for_every_stride(network: nn.Module, rows: int, columns: int) -> None:
    expected = tuple((side - FIELD_OF_VIEW_PX) // OUTPUT_STRIDE_PX + 1 for side in (rows, columns))
    assert in_torch(network, noise(rows, columns)).shape[2:] == expected


@settings(max_examples=4, deadline=None)
@given(rows=integers(256, 420), columns=integers(256, 420))
@example(rows=256, columns=351)
def test_dense_equals_windowed(network: nn.Module, session: Any, rows: int, columns: int) -> None:
    batch = noise(rows, columns)
    step = CHOP_STRIDE_PX // OUTPUT_STRIDE_PX
    starts = [range(0, side - CHOP_SIDE_PX + 1, CHOP_STRIDE_PX) for side in (rows, columns)]
    chops = [batch[:, :, r : r + CHOP_SIDE_PX, c : c + CHOP_SIDE_PX] for r in starts[0] for c in starts[1]]
    for cells, windows in (
        (in_torch(network, batch), [in_torch(network, chop) for chop in chops]),
        (session.run(None, {INPUT: batch})[0], [session.run(None, {INPUT: chop})[0] for chop in chops]),
    ):
        dense = chop_logits(torch.from_numpy(cells), stride_cells=step)[0]  # (classes, rows, columns)
        # A chop's cells see 255 px of its 256: where one pixel is missing, the map has a chop more.
        assert all(len(each) <= count <= len(each) + 1 for each, count in zip(starts, dense.shape[1:], strict=True))
        dense = dense[:, : len(starts[0]), : len(starts[1])]
        windowed = np.stack([window.mean(axis=(2, 3))[0] for window in windows], axis=1)  # (classes, chops)
        np.testing.assert_allclose(dense.flatten(1).numpy(), windowed, rtol=0, atol=1e-5)


def test_a_shift_by_the_stride_shifts_the_map_by_one_cell(network: nn.Module) -> None:
    batch = noise(300, 330)
    moved = in_torch(network, batch[:, :, OUTPUT_STRIDE_PX:, 2 * OUTPUT_STRIDE_PX :])
    np.testing.assert_allclose(moved, in_torch(network, batch)[:, :, 1:, 2:], rtol=0, atol=1e-5)


def test_a_cell_sees_207_pixels_and_no_more(network: nn.Module) -> None:
    batch = noise(256, 256)
    changed = batch.copy()
    changed[:, :, FIELD_OF_VIEW_PX:] += 5
    one, other = in_torch(network, batch), in_torch(network, changed)
    np.testing.assert_allclose(one[:, :, 0], other[:, :, 0], rtol=0, atol=1e-6)
    assert np.abs(one[:, :, 1] - other[:, :, 1]).max() > 1e-3


def test_an_unknown_network_is_refused_and_the_known_ones_are_listed() -> None:
    with pytest.raises(UnknownNameError, match=r"no network 'lenet'; choose from .*squeezenet"):
        build("lenet", 13)
