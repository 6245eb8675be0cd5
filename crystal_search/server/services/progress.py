"""How far everything is: counts that `status` prints and progress bars follow."""

from crystal_search.server.engines.attempts import running_fractions
from crystal_search.server.home import Home
from crystal_search.server.imaging.imaging_database import Units
from crystal_search.server.unit_states import WITH_RESULT, State, is_in, names_in

#: What is told of, in the order in which work moves.
TOLD = (State.QUEUED, State.RUNNING, State.RETURNED, State.VALIDATED, State.SPOOLED, State.SET_ASIDE)


def stages(home: Home) -> dict[str, int]:
    """Return how many work units are in each state, and how many CSV files wait for set-autoscore.

    A work unit that is queued may be running, too, or returned: its file stays until its result is in the spool.
    """
    counts = {state.replace(" ", "_"): len(names_in(home, state)) for state in TOLD}
    return counts | {"csv_files": len(list(home.finalized.glob("*.csv")))}


def images_in_work(home: Home, imaging: Units) -> tuple[float, int]:
    """Return how many images of the open work units are scored, parts of units included, and how many there are."""
    fractions = running_fractions(home)
    done, total = 0.0, 0
    for unit in imaging.units("open"):
        images = len(unit.image_ids)
        returned = is_in(home, unit.name, *WITH_RESULT)
        done += images * (1.0 if returned else fractions.get(unit.name, 0.0))
        total += images
    return done, total
