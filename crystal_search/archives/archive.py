"""What an archive of scored images is: something that yields labelled images, and says what it left out."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from crystal_search.archives.seen_objects import SeenObject
from crystal_search.class_schemes import Scheme

Content = Path | bytes  #: a file that lies by itself, or one that was packed in another


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ArchiveImage:
    """One image and what people said of it."""

    name: str  #: unique in its archive; mostly a path relative to it
    content: Content  #: JPEG, PNG, TIFF or BMP, not yet decoded
    outcome: str  #: one of the 13 outcomes that an image can have, or ``no_drop``
    well: str  #: the drop that was photographed, unique in its archive; its images at all inspections share it
    plate: str  #: barcode; empty where nobody knows
    split: str | None = None  #: ``train``, ``validation`` or ``test`` where the publisher decided
    uv: Content | None = None  #: the same drop in the ultraviolet channel
    drop_mask: Content | None = None  #: picture of any size, bright where the drop is
    outcome_map: Content | None = None  #: PNG of the image's size, each pixel's outcome as an index, 255 outside
    objects: tuple[SeenObject, ...] | None = None  #: its crystals one by one; None where nobody says which there are
    in_suspension: bool = False  #: crystals in a liquid that fills the image: no drop, and so no chops
    is_chop: bool = False  #: a chop that somebody cut already, not an image of a well


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something in an archive or a dataset that was not taken, and why."""

    name: str
    reason: str  #: a short phrase that is the same for all of its kind, so that they can be counted
    detail: str = ""  #: what is special to this one


class Archive(Protocol):
    """An archive of scored images; it can be read more than once, always in the same order."""

    @property
    def name(self) -> str:
        """What people call it, for reports and cards."""

    @property
    def scheme(self) -> Scheme:
        """The classes in which people scored its images."""

    def images(self) -> Iterator[ArchiveImage | LeftOut]:
        """Yield its images, and what cannot be taken."""


def content_of(content: Content) -> bytes:
    """Return the bytes of an image.

    Raises
    ------
    OSError
        If its file cannot be read.
    """
    return content.read_bytes() if isinstance(content, Path) else content
