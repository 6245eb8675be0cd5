"""How far people agree who drew in the same images, pair by pair and class by class."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from pathlib import PurePosixPath

import numpy as np

from crystal_search.annotations.annotated_image import AnnotatedImage, AnnotatedObject, Placed, labels_in
from crystal_search.annotations.object_overlaps import matched, overlaps
from crystal_search.bootstrap import Interval, drawn, interval
from crystal_search.columns import Cell
from crystal_search.errors import UserError
from crystal_search.metrics import ratio

ALL = "all"  #: of classes, in the place of one
COLUMNS = (
    *("person", "other_person", "class", "images", "objects", "other_objects", "matched"),
    *("f1_percent", "f1_percent_low", "f1_percent_high", "mean_iou", "mean_iou_low", "mean_iou_high"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What two people drew of one class in one image."""

    image: str
    person: str
    other: str
    label: str
    objects: int  #: of the person
    other_objects: int
    overlaps: tuple[float, ...]  #: of those that are the same


def attributed(images: Iterable[AnnotatedImage], source: str) -> Iterator[AnnotatedImage]:
    """Yield images of which the `source` is the annotator, where they name none."""
    for image in images:
        objects = tuple(replace(each, annotator=each.annotator or source) for each in image.objects)
        people = image.annotators or tuple(dict.fromkeys(each.annotator for each in objects)) or (source,)
        yield replace(image, objects=objects, annotators=people)


def merged(images: Iterable[AnnotatedImage]) -> list[AnnotatedImage]:
    """Return one image for all of one name but for its ending, with what all people drew.

    Raises
    ------
    UserError
        If it has several sizes.
    """
    found: dict[str, AnnotatedImage] = {}
    for image in images:
        key = PurePosixPath(image.name).with_suffix("").as_posix()
        found[key] = _both(found[key], image) if key in found else image
    return list(found.values())


def _both(one: AnnotatedImage, other: AnnotatedImage) -> AnnotatedImage:
    sizes = {(each.height_px, each.width_px) for each in (one, other) if each.height_px}
    if len(sizes) > 1:
        told = " and ".join(f"{height} x {width} px" for height, width in sorted(sizes))
        raise UserError(f"the image {one.name} is told to have {told}; correct one of the annotations")
    height, width = sizes.pop() if sizes else (0, 0)
    return replace(
        one,
        height_px=height,
        width_px=width,
        um_per_px=one.um_per_px or other.um_per_px,
        objects=one.objects + other.objects,
        annotators=tuple(dict.fromkeys(one.annotators + other.annotators)),
    )


def comparisons(images: Iterable[AnnotatedImage]) -> Iterator[Comparison]:
    """Yield all comparisons of two people who looked at the same image, each in both directions.

    Places, lines and outlines around many are not compared.

    Raises
    ------
    UserError
        If nobody tells how large an image is, or a library is missing.
    """
    for image in images:
        people = {person: _compared(found) for person, found in image.by_annotator.items()}
        for label in labels_in([image]) or ("",):
            for person, other in permutations(people, 2):
                mine, its = ([each for each in people[who] if each.label == label] for who in (person, other))
                yield Comparison(
                    image=image.name,
                    person=person,
                    other=other,
                    label=label,
                    objects=len(mine),
                    other_objects=len(its),
                    overlaps=tuple(matched(overlaps(image, mine, its))) if mine and its else (),
                )


def _compared(found: Iterable[AnnotatedObject]) -> list[AnnotatedObject]:
    return [each for each in found if not each.crowd and not isinstance(each.shape, Placed)]


def agreement_rows(images: Sequence[AnnotatedImage]) -> list[dict[str, Cell]]:
    """Return rows by `COLUMNS`: all people together, each person with all others, each pair; all classes, each class.

    Intervals are those of drawing images again.

    Raises
    ------
    UserError
        If no two people looked at the same image, nobody tells how large one is, or a library is missing.
    """
    found = list(comparisons(images))
    if not found:
        raise UserError("no two people looked at the same image; name annotations of several people")
    people = sorted({each.person for each in found})
    pairs = [("", ""), *((each, "") for each in people), *permutations(people, 2)]
    labels = [ALL, *sorted({each.label for each in found} - {""})]
    rows = (_row(found, pair, label) for pair in pairs for label in labels)
    return [row for row in rows if row]


def _row(found: Sequence[Comparison], pair: tuple[str, str], label: str) -> dict[str, Cell]:
    """Return the row of some comparisons; nothing where the two never looked at the same image."""
    person, other = pair
    own = [
        each
        for each in found
        if person in ("", each.person) and other in ("", each.other) and label in (ALL, each.label)
    ]
    if not own:
        return {}
    f1, iou = _figures(own)
    return {
        "person": person,
        "other_person": other,
        "class": label,
        "images": len({each.image for each in own}),
        "objects": sum(each.objects for each in own),
        "other_objects": sum(each.other_objects for each in own),
        "matched": sum(len(each.overlaps) for each in own),
        **_cells("f1_percent", f1, 100, 2),
        **_cells("mean_iou", iou, 1, 4),
    }


def _figures(own: Sequence[Comparison]) -> tuple[Interval, Interval]:
    """Return F1, and the mean overlap of what is the same."""
    draws = drawn([each.image for each in own])
    same = np.array([len(each.overlaps) for each in own], np.float64)
    overlap = np.array([sum(each.overlaps) for each in own])
    there = np.array([each.objects + each.other_objects for each in own], np.float64)
    f1 = interval(float(ratio(2 * same.sum(), there.sum())), ratio(2 * draws.sums(same), draws.sums(there)))
    return f1, interval(float(ratio(overlap.sum(), same.sum())), ratio(draws.sums(overlap), draws.sums(same)))


def _cells(name: str, found: Interval, factor: float, digits: int) -> dict[str, Cell]:
    numbers = zip((name, f"{name}_low", f"{name}_high"), found, strict=True)
    return {key: None if np.isnan(number) else round(factor * number, digits) for key, number in numbers}
