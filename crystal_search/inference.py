"""Running a network with ONNX Runtime; nothing else of the package knows that library."""

import os
from collections.abc import Sequence
from typing import Any, Generic, Protocol

import numpy as np
from numpy.typing import NDArray

from crystal_search.errors import ModelError
from crystal_search.model import Card_co, Model
from crystal_search.model_card import Output

#: Up to this many pixels in a batch a network's memory is kept for the next; after more, a client that shares a
#: PC gives it back. A drop that fills 1224 x 1224 px is below, and keeps about 150 MB.
KEPT_FOR_PX = 1_500_000


Maps = dict[str, NDArray[np.float32]]  #: by the output's name, (N, its channels, h, w)


class Network(Protocol[Card_co]):
    """Something that maps a batch of normalised views to a batch of logit maps."""

    @property
    def card(self) -> Card_co:
        """What the network is and reads."""

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return maps of shape (N, classes, h, w) for views of shape (N, 1, H, W), or (N, 3, H, W) in colour."""

    def maps(self, batch: NDArray[np.float32]) -> Maps:
        """Return the maps of every output that the card lists, computed in one pass; `logits` is the first."""


def onnx_runtime() -> Any:
    """Return the library ONNX Runtime, its telemetry switched off.

    From 1.29 on its official builds report to their maker what they run, and write a device number into the
    user's folder when they are imported; only this variable, set before, prevents it
    (docs/decisions/0003-no-telemetry.md).
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    return onnxruntime


class OnnxNetwork(Generic[Card_co]):
    """A model file in an ONNX Runtime session on the CPU.

    Raises
    ------
    ModelError
        If the file cannot be loaded, or lacks an output of its card.
    """

    def __init__(self, model: Model[Card_co], *, threads: int = 1) -> None:
        onnxruntime = onnx_runtime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # The arena spares a fresh 26 MB for the first layer of every drop, a third of the time; one block for a
        # whole run, the memory pattern, costs that again (docs/speed.md).
        options.enable_mem_pattern = False
        self._give_back: Any = onnxruntime.RunOptions()
        self._give_back.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        self._card = model.card
        try:
            self._session: Any = onnxruntime.InferenceSession(
                model.onnx, sess_options=options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's exceptions share no base class but Exception
            raise ModelError(f"{model.card.file} cannot be loaded: {error}; install the model again") from error
        self._input: str = self._session.get_inputs()[0].name
        there = [each.name for each in self._session.get_outputs()]
        if missing := ", ".join(each.name for each in model.card.outputs if each.name not in there):
            raise ModelError(f"{model.card.file} has no output {missing} of its card, but {', '.join(there)}")

    @property
    def card(self) -> Card_co:
        """What the network is and reads."""
        return self._card

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the maps of the card's first output, shape (N, classes, h, w), for views of shape (N, 1, H, W).

        Raises
        ------
        ModelError
            If the model does not answer as its card says.
        """
        return self._answers(batch, self._card.outputs[:1])[0]

    def maps(self, batch: NDArray[np.float32]) -> Maps:
        """Return the maps of every output that the card lists, computed in one pass.

        Raises
        ------
        ModelError
            If the model does not answer as its card says.
        """
        outputs = self._card.outputs
        return dict(zip((each.name for each in outputs), self._answers(batch, outputs), strict=True))

    def _answers(self, batch: NDArray[np.float32], outputs: Sequence[Output]) -> list[NDArray[np.float32]]:
        pixels = len(batch) * batch.shape[2] * batch.shape[3]
        after = self._give_back if pixels > KEPT_FOR_PX else None
        answers = self._session.run([each.name for each in outputs], {self._input: batch}, after)
        for maps, output in zip(answers, outputs, strict=True):
            if maps.ndim != 4 or maps.shape[:2] != (len(batch), output.channels):
                raise ModelError(
                    f"{self._card.file} answers with shape {maps.shape} to {batch.shape}; "
                    f"its card lists {output.channels} {'classes' if output.classes else 'numbers'}"
                )
        return [np.asarray(maps) for maps in answers]
