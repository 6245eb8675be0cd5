"""From Keras' whole-model files to ONNX: as Keras answered, as numpy answers, refused where it is no such file."""

import gzip
import json
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from crystal_search.errors import ModelError
from crystal_search.inference import onnx_runtime
from crystal_search.old_weights.keras_file import read_keras_model
from crystal_search.old_weights.keras_graph import drop_locator_from_keras
from crystal_search.old_weights.keras_layers import BUILDERS
from tests.unit.old_weights_files import keras_conv, keras_input, keras_layer, write_keras

h5py: Any = pytest.importorskip("h5py", reason="reading Keras' files needs h5py")

GOLDEN = Path(__file__).parents[1] / "golden" / "old-weights"
SIDE_PX = 8


def answer(path: Path, images: NDArray[np.float32]) -> NDArray[np.float32]:
    onnx, _ = drop_locator_from_keras(read_keras_model(path))
    session = onnx_runtime().InferenceSession(onnx, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"images": images})[0])


def convolved(x: NDArray[Any], kernel: NDArray[Any], bias: NDArray[Any]) -> NDArray[Any]:
    """Return a convolution padded as TensorFlow pads, straight from its definition, channels last."""
    rows, columns = kernel.shape[:2]
    above, left = (rows - 1) // 2, (columns - 1) // 2
    padded = np.pad(x, ((0, 0), (above, rows - 1 - above), (left, columns - 1 - left), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (rows, columns), axis=(1, 2))
    return np.asarray(np.einsum("nyxcij,ijcf->nyxf", windows, kernel) + bias)


def small_unet(path: Path) -> tuple[Path, NDArray[np.float32], NDArray[Any]]:
    """Write a U-Net of one step down and one up; return its file, images, and the logits that numpy computes."""
    random = np.random.default_rng(3)

    def weights(side: int, channels: int, filters: int) -> list[NDArray[Any]]:
        return [random.normal(0, 0.5, (side, side, channels, filters)), random.normal(0, 0.1, filters)]

    arrays = {"a": weights(3, 1, 2), "b": weights(3, 2, 3), "up": weights(2, 3, 2), "last": weights(1, 4, 1)}
    layers = [
        keras_input(SIDE_PX),
        keras_conv("a", "input_1"),
        keras_layer("MaxPooling2D", "pool", "a", pool_size=[2, 2], strides=[2, 2], padding="valid"),
        keras_conv("b", "pool"),
        keras_layer("Dropout", "drop", "b", rate=0.5),
        keras_layer("UpSampling2D", "double", "drop", size=[2, 2]),
        keras_conv("up", "double"),
        keras_layer("Concatenate", "join", "a", "up", axis=3),
        keras_conv("last", "join", "sigmoid"),
    ]
    write_keras(h5py, path, layers, arrays)
    x = random.random((2, SIDE_PX, SIDE_PX, 1)).astype(np.float32)
    a = np.maximum(convolved(x, *arrays["a"]), 0)
    b = np.maximum(convolved(a.reshape(2, 4, 2, 4, 2, 2).max(axis=(2, 4)), *arrays["b"]), 0)
    up = np.maximum(convolved(b.repeat(2, axis=1).repeat(2, axis=2), *arrays["up"]), 0)
    logits = convolved(np.concatenate((a, up), axis=3), *arrays["last"])
    return path, x.transpose(0, 3, 1, 2), logits.transpose(0, 3, 1, 2)


def test_a_unet_answers_as_numpy_does_from_the_definitions(tmp_path: Path) -> None:
    path, images, logits = small_unet(tmp_path / "unet.hdf5")
    np.testing.assert_allclose(answer(path, images), logits, rtol=0, atol=1e-5)


@pytest.mark.parametrize("backend", ["mxnet", "tensorflow"])
def test_a_unet_answers_as_keras_did(tmp_path: Path, backend: str) -> None:
    path = tmp_path / "unet.hdf5"
    path.write_bytes(gzip.decompress((GOLDEN / "unet.hdf5.gz").read_bytes()))
    with h5py.File(path, "a") as file:
        file.attrs["backend"] = backend
    stored = np.load(GOLDEN / f"{backend}.npz")
    logits = answer(path, stored["images"].transpose(0, 3, 1, 2))
    np.testing.assert_allclose(1 / (1 + np.exp(-logits)).transpose(0, 2, 3, 1), stored["probabilities"], atol=1e-5)


def test_an_image_of_another_size_is_squeezed_into_the_networks_square_and_the_answer_stretched(tmp_path: Path) -> None:
    path, images, logits = small_unet(tmp_path / "unet.hdf5")
    threefold = images.repeat(3, axis=2).repeat(3, axis=3)  # squeezed again, each pixel is its block's middle
    stretched = answer(path, threefold)
    assert stretched.shape == (2, 1, 3 * SIDE_PX, 3 * SIDE_PX)
    np.testing.assert_allclose(stretched[:, :, 1::3, 1::3], logits, rtol=0, atol=1e-5)


def test_sequential_models_are_read_too(tmp_path: Path) -> None:
    path = tmp_path / "line.hdf5"
    kernel = [np.full((1, 1, 1, 1), 2.0), np.ones(1)]
    layer = keras_conv("only", "input_1", "sigmoid", batch_input_shape=[None, 4, 4, 1])
    write_keras(h5py, path, [keras_input(4), layer], {"only": kernel})
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": [layer]})
    np.testing.assert_allclose(answer(path, np.ones((1, 1, 4, 4), dtype=np.float32)), np.full((1, 1, 4, 4), 3.0))


def test_gamma_and_beta_may_have_been_left_out_of_a_batch_norm(tmp_path: Path) -> None:
    layers = [
        keras_input(2),
        keras_layer("BatchNormalization", "bn", "input_1", axis=-1, epsilon=0.0, scale=False, center=False),
        keras_conv("last", "bn", "sigmoid", use_bias=False),
    ]
    weights = {"bn": [np.array([1.0]), np.array([4.0])], "last": [np.ones((1, 1, 1, 1))]}
    path = write_keras(h5py, tmp_path / "bn.hdf5", layers, weights)
    np.testing.assert_allclose(answer(path, np.full((1, 1, 2, 2), 5, dtype=np.float32)), 2.0)


def refusal(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        drop_locator_from_keras(read_keras_model(path))
    return str(caught.value)


ONE = [np.ones((1, 1, 1, 1)), np.zeros(1)]


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([keras_conv("last", "input_1", "relu")], "must end in a sigmoid"),
        ([keras_conv("last", "ghost", "sigmoid")], "fed by layers that are not there"),
        ([keras_conv("last", "last", "sigmoid")], "fed by layers that are not there, or by each other"),
        ([keras_conv("last", "input_1", "sigmoid", data_format="channels_first")], "data_format is 'channels_first'"),
        ([keras_conv("last", "input_1", "sigmoid", strides=[2, 2])], "answers with shape"),
        ([keras_conv("last", "input_1", "sigmoid", strides="12")], "strides must be two whole numbers"),
        ([keras_conv("last", "input_1", "sigmoid", strides=1.5)], "strides must be two whole numbers"),
        (
            [keras_layer("Concatenate", "join", "input_1", axis=[3]), keras_conv("last", "join", "sigmoid")],
            "layer 'join': cannot be used (TypeError",
        ),
        ([keras_conv("last", "input_1", "swish")], "must end in a sigmoid"),
        (
            [keras_layer("Flatten", "flat", "input_1"), keras_conv("last", "flat", "sigmoid")],
            "layer 'flat' is a Flatten, which is unknown; known are Activation, Add, AveragePooling2D,",
        ),
        (
            [
                keras_layer("UpSampling2D", "up", "input_1", interpolation="bilinear"),
                keras_conv("last", "up", "sigmoid"),
            ],
            "interpolation is 'bilinear'; known are nearest",
        ),
        (
            [keras_layer("MaxPooling2D", "p", "input_1", pool_size=[99, 99]), keras_conv("last", "p", "sigmoid")],
            "MaxPool: windows of 99 do not fit a map of shape (4, 4)",
        ),
    ],
)
def test_a_network_that_is_no_drop_locator_is_refused_in_words(
    tmp_path: Path, layers: list[dict[str, Any]], message: str
) -> None:
    assert message in refusal(write_keras(h5py, tmp_path / "x.hdf5", [keras_input(4), *layers], {"last": ONE}))


def last_alone(path: Path, **more: Any) -> Path:
    return write_keras(h5py, path, [keras_input(4), keras_conv("last", "input_1", "sigmoid")], {"last": ONE}, **more)


def test_a_file_that_is_no_whole_model_is_refused_in_words(tmp_path: Path) -> None:
    path = last_alone(tmp_path / "x.hdf5")
    content = path.read_bytes()
    with h5py.File(path, "a") as file:
        del file.attrs["model_config"]
    assert "save the whole model" in refusal(path)
    path.write_bytes(content[: len(content) // 2])
    assert "cannot be read as HDF5" in refusal(path)
    path.write_bytes(b"not HDF5 at all")
    assert "cannot be read as HDF5" in refusal(path)
    assert "'theano'; known are tensorflow, mxnet" in refusal(last_alone(tmp_path / "y.hdf5", backend="theano"))
    assert "1 channel" in refusal(write_keras(h5py, tmp_path / "z.hdf5", [keras_input(4, 3)], {}))


def test_weights_come_from_this_file_alone_and_are_no_larger(tmp_path: Path) -> None:
    elsewhere = last_alone(tmp_path / "elsewhere.hdf5")
    path = last_alone(tmp_path / "x.hdf5")
    place = "model_weights/last/last/kernel:0"
    with h5py.File(path, "a") as file:
        del file[place]
        file[place] = h5py.ExternalLink(elsewhere.name, place)
    assert "are not in this file" in refusal(path)
    with h5py.File(path, "a") as file:
        del file[place]
        file.create_dataset(place, shape=(2**20, 2**20, 1, 1), dtype="f4", chunks=(1, 1, 1, 1))
    assert "more than the file holds" in refusal(path)
    with h5py.File(path, "a") as file:
        del file[place]
        file[place] = np.ones((1, 1), dtype=np.float32)
    assert "weights have (2, 1) dimensions, expected (4, 1)" in refusal(path)


def test_a_layer_that_is_used_twice_is_refused(tmp_path: Path) -> None:
    twice = keras_conv("last", "input_1", "sigmoid")
    twice["inbound_nodes"] *= 2
    assert "is used 2 times" in refusal(write_keras(h5py, tmp_path / "x.hdf5", [keras_input(4), twice], {"last": ONE}))


def test_every_known_layer_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "old-weights.md").read_text(encoding="utf-8")
    assert [name for name in BUILDERS if f"`{name}`" not in page] == []


def test_importing_our_modules_does_not_import_h5py() -> None:
    assert "h5py" not in vars(import_module("crystal_search.old_weights.keras_file"))
