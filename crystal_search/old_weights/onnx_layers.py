"""What a builder gets of one operator: its attributes, and for every input a tensor or an array of weights."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crystal_search.errors import ModelError
from crystal_search.old_weights.mxnet_attributes import Attributes
from crystal_search.old_weights.onnx_graph import OnnxGraph

Weights = NDArray[np.float32]
Source = str | NDArray[Any]  #: a tensor of the graph by name, or learnt numbers


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
