"""Images whose crystals are marked one by one: of a dataset, or of a folder."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from crystal_search.archives.archive import ArchiveImage, content_of
from crystal_search.archives.coco_folder import annotated_images, set_named
from crystal_search.datasets.packed import OBJECTS, PackedDataset, sampled
from crystal_search.errors import ImageError, UserError
from crystal_search.images import Sight, decode, to_grey
from crystal_search.outcomes import NO_DROP
from crystal_search.training.crystal_source import KnownImage, known_image, marked_image

MOST_IMAGES = 200  #: that are looked at, for the sake of time


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedImages:
    """Images, each read when it is asked for as a detector sees it."""

    name: str  #: what figures say that they are of
    images: Sequence[Callable[[Sight], KnownImage]]


def of_dataset(dataset: PackedDataset, split: str = "validation") -> MarkedImages:
    """Return images of a split of a dataset: those of no drop, where it has some, since crystals there are others."""
    rows = [row for row in dataset.wells(split) if row.part(OBJECTS)]
    beyond_drops = [row for row in rows if not row.knows_drop and row.outcome != NO_DROP]
    chosen = sampled(beyond_drops or rows, MOST_IMAGES)
    return MarkedImages(
        name=f"{split} images of {dataset.folder.resolve().name}",
        images=[partial(known_image, dataset, row) for row in chosen],
    )


def of_folder(folder: Path) -> MarkedImages:
    """Return images of a folder with COCO annotations.

    Raises
    ------
    UserError
        If there is no such folder, its annotations are none, or an image is missing or was changed.
    """
    chosen = sampled([each for each in annotated_images(folder) if each.objects], MOST_IMAGES)
    return MarkedImages(name=set_named(folder)[0], images=[partial(_annotated, each) for each in chosen])


def _annotated(image: ArchiveImage, sight: Sight) -> KnownImage:
    try:
        grey = to_grey(decode(content_of(image.content)).colour)
    except ImageError as error:
        raise UserError(f"{image.name}: {error}; take it out, and try again") from error
    return marked_image(grey, image.objects or (), sight)
