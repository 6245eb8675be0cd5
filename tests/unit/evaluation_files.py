"""Trained classifiers in a folder, as a training leaves them, made in a moment."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from crystal_search.class_schemes import SCHEMES
from crystal_search.datasets.packed import IMAGE, IMAGES, open_dataset
from crystal_search.evaluation.image_verdicts import ImageVerdict
from crystal_search.evaluation.judge import Contender, Judged
from crystal_search.evaluation.known_images import KnownImage
from crystal_search.geometry import Box
from crystal_search.model import Model
from crystal_search.networks.network_kinds import build, classifier_card
from crystal_search.outcomes import OUTCOME_NAMES
from crystal_search.result import DropRegion, ImageScore, RankedScore
from crystal_search.training.checkpoints import save_checkpoint
from crystal_search.training.run_record import RunRecord, write_run
from tests.unit.dataset_files import write_about, write_dataset, write_shard

CHOPS = {
    "train": {"clear": 6, "crystal_harvestable": 4, "precipitate_bad": 2},
    "validation": {"clear": 3, "crystal_harvestable": 3, "precipitate_bad": 2},
    "test": {"clear": 3, "crystal_harvestable": 3, "spherulites": 2},
}
CURVE = "step,epoch,seconds,train_loss\n10,1.0,30.0,2.5\n20,2.0,64.0,2.0\n"


def write_training(folder: Path, data: Path, *, scheme: str = "outcomes-13", seed: int = 0) -> Path:
    """Write an untrained SqueezeNet with its record and learning curve to `folder`, and return it."""
    torch.manual_seed(seed)
    classes = SCHEMES[scheme].class_names
    network = build("squeezenet", len(classes))
    save_checkpoint(folder, 20, network, None, {})
    record = RunRecord(
        role="classifier",
        architecture="squeezenet",
        classes=classes,
        normalisation="local-contrast-1",
        working_width_px=1224,
        data=str(data),
        task="chops",
        command="crystal-search train chops",
        seed=seed,
    )
    write_run(folder, record)
    (folder / "learning-curve.csv").write_text(CURVE, encoding="utf-8")
    return folder


def write_demo_dataset(folder: Path, images: Sequence[tuple[str, str, bytes]]) -> Path:
    """Write a dataset whose test split holds whole images (well, outcome, file) to `folder`, and return it."""
    write_dataset(folder, CHOPS)
    samples = []
    for number, (well, outcome, data) in enumerate(images):
        known = {"key": f"test-well-{number:06d}", "outcome": outcome, "image": f"test/{number}.jpg", "well": well}
        samples.append((known | {"plate": "P0001"}, {IMAGE: data}))
    write_about(folder, [*open_dataset(folder).about.shards, write_shard(folder, IMAGES, "test", samples)])
    return folder


def contender(name: str = "net") -> Contender:
    """Return a network of which nothing is asked."""
    card = classifier_card(name)
    return Contender(name=name, model=Model(card, b""), folder=Path())


def judged_images(verdicts: Sequence[ImageVerdict], name: str = "net") -> Judged[tuple[ImageVerdict, ...]]:
    """Return a network of which only its answers to whole images are known."""
    return Judged(contender(name), tuple(verdicts))


def known_image(name: str, label: str, *, source: str = "a", masked: bool = False) -> KnownImage:
    """Return an image of a well of its own, grey all over."""
    picture = np.full((20, 30, 3), 90, np.uint8)
    return KnownImage(
        name=f"{name}.jpg", label=label, content=lambda: picture, masked=masked, source=source, well=name, plate="P"
    )


def scored_image(
    well: str,
    label: str,
    peaks: tuple[float, ...] = (),
    *,
    error: str | None = None,
    likeliest: str = "clear",
    source: str = "a",
    overlap: float | None = None,
) -> ImageVerdict:
    """Return a whole image with its truth and the peaks of its groups; without peaks, no drop was found."""
    known = known_image(well, label, source=source)
    if not peaks:
        score = ImageScore(height_px=200, width_px=256, error=error)
        return ImageVerdict(known=known, score=score, overlap=overlap, seconds=0.5)
    score = ImageScore(
        height_px=200,
        width_px=256,
        drop=DropRegion(box=Box(0, 0, 10, 10), area_fraction=0.5, outline=()),
        score=RankedScore(outcome=likeliest, probability=max(peaks), above_threshold=True),
        class_probabilities=tuple(float(name == likeliest) for name in OUTCOME_NAMES),
        group_peaks=peaks,
    )
    return ImageVerdict(known=known, score=score, peaks=peaks, overlap=overlap, seconds=0.5)
