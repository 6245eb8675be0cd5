"""Masks as PNG: one picture an image with the numbers of objects, a picture an object, or one of classes."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path, PurePosixPath

import numpy as np

from crystal_search.annotations.annotated_image import AnnotatedImage, AnnotatedObject, Placed, labels_in
from crystal_search.annotations.annotation_files import PICTURES, files_ending_in, name_beside, new_file, same_stem
from crystal_search.annotations.annotation_format import AnnotationFormat, ReadOptions, Trait, WriteOptions
from crystal_search.annotations.drawn_shapes import painted, pixels_of, size_of
from crystal_search.annotations.foreign_values import bytes_in, text_in, within
from crystal_search.annotations.mask_table import MaskRow, read_table, together, write_table
from crystal_search.annotations.png_numbers import Numbers, mask_png, numbers_in, numbers_png
from crystal_search.errors import UserError
from crystal_search.files import is_housekeeping, write_whole
from crystal_search.unet_drop.regions import labelled

SUFFIX, CLASSES = ".png", "class_names.txt"
INSTANCE_TABLE, MASK_TABLE = "objects.csv", "masks.csv"  #: what pictures belong to: of many objects, and of one each
BACKGROUND = "_background_"  #: in the list of classes, as labelme has it
MASKS_BESIDE, IMAGES_BESIDE = "masks", "images"  #: folders of one image: ``ID/masks/*.png`` and ``ID/images/ID.png``


def _picture(path: Path) -> Numbers:
    with within(str(path)):
        return numbers_in(bytes_in(path))


def read_instances(path: Path, options: ReadOptions) -> Iterator[AnnotatedImage]:
    """Yield the images of pictures whose pixels are numbers of objects, one picture an image.

    Raises
    ------
    UserError
        If a picture cannot be read, or the table beside breaks the format.
    """
    if (path / INSTANCE_TABLE).is_file():
        yield from _in_table(path, INSTANCE_TABLE)
        return
    for file in files_ending_in(path, SUFFIX, but_in=PICTURES):
        numbers = _picture(file)
        objects = [
            AnnotatedObject(label=options.label, shape=painted(numbers == number))
            for number in np.unique(numbers[numbers > 0])
        ]
        yield _image(_name(file, path, options), objects, numbers.shape)


def _image(name: str, objects: Sequence[AnnotatedObject], size: tuple[int, ...]) -> AnnotatedImage:
    height, width = size
    return AnnotatedImage(name=name, height_px=height, width_px=width, objects=tuple(objects))


def _name(file: Path, path: Path, options: ReadOptions) -> str:
    """Return the name of the image that a picture of masks belongs to: its own, with the ending of the image."""
    own = name_beside(file, path, file.name)
    stem = PurePosixPath(own).with_suffix("").as_posix()
    return same_stem(stem, [options.images or path]) or own


def _in_table(folder: Path, table: str) -> Iterator[AnnotatedImage]:
    """Yield the images of a table beside masks; a picture holds one object, or several by their numbers."""
    cached = lru_cache(maxsize=1)(_picture)  # several rows name one picture
    for name, rows in read_table(folder / table):
        size = rows[0].height_px, rows[0].width_px
        objects = []
        for row in rows:
            if row.mask:
                numbers = cached(folder / row.mask)
                size = _checked(row, numbers, size)
                objects.append(row.made(painted(numbers > 0 if table == MASK_TABLE else numbers == row.number)))
        yield together(name, rows, objects, size)


def _checked(row: MaskRow, numbers: Numbers, size: tuple[int, int]) -> tuple[int, int]:
    height, width = numbers.shape
    if size not in ((0, 0), (height, width)):
        raise UserError(f"{row.mask} has {height} x {width} px, the image {row.image} {size[0]} x {size[1]}")
    return height, width


def write_instances(images: Sequence[AnnotatedImage], folder: Path, options: WriteOptions) -> None:
    """Write a picture for each image, and the table beside.

    Raises
    ------
    UserError
        If nobody tells how large an image is, or it has too many objects.
    """
    masks = {}
    for place, image in enumerate(images):
        numbers = np.zeros(size_of(image), np.uint32)
        file = new_file(folder, image.name, SUFFIX)
        for number, each in enumerate(image.objects):
            if not isinstance(each.shape, Placed):
                numbers[pixels_of(image, each)] = number + 1
                masks[place, number] = file.relative_to(folder).as_posix()
        write_whole(file, numbers_png(numbers))
    write_table(folder / INSTANCE_TABLE, images, masks)


def read_masks(path: Path, options: ReadOptions) -> Iterator[AnnotatedImage]:
    """Yield the images of folders with a picture of each object: ``IMAGE/``, ``IMAGE/CLASS/`` or ``IMAGE/masks/``.

    Raises
    ------
    UserError
        If there are none, a picture cannot be read, or the table beside breaks the format.
    """
    if (path / MASK_TABLE).is_file():
        yield from _in_table(path, MASK_TABLE)
        return
    for folder in sorted(each for each in path.iterdir() if each.is_dir() and _is_image(each.name)):
        files = files_ending_in(folder, SUFFIX, but_in=PICTURES)
        objects, sizes = [], set()
        for file in files:  # one picture at a time is in memory
            there = _picture(file) > 0
            sizes.add(there.shape)
            if len(sizes) > 1:
                raise UserError(f"{folder}: its masks have different sizes; each must have that of the image")
            objects.append(AnnotatedObject(label=_class(file, folder, options), shape=painted(there)))
        yield _image(_image_of(folder, options), objects, sizes.pop())


def _is_image(name: str) -> bool:
    return name not in PICTURES and not is_housekeeping(name)


def _class(file: Path, folder: Path, options: ReadOptions) -> str:
    parts = file.relative_to(folder).parts[:-1]
    return text_in(parts[0]) if parts and parts[0] != MASKS_BESIDE else options.label


def _image_of(folder: Path, options: ReadOptions) -> str:
    own = folder / IMAGES_BESIDE / f"{folder.name}{SUFFIX}"
    if own.is_file():
        return own.relative_to(folder.parent).as_posix()
    return same_stem(folder.name, [options.images or folder.parent]) or f"{folder.name}{SUFFIX}"


def write_masks(images: Sequence[AnnotatedImage], folder: Path, options: WriteOptions) -> None:
    """Write a folder for each image with a picture of each object, and the table beside.

    Raises
    ------
    UserError
        If nobody tells how large an image is, or two images differ only in how their names end.
    """
    masks = {}
    for place, image in enumerate(images):
        own = new_file(folder, image.name, "")
        own.mkdir()
        for number, each in enumerate(image.objects):
            if not isinstance(each.shape, Placed):
                file = own / f"{number + 1:05}{SUFFIX}"
                write_whole(file, mask_png(pixels_of(image, each)))
                masks[place, number] = file.relative_to(folder).as_posix()
    write_table(folder / MASK_TABLE, images, masks)


def read_semantic(path: Path, options: ReadOptions) -> Iterator[AnnotatedImage]:
    """Yield the images of pictures whose pixels are numbers of classes; what hangs together is an object.

    Raises
    ------
    UserError
        If a picture cannot be read, or has a class that the list of classes lacks.
    """
    folder = path if path.is_dir() else path.parent
    names = _classes(folder / CLASSES) if (folder / CLASSES).is_file() else None
    for file in files_ending_in(path, SUFFIX, but_in=PICTURES):
        numbers = _picture(file)
        objects = []
        for number in np.unique(numbers[numbers > 0]).tolist():
            if names is not None and number >= len(names):
                raise UserError(f"{file} has class {number}; {CLASSES} names those from 0 to {len(names) - 1}: add it")
            label = names[number] if names else options.label if number in (1, 255) else f"class {number}"
            parts, sizes = labelled(numbers == number)
            objects += [AnnotatedObject(label=label, shape=painted(parts == each + 1)) for each in range(len(sizes))]
        yield _image(_name(file, path, options), objects, numbers.shape)


def _classes(path: Path) -> list[str]:
    """Return the names of classes 0, 1, ... of a list; labelme's begins with one for what is to be ignored."""
    with within(str(path)):
        lines = bytes_in(path).decode("utf-8-sig").split("\n")
        names = [text_in(line, "a class") for line in lines if line.strip()]
    return names[1:] if names[:1] == ["__ignore__"] else names


def write_semantic(images: Sequence[AnnotatedImage], folder: Path, options: WriteOptions) -> None:
    """Write a picture of classes for each image, and the list of classes.

    Raises
    ------
    UserError
        If nobody tells how large an image is, or two images differ only in how their names end; if a mask would lie
        where images are looked for.
    """
    labels = labels_in(images)
    for image in images:
        if PurePosixPath(image.name).parts[0] in PICTURES:
            raise UserError(f"the mask of {image.name} would lie in a folder of images; call that folder otherwise")
        numbers = np.zeros(size_of(image), np.uint32)
        for each in image.objects:
            numbers[pixels_of(image, each)] = labels.index(each.label) + 1
        write_whole(new_file(folder, image.name, SUFFIX), numbers_png(numbers))
    write_whole(folder / CLASSES, "".join(f"{each}\n" for each in (BACKGROUND, *labels)))


_PAINTED = {
    Trait.OUTLINES: "their pixels are kept as masks",
    Trait.BOXES: "their pixels are kept as masks",
    Trait.PLACES: "left out",
    Trait.SUPERCATEGORIES: "not kept",
    Trait.ORIENTED_BOXES: "not kept",
    Trait.SCALES: "not kept",
}
MASKS = AnnotationFormat(
    meaning="a folder for each image with a PNG of each object",
    read=read_masks,
    write=write_masks,
    images=PICTURES[0],
    instead=_PAINTED,
)
INSTANCES = AnnotationFormat(
    meaning="a PNG for each image, whose pixels are the numbers of objects",
    read=read_instances,
    write=write_instances,
    images=PICTURES[0],
    instead=_PAINTED | {Trait.OVERLAPS: "where two overlap, the later one counts"},
)
SEMANTIC = AnnotationFormat(
    meaning="a PNG for each image, whose pixels are the numbers of classes",
    read=read_semantic,
    write=write_semantic,
    images=PICTURES[0],
    instead=_PAINTED
    | {
        Trait.OVERLAPS: "where two overlap, the later one counts",
        Trait.REGROUPED: "what hangs together becomes one object",
        Trait.ANNOTATORS: "who drew them is not kept",
        Trait.BLANKS: "that they looked is not kept",
        Trait.FAINT: "that they are is not kept",
        Trait.CROWDS: "that they are many is not kept",
        Trait.PROBABILITIES: "not kept",
    },
)
