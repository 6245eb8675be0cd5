"""What people read of pulls from a facility and pushes to it."""

from collections.abc import Iterable

from crystal_search.plurals import counted
from crystal_search.server.facility.facility_database import Checked
from crystal_search.server.imaging.facility_records import FacilityState, PushedScore
from crystal_search.server.importing.import_images import as_text
from crystal_search.server.services.facility_exchange import PullReport, PushReport

SHOWN = 10  #: things left out, unless all are asked for


def pull_line(report: PullReport) -> str:
    """Return what came, in a line.

    >>> pull_line(PullReport(images=1, known=2, scores=3))
    'pulled 1 image (2 known before), 3 scores of people; noted 0 plates, 0 wells'
    """
    images = f"{counted(report.images, 'image')} ({report.known} known before)"
    facts = f"{counted(report.plates, 'plate')}, {counted(report.wells, 'well')}"
    scores = f"{counted(report.scores, 'score')} of people"
    return f"pulled {images}, {scores}; noted {facts}"


def push_line(report: PushReport) -> str:
    """Return what went, in a line.

    >>> push_line(PushReport(taken=2, refused=("/a.jpg: no such path",)))
    'pushed 2 scores, 1 refused'
    """
    return f"pushed {counted(report.taken, 'score')}, {len(report.refused)} refused"


def left_out(lines: Iterable[str], *, verbose: bool) -> list[str]:
    """Return what was left out, the first of it unless all is asked for."""
    found = sorted(set(lines))
    shown = found if verbose else found[:SHOWN]
    rest = [f"  and {len(found) - len(shown)} more; --verbose lists all"] if len(found) > len(shown) else []
    return [as_text(f"  {line}") for line in shown] + rest


def checked_lines(found: Checked) -> list[str]:
    """Return what a check found."""
    return [*found.found, *(f"missing: {each}" for each in found.missing)]


def state_lines(name: str, state: FacilityState, refused: Iterable[PushedScore]) -> list[str]:
    """Return how far a facility was looked at, and which scores wait since it refused them."""
    pulled = f"{state.pulled_at.astimezone():%Y-%m-%d %H:%M}" if state.pulled_at else "never"
    pushed = f"{state.pushed_at.astimezone():%Y-%m-%d %H:%M}" if state.pushed_at else "never"
    lines = [f"{name}: pulled {pulled}, pushed {pushed}, {counted(state.refused, 'score')} refused and given again"]
    for each in refused:
        again = f"{each.next_at.astimezone():%Y-%m-%d %H:%M}" if each.next_at else "never"
        tried, why = counted(each.tries, "time"), each.refused.removeprefix(f"{each.path}: ")
        lines.append(as_text(f"  {each.path}: {each.outcome}, tried {tried}, again {again}: {why}"))
    return lines
