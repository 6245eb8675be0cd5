"""``python -m benchmarks.bench_section_volumes``: how well volumes of crystals are read from confocal sections.

A dozen rendered insect cells a scene, at 0.59 um a pixel, with 26 sections 0.6 um apart; outlines and boxes are those
that a dense detector is taught. Crystals that the border cuts or that touch others are left out, and those below 25
um^3. Three minutes a scene.
"""

import argparse
import sys

import numpy as np
from numpy.typing import NDArray

from crystal_search.crystals.section_areas import around_edge, around_pixels
from crystal_search.synthesis.insect_cells.cell_culture import FIELD_UM
from crystal_search.synthesis.insect_cells.cell_image import photographed
from crystal_search.synthesis.insect_cells.confocal import sections
from crystal_search.synthesis.seeds import WellSeed
from tests.unit.test_crystals_stacks import STEP_UM, few_cells, lies_alone, outlined

SIDE_PX, SECTIONS, LEAST_UM3 = 512, 26, 25.0


def volumes(target: str, scene: int) -> NDArray[np.float64]:
    """Return of each crystal (N, 3) its volume, that of outlines as they are, and that read from them, um^3."""
    stage, seed = few_cells(target, SIDE_PX, scene), WellSeed("test", 12)
    crystals = photographed(seed, stage).crystals
    stack = [each.crystals for each in sections(seed, stage, SECTIONS, step_um=STEP_UM)]
    voxel_um3 = (FIELD_UM / SIDE_PX) ** 2 * STEP_UM
    found = []
    for one in crystals:
        if one.volume_um3 > LEAST_UM3 and lies_alone(one.places, [each.places for each in crystals], SIDE_PX):
            parts = [outlined(cut[one.number], SIDE_PX) for cut in stack if len(cut[one.number]) > 3]
            sums = [voxel_um3 * sum(area(each, 1.0) for each in parts) for area in (around_edge, around_pixels)]
            found.append((one.volume_um3, *sums))
    return np.array(found)


def main() -> None:
    """Print a line for each scene."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, nargs="+", default=[1, 2, 3])
    for scene in parser.parse_args().scenes:
        for target in ("long", "clustered"):
            known, as_they_are, read = volumes(target, scene).T
            each = np.abs(read / known - 1).max()
            sys.stdout.write(
                f"{target}, scene {scene}, {len(known)} crystals: outlines as they are "
                f"{as_they_are.sum() / known.sum() - 1:+.1%}, read {read.sum() / known.sum() - 1:+.1%}, "
                f"each within {each:.0%}\n"
            )


if __name__ == "__main__":
    main()
