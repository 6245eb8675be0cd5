"""How well crystals of rendered insect cells are told to their cells, and what the border of an image does to yields.

Run with ``python -m benchmarks.bench_in_cells FOLDER``, a folder of ``crystal-search render cells``. Its images are
looked at whole, and cut into four and nine windows, of which each is an image then: what these yield should be what
the whole ones do. Beside it stands what it would be without the correction for cells cut off. Where the border cuts
cells the renderer knows less of them, so that its figures of all cells are too low.
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from crystal_search.annotations.annotated_image import AnnotatedImage
from crystal_search.annotations.annotation_format import ReadOptions
from crystal_search.annotations.coco_json import FILE
from crystal_search.annotations.drawn_shapes import painted, pixels_of
from crystal_search.in_cells.cell_yield import yield_of
from crystal_search.in_cells.cells_of_images import (
    LEAST_SHARE,
    CellsOfImage,
    home_of,
    is_cell,
    is_crystal,
    pixels_in,
)
from crystal_search.in_cells.crystals_and_cells import Counting, counted, read_drawn

ACROSS = (1, 2, 3)  #: windows along a side of an image
COUNTING = Counting(faint=True)


def windows(image: AnnotatedImage, across: int) -> list[AnnotatedImage]:
    """Return parts of an image, each with what of everything lies in it."""
    side = image.height_px // across
    masks = [(each, pixels_of(image, each)) for each in image.objects]
    found = []
    for row, column in np.ndindex(across, across):
        place = np.s_[row * side : (row + 1) * side, column * side : (column + 1) * side]
        objects = tuple(replace(each, shape=painted(mask[place])) for each, mask in masks if mask[place].any())
        found.append(AnnotatedImage(name=image.name, height_px=side, width_px=side, objects=objects))
    return found


def alike(image: CellsOfImage) -> CellsOfImage:
    """Return an image whose cells count once each."""
    return replace(image, weight=np.ones_like(image.weight))


def known(folder: Path) -> tuple[float, float]:
    """Return the share of cells with crystals, and crystals a cell, of all cells that the renderer tells."""
    told = json.loads((folder / FILE).read_text(encoding="utf-8"))["annotations"]
    held = np.array([each["crystals"] for each in told if "state" in each])
    return float((held > 0).mean()), float(held.mean())


def told_right(folder: Path, images: list[AnnotatedImage]) -> tuple[int, int]:
    """Return how many crystals are told to the cell that the renderer says, and how many crystals there are."""
    told = json.loads((folder / FILE).read_text(encoding="utf-8"))
    names = {each["id"]: each["file_name"] for each in told["images"]}
    right = crystals = 0
    for image in images:
        own = [each for each in told["annotations"] if names[each["image_id"]] == image.name]
        numbers = [each["id"] for each in own if "state" in each]
        cells = pixels_in(image, filter(is_cell, image.objects), "cell")
        seen = pixels_in(image, filter(is_crystal, image.objects), "crystal")
        homes = [home_of(each, cells, LEAST_SHARE) for each in seen]
        wanted = [each["cell"] for each in own if "state" not in each]
        pairs = zip(homes, wanted, strict=True)
        right += sum((None if home is None else numbers[home]) == cell for home, cell in pairs)
        crystals += len(wanted)
    return right, crystals


def main() -> None:
    """Print the figures of a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="of crystal-search render cells")
    folder = parser.parse_args().folder
    images = read_drawn(folder, "coco", ReadOptions())
    share, a_cell = known(folder)
    right, crystals = told_right(folder, images)
    sys.stdout.write(f"{right} of {crystals} crystals are told to their cells\n")
    sys.stdout.write(f"renderer: {100 * share:.1f} % of cells with crystals, {a_cell:.3f} crystals a cell\n")
    for across in ACROSS:
        parts = [counted(part, part, COUNTING) for image in images for part in windows(image, across)]
        for name, seen in (("corrected", parts), ("as they are", [alike(each) for each in parts])):
            found = yield_of(seen)
            sys.stdout.write(
                f"{across * across} windows an image, {found.cells} cells, {name}: {100 * found.share.value:.1f} %, "
                f"{found.a_cell.value:.3f}\n"
            )


if __name__ == "__main__":
    main()
