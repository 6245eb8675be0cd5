"""The drops that are most likely to hold crystals, of all plates, and who has seen which plate."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

KEPT = 24  #: drops of an inspection that are known to be its likeliest


@dataclass(frozen=True, slots=True, kw_only=True)
class BestQuery:
    """Which drops of all."""

    person: str = ""  #: whose looking counts; empty: nobody's, so that no plate was seen
    since: datetime | None = None  #: of inspections that had news after that; None: of all
    readouts: frozenset[str] = frozenset()  #: hashes of readouts whose scores count beside the shipped ones
    projects: tuple[str, ...] | None = None  #: only of plates of these; None: of all, and of none
    least: float = 0.0  #: probability of crystals from which an image is wanted
    after: int = 0  #: plates that are passed over, the first ones
    limit: int = 100  #: images; the plate that reaches it is answered whole


@dataclass(frozen=True, slots=True, kw_only=True)
class BestImage:
    """An image that may show crystals."""

    image_id: int
    p_crystal: float  #: the highest that one of its scores says, in [0, 1]
    news_at: datetime  #: when images of its inspection got their first score last
    seen: bool  #: whether the person has looked at its plate since


class BestDrops(Protocol):
    """The likeliest crystals of all plates, in visible light; who looked at them."""

    def best_images(self, query: BestQuery) -> list[BestImage]:
        """Return the images that are likeliest to show crystals: those of unseen plates first, the likeliest first.

        Plates are answered whole, so that whoever went through all has seen these plates: unseen ones first, then by
        their likeliest image. A plate with inspections that were seen and others that were not counts as two.
        Of each inspection the `KEPT` likeliest are known, by the shipped score and by each readout.
        """

    def note_seen(self, person: str, plates: Collection[str], *, at: datetime) -> Sequence[str]:
        """Record that a person has looked at plates; return those of them that there are."""

    def note_looked(self, person: str, *, at: datetime) -> None:
        """Record that a person has looked through the best drops."""

    def last_looked(self, person: str) -> datetime | None:
        """Return when a person looked through the best drops last; None for never."""
