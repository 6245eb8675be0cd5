"""Which of a detector's answers tells the box best: classes of the angle, its regression, or the outline.

Run with ``python -m benchmarks.bench_crystal_angles MODEL.card.json --coco FOLDER``. All answers are of one network
that was taught all of them at once, and the peaks of the heat are the same, so that nothing differs but how the box is
read.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crystal_search.archives.archive import ArchiveImage, ArchiveOptions, content_of
from crystal_search.archives.coco_folder import open_coco
from crystal_search.crystal import Crystal
from crystal_search.crystals.boxes import unit_vectors
from crystal_search.crystals.decoding import ANGLES, BOXES, TURNS, Decoding, crystals_in
from crystal_search.crystals.finding import dense_maps, not_wider
from crystal_search.evaluation.crystal_figures import crystal_figures
from crystal_search.evaluation.crystal_judge import LEAST_PROBABILITY
from crystal_search.evaluation.crystal_verdicts import CrystalVerdict
from crystal_search.evaluation.known_images import KnownImage
from crystal_search.images import decode, normalised, to_grey
from crystal_search.inference import Maps, OnnxNetwork
from crystal_search.model import in_role, read_model
from crystal_search.model_card import CrystalCard

SHOWN = ("AP of oriented boxes", "AP50 of oriented boxes", "AP75 of oriented boxes")
FINE = np.deg2rad(np.arange(0, 90, 0.5))

Reading = Callable[[Crystal], Crystal]


def regressed(maps: Maps) -> Maps:
    """Return maps whose classes of angles say what the regression says."""
    cosine, sine = maps[BOXES][0, 4:6]
    turn = (0.5 * np.arctan2(sine, cosine)) % np.pi * (ANGLES / np.pi)
    away = (np.arange(ANGLES)[:, None, None] - turn + ANGLES / 2) % ANGLES - ANGLES / 2
    return maps | {TURNS: (-(away**2))[None].astype(np.float32)}


def around_outline(crystal: Crystal, angles: NDArray[np.float64]) -> Crystal:
    """Return the crystal with the smallest of the rectangles around its outline at some angles."""
    points = np.array(crystal.outline)
    along, across = points @ unit_vectors(angles).T, points @ unit_vectors(angles + np.pi / 2).T
    low, high = (np.stack((each(along, axis=0), each(across, axis=0))) for each in (np.min, np.max))
    best = int(np.argmin(np.prod(high - low, axis=0)))
    sides, angle = (high - low)[:, best], angles[best]
    middle = (high + low)[:, best] / 2 @ unit_vectors(np.array([angle, angle + np.pi / 2]))
    turn = angle if sides[0] >= sides[1] else angle + np.pi / 2
    return replace(
        crystal,
        row=float(middle[0]),
        column=float(middle[1]),
        long_px=float(sides.max()),
        short_px=float(sides.min()),
        angle_rad=float(turn % np.pi),
    )


READINGS: dict[str, tuple[Callable[[Maps], Maps], Reading]] = {
    "classes of the angle": (lambda maps: maps, lambda crystal: crystal),
    "regression of the angle": (regressed, lambda crystal: crystal),
    "smallest rectangle around the outline": (lambda maps: maps, lambda crystal: around_outline(crystal, FINE)),
    "classes of the angle, sides of the outline": (
        lambda maps: maps,
        lambda crystal: around_outline(crystal, np.array([crystal.angle_rad])),
    ),
}


def main() -> None:
    """Print a table of average precisions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("card", type=Path)
    parser.add_argument("--coco", type=Path, required=True)
    parser.add_argument("--images", type=int, default=100)
    arguments = parser.parse_args()
    network = OnnxNetwork(in_role(read_model(arguments.card), CrystalCard))
    verdicts: dict[str, list[CrystalVerdict]] = {name: [] for name in READINGS}
    items = [each for each in open_coco(arguments.coco, ArchiveOptions()).images() if isinstance(each, ArchiveImage)]
    for image in items[: arguments.images]:
        decoded = decode(content_of(image.content))
        grey = not_wider(to_grey(decoded.colour), network.card.working_width_px)
        maps = dense_maps(normalised(grey, network.card.normalisation), network)
        known = KnownImage(name=image.name, label=image.outcome, content=bytes)
        for name, (changed, read) in READINGS.items():
            found = crystals_in(changed(maps), Decoding(least=LEAST_PROBABILITY))
            verdicts[name].append(
                CrystalVerdict(
                    known=known,
                    height_px=grey.shape[0],
                    width_px=grey.shape[1],
                    objects=image.objects or (),
                    found=tuple(map(read, found)),
                    least_probability=network.card.least_probability,
                )
            )
    for name, each in verdicts.items():
        figures = {figure.measure: figure.interval.value for figure in crystal_figures(each)}
        sys.stdout.write(f"{name}: " + ", ".join(f"{measure} {figures[measure]:.3f}" for measure in SHOWN) + "\n")


if __name__ == "__main__":
    main()
