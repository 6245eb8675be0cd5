"""Matching names with a regular expression that somebody invented, in a process whose time and memory end.

Over some expressions, as ``([a-z]+)+_``, Python's `re` takes longer for one name than anyone waits, or more memory than
there is. It knows no limit, and no thread goes on meanwhile.
"""

import atexit
import json
import re
import resource
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

MATCH_S = 0.1  #: of processor time for a name; most take microseconds
MATCH_MIB = 512
KEPT = 20_000  #: answers; the names of a plate are read again whenever images of it come
NO_MEMORY = 3  #: what the process ends with that needs more
LIMITS = (-signal.SIGPROF, NO_MEMORY, -signal.SIGKILL)  #: how it ends there; the last where the machine has no memory


@dataclass(frozen=True, slots=True)
class Match:
    """A text that an expression matches as a whole."""

    text: str
    groups: dict[str, str | None]  #: those with a name; None for one that is no part of the match


@lru_cache(maxsize=KEPT)
def first_match(pattern: str, texts: tuple[str, ...]) -> Match | None:
    """Return the first of `texts` that a regular expression matches as a whole; None when it matches none.

    Raises
    ------
    TimeoutError
        If that takes more than MATCH_S of processor time or MATCH_MIB of memory.

    >>> first_match("(?P<row>[A-H])[0-9]+", ("plate/B7", "B7"))
    Match(text='B7', groups={'row': 'B'})
    """
    found = json.loads(_matcher().answer(json.dumps([pattern, texts]).encode()))
    return Match(*found) if found else None


class _Matcher:
    """The process that matches: begun when it is asked, and again when it was ended. Any thread may ask it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        atexit.register(self.end)

    def answer(self, question: bytes) -> bytes:
        """Return the line that answers one line."""
        with self._lock:
            self._process = process = self._process or _begun()
            try:
                answer = _asked(process, question)
            except BaseException:  # nobody is to take this question's answer for the next one's
                self.end()
                raise
            if answer:
                return answer
            self._process, code = None, process.wait()
            _close(process)
        if code not in LIMITS:
            raise RuntimeError(f"the process that matches names ended with code {code}")
        raise TimeoutError(f"matching takes more than {MATCH_S} s or {MATCH_MIB} MB")

    def end(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process:
            process.kill()
            process.wait()
            _close(process)


@lru_cache
def _matcher() -> _Matcher:
    return _Matcher()


def _begun() -> "subprocess.Popen[bytes]":
    words = [sys.executable, "-I", "-S", "-W", "ignore", __file__]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)


def _asked(process: "subprocess.Popen[bytes]", question: bytes) -> bytes:
    """Return the answer, empty where the process has ended."""
    if not process.stdin or not process.stdout:
        return b""
    with suppress(BrokenPipeError):
        process.stdin.write(question + b"\n")
        process.stdin.flush()
    return process.stdout.readline()


def _close(process: "subprocess.Popen[bytes]") -> None:
    for pipe in (process.stdin, process.stdout):
        with suppress(BrokenPipeError):
            if pipe:
                pipe.close()


def main() -> None:
    """Answer questions until there are none; a signal ends this process where one takes too long."""
    resource.setrlimit(resource.RLIMIT_AS, (MATCH_MIB << 20, MATCH_MIB << 20))
    for line in sys.stdin:
        pattern, texts = json.loads(line)
        expression = re.compile(pattern)
        signal.setitimer(signal.ITIMER_PROF, MATCH_S)
        try:
            found = next(filter(None, map(expression.fullmatch, texts)), None)
        except MemoryError:
            sys.exit(NO_MEMORY)
        signal.setitimer(signal.ITIMER_PROF, 0)
        answer = found and [found[0], found.groupdict()]
        sys.stdout.write(f"{json.dumps(answer)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
