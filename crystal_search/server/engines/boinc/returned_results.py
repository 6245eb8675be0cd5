"""What BOINC's validator asks about uploaded results, for the scripts that `install` writes.

``check HOME PATH...`` tells whether a result is valid, ``compare=TOLERANCE HOME PATH PATH`` whether two say the same.
They come from strangers. A fault of our own (a home that is away, no memory) must never be taken for theirs, nor theirs
for ours: a result that makes the reader stumble would be asked about again and again.
"""

import resource
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from crystal_search.errors import ResultError, WorkUnitError
from crystal_search.hostile_json import printable
from crystal_search.model_card import CrystalCard
from crystal_search.result import Result
from crystal_search.result_reader import MAX_BYTES_PER_IMAGE, result_from_json
from crystal_search.server.engines.boinc.agreement import disagreement
from crystal_search.server.engines.boinc.crystal_agreement import Tolerance
from crystal_search.server.engines.boinc.project import unit_of
from crystal_search.server.home import Home
from crystal_search.server.returned_result import cards_of, read_returned
from crystal_search.server.settings import Settings
from crystal_search.server.unit_states import State, place_of
from crystal_search.work_unit import MAX_IMAGES

Word = Literal["valid", "refused"]
EXIT_CODES: dict[Word, int] = {"valid": 0, "refused": 9}  #: the scripts take all others for no answer
MAX_BYTES = MAX_BYTES_PER_IMAGE * MAX_IMAGES
TOLERANCE = Settings().boinc_tolerance
MAX_MEMORY_BYTES = 2 * 1024**3  #: of a process that reads results; honest ones take a tenth of it at most


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said of results."""

    word: Word
    reason: str = ""

    def __str__(self) -> str:
        """Return it as one line."""
        return f"{self.word} {printable(' '.join(self.reason.split()))}".rstrip()


VALID = Answer("valid")


def answer(words: Sequence[str]) -> Answer:
    """Answer a question, ``check HOME PATH...`` or ``compare=TOLERANCE HOME PATH PATH``; own faults are exceptions.

    Scripts of former versions say no tolerance; theirs is the default.
    """
    (what, _, tolerance), home, paths = words[0].partition("="), Path(words[1]), [Path(word) for word in words[2:]]
    questions: dict[str, Callable[[Home, Sequence[Path]], Answer]] = {
        "check": check,
        "compare": partial(compare, tolerance=float(tolerance or TOLERANCE)),
    }
    return questions[what](Home(home), paths)


def check(home: Home, paths: Sequence[Path]) -> Answer:
    """Return whether the uploaded files of one result are valid.

    Raises
    ------
    UserError, OSError
        If the home is not there, or cannot be read.
    """
    try:
        (path,) = paths
        name, _ = unit_of(path.name)
    except ValueError as error:
        return Answer("refused", f"{' '.join(str(path) for path in paths)}: {error}")
    packed = place_of(home.found(), name, State.QUEUED)
    try:
        try:
            packed.open("rb").close()  # a home that cannot be read is a fault of our own
            read_returned(path, packed, home)
        except (FileNotFoundError, WorkUnitError):  # scored already, wanted no more, or damaged and soon packed again
            _result_in(path)
    except ResultError as error:
        return Answer("refused", f"{path.name}: {error}")
    return VALID


def compare(home: Home, paths: Sequence[Path], *, tolerance: float) -> Answer:
    """Return whether two results, of one uploaded file each, say the same.

    Parameters
    ----------
    home
        Where the card of their crystal detector is, if it is still there.
    tolerance
        By which probabilities may differ.
    """
    if len(paths) != 2:
        return Answer("refused", f"{len(paths)} files, expected two")
    try:
        one, other = (_result_in(path) for path in paths)
    except ResultError as error:
        return Answer("refused", str(error))
    tolerated = Tolerance(probability=tolerance, detector=_detector_of((one, other), home))
    if trouble := disagreement(one, other, tolerated):
        return Answer("refused", f"{paths[0].name} and {paths[1].name}: {trouble}")
    return VALID


def _detector_of(results: Sequence[Result], home: Home) -> CrystalCard | None:
    """Return the card of the detector of results that tell of crystals."""
    scores = [image.score for each in results for image in each.images]
    if not any(score.crystals or score.uncounted for score in scores):
        return None
    card = cards_of(results[0].models, home).get(CrystalCard.role)
    return card if isinstance(card, CrystalCard) else None


def _result_in(path: Path) -> Result:
    """Return the result in an uploaded file.

    Raises
    ------
    ResultError
        If it is no file, too large, or no result.
    """
    if path.is_symlink() or not path.is_file():
        raise ResultError(f"{path} is no file")
    if (size := path.stat().st_size) > MAX_BYTES:
        raise ResultError(f"{path}: {size} bytes; a result has at most {MAX_BYTES}")
    return result_from_json(path.read_bytes())


def limit_memory(limit_bytes: int = MAX_MEMORY_BYTES) -> None:
    """Have this process get a MemoryError when it wants more memory than that."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    soft = limit_bytes if hard == resource.RLIM_INFINITY else min(limit_bytes, hard)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def alone(words: Sequence[str]) -> Answer:
    """Answer a question in a process of its own: a result that fills all memory it is given is refused.

    Raises
    ------
    MemoryError
        If the machine has no memory: far less than is given was had.
    """
    limit_memory(MAX_MEMORY_BYTES)
    try:
        return answer(words)
    except MemoryError:
        if _most_bytes() < MAX_MEMORY_BYTES // 2:
            raise
        return Answer("refused", f"to read it takes more than {MAX_MEMORY_BYTES} bytes of memory")


def _most_bytes() -> int:
    """Return the most memory that this process ever had."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmPeak:"))
    return int(line.split()[1]) * 1024


def main(words: Sequence[str]) -> int:
    """Answer one question by an exit code, and tell why."""
    found = alone(words)
    if found.reason:
        sys.stderr.write(f"{found}\n")
    return EXIT_CODES[found.word]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
