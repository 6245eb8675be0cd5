"""The set *suspension* on disk: images, COCO annotations, a contact sheet, histograms."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as Pillow

from crystal_search.errors import UserError
from crystal_search.files import write_whole
from crystal_search.images import contact_sheet, picture_file
from crystal_search.synthesis.coco import Record, annotation
from crystal_search.synthesis.polyhedra import HABITS
from crystal_search.synthesis.suspension.crystal_model import SIDE_PX
from crystal_search.synthesis.suspension.histograms import as_csv, as_picture, spreads
from crystal_search.synthesis.suspension.scene import Settings, Suspension, suspension_images

SHEET_IMAGES, SHEET_COLUMNS = 48, 8
CATEGORIES = {name: number for number, name in enumerate(HABITS, start=1)}  #: of annotations, by habit


@dataclass
class SuspensionSet:
    """A set that is being written into a folder; the annotations come last, and whole."""

    folder: Path
    sheet: bool = True  #: whether there is to be a contact sheet
    _images: list[Record] = field(default_factory=list)
    _annotations: list[Record] = field(default_factory=list)
    _boxes: list[NDArray[np.float64]] = field(default_factory=list)
    _sheet: list[Pillow.Image] = field(default_factory=list)

    def add(self, first: int, batch: Suspension) -> None:
        """Write the images of a batch, of which the first is number `first` of the split."""
        for offset, pixels in enumerate(batch.images.cpu().numpy()):
            picture = Pillow.fromarray(pixels)
            name = f"{first + offset:06d}.png"
            write_whole(self.folder / "images" / name, picture_file(picture))
            self._images.append({"id": first + offset, "file_name": name, "height": SIDE_PX, "width": SIDE_PX})
            if len(self._sheet) < SHEET_IMAGES:
                self._sheet.append(picture)
        self._annotations.extend(_annotations(first, len(self._annotations), batch))
        self._boxes.append(batch.crystals.boxes.double().cpu().numpy())

    def finish(self) -> int:
        """Write everything but the images; return how many crystals there are."""
        categories = [{"id": number, "name": name, "supercategory": "crystal"} for name, number in CATEGORIES.items()]
        truth = {"images": self._images, "categories": categories, "annotations": self._annotations}
        write_whole(self.folder / "annotations.json", json.dumps(truth, separators=(",", ":")).encode())
        found = spreads(np.concatenate(self._boxes))
        write_whole(self.folder / "histograms.csv", as_csv(found))
        write_whole(self.folder / "histograms.png", as_picture(found))
        if self.sheet:
            write_whole(self.folder / "contact-sheet.png", contact_sheet(self._sheet, SHEET_COLUMNS))
        return len(self._annotations)


@dataclass(frozen=True, slots=True)
class Which:
    """Which images of a split are written."""

    split: str
    first: int
    count: int


def write_set(
    folder: Path, which: Which, settings: Settings, *, device: str = "cpu", batch: int = 2, sheet: bool = True
) -> int:
    """Write images with their truth; return how many crystals they hold.

    Raises
    ------
    UserError
        If there is no such device.
    OSError
        If the folder cannot be written.
    """
    from tqdm import tqdm

    check_device(device)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    written = SuspensionSet(folder, sheet)
    stream = suspension_images(which.split, which.first, which.count, settings=settings, device=device, batch=batch)
    first = which.first
    with tqdm(total=which.count, desc="rendering", unit="image", disable=None) as bar:
        for images in stream:
            written.add(first, images)
            first += len(images.images)
            bar.update(len(images.images))
    return written.finish()


def check_device(device: str) -> None:
    """Refuse a device that is not there.

    Raises
    ------
    UserError
        If torch does not know it, or it is a GPU and there is none.
    """
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"no device {device!r} here; choose cpu, or cuda where there is a GPU") from error


def _annotations(first: int, before: int, batch: Suspension) -> Iterator[Record]:
    """Yield a record for each crystal of a batch."""
    crystals, pixels = batch.crystals, batch.pixels
    order = pixels.crystal.argsort(stable=True).cpu().numpy()
    rows, columns = (each.cpu().numpy()[order] for each in (pixels.row, pixels.column))
    ends = pixels.crystal.bincount(minlength=len(crystals.image)).cumsum(0).tolist()
    boxes = crystals.boxes.cpu().numpy()
    faint, visible, contrast = (each.tolist() for each in (batch.too_faint, batch.visible, batch.contrast))
    index, images = crystals.solids.index.tolist(), crystals.image.tolist()
    start = 0
    for number, (habit, end) in enumerate(zip(batch.habits, ends, strict=True)):
        yield annotation(
            rows[start:end],
            columns[start:end],
            (SIDE_PX, SIDE_PX),
            boxes[number],
            id=before + number + 1,
            image_id=first + images[number],
            category_id=CATEGORIES[habit],
            index=round(index[number], 4),
            visible_fraction=round(visible[number], 4),
            contrast=round(contrast[number], 4),
            too_faint=bool(faint[number]),
        )
        start = end
