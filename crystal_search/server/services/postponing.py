"""Putting images off that cannot be scored now: tried again soon, then later and later, never given up.

Whatever is not about the bytes of a picture says nothing about it: a client that was killed, a full disk, a share that
is away, a copy that has stalled. Such an image has no score yet, for a reason that people can read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from crystal_search.server.imaging.stored_images import Postponed, Postponement
from crystal_search.server.installation import Installation

DELAYS_S = (3.0, 10.0, 30.0, 60.0, 300.0, 1_800.0, 7_200.0, 43_200.0)  #: before the second try, the third ...
SHARE_S = 60.0  #: at most, for what lies on a share that is away: it may be back at any moment
VERDICT_S = 60.0  #: bytes that cannot be decoded, and are the same after this time, are as they will stay


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an image is put off."""

    text: str  #: a few words, the same for all images with the same trouble
    longest_s: float = DELAYS_S[-1]
    sha256: str = ""  #: of the file, where its bytes are what could not be decoded


def put_off(site: Installation, reasons: Mapping[int, Reason]) -> None:
    """Put images off, each for longer than the last time."""
    known, now = site.imaging.postponements(reasons), datetime.now(UTC)
    if reasons:
        site.imaging.postpone([_next(image_id, why, known.get(image_id), now) for image_id, why in reasons.items()])


def _next(image_id: int, why: Reason, before: Postponement | None, now: datetime) -> Postponement:
    tries = before.tries if before else 0
    same = before is not None and before.sha256 == why.sha256 and before.since <= now  # else a clock was set back
    delay_s = min(DELAYS_S[min(tries, len(DELAYS_S) - 1)], why.longest_s)
    return Postponement(
        image_id=image_id,
        reason=why.text,
        tries=tries + 1,
        since=before.since if before and same else now,
        next_at=now + timedelta(seconds=delay_s),
        sha256=why.sha256,
    )


def is_final(before: Postponement | None, sha256: str, *, now: datetime) -> bool:
    """Tell whether bytes that cannot be decoded were the same long enough to be called unreadable."""
    if before is None or before.sha256 != sha256:
        return False
    return now - before.since >= timedelta(seconds=VERDICT_S)


def said_of(waiting: Postponed) -> str:
    """Return what people read of images that wait.

    >>> now = datetime.now(UTC)
    >>> said_of(Postponed(reason="its file is gone", images=2, since=now, next_at=now, first="/a/b.jpg"))
    '2 images are not scored yet, first /a/b.jpg: its file is gone'
    """
    return f"{number_of(waiting)}: {waiting.reason}"


def number_of(waiting: Postponed) -> str:
    """Return how many images wait for one reason, and the first of them."""
    number = "1 image is" if waiting.images == 1 else f"{waiting.images} images are"
    return f"{number} not scored yet, first {waiting.first}"
