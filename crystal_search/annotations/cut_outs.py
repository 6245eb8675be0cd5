"""Objects cut out of their images, in folders by class: pictures to look at, and an archive of chops to train on."""

import math
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from PIL import Image as Pillow

from crystal_search.annotations.annotated_image import AnnotatedImage, AnnotatedObject
from crystal_search.annotations.annotation_files import picture_of
from crystal_search.annotations.annotation_format import AnnotationFormat, Trait, WriteOptions
from crystal_search.annotations.drawn_shapes import edges_of
from crystal_search.annotations.foreign_values import name_in, within
from crystal_search.errors import ImageError, UserError
from crystal_search.files import write_whole
from crystal_search.geometry import Box
from crystal_search.images import Colour, decode, picture_file


def write_cut_outs(images: Sequence[AnnotatedImage], folder: Path, options: WriteOptions) -> None:
    """Write the upright rectangle around each object as ``CLASS/IMAGE-NUMBER.png``.

    Raises
    ------
    UserError
        If an image is missing, cannot be read or has another size than its annotation, or a class has no name that a
        folder can have.
    """
    for place, image in enumerate(images, start=1):
        pixels = _pixels(image, options) if image.objects else None
        for number, each in enumerate(image.objects, start=1):
            box = None if pixels is None else _box(image, each, pixels)
            if pixels is not None and box:
                own = folder / _folder(each.label)
                own.mkdir(exist_ok=True)
                name = f"{PurePosixPath(image.name).stem[:100]}-{place:05}-{number:04}.png"
                write_whole(own / name, picture_file(Pillow.fromarray(pixels[box.slices])))


def _pixels(image: AnnotatedImage, options: WriteOptions) -> Colour:
    picture = picture_of(image.name, [options.images] if options.images else [])
    if picture is None:
        raise UserError(
            f"the image {image.name} is not in {options.images}; say --images with the folder where it lies"
        )
    try:
        pixels = decode(picture.read_bytes()).colour
    except (OSError, ImageError) as error:
        raise UserError(f"cannot read the image {picture}: {error}") from error
    _check_size(image, pixels, picture)
    return pixels


def _check_size(image: AnnotatedImage, pixels: Colour, picture: Path) -> None:
    height, width = pixels.shape[:2]
    if (image.height_px or height, image.width_px or width) != (height, width):
        raise UserError(
            f"the image {picture} has {height} x {width} px (height, width), its annotation {image.height_px} x "
            f"{image.width_px}; name by --images the folder with the images that were annotated"
        )


def _box(image: AnnotatedImage, found: AnnotatedObject, pixels: Colour) -> Box | None:
    """Return the whole pixels around an object that the image has; None where it has none."""
    edges = edges_of(found.shape, image.height_px, image.width_px)
    if edges is None:
        return None
    outer = Box(math.floor(edges.top), math.floor(edges.left), math.ceil(edges.bottom), math.ceil(edges.right))
    box = outer.clipped(pixels.shape[0], pixels.shape[1])
    return box if box.area else None


def _folder(label: str) -> str:
    with within("a class becomes the name of a folder"):
        name = name_in(label)
        if "/" in name or name.startswith("."):
            raise UserError(f"{label!r} cannot; give it another name by --rename")
    return name


CUT_OUTS = AnnotationFormat(
    meaning="a folder for each class with the objects cut out of their images",
    read=None,
    write=write_cut_outs,
    instead={
        Trait.EMPTY: "left out",
        Trait.OUTLINES: "only what is in their boxes is kept, as a picture",
        Trait.MASKS: "only what is in their boxes is kept, as a picture",
        Trait.BOXES: "where they lie is not kept",
        Trait.FRACTIONS: "widened to whole pixels",
        Trait.PLACES: "left out",
        Trait.SUPERCATEGORIES: "not kept",
        Trait.ANNOTATORS: "who drew them is not kept",
        Trait.BLANKS: "that they looked is not kept",
        Trait.FAINT: "that they are is not kept",
        Trait.CROWDS: "that they are many is not kept",
        Trait.ORIENTED_BOXES: "not kept",
        Trait.PROBABILITIES: "not kept",
        Trait.SCALES: "not kept",
    },
)
