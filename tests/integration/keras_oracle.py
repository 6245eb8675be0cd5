"""Run by an interpreter that has Keras: says what a U-Net answers, with the layers that the paper's had (Zhixu 2018).

``python keras_oracle.py save FOLDER`` is for Keras 2.2.4 on MXNet: it builds the network at a quarter of its depth and
a few channels each, a layer of every other known kind beside them, and writes ``unet.hdf5`` and ``mxnet.npz`` with
``images`` and ``probabilities``, (N, rows, columns, 1) both.

``python keras_oracle.py answer FOLDER`` is for Keras 3 on torch: it reads ``unet.hdf5`` as if it had been saved with
TensorFlow below Keras, whose padding it shares, and writes ``tensorflow.npz``.
"""

import collections
import collections.abc
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

SIDE_PX = 32


def unet(keras: Any) -> Any:
    layers = keras.layers

    def convolved(x: Any, filters: int, side: int = 3, activation: str = "relu") -> Any:
        return layers.Conv2D(filters, side, activation=activation, padding="same", kernel_initializer="he_normal")(x)

    x = given = layers.Input((SIDE_PX, SIDE_PX, 1))
    kept = []
    for filters in (4, 6):
        kept.append(convolved(convolved(x, filters), filters))
        x = layers.MaxPooling2D(pool_size=(2, 2))(kept[-1])
    x = layers.Dropout(0.5)(convolved(convolved(x, 8), 8))
    for filters in (6, 4):
        x = convolved(layers.UpSampling2D(size=(2, 2))(x), filters, side=2)
        x = layers.concatenate([kept.pop(), x], axis=3)
        x = convolved(convolved(x, filters), filters)
    x = others(layers, convolved(x, 2))
    return keras.models.Model(given, layers.Conv2D(1, 1, activation="sigmoid")(x))


def others(layers: Any, x: Any) -> Any:
    """Return `x` with what other U-Nets of the time have: batch norm, strides, dilation, other activations."""
    y = layers.Activation("tanh")(layers.BatchNormalization()(x))
    z = layers.LeakyReLU()(layers.BatchNormalization()(layers.Conv2D(2, 3, strides=2, padding="same")(x)))
    z = layers.UpSampling2D()(layers.ELU(0.7)(z))
    w = layers.Dropout(0.1)(layers.Conv2D(2, 3, dilation_rate=2, padding="same", use_bias=False)(x))
    v = layers.UpSampling2D()(layers.AveragePooling2D(padding="same")(x))
    return layers.add([y, z, w, v])


def with_random_weights(model: Any, random: np.random.Generator) -> Any:
    for layer in model.layers:
        shapes = [weights.shape for weights in layer.get_weights()]
        spreads = [1.4 * np.prod(shape[:-1]) ** -0.5 if len(shape) > 1 else 0.1 for shape in shapes]
        weights = [random.normal(0, spread, shape) for shape, spread in zip(shapes, spreads, strict=True)]
        if "batch" in layer.name:  # gamma is 1, for this backend takes it for 1 whatever it is
            weights = [np.ones(shapes[0]), *(random.uniform(0.3, 1.0, shape) for shape in shapes[1:])]
        layer.set_weights(weights)
    return model


def save(folder: Path) -> None:
    for name in ("Iterable", "Callable", "Mapping", "Sequence", "MutableMapping"):  # where Python 3.9 had them
        setattr(collections, name, getattr(collections.abc, name))
    os.environ["KERAS_BACKEND"] = "mxnet"
    random = np.random.default_rng(1)
    model = with_random_weights(unet(import_module("keras")), random)
    model.compile("adam", "binary_crossentropy")
    images = random.random((2, SIDE_PX, SIDE_PX, 1)).astype(np.float32)
    np.savez(folder / "mxnet.npz", images=images, probabilities=model.predict(images))
    model.save(str(folder / "unet.hdf5"))


def answer(folder: Path) -> None:
    os.environ["KERAS_BACKEND"] = "torch"
    model = import_module("keras").models.load_model(folder / "unet.hdf5", compile=False)
    images = np.load(folder / "mxnet.npz")["images"]
    np.savez(folder / "tensorflow.npz", images=images, probabilities=model.predict(images, verbose=0))


if __name__ == "__main__":
    {"save": save, "answer": answer}[sys.argv[1]](Path(sys.argv[2]))
