"""Rules that every imaging database keeps: which images are in conflict, and times in UTC."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TypeVar

from crystal_search.server.imaging.imaging_database import AutoScore, DropScores, ManualScore
from crystal_search.server.imaging.stored_images import NewImage, Postponement, StoredImage
from crystal_search.wells import WellKey

Item = TypeVar("Item")

LONGEST_OFF = timedelta(days=1)  #: no image is put off for longer: a later time was told by a clock that was set back


def conflict(image: NewImage, key_of_path: WellKey | None, path_of_key: str | None) -> str:
    """Return why an image cannot be added, as one sentence; empty when it can, or is known.

    Parameters
    ----------
    image
        The new image.
    key_of_path
        The key of the image that has its path; None when none has.
    path_of_key
        The path of the image that has its key; None when none has.
    """
    if key_of_path is not None and key_of_path != image.key:
        return f"{image.path} is known as {described(key_of_path)}, it cannot be {described(image.key)} too"
    if path_of_key is not None and path_of_key != image.path:
        return f"{image.path} would be {described(image.key)}, which is {path_of_key} already"
    return ""


def described(key: WellKey) -> str:
    """Return a key as people read it.

    >>> described(WellKey(plate="P1", row=2, column=6, inspection=3))
    'plate P1 well C07 drop 1 inspection 3 visible'
    """
    return f"plate {key.plate} well {key.well} drop {key.drop} inspection {key.inspection} {key.channel}"


def arrival(image: NewImage, now: datetime) -> datetime:
    """Return what tells how new an image is: when it was taken, or, where nobody knows the time, when it comes in.

    An image of which only the day is known is at most as new as the end of that day. None is newer than now, lest a
    robot whose clock is ahead be served before all others.
    """
    if image.imaged_at is None:
        return now
    return min(now, image.imaged_at + timedelta(days=image.day_only))


def waits(next_at: datetime, now: datetime) -> bool:
    """Tell whether an image that was put off until `next_at` is still to wait."""
    return now < next_at <= now + LONGEST_OFF


def drop_scores(
    image: StoredImage, newest: Sequence[AutoScore | ManualScore], postponed: Postponement | None
) -> DropScores:
    """Return an image with its scores that came last of each kind, given the last first."""
    machine = [score for score in newest if isinstance(score, AutoScore)]
    return DropScores(
        image=image,
        auto=next((score for score in machine if score.recipe.readout is None), None),
        people=tuple(score for score in newest if isinstance(score, ManualScore)),
        postponed=postponed,
        readouts=tuple(score for score in reversed(machine) if score.recipe.readout),
    )


def shown_of(machine: Sequence[AutoScore]) -> AutoScore | None:
    """Return the last of an image's automatic scores by no readout that counts, or else the last; the last comes last.

    A score of a former picture may come after that of the picture that the image shows now.
    """
    shipped = [score for score in reversed(machine) if score.recipe.readout is None]
    return next((score for score in shipped if score.counts), shipped[0] if shipped else None)


def in_utc(time: datetime) -> datetime:
    """Return the same time in UTC.

    Raises
    ------
    ValueError
        If the time has no time zone.
    """
    if time.tzinfo is None:
        raise ValueError(f"{time.isoformat()} has no time zone; give times in UTC")
    return time.astimezone(UTC)


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Return `items` in lists of `size`; the last may be shorter.

    >>> list(batches(range(5), 2))
    [[0, 1], [2, 3], [4]]
    """
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
