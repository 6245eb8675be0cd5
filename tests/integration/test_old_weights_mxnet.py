"""The four architectures against MXNet 1.9.1 itself, and U-Nets against Keras, each in an environment of its own."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from crystal_search.archives.recordio import MAGIC_BYTES, PackedImage, read_images
from crystal_search.inference import onnx_runtime
from crystal_search.old_weights.keras_file import read_keras_model
from crystal_search.old_weights.keras_graph import drop_locator_from_keras
from crystal_search.old_weights.mxnet_graph import Reading, classifier_from_mxnet
from crystal_search.old_weights.mxnet_params import read_params
from crystal_search.old_weights.mxnet_symbol import read_symbol
from tests.unit.old_weights_files import Arrays, params_bytes

HERE = Path(__file__).parent
TOLERANCE = 1e-4


@pytest.fixture(scope="session")
def mxnet_python() -> Path:
    """Return the interpreter that has MXNet and Keras 2, or skip."""
    python = Path(os.environ.get("CRYSTAL_SEARCH_MXNET_PYTHON", HERE.parents[1] / ".venv-mxnet" / "bin" / "python"))
    if not python.exists():
        pytest.skip(f"no MXNet at {python}: run scripts/make-mxnet-venv, or set CRYSTAL_SEARCH_MXNET_PYTHON")
    return python


def asked(python: Path | str, *words: str | Path) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    isolated = [] if python == sys.executable else ["-E"]
    command = [str(python), *isolated, "-W", "ignore", *map(str, words)]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr[-2000:]


@pytest.mark.parametrize("name", ["alexnet", "vgg16", "resnet50", "squeezenet", "operators"])
def test_an_imported_network_answers_as_mxnet_does(mxnet_python: Path, tmp_path: Path, name: str) -> None:
    asked(mxnet_python, HERE / "mxnet_oracle.py", tmp_path, name)
    stored = np.load(tmp_path / f"{name}.npz")
    reading = Reading(
        side_px=stored["images"].shape[2],
        class_positions=tuple(range(13)),
        mean=tuple(stored["mean"]),
        std=tuple(stored["std"]),
    )
    symbol = read_symbol((tmp_path / f"{name}-symbol.json").read_bytes())
    onnx, _ = classifier_from_mxnet(symbol, read_params((tmp_path / f"{name}-0000.params").read_bytes()), reading)
    session = onnx_runtime().InferenceSession(onnx, providers=["CPUExecutionProvider"])
    logits = session.run(None, {"images": stored["images"] / np.float32(255)})[0][:, :, 0, 0]
    assert np.ptp(stored["logits"], axis=0).max() > 0.1  # else agreement would mean nothing
    np.testing.assert_allclose(logits, stored["logits"], rtol=0, atol=TOLERANCE)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities, stored["probabilities"], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("layout", ["dense", "earlier", "first"])
def test_mxnet_takes_the_layouts_that_our_tests_write(mxnet_python: Path, tmp_path: Path, layout: str) -> None:
    arrays: Arrays = {"arg:a": np.arange(6, dtype=np.float32).reshape(2, 3), "aux:b": np.arange(3, dtype=np.int64)}
    path = tmp_path / "x.params"
    path.write_bytes(params_bytes(arrays, layout))
    asked(
        mxnet_python,
        "-c",
        f"import mxnet as mx; x = mx.nd.load({str(path)!r}); "
        "assert x['arg:a'].asnumpy().tolist() == [[0, 1, 2], [3, 4, 5]] and x['aux:b'].asnumpy().tolist() == [0, 1, 2]",
    )


PACK = """
import struct, sys, mxnet as mx
magic = struct.pack("<I", 0xCED7230A)
writer = mx.recordio.MXIndexedRecordIO(sys.argv[1] + ".idx", sys.argv[1], "w")
for number, (label, data) in enumerate([(7, b"JPEG"), ([1.5, 2.5], magic + b"ab" + magic + magic), (0, b"")]):
    writer.write_idx(number, mx.recordio.pack(mx.recordio.IRHeader(0, label, number, 0), data))
writer.close()
"""


def test_an_archive_that_mxnet_packed_is_read(mxnet_python: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.rec"
    asked(mxnet_python, "-c", PACK, path)
    assert list(read_images(path)) == [
        PackedImage((7.0,), 0, b"JPEG"),
        PackedImage((1.5, 2.5), 1, MAGIC_BYTES + b"ab" + 2 * MAGIC_BYTES),
        PackedImage((0.0,), 2, b""),
    ]


def difference(hdf5: Path, answers: Path) -> float:
    stored = np.load(answers)
    onnx, _ = drop_locator_from_keras(read_keras_model(hdf5))
    session = onnx_runtime().InferenceSession(onnx, providers=["CPUExecutionProvider"])
    logits = session.run(None, {"images": stored["images"].transpose(0, 3, 1, 2)})[0].transpose(0, 2, 3, 1)
    return float(np.abs(1 / (1 + np.exp(-logits)) - stored["probabilities"]).max())


def test_an_imported_unet_answers_as_keras_2_does(mxnet_python: Path, tmp_path: Path) -> None:
    pytest.importorskip("h5py", reason="reading Keras' files needs h5py")
    asked(mxnet_python, HERE / "keras_oracle.py", "save", tmp_path)
    assert difference(tmp_path / "unet.hdf5", tmp_path / "mxnet.npz") < TOLERANCE


def test_an_imported_unet_answers_as_keras_3_does_with_tensorflows_padding(mxnet_python: Path, tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="reading Keras' files needs h5py")
    if not find_spec("keras"):
        pytest.skip("no Keras 3 beside torch: pip install keras")
    asked(mxnet_python, HERE / "keras_oracle.py", "save", tmp_path)
    asked(sys.executable, HERE / "keras_oracle.py", "answer", tmp_path)
    with h5py.File(tmp_path / "unet.hdf5", "a") as file:
        file.attrs["backend"] = "tensorflow"
    assert difference(tmp_path / "unet.hdf5", tmp_path / "tensorflow.npz") < TOLERANCE
