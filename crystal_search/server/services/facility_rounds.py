"""A facility's own database while `watch` runs: pulled and pushed all the time, beside the scoring, never before it.

It runs in a thread of its own: a database that is silent holds nothing up but itself.
"""

import threading
import time
import traceback
from collections.abc import Callable

from crystal_search.errors import CrystalSearchError
from crystal_search.server.facility.facility_database import FacilityDatabase
from crystal_search.server.facility.facility_kinds import facility_kind, facility_name, open_facility
from crystal_search.server.facility.facility_settings import FacilitySettings
from crystal_search.server.installation import Installation, say
from crystal_search.server.locks import only_at_facility
from crystal_search.server.services.facility_exchange import check_folders, pull, push
from crystal_search.server.services.facility_pictures import placing
from crystal_search.server.services.facility_reports import pull_line, push_line

LOOKS = 10  #: of a pull in one round, so that scores go while an archive comes
SHOWN = 5  #: of the things left out in one look, in the log


class FacilityRounds:
    """Looks at a facility's database now and then; `look` returns at once."""

    def __init__(
        self, site: Installation, settings: FacilitySettings, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._site, self._settings, self._clock = site, settings, clock
        self._facility: FacilityDatabase | None = None
        self._thread: threading.Thread | None = None
        self._next = clock()
        self._trouble, self._more = "", False
        self._told: set[str] = set()

    def look(self) -> str:
        """Begin a round when it is time for one, and return what was the trouble in the last; empty for none."""
        if self._settings.kind and not self._busy and self._clock() >= self._next:
            self._thread = threading.Thread(target=self._round, name="facility", daemon=True)
            self._thread.start()
        return self._trouble

    @property
    def _busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def wait(self) -> None:
        """Wait for the round that was begun."""
        if self._thread:
            self._thread.join()

    def _round(self) -> None:
        try:
            self._exchange()
        except (CrystalSearchError, OSError) as error:
            self._trouble = str(error) or repr(error)
        except Exception:
            self._trouble = f"this program is at fault\n{traceback.format_exc()}"
        else:
            self._trouble = ""
        self._next = self._clock() + (0 if self._more and not self._trouble else self._settings.poll_seconds)

    def _exchange(self) -> None:
        name = facility_name(self._settings)
        self._facility = self._facility or open_facility(self._settings)
        with only_at_facility(self._site.home):
            check_folders(self._site.imaging, self._facility, name)
            pulled = pull(self._site.imaging, self._facility, name, looks=LOOKS)
            self._more = pulled.more
            self._tell(pulled.images + pulled.scores, pull_line(pulled), pulled.left_out)
            if self._settings.push and facility_kind(self._settings).takes_scores:
                pictures = placing(self._site.home, self._settings)
                pushed = push(self._site.imaging, self._facility, name, pictures=pictures)
                self._tell(pushed.taken, push_line(pushed), pushed.refused)

    def _tell(self, done: int, line: str, left_out: tuple[str, ...]) -> None:
        """Say what was done, if anything, and each thing that was left out once."""
        if done:
            say(f"{time.strftime('%H:%M:%S')} {line}")
        new = sorted(set(left_out) - self._told)
        self._told |= set(new)
        for each in new[:SHOWN]:
            say(f"facility left out: {each}")
        if len(new) > SHOWN:
            say(f"facility left out: {len(new) - SHOWN} more; crystal-search facility report lists what waits")
