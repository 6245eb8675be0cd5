"""What people said of images, counted by the database: however many scores there are, few rows come of them."""

from dataclasses import dataclass
from typing import Protocol

from crystal_search.server.imaging.stored_images import StoredImage


@dataclass(frozen=True, slots=True, kw_only=True)
class HandCount:
    """How many images of one inspection have an outcome as the score by hand that came last."""

    plate: str
    inspection: int
    outcome: str  #: an outcome's name or ``no_drop``
    images: int
    first_path: str  #: of the files of these images the one that is first in the alphabet
    last_path: str  #: and the last


class HandCounts(Protocol):
    """People's scores, without going through them one by one."""

    def hand_counts(self, *, channel: str = "visible") -> list[HandCount]:
        """Return how many images of a channel have which score by hand, by plate, inspection and outcome.

        Of an image the score counts that came last of people's; those that were taken back are none.
        """

    def hand_state(self) -> tuple[int, int]:
        """Return what is another pair of numbers once a person has given a score, or taken one back."""

    def scored_by_several(self, *, channel: str = "visible") -> list[StoredImage]:
        """Return the images of a channel of which more than one person has a score that stands, by id."""
