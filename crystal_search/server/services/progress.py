"""How far everything is: counts that `status` prints and progress bars follow."""

from dataclasses import dataclass

from crystal_search.server.engines.engine import running_fractions
from crystal_search.server.folders import is_past_validation, unit_files, unit_names
from crystal_search.server.home import Home
from crystal_search.server.imaging.imaging_database import ImagingDatabase


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
        queued=len(unit_files(home.queue)),
        running=len(running_fractions(home)),
        returned=len(unit_names(home.returned)),
        validated=len(unit_names(home.validated)),
        spooled=len(unit_names(home.spool)),
        csv_files=len(list(home.finalized.glob("*.csv"))),
        set_aside=len(unit_files(home.failed)),
    )


def images_in_work(home: Home, imaging: ImagingDatabase) -> tuple[float, int]:
    """Return how many images of the open work units are scored, parts of units included, and how many there are."""
    fractions = running_fractions(home)
    done, total = 0.0, 0
    for unit in imaging.units("open"):
        images = len(unit.image_ids)
        returned = (home.returned / unit.name).exists() or is_past_validation(home, unit.name)
        done += images * (1.0 if returned else fractions.get(unit.name, 0.0))
        total += images
    return done, total
