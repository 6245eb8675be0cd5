"""A facility's own database as we see it: which images there are, and where our scores go.

It stays its owner's. Only rows of our own are written into it; what its schema cannot hold (models, threshold,
history) stays in our ledger. It knows an image by its path, as we do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from crystal_search.server.imaging.imaging_database import AutoScore, NewImage, StoredImage


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """Images that the facility has, and how far the look at them came."""

    images: tuple[NewImage, ...]  #: what it knows by a plate, a well, an inspection and a path that we can use
    left_out: tuple[str, ...]  #: what it knows otherwise, a sentence each
    mark: str  #: where the next pull begins; means something to this database only


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredImage:
    """An image with a score of ours, for the facility."""

    image: StoredImage
    score: AutoScore


class FacilityDatabase(Protocol):
    """What is asked of a facility's database."""

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

    def push(self, scores: Sequence[ScoredImage]) -> tuple[str, ...]:
        """Give the facility these scores; return what it does not take, a sentence each.

        Of two scores of one image the later stands. Pushed again, they change nothing. A person's score, and whatever
        else is not ours, is never touched. One that is not taken holds up no other; either the rest is written when
        this returns, or nothing of it when it raises.

        Raises
        ------
        DatabaseError
            If it cannot be reached, or has another schema than expected; push the same again later.
        """
