"""How the counts of an installation grow: samples from time to time, from which rates follow."""

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from crystal_search.files import write_whole

EVERY_S = 300.0  #: between two samples
KEPT_S = 7 * 86_400.0
RATE_S = 3_600.0  #: over which rates are told, at least where there are samples that old
HOUR_S = 3_600.0


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
    """Return how fast counts grow between now and an hour ago; None where nothing is known of before.

    >>> samples = [Sample(0, 0, 0), Sample(1800, 100, 50), Sample(7200, 1000, 500)]
    >>> rates(samples)
    Rates(images_per_hour=600.0, scores_per_hour=300.0, over_hours=1.5)
    """
    if len(samples) < 2:
        return None
    last = samples[-1]
    before = [each for each in samples if last.at - each.at >= RATE_S]
    first = before[-1] if before else samples[0]
    hours = (last.at - first.at) / HOUR_S
    if hours <= 0:
        return None
    return Rates(
        images_per_hour=(last.images - first.images) / hours,
        scores_per_hour=(last.scored - first.scored) / hours,
        over_hours=hours,
    )
