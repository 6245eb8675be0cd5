"""How often passwords may be tried."""

import time
from collections.abc import Callable
from math import ceil

from crystal_search.errors import UserError
from crystal_search.viewer.people.slowing import Pace

WITHIN_S = 900.0
OF_ONE, OF_ALL = 10, 100  #: tries from one address: at one name, and at all


class TooManyGuessesError(UserError):
    """Passwords were tried too often of late."""

    def __init__(self, wait_s: float) -> None:
        self.wait_s = ceil(wait_s)
        super().__init__(f"passwords were tried too often here; try again in {self.wait_s} s")


class Guesses:
    """Counts tries at passwords; one name is never closed to an address that tried little.

    Parameters
    ----------
    clock
        s, for tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._of_one = Pace(OF_ONE, within_s=WITHIN_S, clock=clock)
        self._of_all = Pace(OF_ALL, within_s=WITHIN_S, clock=clock)

    def count(self, name: str, address: str) -> None:
        """Count one more try.

        Raises
        ------
        TooManyGuessesError
            If that is one too many.
        """
        wait_s = self._of_one.wait_s(f"{address} {name}") or self._of_all.wait_s(address)
        if wait_s:
            raise TooManyGuessesError(wait_s)
