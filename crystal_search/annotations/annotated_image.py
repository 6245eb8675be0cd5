"""What was drawn in an image: the one record that every format is read into and written from.

Rows before columns, in pixels of the image as stored; (0, 0) is the corner of the first pixel, whose centre lies at
(0.5, 0.5). A pixel is in an outline where its centre is.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

Corner = tuple[float, float]  #: row, column
Ring = tuple[Corner, ...]  #: closed: the last corner is joined to the first


class Edges(NamedTuple):
    """An upright rectangle whose edges may lie within pixels."""

    top: float
    left: float
    bottom: float
    right: float


@dataclass(frozen=True, slots=True)
class Polygon:
    """One outline and the holes in it."""

    outline: Ring
    holes: tuple[Ring, ...] = ()


@dataclass(frozen=True, slots=True)
class Outlined:
    """What lies in at least one of several polygons: the parts of an object."""

    parts: tuple[Polygon, ...]


@dataclass(frozen=True, slots=True)
class Painted:
    """Pixels of a mask, as run lengths: column by column, those outside first, as COCO counts them."""

    runs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Boxed:
    """A rectangle, where nobody drew more."""

    edges: Edges


@dataclass(frozen=True, slots=True)
class Placed:
    """Places without an extent, or a line along them."""

    corners: Ring
    joined: bool = False  #: whether they are the corners of a line


Shape = Outlined | Painted | Boxed | Placed


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatedObject:
    """One thing that was drawn."""

    label: str  #: its class, as its file calls it
    shape: Shape
    supercategory: str = ""  #: what its class is a kind of, such as ``crystal`` or ``cell``, where COCO tells
    annotator: str = ""  #: who drew it; empty where the file does not tell
    too_faint: bool = False  #: hardly to be seen: it counts neither as found nor as missed
    crowd: bool = False  #: one outline around many
    oriented_box: tuple[float, ...] = ()  #: centre row and column, long and short side, angle of the long side, rad
    probability: float | None = None  #: of the label, in [0, 1], where a program drew it


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatedImage:
    """An image and all that was drawn in it."""

    name: str  #: of its file, relative to a folder, with slashes
    height_px: int = 0  #: 0 where nobody tells
    width_px: int = 0
    objects: tuple[AnnotatedObject, ...] = ()
    um_per_px: float | None = None  #: size of a pixel, micrometres, where the file tells
    annotators: tuple[str, ...] = ()  #: who looked, also those who drew nothing; empty where the file does not tell
    passed_over: tuple[str, ...] = ()  #: what its file says beside, and no such record holds

    @property
    def by_annotator(self) -> dict[str, tuple[AnnotatedObject, ...]]:
        """What each person drew, also those who drew nothing, in the order in which they are named."""
        people = dict.fromkeys([*self.annotators, *(each.annotator for each in self.objects)])
        return {person: tuple(each for each in self.objects if each.annotator == person) for person in people}


def labels_in(images: Iterable[AnnotatedImage]) -> tuple[str, ...]:
    """Return the classes of all objects, each once, sorted."""
    return tuple(sorted({each.label for image in images for each in image.objects}))
