"""What a format of annotations is, and what it cannot hold."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import numpy as np

from crystal_search.annotations.annotated_image import (
    AnnotatedImage,
    AnnotatedObject,
    Boxed,
    Outlined,
    Painted,
    Placed,
    Shape,
)
from crystal_search.annotations.drawn_shapes import pixels_of, size_of
from crystal_search.unet_drop.regions import labelled


class Trait(StrEnum):
    """Something of annotations that not every format can hold, as people call several of it."""

    OUTLINES = "outlines"
    PARTS = "objects of several parts"
    HOLES = "objects with holes"
    MASKS = "painted masks"
    BOXES = "boxes"
    PLACES = "places and lines"
    FRACTIONS = "corners within pixels"
    OVERLAPS = "objects on others"
    REGROUPED = "objects that touch another of their class, or do not hang together"
    LABELS = "labels"
    SUPERCATEGORIES = "supercategories"
    ANNOTATORS = "objects whose annotator is known"
    BLANKS = "people who looked and drew nothing"
    FAINT = "objects that are hardly to be seen"
    CROWDS = "outlines around many"
    ORIENTED_BOXES = "oriented boxes"
    PROBABILITIES = "probabilities"
    EMPTY = "images in which nothing was drawn"
    SCALES = "images whose scale is known"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """What a person may say about annotations that are read."""

    images: Path | None = None  #: folder in which the images lie; None: that of the annotations
    label: str = "crystal"  #: of what has none in its format


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOptions:
    """What a person may say about annotations that are written."""

    images: Path | None = None  #: folder in which the images lie
    compressed: bool = False  #: coco: run lengths as texts, which are shorter


Reading = Callable[[Path, ReadOptions], Iterator[AnnotatedImage]]
Writing = Callable[[Sequence[AnnotatedImage], Path, WriteOptions], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationFormat:
    """One format."""

    meaning: str  #: in words
    read: Reading | None
    """Yields the images of a folder or a file; raises UserError, with the place, where something cannot be read."""
    write: Writing | None
    """Fills an empty folder, or writes the file at a path that is not there; raises UserError where it cannot."""
    file: str = ""  #: what its one file is called in a folder; empty where it is many
    images: str = ""  #: folder for copies of the images, where they cannot lie beside
    instead: Mapping[Trait, str] = field(default_factory=dict)  #: what becomes of what it cannot hold


def traits_of(found: AnnotatedObject) -> Iterator[Trait]:
    """Yield what an object has that not every format holds."""
    yield Trait.LABELS
    yield from _traits_of_shape(found.shape)
    told = {
        Trait.SUPERCATEGORIES: found.supercategory,
        Trait.ANNOTATORS: found.annotator,
        Trait.FAINT: found.too_faint,
        Trait.CROWDS: found.crowd,
        Trait.ORIENTED_BOXES: found.oriented_box,
        Trait.PROBABILITIES: found.probability is not None,
    }
    yield from (trait for trait, there in told.items() if there)


def _traits_of_shape(shape: Shape) -> Iterator[Trait]:
    match shape:
        case Outlined(parts):
            rings = [ring for each in parts for ring in (each.outline, *each.holes)]
            several, holes = len(parts) > 1, len(rings) > len(parts)
            told = {Trait.OUTLINES: True, Trait.PARTS: several, Trait.HOLES: holes, Trait.FRACTIONS: _within(rings)}
            yield from (trait for trait, there in told.items() if there)
        case Painted():
            yield Trait.MASKS
        case Boxed(edges):
            yield from (Trait.BOXES, *([Trait.FRACTIONS] if _within([[edges]]) else ()))
        case Placed():
            yield Trait.PLACES


def _within(rings: Iterable[Iterable[Iterable[float]]]) -> bool:
    """Tell whether any corner lies within a pixel."""
    return not all(float(number).is_integer() for ring in rings for corner in ring for number in corner)


def lost(images: Iterable[AnnotatedImage], target: AnnotationFormat) -> list[str]:
    """Return what a format cannot hold of images, a sentence for each kind, with what becomes of it."""
    counts: Counter[Trait] = Counter()
    for image in images:
        people = {each.annotator for each in image.objects}
        counts[Trait.EMPTY] += not image.objects
        counts[Trait.SCALES] += image.um_per_px is not None
        counts[Trait.BLANKS] += len(set(image.annotators) - people)
        counts.update(trait for each in image.objects for trait in traits_of(each))
        counts.update({trait: count(image) for trait, count in _BY_PIXELS.items() if trait in target.instead})
    return [f"{counts[trait]} {trait}: {fate}" for trait, fate in target.instead.items() if counts[trait]]


def overlapping(image: AnnotatedImage) -> int:
    """Return how many objects of an image share a pixel with one before them."""
    covered = np.zeros(size_of(image), np.bool_)
    count = 0
    for each in image.objects:
        mask = pixels_of(image, each)
        count += bool((covered & mask).any())
        covered |= mask
    return count


def regrouped(image: AnnotatedImage) -> int:
    """Return how many objects of an image are other ones when what hangs together in a class is one object."""
    masks = [(each.label, pixels_of(image, each)) for each in image.objects]
    count = 0
    for label in {label for label, _ in masks}:
        own = [mask for each, mask in masks if each == label and mask.any()]
        parts, sizes = labelled(np.logical_or.reduce(own)) if own else (np.zeros((1, 1)), np.zeros(0))
        met = [set(np.unique(parts[mask]).tolist()) for mask in own]
        whole = [len(each) == 1 and sizes[min(each) - 1] == mask.sum() for each, mask in zip(met, own, strict=True)]
        count += len(own) - sum(whole)
    return count


_BY_PIXELS: dict[Trait, Callable[[AnnotatedImage], int]] = {
    Trait.OVERLAPS: overlapping,
    Trait.REGROUPED: regrouped,
}
