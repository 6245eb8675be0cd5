"""What further looks at crystals bring: boxes as they are told first, after one look and after two.

Run with ``python -m benchmarks.bench_crystal_looks RUN --coco FOLDER``, RUN the folder of a training. All answers are
of one network that was taught all of them at once.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from crystal_search.archives.archive import ArchiveImage, ArchiveOptions, content_of
from crystal_search.archives.coco_folder import open_coco
from crystal_search.crystals.decoding import Decoding, crystals_in
from crystal_search.crystals.finding import dense_maps
from crystal_search.evaluation.crystal_figures import crystal_figures
from crystal_search.evaluation.crystal_judge import LEAST_PROBABILITY
from crystal_search.evaluation.crystal_verdicts import CrystalVerdict
from crystal_search.evaluation.known_images import KnownImage
from crystal_search.exporting.crystal_threshold import DetectorInTorch
from crystal_search.exporting.exported_runs import record_in
from crystal_search.images import decode, normalised, to_grey
from crystal_search.networks.dense_crystals import DenseCrystals
from crystal_search.networks.network_kinds import crystal_detector_card
from crystal_search.training.checkpoints import load_trained

SHOWN = ("AP of oriented boxes", "AP50 of oriented boxes", "AP75 of oriented boxes")


READINGS = {"at first sight": 0, "after one look": 1, "after two looks": 2}  #: how many further looks there were


def verdict_of(image: ArchiveImage, detector: DetectorInTorch) -> CrystalVerdict:
    """Return what a detector says of an image whose crystals are known."""
    card = detector.card
    grey = card.sight.of(to_grey(decode(content_of(image.content)).colour))
    found = crystals_in(dense_maps(normalised(grey, card.normalisation), detector), Decoding(least=LEAST_PROBABILITY))
    return CrystalVerdict(
        known=KnownImage(name=image.name, label=image.outcome, content=bytes),
        height_px=grey.shape[0],
        width_px=grey.shape[1],
        objects=image.objects or (),
        found=found,
        least_probability=card.least_probability,
    )


def told(verdicts: Sequence[CrystalVerdict]) -> str:
    """Return average precisions in words."""
    figures = {figure.measure: figure.interval.value for figure in crystal_figures(verdicts)}
    return ", ".join(f"{measure} {figures[measure]:.3f}" for measure in SHOWN)


def main() -> None:
    """Print a line for each way to read boxes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--coco", type=Path, required=True)
    parser.add_argument("--images", type=int, default=100)
    arguments = parser.parse_args()
    record, network = record_in(arguments.run), load_trained(arguments.run, "crystals").network.eval()
    if not isinstance(network, DenseCrystals):
        parser.error(f"{arguments.run} is a training of {record.architecture}, not of dense-crystals")
    card = crystal_detector_card(
        *("looked-at", record.architecture),
        normalisation=record.normalisation,
        working_width_px=record.working_width_px,
    )
    items = [each for each in open_coco(arguments.coco, ArchiveOptions()).images() if isinstance(each, ArchiveImage)]
    detector = DetectorInTorch(network, card)
    for name, further in READINGS.items():
        network.further = further
        verdicts = [verdict_of(image, detector) for image in items[: arguments.images]]
        sys.stdout.write(f"{name}: {told(verdicts)}\n")


if __name__ == "__main__":
    main()
