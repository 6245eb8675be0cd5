"""``python -m tests.fuzz.keep``: takes into the corpora the little of what fuzzing found that reaches most of our code.

Of each target's inputs in ``.fuzz/corpus``, the smallest first, those stay that run a line of ours which none before
them ran, as long as there is room. They are called ``grown-...``.
"""

import argparse
import hashlib
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import crystal_search
from tests.fuzz.__main__ import WORK
from tests.fuzz.targets import CORPUS, TARGETS, inputs

GROWN = "grown-"  #: begins the name of each
ROOM_BYTES = 4000  #: for those of one target
OURS = str(Path(crystal_search.__file__).parent)

Lines = set[tuple[str, int]]


def lines_run(read: Callable[[bytes], object], data: bytes) -> Lines:
    """Return the lines of ours that reading `data` runs: file and number."""
    run: Lines = set()

    def line(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            run.add((frame.f_code.co_filename, frame.f_lineno))
        return line

    def call(frame: FrameType, _: str, __: Any) -> Any:
        return line if frame.f_code.co_filename.startswith(OURS) else None

    before = sys.gettrace()
    sys.settrace(call)
    try:
        read(data)
    finally:
        sys.settrace(before)
    return run


def chosen(read: Callable[[bytes], object], known: Iterable[bytes], grown: Iterable[bytes]) -> list[bytes]:
    """Return what of `grown` runs lines that `known` and smaller ones do not, as long as there is room."""
    run: Lines = set()
    for data in known:
        run |= lines_run(read, data)
    kept: list[bytes] = []
    for data in sorted(grown, key=lambda each: (len(each), each)):
        new = lines_run(read, data) - run
        if new and sum(map(len, kept)) + len(data) <= ROOM_BYTES:
            kept.append(data)
            run |= new
    return kept


def main(argv: Sequence[str] | None = None) -> None:
    """Keep the grown inputs of the targets that are named, or of all, in place of those that are there."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.keep", description=__doc__)
    parser.add_argument("targets", nargs="*", choices=[*TARGETS, []], default=[], metavar="TARGET", help="or all")
    parser.add_argument("--work", type=Path, default=WORK, help="folder of corpora and findings")
    arguments = parser.parse_args(argv)
    for name in arguments.targets or TARGETS:
        for old in CORPUS.glob(f"{name}/{GROWN}*"):
            old.unlink()
        grown = [path.read_bytes() for path in (arguments.work / "corpus" / name).glob("*")]
        kept = chosen(TARGETS[name], [path.read_bytes() for path in inputs(name)], grown)
        for data in kept:
            (CORPUS / name / f"{GROWN}{hashlib.sha256(data).hexdigest()[:12]}").write_bytes(data)
        sys.stdout.write(f"{name:16}{len(kept):5} of {len(grown)} inputs\n")


if __name__ == "__main__":
    main()
