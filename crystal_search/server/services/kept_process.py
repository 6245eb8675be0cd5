"""A command of this program that runs beside a service, as a process of its own."""

import subprocess
import time
from collections.abc import Sequence

from crystal_search.exit_codes import USAGE
from crystal_search.server.engines.leash import GRACE_S, PYTHON, end, leashed

AT_ONCE = -float("inf")  #: when a process began that never did


class KeptProcess:
    """A command that is begun again whenever it has ended, so long after the last beginning.

    Parameters
    ----------
    words
        The command and its arguments, as after ``crystal-search``.
    rest_s
        From one beginning to the next, at least.
    rest_after_usage_s
        The same after it said that it was called wrongly: a person has to do something.
    ends_by_itself
        Whether it is left to end what it does when this service ends.
    """

    def __init__(
        self, words: Sequence[str], *, rest_s: float, rest_after_usage_s: float, ends_by_itself: bool = False
    ) -> None:
        self._command = [*PYTHON, "-m", "crystal_search.main", *words]
        self._rest_s, self._rest_after_usage_s = rest_s, rest_after_usage_s
        self._ends_by_itself = ends_by_itself
        self._process: subprocess.Popen[bytes] | None = None
        self._began = AT_ONCE

    def look_after(self) -> None:
        """Begin the command if it does not run and has rested."""
        code = self._process.poll() if self._process else 0
        rest_s = self._rest_after_usage_s if code == USAGE else self._rest_s
        if code is None or time.monotonic() < self._began + rest_s:
            return
        self._began = time.monotonic()
        self._process = subprocess.Popen(leashed(self._command), stdin=subprocess.DEVNULL, start_new_session=True)

    def close(self) -> None:
        """Stop the command; one that ends by itself only if it does not in time."""
        if self._process:
            if not self._ends_by_itself:
                self._process.terminate()
            end(self._process, GRACE_S)
