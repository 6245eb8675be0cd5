"""An installation with images of two imagers that have scores and features, and readouts whose answers are known."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from crystal_search.adaptation.readout import ANSWERS, Readout
from crystal_search.adaptation.readout_file import readout_to_json
from crystal_search.adaptation.rescoring import Rescoring
from crystal_search.adaptation.triage import Promise, triage
from crystal_search.features import packed
from crystal_search.model import Model, default_model, in_role, read_model, sha256_of, write_model
from crystal_search.model_card import ClassifierCard, Output, ReadoutCard
from crystal_search.outcomes import GROUPS, OUTCOME_NAMES
from crystal_search.result import ImageScore, RankedScore
from crystal_search.server.imaging.imaging_database import AutoScore
from crystal_search.server.imaging.stored_images import FileVersion, NewImage, StoredImage
from crystal_search.server.installation import Installation, recipe_of
from crystal_search.server.services.keeping_features import keep_features
from crystal_search.wells import WellKey

NUMBERS = 12  #: features of an image
NOW = datetime(2026, 1, 31, tzinfo=UTC)
OURS, THEIRS = "RI1000-0081", "RI54-1234"
CLEAR = "clear"  #: what the shipped score says of every image


def readout_model(
    folder: Path,
    name: str = "ours",
    *,
    imager: str = OURS,
    proven: bool = True,
    numbers: int = NUMBERS,
    classifier: str = "",
    behind: str | None = None,
) -> Model[ReadoutCard]:
    """Return a readout that calls every image a crystal whose first number is positive, and precipitate else."""
    weights = np.zeros((len(GROUPS), numbers + ANSWERS))
    weights[0, 0] = 6 if name == "ours" else 5
    readout = Readout(bias=np.array([0.0, 5.0, -5.0, -5.0]), weights=weights)
    rescoring = Rescoring(readout=readout, triage=triage([], [], Promise()), plates=np.zeros((0, weights.shape[1])))
    of, data = default_model(ClassifierCard).card, readout_to_json(rescoring).encode()
    card = ReadoutCard(
        name=name,
        file=f"{name}{ReadoutCard.suffix}",
        sha256=sha256_of(data),
        architecture="by hand",
        working_width_px=of.working_width_px,
        normalisation=of.normalisation,
        outputs=(Output(classes=tuple(map(str, GROUPS)), stride_px=1),),
        classifier_sha256=classifier or of.sha256,
        behind_sha256=behind,
        imager=imager,
        fitted_at=NOW.isoformat(),
        labels_sha256="0" * 64,
        held_out="plate",
        proven=proven,
        difference=None,
        figures=(),
    )
    return in_role(read_model(write_model(data, card, folder)), ReadoutCard)


def shipped_score(site: Installation, image: StoredImage, first: float, *, unit: str = "unit-1") -> AutoScore:
    """Return the shipped score of an image, whose first feature is `first`."""
    features = np.zeros(NUMBERS)
    features[0] = first
    means = np.full(len(OUTCOME_NAMES), 0.02)
    means[OUTCOME_NAMES.index(CLEAR)] = 1 - 0.02 * (len(means) - 1)
    found = ImageScore(
        height_px=960,
        width_px=1280,
        score=RankedScore(outcome=CLEAR, probability=0.9, above_threshold=True),
        class_probabilities=tuple(means.tolist()),
        group_peaks=(0.05, 0.05, 0.05, 0.9),
        packed_features=packed(features),
    )
    return AutoScore(
        image_id=image.id,
        work_unit=f"{unit}-{image.id}",
        recipe=recipe_of(site),
        scored_at=NOW,
        found=found,
        version=image.version,
    )


def add_scored(
    site: Installation, plate: str, firsts: Sequence[float], *, imager: str = OURS, day: int = 0
) -> list[int]:
    """Add images with shipped scores and features; return their ids."""
    site.imaging.add_images(
        NewImage(
            key=WellKey(plate=plate, row=number // 12, column=number % 12, inspection=1),
            path=f"/robot/{plate}_{imager}-2drop/{number}.jpg",
            imaged_at=NOW + timedelta(days=day, minutes=number),
        )
        for number in range(len(firsts))
    )
    ids = [image.id for image in site.imaging.plate_images(plate)]
    site.imaging.note_versions(
        {each: FileVersion(sha256=sha256_of(f"{each}".encode()), size_bytes=1, mtime_ns=1) for each in ids}
    )
    images = site.imaging.images(ids)
    scores = [shipped_score(site, images[each], first) for each, first in zip(ids, firsts, strict=True)]
    keep_features(site.home, scores)
    site.imaging.add_auto_scores(scores)
    return ids


def by_readouts(site: Installation, image_id: int) -> list[AutoScore]:
    """Return what readouts said of an image, as the ledger has it."""
    ledger = site.imaging.ledger(image_id)
    return [score for score in ledger if isinstance(score, AutoScore) and score.recipe.readout]


def with_picture(site: Installation, image_id: int, picture: str) -> StoredImage:
    """Have an image's file hold another picture."""
    version = FileVersion(sha256=sha256_of(picture.encode()), size_bytes=1, mtime_ns=1)
    site.imaging.note_versions({image_id: version})
    return replace(site.imaging.images([image_id])[image_id])
