"""Archives of images in which people drew drops and crystals, in formats of `annotations` (docs/annotations.md)."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from crystal_search.annotations.annotated_image import AnnotatedImage
from crystal_search.annotations.annotation_files import picture_of
from crystal_search.annotations.format_kinds import read_annotations
from crystal_search.annotations.what_most_drew import agreed
from crystal_search.archives.archive import Archive, ArchiveImage, ArchiveOptions, Items, LeftOut
from crystal_search.archives.channel_mates import is_there
from crystal_search.archives.coco_folder import SCHEME, TRUTH, outcome_of
from crystal_search.archives.image_places import Places
from crystal_search.archives.image_table import open_csv
from crystal_search.archives.outlines import BAD_OUTLINES, outlines_in
from crystal_search.class_schemes import SCHEMES
from crystal_search.errors import UserError

KINDS = ("labelme", "zooniverse", "voc", "masks", "instances", "semantic")


def _open(kind: str, path: Path, options: ArchiveOptions) -> Archive:
    """Return the archive of annotations at `path`; of several people's, what most of them drew counts.

    Raises
    ------
    UserError
        If something cannot be read; the message says which file, and what is wrong.
    """
    folder = path if path.is_dir() else path.parent
    table = open_csv(folder / TRUTH, options) if is_there(folder / TRUTH) else None
    images = {image.name: image for image in map(agreed, read_annotations(path, kind))}
    return Archive(
        name=f"annotations {path.name or path}",
        scheme=SCHEMES[SCHEME] if table is None else table.scheme,
        images=partial(_images, folder, images, table),
    )


def _images(folder: Path, images: Mapping[str, AnnotatedImage], table: Archive | None) -> Items:
    """Yield images with what was drawn in them; what else is known of them is in a table, if there is one."""
    if table is None:
        places = Places(images)
        for image in images.values():
            yield _drawn(_alone(folder, image, places), image)
        return
    for item in table.images():
        known = isinstance(item, ArchiveImage) and images.get(item.name)
        yield _drawn(item, known) if known else item


def _alone(folder: Path, image: AnnotatedImage, places: Places) -> ArchiveImage | LeftOut:
    """Return an image of which only annotations tell: no chops are cut, since nobody says what the whole drop is."""
    picture = picture_of(image.name, [folder])
    if picture is None:
        return LeftOut(image.name, "the file is missing")
    place = places.of(image.name)
    return ArchiveImage(
        name=image.name,
        content=picture,
        outcome="",
        well=place.well,
        plate=place.plate,
        is_drop_known=place.is_known,
        in_suspension=True,
    )


def _drawn(item: ArchiveImage | LeftOut, image: AnnotatedImage) -> ArchiveImage | LeftOut:
    """Return an item with what was drawn in its image; no crystal was drawn where there is none."""
    if isinstance(item, LeftOut):
        return item
    try:
        outlines = outlines_in(image)
    except UserError as error:
        return LeftOut(item.name, BAD_OUTLINES, str(error))
    objects = outlines.objects or ()
    return replace(
        item,
        outcome=item.outcome or outcome_of(objects),
        drop_mask=item.drop_mask or outlines.drop_mask,
        objects=objects,
    )


#: What opens an archive in each format.
ANNOTATED: dict[str, Callable[[Path, ArchiveOptions], Archive]] = {kind: partial(_open, kind) for kind in KINDS}
