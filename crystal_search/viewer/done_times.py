"""When plates will be scored, by how fast scores came of late."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from crystal_search.server.imaging.imaging_database import ImagingDatabase
from crystal_search.server.imaging.plate_list import PlateLine

LAST = 300  #: scores by which the pace is told
LEAST = 20  #: scores by which no pace is told
STILL = timedelta(minutes=30)  #: without a score, after which nobody knows when it goes on
MINUTE = timedelta(minutes=1)


def seconds_a_score(times: Sequence[datetime], now: datetime) -> float | None:
    """Return how long a score takes, by when the last ones were made, the last first; None where that tells nothing.

    >>> noon = datetime(2026, 1, 31, 12)
    >>> seconds_a_score([noon - second * timedelta(seconds=2) for second in range(40)], noon)
    2.0
    """
    if len(times) < LEAST or now - max(times) > STILL or now <= min(times):
        return None
    return (now - min(times)) / timedelta(seconds=1) / (len(times) - 1)


def done_times(imaging: ImagingDatabase, plates: Sequence[PlateLine], now: datetime) -> dict[str, datetime]:
    """Return when those of these plates that wait will be scored, to the minute; none where nobody knows."""
    waiting = [each.plate for each in plates if each.scored < each.images]
    pace_s = seconds_a_score(imaging.last_scored(LAST), now) if waiting else None
    if pace_s is None:
        return {}
    until = imaging.scored_until(waiting)
    return {plate: _whole(now + timedelta(seconds=pace_s * number)) for plate, number in until.items()}


def _whole(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0) + MINUTE
