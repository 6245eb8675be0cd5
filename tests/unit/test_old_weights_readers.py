"""Reading MXNet's two files: what was written comes back, and whatever is damaged is refused in words."""

import json
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from crystal_search.errors import ModelError
from crystal_search.old_weights.mxnet_layers import Attributes
from crystal_search.old_weights.mxnet_params import read_params
from crystal_search.old_weights.mxnet_symbol import Output, read_symbol
from tests.unit.old_weights_files import DENSE, Arrays, SymbolFile, array_bytes, params_bytes

GOLDEN = Path(__file__).parents[1] / "golden" / "old-weights"
SHAPES = arrays_of.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4)
ARRAYS = st.sampled_from(["float32", "float64", "float16", "uint8", "int32", "int8", "int64"]).flatmap(
    lambda name: arrays_of.arrays(name, SHAPES, elements=st.integers(0, 100))
)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8).map(lambda name: f"arg:{name}")
FILES = st.dictionaries(NAMES, ARRAYS, max_size=4)
SMALL = {"arg:w": np.arange(6, dtype=np.float32).reshape(2, 3), "aux:v": np.ones(2, dtype=np.float32)}


@given(arrays=FILES, layout=st.sampled_from(["dense", "earlier", "first"]))
def test_what_was_written_is_read(arrays: Arrays, layout: str) -> None:
    read = read_params(params_bytes(arrays, layout))
    assert list(read) == [name.removeprefix("arg:") for name in arrays]
    for got, expected in zip(read.values(), arrays.values(), strict=True):
        assert got.dtype == expected.dtype
        np.testing.assert_array_equal(got, expected)


@given(end=st.integers(0, len(params_bytes(SMALL)) - 1))
def test_a_file_that_was_cut_off_is_refused(end: int) -> None:
    with pytest.raises(ModelError, match=r"ends early|claims"):
        read_params(params_bytes(SMALL)[:end])


@settings(max_examples=300)
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused_and_never_more(data: Any) -> None:
    damaged = bytearray(params_bytes(SMALL))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with suppress(ModelError):
        assert sum(array.nbytes for array in read_params(bytes(damaged)).values()) <= len(damaged)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04" + bytes(40), r"no MXNet .params file: it begins with 0x4034b50, expected 0x112"),
        (params_bytes(SMALL, names=["arg:w", "aux:w"]), r"names w twice"),
        (params_bytes(SMALL, names=["arg:w"]), r"2 arrays and 1 names"),
        (params_bytes(SMALL) + b"\0", r"1 bytes follow the end"),
        (params_bytes({"arg:w": SMALL["arg:w"]}, names=["\0" * 2000]), r"a name of 2000 bytes"),
        (struct.pack("<QQQ", 0x112, 0, 2**60), r"claims 1152921504606846976 arrays"),
        (struct.pack("<QQQIi", 0x112, 0, 1, DENSE, 1), r"array 0 .* is sparse \(storage type 1\); save it dense"),
        (struct.pack("<QQQI", 0x112, 0, 1, 1000), r"1000 dimensions; 0 to 8 are read"),
        (struct.pack("<QQQIiIqq", 0x112, 0, 1, DENSE, 0, 2, 2, -3), r"shape \(2, -3\), a side negative"),
        (struct.pack("<QQQIiIqqq", 0x112, 0, 1, DENSE, 0, 3, 0, 2**62, 2**62), r"too large"),
        (
            struct.pack("<QQQIiIqqiii", 0x112, 0, 1, DENSE, 0, 2, 2**30, 9, 1, 0, 0),
            r"array 0 of shape \(1073741824, 9\) needs \d+ bytes at 64, 0 are left",
        ),
        (
            struct.pack("<QQQIiIqiii", 0x112, 0, 1, DENSE, 0, 1, 1, 1, 0, 12) + bytes(4),
            r"type 12; known are 0 \(float32\)",
        ),
    ],
)
def test_a_params_file_that_is_none_is_refused_in_words(content: bytes, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        read_params(content)


def test_an_array_that_was_never_filled_has_nothing_after_its_shape() -> None:
    empty = struct.pack("<IiI", DENSE, 0, 0)
    filled = array_bytes(np.ones(3, dtype=np.float32))
    names = struct.pack("<Q", 2) + b"".join(struct.pack("<Q", 5) + name for name in (b"arg:a", b"arg:b"))
    read = read_params(struct.pack("<QQQ", 0x112, 0, 2) + empty + filled + names)
    assert (read["a"].size, read["b"].tolist()) == (0, [1, 1, 1])


def test_a_params_file_of_mxnet_is_read() -> None:
    read = read_params((GOLDEN / "operators-0000.params").read_bytes())
    assert {name: array.shape for name, array in read.items()}["fullyconnected0_weight"] == (13, 320)


def test_a_symbol_is_read_with_its_nodes_and_heads() -> None:
    file = SymbolFile()
    file.add("Activation", "act", file.variable("data"), act_type="relu")
    symbol = read_symbol(file.text())
    assert (symbol.nodes[1].op, symbol.nodes[1].attributes) == ("Activation", {"act_type": "relu"})
    assert (symbol.nodes[1].inputs, symbol.heads) == ((Output(0, 0),), (Output(1, 0),))


def test_a_symbol_from_before_0_9_has_its_attributes_elsewhere_and_statistics_unlisted() -> None:
    nodes: list[dict[str, Any]] = [
        {"op": "null", "param": {}, "name": name, "inputs": [], "backward_source_id": -1} for name in ("x", "g", "b")
    ]
    feeds = [[0, 0], [1, 0], [2, 0]]
    nodes.append({"op": "BatchNorm", "param": {"eps": "0.1"}, "attr": {"lr_mult": "2"}, "name": "bn", "inputs": feeds})
    node = read_symbol(json.dumps({"nodes": nodes, "arg_nodes": [0], "heads": [[3, 0]]}).encode()).nodes[3]
    assert node.attributes == {"eps": "0.1", "lr_mult": "2"}
    assert node.implied == ("bn_moving_mean", "bn_moving_var")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"[" * 200_000, r"nested too deep"),
        (b"[]", r"symbol: expected an object"),
        (b'{"nodes": []}', r"heads is missing"),
        (b'{"nodes": [], "heads": []}', r"names no output"),
        (b'{"nodes": [], "heads": [[0, 0, 0]]}', r"heads must name outputs"),
        (b'{"nodes": [{"op": "null", "name": "x", "inputs": [[0, 0, 0]]}], "heads": [[0, 0]]}', r"inputs of node 'x'"),
        (b'{"nodes": [{"op": "null", "name": "x", "inputs": {}}], "heads": [[0, 0]]}', r"must be a list"),
        (b'{"nodes": [{"op": "null", "name": "x", "attrs": {"a": 1}, "inputs": []}], "heads": []}', r"object of texts"),
    ],
)
def test_a_symbol_file_that_is_none_is_refused_in_words(text: bytes, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        read_symbol(text)


def test_attributes_are_read_as_mxnet_ever_wrote_them() -> None:
    texts = {"a": "(3, 3)", "b": "[2,1]", "c": "(1L, 1L)", "d": "()", "e": "True", "f": "0", "g": "1e-3", "h": "None"}
    read = Attributes(texts | {"__lr__": "1", "workspace": "1024"}, "x")
    assert [read.pair(key, (9, 9)) for key in "abcd"] == [(3, 3), (2, 1), (1, 1), (9, 9)]
    assert (read.boolean("e", False), read.boolean("f", True), read.number("g"), read.integer("h", 7)) == (
        True, False, 1e-3, 7,
    )  # fmt: skip
    read.finish()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(3", r"got '\(3,\)'"),
        ("(3, x)", r"k must be whole numbers, got"),
        ("(0, 3)", r"two whole numbers of at least 1"),
        ("(99999999, 3)", r"of at most 1000000"),
        ("(" + "1" * 5000 + ", 1)", r"whole numbers"),
    ],
)
def test_an_attribute_that_is_no_pair_is_refused(text: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Attributes({"k": text}, "x").pair("k")


def test_an_attribute_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ModelError, match=r"Convolution 'c': unknown attribute fancy"):
        Attributes({"fancy": "1"}, "Convolution 'c'").finish()
