"""Writing the old libraries' formats, as small as tests need them, from their descriptions."""

import json
import struct
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

CODES = {"float32": 0, "float64": 1, "float16": 2, "uint8": 3, "int32": 4, "int8": 5, "int64": 6}
DENSE, EARLIER = 0xF993FAC9, 0xF993FAC8
Arrays = dict[str, NDArray[Any]]


def array_bytes(values: NDArray[Any], layout: str = "dense") -> bytes:
    """Return one array: ``dense`` as since 0.12, ``earlier`` with 64-bit sides, ``first`` with 32-bit sides."""
    sides = values.shape
    head = {
        "dense": struct.pack("<IiI", DENSE, 0, len(sides)) + struct.pack(f"<{len(sides)}q", *sides),
        "earlier": struct.pack("<II", EARLIER, len(sides)) + struct.pack(f"<{len(sides)}q", *sides),
        "first": struct.pack("<I", len(sides)) + struct.pack(f"<{len(sides)}I", *sides),
    }[layout]
    return head + struct.pack("<iii", 1, 0, CODES[values.dtype.name]) + values.tobytes()


def params_bytes(arrays: Arrays, layout: str = "dense", names: list[str] | None = None) -> bytes:
    """Return a ``.params`` file."""
    encoded = [name.encode() for name in (list(arrays) if names is None else names)]
    body = b"".join(array_bytes(values, layout) for values in arrays.values())
    listed = b"".join(struct.pack("<Q", len(name)) + name for name in encoded)
    return struct.pack("<QQQ", 0x112, 0, len(arrays)) + body + struct.pack("<Q", len(encoded)) + listed


class SymbolFile:
    """A ``-symbol.json`` file, written node by node."""

    def __init__(self) -> None:
        self.nodes: list[dict[str, Any]] = []

    def variable(self, name: str) -> int:
        return self.add("null", name)

    def add(self, op: str, name: str, *inputs: int, **attributes: str) -> int:
        self.nodes.append({"op": op, "name": name, "attrs": attributes, "inputs": [[each, 0, 0] for each in inputs]})
        return len(self.nodes) - 1

    def text(self, head: int | None = None) -> bytes:
        arguments = [n for n, node in enumerate(self.nodes) if node["op"] == "null"]
        heads = [[len(self.nodes) - 1 if head is None else head, 0, 0]]
        return json.dumps({"nodes": self.nodes, "arg_nodes": arguments, "heads": heads}).encode()


def keras_layer(kind: str, name: str, *inputs: str, **config: Any) -> dict[str, Any]:
    """Return a layer as Keras 2 lists it."""
    calls = [[[each, 0, 0, {}] for each in inputs]] if inputs else []
    return {"class_name": kind, "name": name, "config": {"name": name} | config, "inbound_nodes": calls}


def keras_input(side_px: int, channels: int = 1) -> dict[str, Any]:
    return keras_layer("InputLayer", "input_1", batch_input_shape=[None, side_px, side_px, channels])


def keras_conv(name: str, fed_by: str, activation: str = "relu", **config: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {"padding": "same", "strides": [1, 1], "dilation_rate": [1, 1], "use_bias": True}
    settings |= {"data_format": "channels_last", "activation": activation}
    return keras_layer("Conv2D", name, fed_by, **settings | config)


def write_keras(
    h5py: ModuleType,
    path: Path,
    layers: list[dict[str, Any]],
    weights: dict[str, list[NDArray[Any]]],
    *,
    backend: str = "tensorflow",
) -> Path:
    """Write a whole model as ``model.save`` of Keras 2 does; weights are named ``LAYER/kernel:0`` and so on."""
    config = {"name": "model_1", "layers": layers, "input_layers": [["input_1", 0, 0]]}
    config["output_layers"] = [[layers[-1]["name"], 0, 0]]
    h5: Any = h5py
    with h5.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Model", "config": config}).encode()
        file.attrs["keras_version"], file.attrs["backend"] = b"2.2.4", backend.encode()
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [layer["name"].encode() for layer in layers]
        for layer in layers:
            arrays = weights.get(layer["name"], [])
            names = [f"{layer['name']}/{part}:0".encode() for part in ("kernel", "bias", "c", "d")[: len(arrays)]]
            member = group.create_group(layer["name"])
            member.attrs["weight_names"] = names
            for name, values in zip(names, arrays, strict=True):
                member.create_dataset(name.decode(), data=values.astype(np.float32))
    return path
