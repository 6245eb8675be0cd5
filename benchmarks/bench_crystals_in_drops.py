"""What the classifier's word about a crystal is worth: true and false crystals in drops, by both limits.

Run with ``python -m benchmarks.bench_crystals_in_drops FOLDER... --detector CARD``, folders of ``render wells``. A
crystal counts that lies in the drop, whose probability reaches the detector's limit, and around which the chops reach
``crystals_from``, as in `scoring.crystals_in_drop`. A true one is found if the oriented box of one that counts shares
half with its own.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from tqdm import tqdm

from crystal_search.archives.archive import ArchiveImage, ArchiveOptions, content_of
from crystal_search.archives.coco_folder import open_coco
from crystal_search.arguments import fraction
from crystal_search.crystals.boxes import overlaps
from crystal_search.crystals.finding import find_crystals
from crystal_search.direct.as_installed import Installed
from crystal_search.images import decode, to_grey
from crystal_search.inference import Network, OnnxNetwork
from crystal_search.model import default_model
from crystal_search.model_card import ClassifierCard, CrystalCard, DropCard
from crystal_search.scoring.crystals_in_drop import is_in_drop
from crystal_search.scoring.looking import LocatedImage, chops_in_drop
from crystal_search.scoring.pipeline import Models
from crystal_search.training.crystal_source import truth_of
from crystal_search.unet_drop.locate import locate_drop

SAME = 0.5  #: intersection over union of boxes from which on two are one crystal's


@dataclass(frozen=True, slots=True, eq=False)
class Well:
    """What is found in the drop of a well."""

    there: int  #: its crystals but those that are too faint
    probabilities: NDArray[np.float64]  #: (found,)
    said: NDArray[np.float64]  #: (found,), by the chops around
    shared: NDArray[np.float64]  #: (found, all its crystals), intersection over union
    ignored: NDArray[np.bool_]  #: (all its crystals,), too faint to be missed

    def told(self, least: float, crystals_from: float) -> tuple[int, int, int]:
        """Return how many count, how many of them are false, and how many crystals are found."""
        counts = (self.probabilities >= least) & (self.said >= crystals_from)
        shared = np.where(self.shared[counts] >= SAME, self.shared[counts], 0.0)
        rows, columns = linear_sum_assignment(shared, maximize=True)
        right = shared[rows, columns] > 0
        return int(counts.sum()), int(counts.sum() - right.sum()), int((right & ~self.ignored[columns]).sum())


def well_of(image: ArchiveImage, models: Models, detector: Network[CrystalCard], least: float) -> Well:
    """Return what is found in a well whose crystals are known, with a probability of `least`."""
    seen = decode(content_of(image.content), at_least_width_px=models.decode_width_px)
    truth = truth_of(image.objects or (), (seen.height_px, seen.width_px)).crystals
    grey = to_grey(seen.colour)
    drop = locate_drop(grey, models.drop)
    there, boxes = int((~truth.ignored).sum()), truth.boxes
    if drop is None:
        return Well(there, np.zeros(0), np.zeros(0), np.zeros((0, len(boxes))), truth.ignored)
    chops = chops_in_drop(LocatedImage(seen, grey, drop), models.classifier)
    found = [each for each in find_crystals(seen, detector, least_probability=least) if is_in_drop(each, seen, drop)]
    mine = np.array([each.box for each in found]).reshape(-1, 5)
    pairs = np.repeat(mine, len(boxes), axis=0), np.tile(boxes, (len(mine), 1))
    return Well(
        there=there,
        probabilities=np.array([each.probability for each in found]),
        said=np.array([chops.speak_for_crystals(each.row, each.column) for each in found]),
        shared=overlaps(*pairs).reshape(len(mine), len(boxes)),
        ignored=truth.ignored,
    )


def lines(wells: Sequence[Well], least: Sequence[float], crystals_from: Sequence[float]) -> list[str]:
    """Return the table as Markdown."""
    free, others = ([each for each in wells if bool(len(each.ignored)) is some] for some in (False, True))
    there = sum(each.there for each in others)
    rows = [
        f"{len(free)} wells without crystals, {there} crystals in {len(others)} others\n",
        "| chops around say | probability of | false ones a well without crystals | such wells with one | found | "
        "false, of those told in the others |",
        "|---|---|---|---|---|---|",
    ]
    for said in crystals_from:
        for probability in least:
            false = [each.told(probability, said)[1] for each in free]
            told = np.array([each.told(probability, said) for each in others]).reshape(-1, 3).sum(axis=0)
            alone = f"{np.mean(false):.3f} | {np.mean(np.array(false) > 0):.1%}" if free else "– | –"
            rows.append(
                f"| {said:g} | {probability:g} | {alone} "
                f"| {told[2]} ({told[2] / max(there, 1):.0%}) | {told[1] / max(told[0], 1):.0%} |"
            )
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--detector")
    parser.add_argument("--least", type=fraction, nargs="+", default=[0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6])
    parser.add_argument("--crystals-from", type=fraction, nargs="+", default=[0.01, 0.3, 0.5, 0.6, 0.7, 0.8, 0.85])
    asked = parser.parse_args()
    detector = Installed().detector(asked.detector, drops=True)
    network = OnnxNetwork(detector)
    models = Models(OnnxNetwork(default_model(ClassifierCard)), OnnxNetwork(default_model(DropCard)), None, network)
    images = [each for folder in asked.folders for each in open_coco(folder, ArchiveOptions()).images()]
    known = [each for each in images if isinstance(each, ArchiveImage)]
    shown = tqdm(known, disable=not sys.stderr.isatty())
    wells = [well_of(each, models, network, min(asked.least)) for each in shown]
    sys.stdout.write("\n".join(lines(wells, asked.least, asked.crystals_from)) + "\n")


if __name__ == "__main__":
    main()
