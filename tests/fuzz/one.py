"""``python -m tests.fuzz.one TARGET CPU_SECONDS [LIBFUZZER ARGUMENTS]``: fuzzes one target with Atheris.

It ends with 0 when the processor time is used up, and with another code at the first finding, which lies then in
libFuzzer's ``-artifact_prefix``. The line ``executions N`` says how many inputs were tried.
"""

import logging
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from random import Random
from typing import Any

#: Whose branches guide the fuzzer: ours, and readers of the standard library and of Pillow that are written in Python.
GUIDES = ["crystal_search", "tomllib", "zipfile", "csv", "PIL"]


class Budget:
    """Counts inputs, and ends the process when its time is used up."""

    def __init__(self, cpu_s: float) -> None:
        self._until, self._executions = time.process_time() + cpu_s, 0

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count one input."""
        self._executions += 1
        try:
            yield
        except BaseException:
            self._say()
            raise
        if time.process_time() > self._until:
            self._say()
            os._exit(0)  # libFuzzer takes any other end for a finding

    def _say(self) -> None:
        sys.stderr.write(f"executions {self._executions}\n")
        sys.stderr.flush()


def mutator(atheris: Any, target: Any) -> Callable[[bytes, int, int], bytes]:
    """Return how the inputs of a target are spoilt: as libFuzzer does, or in their form; checksums are mended."""

    def mutated(data: bytes, max_size: int, seed: int) -> bytes:
        random = Random(seed)
        in_form = target.mutation is not None and random.random() < 0.5
        spoilt = target.mutation(data, random) if in_form else data
        if spoilt == data:
            spoilt = atheris.Mutate(data, max_size)
        return bytes(target.mended(bytes(spoilt[:max_size])))

    return mutated


def main(words: Sequence[str]) -> None:
    """Fuzz the target that is named."""
    name, cpu_s, *more = words
    atheris = import_module("atheris")
    with atheris.instrument_imports(include=GUIDES):
        target = import_module("tests.fuzz.targets").TARGETS[name]
    logging.disable()
    warnings.simplefilter("ignore")
    budget = Budget(float(cpu_s))

    def tried(data: bytes) -> None:
        with budget.counted():
            target(data)

    own = {} if target.mutation is None and target.mended is bytes else {"custom_mutator": mutator(atheris, target)}
    atheris.Setup([name, *more], tried, **own)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
