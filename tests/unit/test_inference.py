"""ONNX Runtime as we set it up: memory is kept from drop to drop, and given back after a very large one."""

import subprocess
import sys

import numpy as np
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


#: Prints the bytes that a process holds after two answers, of which the second is of more pixels than are kept for.
ANSWERS_TWICE = """
import numpy as np, psutil
from crystal_search import inference
from crystal_search.model import default_model
from crystal_search.model_card import ClassifierCard
network, process = inference.OnnxNetwork(default_model(ClassifierCard)), psutil.Process()
for inference.KEPT_FOR_PX in (inference.KEPT_FOR_PX, 999_999):
    network.logits(np.zeros((1, 1, 1000, 1000), np.float32))
    print(process.memory_info().rss)
"""


def test_memory_is_given_back_after_more_pixels_than_are_kept_for() -> None:
    done = subprocess.run([sys.executable, "-c", ANSWERS_TWICE], check=True, capture_output=True, text=True)
    kept, left = map(int, done.stdout.split())
    assert left < kept - 50_000_000
