"""A small dataset whose crystals are marked one by one."""

from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from crystal_search.archives.seen_objects import SeenObject, objects_json, of_mask
from crystal_search.datasets.packed import IMAGE, IMAGES, OBJECTS
from crystal_search.images import picture_file
from tests.unit.dataset_files import write_about, write_shard

SIDE_PX = 160


def crystal(number: int) -> SeenObject:
    mask = np.zeros((SIDE_PX, SIDE_PX), np.bool_)
    mask[40 + 5 * number : 56 + 5 * number, 60:100] = True
    return of_mask(mask, "crystal_harvestable")


def picture(number: int) -> bytes:
    """Return noise with a lighter crystal in it."""
    grey = np.random.default_rng(number).normal(100, 4, (SIDE_PX, SIDE_PX))
    grey[crystal(number).mask] += 60
    return picture_file(Pillow.fromarray(np.clip(grey, 0, 255).astype(np.uint8)))


def sample(number: int) -> tuple[dict[str, str], dict[str, bytes]]:
    known = {"key": f"{number:08d}", "outcome": "crystal_harvestable", "image": f"{number}.png"}
    parts = {IMAGE: picture(number), OBJECTS: objects_json([crystal(number)])}
    return known | {"well": f"{number}", "plate": ""}, parts


def write_crystals(folder: Path) -> Path:
    """Write three images to learn from and two to validate with, and return their folder."""
    splits = (("train", range(3)), ("validation", range(3, 5)))
    write_about(folder, [write_shard(folder, IMAGES, split, [*map(sample, numbers)]) for split, numbers in splits])
    return folder
