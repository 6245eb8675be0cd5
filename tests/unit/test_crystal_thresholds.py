"""From which probability on crystals count."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from torch import Tensor, nn

from crystal_search.archives.seen_objects import objects_json, of_mask
from crystal_search.crystals.boxes import DIRECTIONS
from crystal_search.crystals.decoding import BOX_NUMBERS
from crystal_search.datasets.packed import IMAGE, IMAGES, OBJECTS, open_dataset
from crystal_search.exporting.crystal_threshold import least_probability
from crystal_search.images import picture_file
from tests.tiny_detector import tiny_card
from tests.unit.dataset_files import write_about, write_shard

SIDE_PX = 160
ONE, OTHER = (10, 10), (30, 30)  #: cells of the crystals that are found in every image


class TwoCrystals(nn.Module):
    """Finds a crystal of 8 x 4 px of probability 0.6 in one cell, and one of 0.9 in another."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        rows, columns = (side // 4 for side in x.shape[2:])
        heat = torch.full((1, 1, rows, columns), -9.0)
        for cell, probability in ((ONE, 0.6), (OTHER, 0.9)):
            heat[0, 0, cell[0], cell[1]] = math.log(probability / (1 - probability))
        boxes = torch.zeros(1, BOX_NUMBERS, rows, columns)
        boxes[:, 2], boxes[:, 3], boxes[:, 4] = math.log(8), math.log(4), 1
        return heat, boxes, torch.zeros(1, DIRECTIONS, rows, columns)


def sample(number: int, parts: dict[str, bytes]) -> tuple[dict[str, str], dict[str, bytes]]:
    known = {"key": f"{number:08d}", "outcome": "precipitate", "image": f"{number}.png", "well": f"{number}"}
    grey = picture_file(Pillow.fromarray(np.full((SIDE_PX, SIDE_PX), 120, np.uint8)))
    return known | {"plate": ""}, {IMAGE: grey} | parts


def crystals(count: int) -> bytes:
    masks = [np.zeros((SIDE_PX, SIDE_PX), np.bool_) for _ in range(count)]
    for number, mask in enumerate(masks):
        mask[40 * number + 10 : 40 * number + 20, 60:80] = True
    return objects_json([of_mask(mask, "crystal_harvestable") for mask in masks])


def test_as_many_count_as_there_are(tmp_path: Path) -> None:
    samples = [sample(number, {OBJECTS: crystals(count)}) for number, count in enumerate((1, 1, 0))]
    write_about(tmp_path, [write_shard(tmp_path, IMAGES, "validation", samples)])
    found = [least_probability(TwoCrystals(), tiny_card(), open_dataset(tmp_path))]
    samples = [sample(number, {OBJECTS: crystals(count)}) for number, count in enumerate((4, 1, 0))]
    write_about(tmp_path, [write_shard(tmp_path, IMAGES, "validation", samples)])
    found.append(least_probability(TwoCrystals(), tiny_card(), open_dataset(tmp_path)))
    assert found == pytest.approx([0.9, 0.6], abs=2e-4)
