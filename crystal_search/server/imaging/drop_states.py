"""What tells cheaply whether the drops of an inspection are as they were, so that they need not be read again."""

from typing import Protocol


class DropStates(Protocol):
    """The states of inspections."""

    def state_of_drops(self, plate: str, *, inspection: int, channel: str = "visible") -> object:
        """Return what is another value when `drops`, `scores_by` or `recipes_at` of an inspection may be.

        That a file moved shows in no state. Two states can be compared, and nothing else.
        """
