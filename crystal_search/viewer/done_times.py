"""When plates will be scored, by how fast scores came of late."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from crystal_search.server.imaging.imaging_database import ImagingDatabase
from crystal_search.server.imaging.plate_list import PlateLine

LAST = 300  #: scores by which the pace is told
LEAST = 20  #: scores by which no pace is told
STILL = timedelta(minutes=30)  #: without a score, after which nobody knows when it goes on
FARTHEST = timedelta(days=365)  #: ahead, beyond which nobody knows
MINUTE = timedelta(minutes=1)


def seconds_a_score(times: Sequence[datetime], now: datetime) -> float | None:
    """Return how long a score takes, by when the last ones were made; None where that tells nothing.

    Only those since the last pause count: what came before it tells no pace.

    >>> noon = datetime(2026, 1, 31, 12)
    >>> seconds_a_score([noon - second * timedelta(seconds=2) for second in range(40)], noon)
    2.0
    """
    lately = _since_pause(times, now)
    if len(lately) < LEAST or now <= lately[-1]:
        return None
    return (now - lately[-1]) / timedelta(seconds=1) / (len(lately) - 1)


def _since_pause(times: Sequence[datetime], now: datetime) -> list[datetime]:
    """Return the times, the last first, down to the first after a pause."""
    ordered = sorted(times, reverse=True)
    pauses = (at for at, (later, earlier) in enumerate(pairwise([now, *ordered])) if later - earlier > STILL)
    return ordered[: next(pauses, None)]


def done_times(imaging: ImagingDatabase, plates: Sequence[PlateLine], now: datetime) -> dict[str, datetime]:
    """Return when those of these plates that wait will be scored, to the minute; none where nobody knows."""
    waiting = [each.plate for each in plates if each.scored < each.images]
    pace_s = seconds_a_score(imaging.last_scored(LAST), now) if waiting else None
    if pace_s is None:
        return {}
    taken_s = {plate: pace_s * number for plate, number in imaging.scored_until(waiting).items()}
    known = {plate: timedelta(seconds=each) for plate, each in taken_s.items() if each <= FARTHEST.total_seconds()}
    return {plate: _whole(now + each) for plate, each in known.items()}


def _whole(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0) + MINUTE
