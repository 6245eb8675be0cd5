"""Scoring in batches with torch gives the client's numbers; here on the CPU, with a GPU where there is one."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from onnx import TensorProto, helper

from benchmarks import bench_gpu, gpu_images
from benchmarks.bench_gpu import compared, measured
from benchmarks.gpu_scoring import GpuScorer
from benchmarks.onnx_in_torch import OnnxGraph
from benchmarks.wells import drawn_jpeg
from crystal_search import images
from crystal_search.errors import ModelError
from crystal_search.inference import OnnxNetwork
from crystal_search.model import default_model
from crystal_search.model_card import ClassifierCard, DropCard, ModelCard
from crystal_search.scoring.pipeline import loaded
from crystal_search.unet_drop.locate import drop_in


def grey(height: int, width: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(height + width)
    coarse = np.kron(rng.normal(120, 40, (height // 10 + 1, width // 10 + 1)), np.ones((10, 10)))[:height, :width]
    return np.clip(coarse + rng.normal(0, 5, (height, width)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("kind", "shape"), [(ClassifierCard, (2, 1, 256, 304)), (DropCard, (2, 1, 64, 96))])
def test_a_graph_gives_the_same_in_torch(kind: type[ModelCard], shape: tuple[int, ...]) -> None:
    model = default_model(kind)
    batch = np.random.default_rng(1).normal(0, 0.5, shape).astype(np.float32)
    with torch.inference_mode():
        found = OnnxGraph(model.onnx)(torch.from_numpy(batch)).numpy()
    assert np.abs(found - OnnxNetwork(model).logits(batch)).max() < 1e-3


def test_an_operator_that_is_not_known_is_named() -> None:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Sigmoid", ["x"], ["y"])], "g", [value], [out])
    with pytest.raises(ModelError, match="Sigmoid"):
        OnnxGraph(helper.make_model(graph).SerializeToString())


@pytest.mark.parametrize(("height", "width", "target"), [(206, 246, 245), (206, 246, 64), (100, 130, 260)])
def test_resizing_is_pillow_s(height: int, width: int, target: int) -> None:
    picture = grey(height, width)
    found = gpu_images.resized(torch.from_numpy(picture)[None].float(), target)[0].numpy()
    expected = images.resized(picture, target)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1
    assert (found != expected).mean() < 0.005


@pytest.mark.parametrize("name", ["local_contrast", "centred"])
def test_normalising_is_the_client_s(name: str) -> None:
    picture = grey(203, 307)
    found = getattr(gpu_images, name)(torch.from_numpy(picture)[None].float())[0].numpy()
    assert np.abs(found - getattr(images, name)(picture)).max() < 1e-4


@settings(deadline=None, max_examples=60)
@given(coarse=arrays.arrays(np.bool_, (2, 9, 11)))
def test_drops_are_the_locator_s(coarse: NDArray[np.bool_]) -> None:
    """Blocks of 4 px: parts, holes and touching corners of every kind."""
    maps = np.kron(coarse, np.ones((1, 4, 4), bool))
    found = gpu_images.drops_in(torch.from_numpy(np.where(maps, 5.0, -5.0))).numpy()
    for mask, each in zip(found, maps, strict=True):
        expected = drop_in(each.astype(np.float32))
        assert np.array_equal(mask, expected.mask if expected else np.zeros_like(mask))


def run_on(device: str) -> None:
    classifier, drop = default_model(ClassifierCard), default_model(DropCard)
    scorer = GpuScorer.of(classifier, drop, torch.device(device))
    wells = [drawn_jpeg(height=700, width=900, drop_px=size) for size in (120, 260)]
    wells.append(drawn_jpeg(height=700, width=900, drop_px=1))
    row = compared(scorer, wells, loaded([classifier, drop]))
    assert row.reached, row
    rows = measured(scorer, wells, count=3, batch=2, threads=1)
    assert any("SqueezeNet" in each.what for each in rows)
    assert rows[-1].what == "hours for 15,666,284 images"


def test_a_batch_is_scored_as_the_client_scores_it() -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    run_on("cpu")
    torch.set_num_threads(threads)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_scores_as_the_client_does() -> None:
    run_on("cuda")


def test_without_a_gpu_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    (row,) = bench_gpu.rows()
    assert row.figure == "no GPU: not measured"
    assert row.reached is None
