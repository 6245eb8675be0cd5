"""What a builder gets of one of MXNet's operators: its attributes, all text, and its inputs, tensors or weights."""

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from crystal_search.errors import ModelError
from crystal_search.old_weights.onnx_graph import OnnxGraph

Weights = NDArray[np.float32]
Source = str | NDArray[Any]  #: a tensor of the graph by name, or learnt numbers

BOOLEANS = {"True": True, "true": True, "1": True, "False": False, "false": False, "0": False}
NUMBERS = re.compile(r"[(\[]?\s*(-?\d{1,9}L?(\s*,\s*-?\d{1,9}L?)*)?\s*,?\s*[)\]]?")
MAX_INTEGER = 1_000_000
#: How fast an operator runs or how it is trained; nothing that its answer depends on.
WITHOUT_EFFECT = {
    "workspace", "cudnn_tune", "cudnn_off", "momentum", "num_args", "lr_mult", "wd_mult", "weight_lr_mult",
    "force_mirroring", "ctx_group", "use_global_stats",
}  # fmt: skip


class Attributes:
    """The attributes of one operator; `finish` refuses those that nobody asked for."""

    def __init__(self, values: dict[str, str], where: str) -> None:
        self._values = {key: text for key, text in values.items() if not key.startswith("__")}
        self._where = where

    def _fail(self, key: str, expected: str, got: str) -> NoReturn:
        raise ModelError(f"{self._where}: {key} must be {expected}, got {got[:80]!r}")

    def _take(self, key: str) -> str | None:
        text = self._values.pop(key, None)
        return None if text == "None" else text

    def boolean(self, key: str, default: bool) -> bool:
        """Return true or false."""
        text = self._take(key)
        if text is None:
            return default
        if text not in BOOLEANS:
            self._fail(key, "True or False", text)
        return BOOLEANS[text]

    def integers(self, key: str, default: tuple[int, ...] | None = None) -> tuple[int, ...]:
        """Return a tuple of whole numbers, for example of ``(3, 3)``; an empty one is the default.

        Raises
        ------
        ModelError
            If it is missing and has no default, or is no such tuple.
        """
        text = self._take(key)
        if text is None or text in ("()", "[]"):
            if default is None:
                raise ModelError(f"{self._where}: {key} is missing")
            return default
        if not NUMBERS.fullmatch(text.strip()):
            self._fail(key, "whole numbers", text)
        numbers = tuple(int(each) for each in re.findall(r"-?\d+", text))
        if max(map(abs, numbers)) > MAX_INTEGER:
            self._fail(key, f"of at most {MAX_INTEGER}", text)
        return numbers

    def pair(self, key: str, default: tuple[int, int] | None = None, *, least: int = 1) -> tuple[int, int]:
        """Return two whole numbers, rows before columns, of at least `least`."""
        numbers = self.integers(key, default)
        if len(numbers) != 2 or min(numbers) < least:
            self._fail(key, f"two whole numbers of at least {least}", str(numbers))
        return numbers[0], numbers[1]

    def integer(self, key: str, default: int | None = None) -> int:
        """Return one whole number."""
        numbers = self.integers(key, None if default is None else (default,))
        if len(numbers) != 1:
            self._fail(key, "one whole number", str(numbers))
        return numbers[0]

    def number(self, key: str, default: float | None = None) -> float:
        """Return a finite number.

        Raises
        ------
        ModelError
            If it is missing and has no default, or is no such number.
        """
        text = self._take(key)
        if text is None:
            if default is None:
                raise ModelError(f"{self._where}: {key} is missing")
            return default
        try:
            value = float(text)
        except ValueError:
            self._fail(key, "a number", text)
        if not math.isfinite(value):
            self._fail(key, "finite", text)
        return value

    def choice(self, key: str, choices: Iterable[str], default: str | None = None) -> str:
        """Return one of `choices`."""
        text = self._take(key)
        text = default if text is None else text
        if text not in (allowed := tuple(choices)):
            self._fail(key, f"one of {', '.join(allowed)}", str(text))
        return text

    def forget(self, *keys: str) -> None:
        """Pass over attributes that mean nothing when a trained network answers."""
        for key in keys:
            self._values.pop(key, None)

    def finish(self) -> None:
        """Refuse attributes that were not asked for and might change the answer.

        Raises
        ------
        ModelError
            If there are any; the message lists them.
        """
        if left := sorted(self._values.keys() - WITHOUT_EFFECT):
            raise ModelError(f"{self._where}: unknown attribute {', '.join(left)}; this network cannot be imported")


@dataclass(frozen=True, slots=True)
class Layer:
    """One operator, about to be built."""

    where: str  #: what an error says about it
    attributes: Attributes
    sources: tuple[Source, ...]

    def tensor(self, graph: OnnxGraph, position: int = 0) -> str:
        """Return an input as a tensor; weights become a constant."""
        source = self._source(position)
        return source if isinstance(source, str) else graph.constant(source.astype(np.float32, copy=False))

    def weights(self, position: int, shape: tuple[int | None, ...]) -> Weights:
        """Return an input as weights of a shape; None stands for any size.

        Raises
        ------
        ModelError
            If the input is missing, is computed, or has another shape.
        """
        source = self._source(position)
        if isinstance(source, str):
            raise ModelError(f"{self.where}: input {position} must be weights of the file, not computed")
        fits = len(source.shape) == len(shape) and all(
            want in (None, got) for want, got in zip(shape, source.shape, strict=True)
        )
        if not fits:
            expected = ", ".join("any" if side is None else str(side) for side in shape)
            raise ModelError(
                f"{self.where}: weights {position} have shape {source.shape}, expected ({expected}); "
                "do both files belong together?"
            )
        return source.astype(np.float32, copy=False)

    def _source(self, position: int) -> Source:
        if position >= len(self.sources):
            raise ModelError(f"{self.where}: input {position} is missing, there are {len(self.sources)}")
        return self.sources[position]


Builder = Callable[[OnnxGraph, Layer], str]  #: adds an operator to the graph and returns its output
