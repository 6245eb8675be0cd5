"""What building a dataset remembers of each image, without its pixels."""

from dataclasses import dataclass

from crystal_search.datasets.dividing import Member
from crystal_search.datasets.fingerprints import Fingerprint


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptChop:
    """One chop that waits in the spool."""

    outcome: str
    top: int
    left: int
    chop_top: int
    chop_left: int
    contours: float
    place: int  #: in the spool, bytes
    size: int


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
    has_mask: bool
    is_chop: bool
    chops: tuple[KeptChop, ...]

    @property
    def key(self) -> str:
        """Of its samples."""
        return f"{self.number:08d}"

    @property
    def member(self) -> Member:
        """It as splitting sees it."""
        return Member(self.outcome, self.well, self.plate, self.published)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOutRow:
    """One image or chop that was not taken, in the table ``left-out.csv``."""

    what: str  #: ``image`` or ``chop``
    name: str
    reason: str
    detail: str
