"""Reading MXNet ``-symbol.json`` files: a network as a list of nodes, each naming the nodes that feed it."""

from dataclasses import dataclass
from typing import Any

from crystal_search.errors import ModelError
from crystal_search.hostile_json import Reader, loads

MAX_SYMBOL_BYTES = 32_000_000
MAX_NODES = 100_000
ATTRIBUTE_KEYS = ("attrs", "attr", "param")  #: in files of today, before 1.0, and before 0.9; the last two together
VARIABLE = "null"  #: the operator of inputs and weights
STATISTICS = ("moving_mean", "moving_var")  #: of a batch norm; files from before 0.9 do not list them


@dataclass(frozen=True, slots=True)
class Output:
    """One output of one node."""

    node: int  #: position in the list of nodes
    index: int  #: which of the node's outputs


@dataclass(frozen=True, slots=True)
class Node:
    """One operator, or a variable: an input or a weight."""

    op: str
    name: str
    attributes: dict[str, str]  #: everything as text, as MXNet writes it
    inputs: tuple[Output, ...]  #: from nodes earlier in the list
    implied: tuple[str, ...] = ()  #: weights after the inputs that the file does not list


@dataclass(frozen=True, slots=True)
class Symbol:
    """A network without its weights."""

    nodes: tuple[Node, ...]  #: every node after those that feed it
    heads: tuple[Output, ...]  #: what the network answers


def read_symbol(text: bytes) -> Symbol:
    """Return the network in a ``-symbol.json`` file.

    Raises
    ------
    ModelError
        If it is no such file, or a node names an input that does not come before it.
    """
    if len(text) > MAX_SYMBOL_BYTES:
        raise ModelError(f"the symbol file has {len(text)} bytes; at most {MAX_SYMBOL_BYTES} are read")
    read = Reader(loads(text, ModelError), "symbol", ModelError)
    told = read.items("nodes", limit=MAX_NODES, what="objects")
    nodes = tuple(_node(Reader(each, f"symbol.nodes[{n}]", ModelError), n) for n, each in enumerate(told))
    heads = _outputs(read.take("heads"), "heads", len(nodes))
    if not heads:
        raise ModelError("the symbol file names no output (heads); save the network again")
    return Symbol(nodes, heads)


def _node(read: Reader, position: int) -> Node:
    op, name = read.text("op"), read.text("name")
    where = f"node {name!r}"
    attributes: dict[str, str] = {}
    for key in ATTRIBUTE_KEYS:
        attributes |= _texts(read.take(key), where) if read.has(key) else {}
    inputs = _outputs(read.take("inputs"), f"inputs of {where}", position)
    listed = op != "BatchNorm" or len(inputs) != 3
    return Node(op, name, attributes, inputs, () if listed else tuple(f"{name}_{each}" for each in STATISTICS))


def _texts(value: Any, where: str) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        raise ModelError(f"symbol: attributes of {where} must be an object of texts")
    return dict(value)


def _outputs(value: Any, where: str, before: int) -> tuple[Output, ...]:
    """Return the list ``[[node, output, version], ...]``; the version may be missing, and means nothing here."""
    if not isinstance(value, list):
        raise ModelError(f"symbol: {where} must be a list")
    outputs = []
    for each in value:
        fits = isinstance(each, list) and len(each) in (2, 3) and all(type(number) is int for number in each)
        if not fits or not (0 <= each[0] < before and each[1] >= 0):
            raise ModelError(f"symbol: {where} must name outputs of nodes 0 to {before - 1}; save the network again")
        outputs.append(Output(each[0], each[1]))
    return tuple(outputs)
