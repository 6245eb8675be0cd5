"""Reading whole models that Keras 2 saved as HDF5: the layers from its JSON, the weights beside it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crystal_search.errors import CrystalSearchError, ModelError
from crystal_search.hostile_json import loads

MAX_LAYERS = 10_000
#: Backend -> how it pads evenly where that leaves one row over: below (TensorFlow) or above.
SAME = {"tensorflow": "SAME_UPPER", "mxnet": "SAME_LOWER"}
WHOLE_MODEL = "save the whole model with Keras 2 (model.save)"


@dataclass(frozen=True, slots=True)
class KerasLayer:
    """One layer, used once."""

    kind: str  #: Keras' class
    name: str
    config: dict[str, Any]
    inputs: tuple[str, ...]  #: layers that feed it
    weights: tuple[NDArray[np.float32], ...]  #: in Keras' order: kernel, then bias


@dataclass(frozen=True, slots=True)
class KerasModel:
    """A network of one input and one output."""

    layers: tuple[KerasLayer, ...]  #: each after those that feed it
    output: str  #: the layer whose answer is the network's
    same: str = "SAME_UPPER"  #: ONNX's name for its padding "same"


def read_keras_model(path: Path) -> KerasModel:
    """Return the model in a whole-model ``.hdf5`` file; this needs h5py.

    Raises
    ------
    ModelError
        If the file is damaged, holds weights alone, or a network that Keras 2 would not have written so.
    """
    h5py: Any = import_module("h5py")
    try:
        with h5py.File(path, "r") as file:
            return _model(h5py, file, path.stat().st_size)
    except (CrystalSearchError, MemoryError):
        raise
    except Exception as error:  # a library may stumble over a stranger's file in any way
        raise ModelError(f"{path} cannot be read as HDF5: {error}; copy the file again") from error


def _model(h5py: Any, file: Any, size: int) -> KerasModel:
    if "model_config" not in file.attrs or "model_weights" not in file:
        raise ModelError(f"the file holds no whole model (model_config, model_weights): {WHOLE_MODEL}")
    backend = _text(file.attrs.get("backend", "tensorflow"))
    if backend not in SAME:
        raise ModelError(f"the model was made with Keras on {backend!r}; known are {', '.join(SAME)}")
    configuration = loads(_text(file.attrs["model_config"]).encode(), ModelError)
    weights = _Weights(h5py, file["model_weights"], size)
    network = _member(configuration, "config", (dict, list), "model_config")
    if _member(configuration, "class_name", str, "model_config") == "Sequential":
        listed = network if isinstance(network, list) else _member(network, "layers", list, "config")
        return replace(_in_sequence(listed, weights), same=SAME[backend])
    if not isinstance(network, dict):
        raise ModelError(f"model_config: config must be an object; {WHOLE_MODEL}")
    listed = _member(network, "layers", list, "config")
    outputs = _member(network, "output_layers", list, "config")
    if len(listed) > MAX_LAYERS or len(outputs) != 1:
        raise ModelError(f"expected one output and at most {MAX_LAYERS} layers, got {len(outputs)} and {len(listed)}")
    layers = tuple(_layer(each, weights) for each in listed)
    return KerasModel(_sorted(layers), _named(outputs[0]), SAME[backend])


def _in_sequence(listed: list[Any], weights: "_Weights") -> KerasModel:
    if not listed:
        raise ModelError(f"the model has no layers; {WHOLE_MODEL}")
    layers: list[KerasLayer] = []
    for each in listed:
        kind, config = _member(each, "class_name", str, "layer"), _member(each, "config", dict, "layer")
        name = _member(config, "name", str, "layer")
        if not layers and kind != "InputLayer":
            layers.append(KerasLayer("InputLayer", f"{name}_input", config, (), ()))
        inputs = (layers[-1].name,) if layers else ()
        layers.append(KerasLayer(kind, name, config, inputs, weights.of(name)))
    return KerasModel(tuple(layers), layers[-1].name)


def _layer(value: Any, weights: "_Weights") -> KerasLayer:
    kind, name = _member(value, "class_name", str, "layer"), _member(value, "name", str, "layer")
    config = _member(value, "config", dict, name)
    calls = _member(value, "inbound_nodes", list, name)
    if len(calls) > 1:
        raise ModelError(f"layer {name!r} is used {len(calls)} times; layers used once are known")
    if calls and not isinstance(calls[0], list):
        raise ModelError(f"layer {name!r} is not written as Keras 2 writes it; {WHOLE_MODEL}")
    return KerasLayer(kind, name, config, tuple(_named(each) for call in calls for each in call), weights.of(name))


def _named(reference: Any) -> str:
    """Return the layer that ``[name, 0, 0, ...]`` refers to."""
    if not isinstance(reference, list) or len(reference) < 3 or not isinstance(reference[0], str):
        raise ModelError(f"a layer is not written as Keras 2 writes it; {WHOLE_MODEL}")
    if reference[1:3] != [0, 0]:
        raise ModelError(f"layer {reference[0]!r} is used twice, or has several outputs; neither is known")
    return reference[0]


def _sorted(layers: Sequence[KerasLayer]) -> tuple[KerasLayer, ...]:
    """Return the layers, each after those that feed it."""
    if len({layer.name for layer in layers}) != len(layers):
        raise ModelError(f"the model names a layer twice; {WHOLE_MODEL}")
    done: dict[str, KerasLayer] = {}
    waiting = list(layers)
    while waiting:
        ready = [layer for layer in waiting if all(name in done for name in layer.inputs)]
        if not ready:
            names = ", ".join(layer.name for layer in waiting[:5])
            raise ModelError(f"layers {names} are fed by layers that are not there, or by each other")
        done |= {layer.name: layer for layer in ready}
        waiting = [layer for layer in waiting if layer.name not in done]
    return tuple(done.values())


def _member(value: Any, key: str, kind: type | tuple[type, ...], where: str) -> Any:
    member = value.get(key) if isinstance(value, dict) else None
    if not isinstance(member, kind):
        raise ModelError(f"{where}: {key} is missing, or is not what Keras 2 writes; {WHOLE_MODEL}")
    return member


def _text(value: Any) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


class _Weights:
    """The group ``model_weights``: by layer, by name; nothing is read that is not in the file itself."""

    def __init__(self, h5py: Any, group: Any, size: int) -> None:
        self._h5py = h5py
        self._group = group
        self._size = size

    def of(self, layer: str) -> tuple[NDArray[np.float32], ...]:
        """Return a layer's weights in Keras' order."""
        group = self._inside(self._group, layer) if layer in self._group else None
        names = [] if group is None else [_text(each) for each in group.attrs.get("weight_names", ())]
        return tuple(self._array(group, name) for name in names)

    def _inside(self, group: Any, name: str) -> Any:
        """Return a member, through groups of this file alone: a link might lead to any file of this computer."""
        for part in name.split("/"):
            if not isinstance(group.get(part, getlink=True), self._h5py.HardLink):
                raise ModelError(f"weights {name!r} are not in this file; {WHOLE_MODEL}")
            group = group[part]
        return group

    def _array(self, group: Any, name: str) -> NDArray[np.float32]:
        data = self._inside(group, name)
        if not isinstance(data, self._h5py.Dataset) or data.dtype.kind != "f" or data.external or data.is_virtual:
            raise ModelError(f"weights {name!r} are no floating-point array of this file; {WHOLE_MODEL}")
        if math.prod(data.shape) * data.dtype.itemsize > self._size:
            raise ModelError(f"weights {name!r} claim shape {data.shape}, more than the file holds; copy it again")
        return np.asarray(data[...], dtype=np.float32)
