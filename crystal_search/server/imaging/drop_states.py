"""What tells cheaply whether the drops of an inspection are as they were, so that they need not be read again."""

from collections.abc import Collection
from typing import Protocol


class DropStates(Protocol):
    """The states of inspections."""

    def state_of_drops(self, plate: str, *, inspection: int, channel: str = "visible") -> object:
        """Return what is another value when `drops`, `scores_by` or `recipes_at` of an inspection may be.

        That a file moved shows in no state. Two states can be compared, and nothing else.
        """

    def images_added_to(
        self, plate: str, *, since: object, inspection: int, channel: str = "visible"
    ) -> Collection[int] | None:
        """Return the images of an inspection that got scores, comments or marks since its state was `since`.

        None where something else happened, too: then everything is to be read again.
        """
