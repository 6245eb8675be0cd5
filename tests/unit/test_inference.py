"""ONNX Runtime as we set it up: memory is kept from drop to drop, and given back after a very large one."""

import numpy as np
import psutil
import pytest

from crystal_search import inference
from crystal_search.inference import OnnxNetwork
from crystal_search.model import default_model
from crystal_search.model_card import ClassifierCard


def test_giving_memory_back_changes_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    network = OnnxNetwork(default_model(ClassifierCard))
    batch = np.random.default_rng(1).normal(size=(1, 1, 300, 310)).astype(np.float32)
    kept = network.logits(batch)
    monkeypatch.setattr(inference, "KEPT_FOR_PX", 0)
    assert np.array_equal(network.logits(batch), kept)
    assert np.array_equal(network.logits(batch), kept)


def test_memory_is_given_back_after_more_pixels_than_are_kept_for(monkeypatch: pytest.MonkeyPatch) -> None:
    network, process = OnnxNetwork(default_model(ClassifierCard)), psutil.Process()
    batch = np.zeros((1, 1, 1000, 1000), np.float32)
    network.logits(batch)
    kept = process.memory_info().rss
    monkeypatch.setattr(inference, "KEPT_FOR_PX", 999_999)
    network.logits(batch)
    assert process.memory_info().rss < kept - 50_000_000
