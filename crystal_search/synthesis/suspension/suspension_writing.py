"""The set *suspension* on disk: images, COCO annotations, a contact sheet, histograms."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from crystal_search.files import write_whole
from crystal_search.images import picture_file
from crystal_search.synthesis.frames import check_device
from crystal_search.synthesis.polyhedra import HABITS
from crystal_search.synthesis.rendered_folder import RenderedFolder, Sheet, annotation, check_no_others
from crystal_search.synthesis.suspension.crystal_model import SIDE_PX
from crystal_search.synthesis.suspension.histograms import as_csv, as_picture, spreads
from crystal_search.synthesis.suspension.scene import Settings, Suspension, suspension_images

SHEET_IMAGES, SHEET_COLUMNS = 48, 8


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
        If there is no such device, or the folder holds other pictures.
    OSError
        If the folder cannot be written.
    """
    from tqdm import tqdm

    check_device(device)
    check_no_others(folder, [f"images/{which.first + place:06d}.png" for place in range(which.count)])
    cells = Sheet(cell_px=(SIDE_PX, SIDE_PX), across=SHEET_COLUMNS, most=SHEET_IMAGES) if sheet else None
    written, boxes, first = RenderedFolder(folder, tuple(HABITS), cells), [], which.first
    stream = suspension_images(which.split, which.first, which.count, settings=settings, device=device, batch=batch)
    with tqdm(total=which.count, desc="rendering", unit="image", disable=None) as bar:
        for images in stream:
            write_batch(written, first, images, [f"{first + place:06d}.png" for place in range(len(images.images))])
            boxes.append(images.crystals.boxes.double().cpu().numpy())
            first += len(images.images)
            bar.update(len(images.images))
    found = spreads(np.concatenate(boxes))
    write_whole(folder / "histograms.csv", as_csv(found))
    write_whole(folder / "histograms.png", as_picture(found))
    written.finish()
    return len(written.annotations)


def write_batch(written: RenderedFolder, first: int, batch: Suspension, names: Sequence[str]) -> None:
    """Write the images of a batch under `names`, of which the first is number `first` of the annotations."""
    for number, (name, pixels) in enumerate(zip(names, batch.images.cpu().numpy(), strict=True), start=first):
        written.write(f"images/{name}", picture_file(Pillow.fromarray(pixels)), pixels)
        written.add_image(number, name, (SIDE_PX, SIDE_PX))
    _annotate(written, first, batch)


def _annotate(written: RenderedFolder, first: int, batch: Suspension) -> None:
    crystals, pixels = batch.crystals, batch.pixels
    order = pixels.crystal.argsort(stable=True).cpu().numpy()
    rows, columns = (each.cpu().numpy()[order] for each in (pixels.row, pixels.column))
    ends = pixels.crystal.bincount(minlength=len(crystals.image)).cumsum(0).tolist()
    boxes = crystals.boxes.cpu().numpy()
    faint, visible, contrast = (each.tolist() for each in (batch.too_faint, batch.visible, batch.contrast))
    index, images = crystals.solids.index.tolist(), crystals.image.tolist()
    start = 0
    for number, (habit, end) in enumerate(zip(batch.habits, ends, strict=True)):
        written.annotate(
            first + images[number],
            habit,
            annotation(rows[start:end], columns[start:end], (SIDE_PX, SIDE_PX), boxes[number]),
            index=round(index[number], 4),
            visible_fraction=round(visible[number], 4),
            contrast=round(contrast[number], 4),
            too_faint=bool(faint[number]),
        )
        start = end
