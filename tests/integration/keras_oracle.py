"""Run by an interpreter that has Keras 2.2.4 on MXNet: builds a U-Net, saves it, says what it answers.

``python keras_oracle.py FOLDER`` writes ``unet.hdf5`` and ``unet.npz`` with ``images`` (N, rows, columns, 1) and
``probabilities`` (N, rows, columns, 1). The layers are those of the U-Net that the paper used (Zhixu 2018), at a
quarter of its depth and a few channels each; a layer of every other known kind stands beside them.
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
    w = layers.SpatialDropout2D(0.1)(layers.Conv2D(2, 3, dilation_rate=2, padding="same", use_bias=False)(x))
    v = layers.UpSampling2D()(layers.AveragePooling2D(padding="same")(x))
    return layers.add([y, z, w, v])


def main() -> None:
    for name in ("Iterable", "Callable", "Mapping", "Sequence", "MutableMapping"):  # where Python 3.9 had them
        setattr(collections, name, getattr(collections.abc, name))
    os.environ["KERAS_BACKEND"] = "mxnet"
    keras, folder, random = import_module("keras"), Path(sys.argv[1]), np.random.default_rng(1)
    model = unet(keras)
    model.compile("adam", "binary_crossentropy")
    for layer in model.layers:
        shapes = [weights.shape for weights in layer.get_weights()]
        positive = "batch" in layer.name
        spreads = [np.prod(shape[:-1]) ** -0.5 if len(shape) > 1 else 0.1 for shape in shapes]
        layer.set_weights(
            [
                random.uniform(0.3, 1.0, shape) if positive else random.normal(0, 1.4 * spread, shape)
                for shape, spread in zip(shapes, spreads, strict=True)
            ]
        )
        if positive:  # this backend takes gamma for 1 whatever it is, and so it always is
            layer.set_weights([np.ones_like(layer.get_weights()[0]), *layer.get_weights()[1:]])
    images = random.random((2, SIDE_PX, SIDE_PX, 1)).astype(np.float32)
    probabilities = model.predict(images)
    model.save(str(folder / "unet.hdf5"))
    np.savez(folder / "unet.npz", images=images, probabilities=probabilities)


if __name__ == "__main__":
    main()
