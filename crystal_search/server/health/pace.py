"""How fast images come in and are scored, from counts that are written down from time to time."""

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Literal

from crystal_search.files import write_whole

HOUR_S = 3_600.0
EVERY_S = 300.0  #: between two samples of the counts; no rate rests on less
KEPT_S = 7 * 86_400.0
RATE_S = 3_600.0  #: over which rates are told, at least where there are samples that old
STILL_MINUTES = 30.0  #: without a score, while images wait, after which nothing moves

Verdict = Literal["nothing waits", "keeps up", "falls behind", "stands still", "not known yet"]


@dataclass(frozen=True, slots=True)
class Sample:
    """What was counted at one time."""

    at: float  #: s since 1970
    images: int
    scored: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """How fast images come in and are scored."""

    images_per_hour: float
    scores_per_hour: float
    over_hours: float  #: on which this rests


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Whether scores keep up with images."""

    verdict: Verdict
    still_since: datetime | None = None  #: of the last score, or when an image began to wait after it; None: none does
    still_minutes: float | None = None  #: since then


def read_samples(path: Path) -> list[Sample]:
    """Return the samples in a file, oldest first; lines that cannot be read are left out."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        with suppress(ValueError, TypeError):
            found.append(Sample(**json.loads(line)))
    return sorted(found, key=lambda sample: sample.at)


def add_sample(path: Path, images: int, scored: int, *, now: float | None = None) -> list[Sample]:
    """Return the samples with what is counted now; it is written down when the last is old enough.

    A clock that was set back takes later samples away, since no rate can follow from them.
    """
    current = Sample(time.time() if now is None else now, images, scored)
    known = [each for each in read_samples(path) if current.at - KEPT_S < each.at <= current.at]
    if not known or current.at - known[-1].at >= EVERY_S:
        with suppress(OSError):  # whoever only looks may have no right to write
            write_whole(path, "".join(json.dumps(asdict(each)) + "\n" for each in (*known, current)))
    return [*known, current]


def rates(samples: Sequence[Sample]) -> Rates | None:
    """Return how fast counts grow between now and an hour ago; None where too little is known of before.

    Images and scores that were taken back do not count against those that come in.

    >>> samples = [Sample(0, 0, 0), Sample(1800, 100, 50), Sample(7200, 1000, 500)]
    >>> rates(samples)
    Rates(images_per_hour=600.0, scores_per_hour=300.0, over_hours=1.5)
    """
    last = samples[-1]
    before = [number for number, each in enumerate(samples) if last.at - each.at >= RATE_S]
    counted = samples[before[-1] if before else 0 :]
    hours = (last.at - counted[0].at) / HOUR_S
    if hours * HOUR_S < EVERY_S:
        return None
    steps = list(pairwise(counted))
    return Rates(
        images_per_hour=sum(max(0, after.images - each.images) for each, after in steps) / hours,
        scores_per_hour=sum(max(0, after.scored - each.scored) for each, after in steps) / hours,
        over_hours=hours,
    )


def flow(
    samples: Sequence[Sample],
    *,
    waits_since: datetime | None,
    last_score: datetime | None,
    still_minutes: float = STILL_MINUTES,
) -> Flow:
    """Return whether scores keep up with images.

    Parameters
    ----------
    samples
        As `add_sample` returns them; the last is of now.
    waits_since
        Since when an image waits; None when none does.
    last_score
        When the last score was made; None when none was.
    still_minutes
        Without a score, while images wait, after which nothing moves.
    """
    if waits_since is None:
        return Flow(verdict="nothing waits")
    now = datetime.fromtimestamp(samples[-1].at, UTC)
    quiet = last_score or waits_since
    if quiet > now:  # the clock was set back since; the counts know
        quiet = _unchanged_since(samples)
    since = max(quiet, waits_since) if waits_since <= now else quiet
    minutes = (now - since).total_seconds() / 60
    verdict: Verdict = "stands still" if minutes >= still_minutes else _compared(rates(samples))
    return Flow(verdict=verdict, still_since=since, still_minutes=minutes)


def _unchanged_since(samples: Sequence[Sample]) -> datetime:
    """Return when the number of scores was counted first that is counted now."""
    at = samples[-1].at
    for each in reversed(samples):
        if each.scored != samples[-1].scored:
            break
        at = each.at
    return datetime.fromtimestamp(at, UTC)


def _compared(pace: Rates | None) -> Verdict:
    """Return how scores compare with images that come in, as long as there are scores at all."""
    if pace is None or not pace.scores_per_hour:
        return "not known yet"
    return "keeps up" if pace.scores_per_hour >= pace.images_per_hour else "falls behind"
