"""How far a facility's own database was pulled, as a text that the imaging database keeps until the next pull."""

import json
from dataclasses import asdict, dataclass
from typing import ClassVar, Self

from crystal_search.errors import DatabaseError


@dataclass(frozen=True, slots=True, kw_only=True)
class PullMark:
    """Where the next pull begins; each kind of database has fields of its own."""

    system: ClassVar[str]  #: what people call such databases

    @classmethod
    def read(cls, text: str) -> Self:
        """Return the mark that a text holds; the first for the empty one.

        Raises
        ------
        DatabaseError
            If it holds none of this kind.
        """
        try:
            return cls(**json.loads(text)) if text else cls()
        except (ValueError, TypeError) as error:
            raise DatabaseError(
                f"no mark of {cls.system}: {text!r}; begin anew: crystal-search facility pull --again"
            ) from error

    @property
    def text(self) -> str:
        """The mark as a text."""
        return json.dumps(asdict(self))
