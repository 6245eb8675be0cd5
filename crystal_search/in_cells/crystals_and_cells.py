"""Insect cells of images, and the crystals that belong to them: from one file of annotations, or from two."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from crystal_search.annotations.annotated_image import AnnotatedImage, AnnotatedObject, Outlined, Polygon, labels_in
from crystal_search.annotations.annotation_format import ReadOptions
from crystal_search.annotations.format_kinds import format_at, read_annotations
from crystal_search.annotations.what_most_drew import agreed
from crystal_search.direct.crystal_files import SearchedFile
from crystal_search.errors import UserError
from crystal_search.hostile_json import printable
from crystal_search.in_cells.cells_of_images import (
    LEAST_SHARE,
    CellsOfImage,
    cells_of,
    is_cell,
    is_crystal,
    is_doubtful,
)
from crystal_search.synthesis.rendered_folder import CELL


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """What counts as a crystal of a cell."""

    least_share: float = LEAST_SHARE  #: of its pixels that lie in the cell
    faint: bool = False  #: whether crystals count that can hardly be seen


def read_drawn(path: Path, kind: str | None, options: ReadOptions) -> list[AnnotatedImage]:
    """Return annotated images; of several people's, what most of them drew.

    Raises
    ------
    UserError
        If they cannot be read, or hold no image.
    """
    found = [agreed(image) for image in read_annotations(path, kind or format_at(path), options)]
    if not found:
        raise UserError(f"{path} tells of no image; name annotations of some")
    return found


def check_called(images: Sequence[AnnotatedImage], path: Path, what: str) -> None:
    """Return if something is called `what`, `CELL` or `CRYSTAL`, or there is nothing that could be.

    Raises
    ------
    UserError
        If there are only things of other names, or one whose name has both words in it.
    """
    asked: Callable[[AnnotatedObject], bool] = is_cell if what == CELL else is_crystal
    objects = [each for image in images for each in image.objects]
    if doubtful := sorted({printable(each.label) for each in objects if is_doubtful(each)}):
        raise UserError(
            f"objects of {path} are called {doubtful[0]!r}, which may be a cell or a crystal; call them one of both, "
            f"as with crystal-search annotations convert {path} TO --rename OLD={what}"
        )
    if any(map(asked, objects)) or (what != CELL and not objects):
        return
    called = ", ".join(map(printable, labels_in(images)))[:200] or "nothing is drawn there"
    raise UserError(
        f"no object of {path} is called {what} ({called}); call them so, as with crystal-search annotations convert "
        f"{path} TO --rename OLD={what}"
    )


def found_in(file: SearchedFile) -> AnnotatedImage:
    """Return the crystals that a detector found in an image, as if they were drawn."""
    objects = tuple(
        AnnotatedObject(
            label="crystal",
            shape=Outlined((Polygon(each.outline),)),
            too_faint=each.is_faint,
            probability=each.probability,
        )
        for each in file.crystals
    )
    return AnnotatedImage(name=str(file.path), height_px=file.height_px, width_px=file.width_px, objects=objects)


def counted(image: AnnotatedImage, other: AnnotatedImage | None, counting: Counting) -> CellsOfImage:
    """Return the cells of an image with the crystals that the `other` tells, or why that cannot be.

    Parameters
    ----------
    other
        The same image with its crystals; None where nobody tells of it.
    """
    if other is None:
        return CellsOfImage(name=image.name, error="its crystals are not known: no image of its name was searched")
    if (image.height_px, image.width_px) != (other.height_px, other.width_px):
        sizes = " and those of ".join(f"{each.height_px} x {each.width_px} px" for each in (other, image))
        return CellsOfImage(name=image.name, error=f"crystals are of {sizes} of cells; tell both in the same image")
    cells = [each for each in image.objects if is_cell(each)]
    crystals = [each for each in other.objects if is_crystal(each) and (counting.faint or not each.too_faint)]
    try:
        return cells_of(image, cells, crystals, least_share=counting.least_share)
    except UserError as error:
        return CellsOfImage(name=image.name, error=str(error))


def paired(
    images: Sequence[AnnotatedImage], others: Sequence[AnnotatedImage]
) -> Iterator[tuple[AnnotatedImage, AnnotatedImage | None]]:
    """Yield each image with the other of its path, else of its name without folders and ending, if there is one such.

    >>> one, other = AnnotatedImage(name="a.png"), AnnotatedImage(name="runs/images/a.jpg")
    >>> list(paired([one], [other])) == [(one, other)]
    True
    """
    by_path = {_slashed(each.name): each for each in others}
    stems = Counter(_stem(each.name) for each in images)
    other_stems = Counter(_stem(each.name) for each in others)
    by_stem = {_stem(each.name): each for each in others}
    for image in images:
        stem = _stem(image.name)
        alone = stems[stem] == other_stems[stem] == 1
        yield image, by_path.get(_slashed(image.name), by_stem.get(stem) if alone else None)


def _slashed(name: str) -> str:
    return name.replace("\\", "/")


def _stem(name: str) -> str:
    return PurePosixPath(_slashed(name)).stem
