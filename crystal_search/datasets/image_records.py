"""What building a dataset remembers of each image, without its pixels."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from crystal_search.datasets.dividing import Member
from crystal_search.datasets.fingerprints import Fingerprint
from crystal_search.datasets.packed import Part

CHOP_FIELDS = ("top", "left", "chop_top", "chop_left", "contours")  #: of a chop, in the table too
LEFT_OUT = "left-out.csv"  #: table of what was not taken, rows of `archive.LeftOut`


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chop:
    """One chop that is taken."""

    outcome: str
    top: int  #: in the view, px
    left: int
    chop_top: int  #: in the patch, px
    chop_left: int
    contours: float  #: px
    jpeg: bytes  #: the patch


class KeptChop(NamedTuple):
    """One chop whose patch waits in the spool."""

    chop: Chop
    place: Part


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageRecord:
    """One image that was read."""

    number: int  #: among all that were read, from 0
    name: str  #: unique in the dataset
    outcome: str
    well: str  #: unique in the dataset
    plate: str
    published: str | None  #: the split that its publisher put it in
    digest: bytes
    fingerprint: Fingerprint
    bytes: int
    worth_keeping: bool  #: whole, to train on
    has_objects: bool
    is_chop: bool
    chops: tuple[KeptChop, ...]

    @property
    def key(self) -> str:
        """Of its samples."""
        return f"{self.number:08d}"

    @property
    def known(self) -> dict[str, Any]:
        """Its row in a table, but for where it lies."""
        return {"key": self.key, "outcome": self.outcome, "image": self.name, "well": self.well, "plate": self.plate}

    @property
    def member(self) -> Member:
        """It as splitting sees it."""
        return Member(self.outcome, self.well, self.plate, self.published)
