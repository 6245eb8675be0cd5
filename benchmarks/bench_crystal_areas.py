"""How large crystals are told that a detector finds, beside how large they are, by how wide they are.

Run with ``python -m benchmarks.bench_crystal_areas CARD --coco FOLDER``. A crystal is found where a box overlaps its
own by half; those that are too faint are left out.
"""

import argparse
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crystal_search.archives.archive import ArchiveImage, ArchiveOptions, content_of
from crystal_search.archives.coco_folder import open_coco
from crystal_search.archives.seen_objects import SeenObject
from crystal_search.crystal import Crystal
from crystal_search.crystals.boxes import overlaps
from crystal_search.crystals.finding import find_crystals
from crystal_search.images import decode
from crystal_search.inference import OnnxNetwork
from crystal_search.model import in_role, read_model
from crystal_search.model_card import CrystalCard

LEAST_OVERLAP = 0.5
SHORT_PX = (0, 5, 8, 12, 20, 40, np.inf)  #: where classes of true short sides begin and end


def sizes(known: Sequence[SeenObject], found: Sequence[Crystal]) -> NDArray[np.float64]:
    """Return of each crystal that was found (N, 6) its area, long and short side, and the same as they are told."""
    if not known or not found:
        return np.zeros((0, 6))
    true, told = np.array([each.oriented_box for each in known]), np.array([each.box for each in found])
    shared = np.array([overlaps(np.repeat(each[None], len(told), axis=0), told) for each in true])
    rows: list[tuple[float, ...]] = []
    taken: set[int] = set()
    for number in np.argsort(-shared.max(axis=1)).tolist():
        best = int(shared[number].argmax())
        if shared[number, best] >= LEAST_OVERLAP and best not in taken:
            taken.add(best)
            mine, its = known[number], found[best]
            area = sum(mine.runs[1::2])
            rows.append((area, *mine.oriented_box[2:4], its.area_px2, its.long_px, its.short_px))
    return np.array(rows, np.float64).reshape(-1, 6)


def main() -> None:
    """Print a line for each class of true short sides."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("card", type=Path)
    parser.add_argument("--coco", type=Path, required=True)
    arguments = parser.parse_args()
    detector = OnnxNetwork(in_role(read_model(arguments.card), CrystalCard), threads=1)
    found = []
    for image in open_coco(arguments.coco, ArchiveOptions()).images():
        if isinstance(image, ArchiveImage):
            there = [each for each in image.objects or () if not each.too_faint]
            found.append(sizes(there, find_crystals(decode(content_of(image.content)), detector)))
    everything = np.concatenate(found)
    for low, high in pairwise(SHORT_PX):
        chosen = everything[(everything[:, 2] >= low) & (everything[:, 2] < high)]
        if len(chosen):
            area, long, short = (chosen[:, 3:].sum(axis=0) / chosen[:, :3].sum(axis=0) - 1).tolist()
            sys.stdout.write(
                f"short side {low:g} to {high:g} px, {len(chosen)} crystals: area {area:+.1%}, "
                f"short side {short:+.1%}, long side {long:+.1%}\n"
            )


if __name__ == "__main__":
    main()
