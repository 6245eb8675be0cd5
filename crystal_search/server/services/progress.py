"""How far everything is: counts that `status` prints and progress bars follow."""

from dataclasses import dataclass

from crystal_search.server.engines.attempts import running_fractions
from crystal_search.server.home import Home
from crystal_search.server.imaging.imaging_database import ImagingDatabase
from crystal_search.server.unit_states import WITH_RESULT, State, is_in, names_in


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """How many work units, or files, are in each place."""

    queued: int  #: work unit files without a valid result, also those in work
    running: int  #: clients at work, or folders of clients that were stopped
    returned: int
    validated: int
    spooled: int
    csv_files: int  #: that wait for set-autoscore
    set_aside: int  #: work units that failed too often


def stages(home: Home) -> Stages:
    """Return how much is in each place."""
    return Stages(
        queued=len(names_in(home, State.QUEUED)),
        running=len(names_in(home, State.RUNNING)),
        returned=len(names_in(home, State.RETURNED)),
        validated=len(names_in(home, State.VALIDATED)),
        spooled=len(names_in(home, State.SPOOLED)),
        csv_files=len(list(home.finalized.glob("*.csv"))),
        set_aside=len(names_in(home, State.SET_ASIDE)),
    )


def images_in_work(home: Home, imaging: ImagingDatabase) -> tuple[float, int]:
    """Return how many images of the open work units are scored, parts of units included, and how many there are."""
    fractions = running_fractions(home)
    done, total = 0.0, 0
    for unit in imaging.units("open"):
        images = len(unit.image_ids)
        returned = is_in(home, unit.name, *WITH_RESULT)
        done += images * (1.0 if returned else fractions.get(unit.name, 0.0))
        total += images
    return done, total
