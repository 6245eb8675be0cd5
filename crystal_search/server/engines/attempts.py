"""Attempts at a work unit: what became of each, how far it got, and the end of them."""

from pathlib import Path

from crystal_search.files import write_whole
from crystal_search.server.folders import discard, token
from crystal_search.server.home import Home
from crystal_search.server.unit_states import State, move, names_in, place_of


def failures(home: Home, name: str) -> list[Path]:
    """Return the texts about a work unit's failures, the oldest first."""
    return sorted((home.failures / name).glob("*.txt"), key=lambda path: int(path.stem))


def add_failure(home: Home, name: str, reason: str) -> None:
    """Write down that an attempt at a work unit failed."""
    folder = home.failures / name
    folder.mkdir(exist_ok=True)
    known = failures(home, name)
    write_whole(folder / f"{int(known[-1].stem) + 1 if known else 1}.txt", reason + "\n")


def set_aside(home: Home, name: str) -> None:
    """Move a work unit that failed too often out of the queue, with its reasons.

    The reasons are written first: a work unit that is set aside always has them.
    """
    texts = [path.read_text(encoding="utf-8", errors="replace").strip() for path in failures(home, name)]
    reason = "\n\n".join(f"attempt {number}: {text}" for number, text in enumerate(texts, start=1))
    write_whole(place_of(home, name, State.SET_ASIDE).with_suffix(".txt"), reason + "\n")
    move(home, name, State.QUEUED, State.SET_ASIDE)
    discard(home, home.failures / name)


def fraction_done(folder: Path) -> float:
    """Return how much of its work unit the client in `folder` says it has done, in [0, 1]."""
    try:
        fraction = float((folder / "fraction_done").read_text(encoding="utf-8")[:20])
    except (OSError, ValueError):
        return 0.0
    return min(max(fraction, 0.0), 1.0)


def running_fractions(home: Home) -> dict[str, float]:
    """Return how much of each work unit that is in work is done, in [0, 1]."""
    fractions: dict[str, float] = {}
    units = names_in(home, State.RUNNING)
    for folder in home.running.iterdir():
        name = folder.name.partition(".")[0]
        if name in units:
            fractions[name] = max(fractions.get(name, 0.0), fraction_done(folder))
    return fractions


def attempt_folder(home: Home, name: str) -> Path:
    """Return a folder for the next attempt at a work unit, with what the one before it left.

    Its name is new each time, so that a client of former times that still runs cannot write into it.
    """
    folder = place_of(home, name, State.RUNNING, token())
    left = sorted(home.running.glob(f"{name}.*"))
    if left:
        left[0].rename(folder)
    else:
        folder.mkdir()
    return folder
