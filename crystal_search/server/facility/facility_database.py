"""A facility's own database as we see it: which images there are, and where our scores go.

It stays its owner's. Only rows of our own are written into it; what its schema cannot hold (models, threshold,
history) stays in our ledger. It knows an image by its path, as we do.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from crystal_search.server.imaging.facility_records import PulledScore
from crystal_search.server.imaging.imaging_database import ScoredImage
from crystal_search.server.imaging.plate_facts import Condition, PlateFacts
from crystal_search.server.imaging.stored_images import NewImage

NEWEST_FILES = 20  #: that are looked for on this machine, to see whether it calls folders as the settings say


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """What the facility has, and how far the look at it came."""

    images: tuple[NewImage, ...] = ()  #: what it knows by a plate, a well, an inspection and a path that we can use
    facts: tuple[PlateFacts, ...] = ()  #: of the plates of these images
    conditions: tuple[Condition, ...] = ()  #: of the wells of these plates
    scores: tuple[PulledScore, ...] = ()  #: by people; images of a pull before may have some, too
    left_out: tuple[str, ...] = ()  #: what it knows otherwise, a sentence each
    mark: str  #: where the next pull begins; means something to this database only
    more: bool = False  #: whether the next pull will find something at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A score that the facility does not take."""

    image_id: int
    why: str  #: a sentence that names the image


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a look at the facility's database found, a sentence each."""

    found: tuple[str, ...]  #: what is there, what would be read and written
    missing: tuple[str, ...]  #: rights, tables, columns, schemas; each says what to do


def files_lost(paths: Sequence[str], where: str) -> Iterator[str]:
    """Say which of the newest files are not here, if any; `where` names the settings that say where they are."""
    if lost := [path for path in paths if not os.path.isfile(path)]:
        yield f"{len(lost)} of the newest {len(paths)} files are not here, as {lost[0]}; see {where}"


class FacilityDatabase(Protocol):
    """What is asked of a facility's database."""

    def check(self) -> Checked:
        """Tell what is there, what is missing, what would be read and written. Nothing is written.

        Raises
        ------
        DatabaseError
            If it cannot be reached.
        """

    def newest_files(self) -> tuple[str, ...]:
        """Return what this machine calls the files of the newest images, at most `NEWEST_FILES`.

        Raises
        ------
        DatabaseError
            If it cannot be reached, or has another schema than expected.
        """

    def pull(self, mark: str, *, limit: int) -> Pulled:
        """Return images that came after `mark`, the oldest first.

        Nothing is changed, here or there. Asked again with the same mark, it returns the same images and those that
        came meanwhile, so whoever keeps the new mark only when the images are known loses none when killed.

        Parameters
        ----------
        mark
            What the pull before returned; empty for all images.
        limit
            At most so many rows are looked at.

        Raises
        ------
        DatabaseError
            If it cannot be reached, or has another schema than expected.
        """

    def push(self, scores: Sequence[ScoredImage]) -> tuple[Refusal, ...]:
        """Give the facility these scores; return those that it does not take.

        Of two scores of one image the later stands. Pushed again, they change nothing. A person's score, and whatever
        else is not ours, is never touched. One that is not taken holds up no other; either the rest is written when
        this returns, or nothing of it when it raises.

        Raises
        ------
        DatabaseError
            If it cannot be reached, or has another schema than expected; push the same again later.
        """

    def close(self) -> None:
        """Give back connections."""
