"""Trained classifiers in a folder, as a training leaves them, made in a moment."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from crystal_search.class_schemes import SCHEMES
from crystal_search.datasets.packed import IMAGE, IMAGES, WellRow, open_dataset
from crystal_search.evaluation.examining import Examined
from crystal_search.evaluation.judged_wells import JudgedWell
from crystal_search.evaluation.training_effort import Effort
from crystal_search.geometry import Box
from crystal_search.networks.architectures import build
from crystal_search.outcomes import OUTCOME_NAMES
from crystal_search.result import DropRegion, ImageScore, RankedScore
from crystal_search.training.checkpoints import save_checkpoint
from crystal_search.training.run_record import RunRecord, write_run
from crystal_search.training.trained import ChopScores
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
        kind="classifier",
        architecture="squeezenet",
        classes=classes,
        normalisation="local-contrast-1",
        working_width_px=1224,
        data=str(data),
        taught_by="chops",
        command="crystal-search train classifier",
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


def examined_wells(wells: Sequence[JudgedWell], name: str = "net") -> Examined:
    """Return a network of which only its answers to whole images are known."""
    nothing = ChopScores((), np.zeros((0, 13), np.float32), np.zeros(0, np.int64))
    record = RunRecord(
        kind="classifier",
        architecture="squeezenet",
        classes=OUTCOME_NAMES,
        normalisation="local-contrast-1",
        working_width_px=1224,
        data="data",
        taught_by="chops",
        command="",
        seed=0,
    )
    return Examined(
        name=name,
        record=record,
        model_bytes=2_900_000,
        parameters=700_000,
        weight_layers=18,
        effort=Effort(),
        temperature=2.0,
        train=nothing,
        validation=nothing,
        judged=nothing,
        wells=tuple(wells),
    )


def scored_well(
    well: str, outcome: str, peaks: tuple[float, ...] = (), *, error: str | None = None, likeliest: str = "clear"
) -> JudgedWell:
    """Return a whole image with its truth and the peaks of its groups; without peaks, no drop was found."""
    row = WellRow(
        key=well,
        outcome=outcome,
        image=f"{well}.jpg",
        well=well,
        plate="P",
        shard="",
        parts="",
    )
    if not peaks:
        return JudgedWell(row, ImageScore(height_px=200, width_px=256, error=error))
    score = ImageScore(
        height_px=200,
        width_px=256,
        drop=DropRegion(box=Box(0, 0, 10, 10), area_fraction=0.5, outline=()),
        score=RankedScore(outcome=likeliest, probability=max(peaks), above_threshold=True),
        class_probabilities=tuple(float(name == likeliest) for name in OUTCOME_NAMES),
        group_peaks=peaks,
    )
    return JudgedWell(row, score)
