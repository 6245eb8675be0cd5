"""What an archive of scored images is: something that yields labelled images, and says what it left out."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from crystal_search.archives.seen_objects import SeenObject
from crystal_search.class_schemes import Scheme
from crystal_search.errors import UserError

Content = Path | bytes  #: a file that lies by itself, or one that was packed in another


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ArchiveImage:
    """One image and what people said of it."""

    name: str  #: unique in its archive; mostly a path relative to it
    content: Content  #: JPEG, PNG, TIFF or BMP, not yet decoded
    outcome: str  #: one of the 13 outcomes that an image can have, or ``no_drop``
    well: str  #: the drop that was photographed, unique in its archive; its images at all inspections share it
    plate: str  #: barcode; empty where nobody knows
    is_drop_known: bool = True  #: whether somebody told which drop it is; else other images may show the same one
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

    what: str = field(default="image", kw_only=True)  #: ``image`` or ``chop``
    name: str
    reason: str  #: a short phrase that is the same for all of its kind, so that they can be counted
    detail: str = ""  #: what is special to this one


Items = Iterator[ArchiveImage | LeftOut]


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """An archive of scored images."""

    name: str  #: what people call it, for reports and cards
    scheme: Scheme  #: the classes in which people scored its images
    images: Callable[[], Items]
    """Yields its images, and what cannot be taken, always in the same order; it can be called more than once.

    It raises UserError where something cannot be read, is damaged, or has a label that nobody knows.
    """
    corrected: int = 0  #: labels that people corrected, in this and the archives beside it


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveOptions:
    """What a person may say about an archive; every kind reads what concerns it (docs/archives.md)."""

    scheme: str | None = None  #: of `class_schemes.SCHEMES`; None: that of the kind of archive
    chops: bool = False  #: folder, csv: the pictures are chops that somebody cut already, not images of wells
    columns: Mapping[str, str] = field(default_factory=dict)  #: csv, vmxi: what a column is called that is read
    csv: Path | None = None  #: vmxi: the table of labels, where it does not lie among the images
    classes: str | None = None  #: recordio: names of the classes 0, 1, ... with commas between, or a file of them


@contextmanager
def naming(place: str) -> Iterator[None]:
    """Have what is wrong within say where: at a `place` in an archive."""
    try:
        yield
    except UserError as error:
        raise type(error)(f"{place}: {error}") from error


def content_of(content: Content) -> bytes:
    """Return the bytes of an image.

    Raises
    ------
    OSError
        If its file cannot be read.
    """
    return content.read_bytes() if isinstance(content, Path) else content
