"""Images whose truth is known: of a dataset, photographs with a table, the demo plate, rendered wells."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from crystal_search.archives.archive import ArchiveImage, content_of
from crystal_search.archives.coco_folder import annotated_images, set_named
from crystal_search.archives.seen_objects import SeenObject
from crystal_search.datasets.drawn_masks import BRIGHT, mask_over
from crystal_search.datasets.packed import DROPS, OBJECTS, PackedDataset, WellRow
from crystal_search.datasets.rendering import ROTA, Rendering
from crystal_search.demo.truth import plate_folder, read_truth
from crystal_search.direct.named_images import once
from crystal_search.errors import ImageError, UserError
from crystal_search.evaluation.label_table import LabelledFile, group_labelled, read_labels
from crystal_search.images import SUFFIXES, Colour, DecodedImage, decode
from crystal_search.outcomes import NO_DROP, OUTCOME_NAMES, Group
from crystal_search.unet_drop.regions import Mask
from crystal_search.wells import SPLITS

if TYPE_CHECKING:
    from crystal_search.synthesis.wells.rendered_well import RenderedImage

UNKNOWN = ""  #: the label of an image of which nothing is known
EVERYTHING = "photographs"  #: the source where the table names none

Content = Callable[[], bytes | Colour]  #: an image file, or its pixels


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KnownImage:
    """An image and what is known of it."""

    name: str
    label: str  #: one of `label_table.LABELS`, or `UNKNOWN`
    content: Content
    mask: Callable[[DecodedImage], Mask | None] = lambda _: None  #: where the drop is, any size; None: nobody knows
    masked: bool = False  #: whether it is known where the drop is
    objects: Callable[[], tuple[SeenObject, ...]] | None = None  #: its crystals; None: nobody says which there are
    path: Path | None = None  #: of the file, where it is one
    source: str = ""
    well: str = ""
    plate: str = ""

    def image(self, at_least_width_px: int = 0) -> DecodedImage:
        """Return the picture.

        Raises
        ------
        ImageError
            If it cannot be read.
        """
        content = self.content()
        if isinstance(content, bytes):
            return decode(content, at_least_width_px=at_least_width_px)
        return DecodedImage(content, *content.shape[:2])

    @property
    def drawn_with(self) -> str:
        """The well that is drawn again for intervals, with all its images."""
        return self.well or self.name

    @property
    def empty(self) -> bool:
        """Whether there is no drop."""
        return self.label == NO_DROP

    @property
    def crystal(self) -> bool:
        """Whether there are crystals."""
        return self.group is Group.CRYSTAL

    @property
    def group(self) -> Group | None:
        """The group, if it is known."""
        return group_labelled(self.label)

    @property
    def outcome(self) -> str | None:
        """The outcome, if it is known."""
        return self.label if self.label in OUTCOME_NAMES else None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Truth:
    """What answers are compared with."""

    name: str  #: in titles and on cards
    source: str  #: in words
    images: Sequence[KnownImage]
    split: str = ""  #: of the dataset
    dataset: PackedDataset | None = None  #: that has chops, too
    ignored: int = 0  #: images beside them of which nothing is known
    sheets: bool = False  #: whether contact sheets of all images are wanted
    sha256: str = ""  #: of all images and what is known of them, where they are files of a rendered set


def dataset_truth(dataset: PackedDataset, split: str | None, *, of_drops: bool) -> Truth:
    """Return the whole images of a split of a dataset: of the one that was asked for, else of ``test``.

    Where only drops are judged and no test image has a mask, validation images do.

    Raises
    ------
    UserError
        If there are no images that can be judged.
    """
    split = _masked_split(dataset, split) if of_drops else split or "test"
    if not dataset.wells(split):
        there = ", ".join(f"{each} {len(dataset.wells(each))}" for each in SPLITS)
        raise UserError(f"{dataset.folder} has no whole images in the split {split} ({there}); name another --split")
    return Truth(
        name=f"{dataset.folder.resolve().name}, {split}",
        source=f"Dataset {dataset.folder}: {'; '.join(dataset.about.sources)}.",
        images=of_dataset(dataset, dataset.wells(split)),
        split=split,
        dataset=dataset,
    )


def _masked_split(dataset: PackedDataset, asked: str | None) -> str:
    for split in ("test", "validation") if asked is None else (asked,):
        if any(row.knows_drop for row in dataset.wells(split)):
            return split
    raise UserError(
        f"no {asked or 'test or validation'} image of {dataset.folder} has a mask of its drop; "
        "draw some (docs/training-drops.md)"
    )


def photograph_truth(folder: Path, labels: Sequence[Path] | None, name: str | None) -> Truth:
    """Return the photographs in `folder` with what the tables `labels` say of them; nothing, where there are none.

    Raises
    ------
    UserError
        If `folder` is none, or a table cannot be used (`label_table.read_labels`).
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder; name the one with the photographs")
    name = name or folder.resolve().name
    if not labels:
        return Truth(
            name=name, source=f"Photographs in {folder}; nobody says what they show.", images=photographs(folder)
        )
    images, ignored = labelled_photographs(labels, folder)
    source = f"Photographs in {folder}, labels of {' and '.join(map(str, labels))}."
    return Truth(name=name, source=source, images=images, ignored=ignored, sheets=True)


def coco_truth(folder: Path, name: str | None) -> Truth:
    """Return the images in `folder` whose crystals its annotations tell, as ``crystal-search render`` writes them.

    Raises
    ------
    UserError
        If there is no such folder, its annotations are none, or an image is missing or was changed.
    """
    images = [_annotated(each) for each in annotated_images(folder)]
    called, sha256 = set_named(folder, name)
    source = f"Images in {folder} with their crystals one by one{f', sha256 {sha256[:12]}' if sha256 else ''}."
    return Truth(name=called, source=source, images=images, sha256=sha256)


def _annotated(image: ArchiveImage) -> KnownImage:
    return KnownImage(
        name=image.name,
        label=image.outcome,
        content=partial(content_of, image.content),
        objects=lambda: image.objects or (),
        well=image.well,
        plate=image.plate,
    )


def demo_truth() -> Truth:
    """Return the demo plate."""
    folder = plate_folder()
    images = [
        _file(folder / file, file, outcome, "demo plate", (folder / file).with_suffix(".mask.png"))
        for file, outcome in read_truth(folder).items()
    ]
    return Truth(name="demo plate (rendered)", source="The demo plate, which is rendered.", images=images)


def rendered_truth(wells: int) -> Truth:
    """Return rendered wells that no network was trained on, which are drawn when they are asked for."""
    images = [_rendered(number) for number in range(wells)]
    return Truth(name="rendered test wells", source="Rendered wells of the split test.", images=images)


def _nothing(_: DecodedImage) -> Mask:
    return np.zeros((1, 1), np.bool_)


def _in_dataset(dataset: PackedDataset, row: WellRow, image: DecodedImage) -> Mask | None:
    if row.part(DROPS):
        return np.asarray(dataset.array(row, DROPS)) > BRIGHT
    data = dataset.mask(row)
    return None if data is None else mask_over(data, image.colour.shape)


def _objects(dataset: PackedDataset, row: WellRow) -> tuple[SeenObject, ...]:
    return dataset.objects(row) or ()


def of_dataset(dataset: PackedDataset, rows: Sequence[WellRow]) -> list[KnownImage]:
    """Return whole images of a dataset."""
    return [
        KnownImage(
            name=row.image,
            label=row.outcome,
            content=partial(dataset.image, row),
            mask=_nothing if row.outcome == NO_DROP else partial(_in_dataset, dataset, row),
            masked=row.knows_drop or row.outcome == NO_DROP,
            objects=partial(_objects, dataset, row) if row.part(OBJECTS) else None,
            source=dataset.folder.resolve().name,
            well=row.well,
            plate=row.plate,
        )
        for row in rows
    ]


@lru_cache(maxsize=1)  # picture and mask are asked for one after the other
def _well(number: int) -> "RenderedImage":
    return Rendering("test")(number)


def _rendered(number: int) -> KnownImage:
    return KnownImage(
        name=f"rendered well {number}",
        label=ROTA[number % len(ROTA)] or NO_DROP,
        content=lambda: _well(number).image,
        mask=lambda _: _well(number).drop_mask,
        masked=True,
        source="rendered wells",
    )


def photographs(folder: Path) -> list[KnownImage]:
    """Return the images below `folder`, of which nothing is known.

    Raises
    ------
    UserError
        If there are none.
    """
    files = once(sorted(each for each in folder.rglob("*") if each.suffix.lower() in SUFFIXES and each.is_file()))
    if not files:
        raise UserError(f"no images in {folder}; images end in {', '.join(SUFFIXES)}")
    return [_file(path, path.relative_to(folder).as_posix(), UNKNOWN, folder.name) for path in files]


def labelled_photographs(tables: Sequence[Path], folder: Path) -> tuple[list[KnownImage], int]:
    """Return what `tables` say of the photographs in `folder`, and how many images there they say nothing of.

    Raises
    ------
    UserError
        If a table cannot be used (`label_table.read_labels`).
    """
    found = read_labels(tables, folder)
    named = {path.resolve() for each in found for path in (each.path, each.mask) if path}
    there = (each for each in folder.rglob("*") if each.suffix.lower() in SUFFIXES and each.is_file())
    return [_labelled(each, folder) for each in found], sum(each.resolve() not in named for each in there)


def _labelled(file: LabelledFile, folder: Path) -> KnownImage:
    name = file.path.relative_to(folder).as_posix()
    known = _file(file.path, name, file.label, file.source or EVERYTHING, file.mask)
    return replace(known, plate=file.plate, well=file.drop)


def _file(path: Path, name: str, label: str, source: str, mask: Path | None = None) -> KnownImage:
    return KnownImage(
        name=name,
        label=label,
        content=path.read_bytes,
        mask=_nothing if label == NO_DROP else partial(_mask_beside, mask),
        masked=mask is not None or label == NO_DROP,
        path=path,
        source=source,
    )


def _mask_beside(mask: Path | None, image: DecodedImage) -> Mask | None:
    """Return the drawn mask; a picture that is none tells nothing."""
    try:
        return None if mask is None else mask_over(mask.read_bytes(), image.colour.shape)
    except ImageError:
        return None
