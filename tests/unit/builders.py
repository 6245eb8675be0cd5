"""Small valid things for tests to spoil."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from crystal_search.crystal import Crystal, Uncounted
from crystal_search.errors import ResultError
from crystal_search.features import packed as packed_features
from crystal_search.geometry import Box
from crystal_search.group_rule import group_probabilities
from crystal_search.model import ModelRef, hashes_of, sha256_of, write_card
from crystal_search.model_card import FEATURES, ClassifierCard, Measurement, ModelCard, Output
from crystal_search.outcomes import OUTCOME_NAMES
from crystal_search.result import (
    BestChop,
    DropRegion,
    ImageResult,
    ImageScore,
    Overlay,
    RankedScore,
    Result,
    write_result,
)
from crystal_search.server.home import Home
from crystal_search.server.returned_result import read_returned
from crystal_search.work_unit import Parameters, WorkUnit, write_work_unit

CLASSIFIER, DROP = "a" * 64, "b" * 64
MODELS = (
    ModelRef(role="classifier", name="squeezenet-wells-1", sha256=CLASSIFIER),
    ModelRef(role="drop", name="drop-unet-1", sha256=DROP),
)
GOLDEN = Path(__file__).parent.parent / "golden"


def jpeg(last: int = 120) -> bytes:
    """Return a 256 x 200 px image file; a byte after its end makes different ones."""
    return (GOLDEN / "well.jpg").read_bytes() + bytes([last])


def packed(path: Path, *, name: str = "demo-1", images: int = 2, models: tuple[ModelRef, ...] = MODELS) -> WorkUnit:
    contents = [(str(number + 1), ".jpg", jpeg(100 + number)) for number in range(images)]
    return write_work_unit(path, name=name, models=models, parameters=Parameters(), images=contents)


def crystal_score() -> ImageScore:
    shares = tuple(0.4 if name == "crystal_harvestable" else 0.05 for name in OUTCOME_NAMES)
    return ImageScore(
        height_px=200,
        width_px=256,
        drop=DropRegion(box=Box(20, 30, 180, 220), area_fraction=0.5, outline=((20, 30), (20, 220), (180, 220))),
        score=RankedScore(outcome="crystal_harvestable", probability=0.97, above_threshold=True),
        class_probabilities=shares,
        group_peaks=(0.97, *(round(share, 6) for share in group_probabilities(shares)[1:])),
        best_chops=(BestChop(box=Box(40, 50, 140, 150), outcome="crystal_harvestable", probability=0.97),),
        chops=30,
        seconds={"decode": 0.01, "classify": 0.2},
    )


DETECTOR = ModelRef(role="crystals", name="dense-crystals-1", sha256="c" * 64)
CRYSTALS = (
    Crystal(
        probability=0.9,
        row=80.0,
        column=100.5,
        long_px=40.0,
        short_px=20.0,
        angle_rad=0.0,
        outline=((70.0, 80.5), (70.0, 120.5), (90.0, 120.5), (90.0, 80.5)),
    ),
    Crystal(
        probability=0.5,
        row=150.0,
        column=60.2,
        long_px=28.3,
        short_px=14.1,
        angle_rad=2.3562,
        outline=((160.0, 45.2), (165.0, 50.2), (140.0, 75.2), (135.0, 70.2)),
    ),
)


def searched_score() -> ImageScore:
    """Return what a detector found in the same drop."""
    return replace(crystal_score(), crystals=CRYSTALS)


UNCOUNTED = (
    Uncounted(probability=0.7, row=60.0, column=200.3, long_px=30.0, short_px=12.0, angle_rad=0.5),
    Uncounted(probability=0.41, row=16.0, column=120.0, long_px=16.0, short_px=4.0, angle_rad=3.1),
)  #: the second has its centre above the drop, and reaches into it


def searched_unit(path: Path) -> WorkUnit:
    """Write a work unit of two images that names a crystal detector, too."""
    contents = [(str(number + 1), ".jpg", jpeg(100 + number)) for number in range(2)]
    models = (MODELS[0], DETECTOR, MODELS[1])
    return write_work_unit(
        path, name="demo-1", models=models, parameters=Parameters(crystals_from=0.3), images=contents
    )


def searched_result(unit: WorkUnit, uncounted: tuple[Uncounted, ...] | None = None) -> Result:
    """Return a good result for it, of an older client that says nothing of crystals that do not count."""
    plain = result_for(unit)
    images = tuple(replace(each, score=replace(searched_score(), uncounted=uncounted)) for each in plain.images)
    return replace(plain, models=unit.models, images=images)


def featured_score() -> ImageScore:
    """Return the same with what a classifier with features of four numbers says."""
    return replace(crystal_score(), packed_features=packed_features(np.array([0.0, 0.5, 1.25, 3.0])))


def result_for(unit: WorkUnit, folder: Path | None = None) -> Result:
    """Return a good result; with a folder, its overlays are written there."""
    images = tuple(ImageResult(id=image.id, sha256=image.sha256, score=crystal_score()) for image in unit.images)
    if folder:
        (folder / "overlays").mkdir(parents=True, exist_ok=True)
        (folder / "overlays" / "0000.jpg").write_bytes(jpeg())
        overlay = Overlay(file="overlays/0000.jpg", sha256=sha256_of(jpeg()), size_bytes=len(jpeg()))
        images = (replace(images[0], overlay=overlay), *images[1:])
    return Result(work_unit=unit.name, client_version="0.1.0", models=MODELS, images=images)


def featured_card() -> ClassifierCard:
    """Return the card of a classifier with features of four numbers."""
    features = Output(name=FEATURES, numbers=4, stride_px=24, offset_px=39)
    return replace(card(), outputs=(*card().outputs, features))


def card() -> ClassifierCard:
    return ClassifierCard(
        name="squeezenet-wells-1",
        file="squeezenet-wells-1.onnx",
        sha256=CLASSIFIER,
        architecture="SqueezeNet 1.1, unpadded",
        outputs=(Output(classes=OUTCOME_NAMES, stride_px=16),),
        working_width_px=1224,
        normalisation="local-contrast-1",
        side_px=256,
        cells_per_chop=4,
        chop_stride_px=48,
        padded=False,
        temperature=1.5,
        training_data="rendered wells",
        training_command="crystal-search train classifier",
        measured=(Measurement(data="rendered validation wells", measure="four-group accuracy", value=0.97, count=400),),
    )


def refusal(score: ImageScore, folder: Path, cards: Iterable[ModelCard], models: tuple[ModelRef, ...] = MODELS) -> str:
    """Return why a home that knows these cards, under the hashes of `models`, refuses a score; "" if it does not."""
    home = Home(folder / "home").made()
    home.models.mkdir(exist_ok=True)
    for card in cards:
        write_card(replace(card, sha256=hashes_of(models)[card.role]), home.models)
    unit = packed(folder / "unit.zip", images=1, models=models)
    result = replace(result_for(unit), models=models)
    path = write_result(replace(result, images=(replace(result.images[0], score=score),)), folder)
    try:
        read_returned(path, folder / "unit.zip", home)
    except ResultError as error:
        return str(error)
    return ""
