"""What readouts in use say of images, as scores for the ledger: a recipe of their own beside the shipped score.

A score is named after the readout's recipe and the picture, as if it came from a work unit, so that the ledger takes it
once however often it is made. It has the groups' probabilities only; what else is known of the image, the shipped score
has.
"""

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import numpy as np

from crystal_search.adaptation.readout import shares_of
from crystal_search.adaptation.readout_file import readout_from_json
from crystal_search.adaptation.rescoring import Rescoring
from crystal_search.errors import ModelError
from crystal_search.group_rule import winning_group
from crystal_search.metrics import Floats
from crystal_search.model import Model, ModelRef, answering, hashes_of, in_role, model_in_any, references
from crystal_search.model_card import ReadoutCard
from crystal_search.outcomes import GROUPS, OUTCOMES
from crystal_search.result import ImageScore, RankedScore
from crystal_search.scoring.ranking import outcome_within
from crystal_search.server.feature_store.feature_rows import Rows, picture_of
from crystal_search.server.feature_store.stored_readout import seen_in
from crystal_search.server.imaging.imaging_database import AutoScore, Recipe
from crystal_search.server.imaging.stored_images import StoredImage
from crystal_search.server.installation import Installation
from crystal_search.server.readouts_in_use import ReadoutInUse, readouts_in_use

log = logging.getLogger(__name__)

RECIPE_DIGITS, PICTURE_DIGITS = 12, 32  #: of the hashes of recipe and picture
DIGITS = 6  #: of a probability
#: From which probability a readout is sure of a group: it is calibrated, of the whole image; so: more likely than not.
SURE = 0.5
CHANNEL = "visible"  #: whose images people label, and a readout scores
GROUP_OF_CLASS = np.array(
    [[each.group is group for each in OUTCOMES] for group in GROUPS], np.float64
)  # (groups, classes)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ReadoutAtWork:
    """A readout in use, ready to score."""

    used: ReadoutInUse
    card: ReadoutCard
    rescoring: Rescoring

    def recipe(self, models: Iterable[ModelRef]) -> Recipe:
        """Return what its scores of those models' answers are made with."""
        mine = references([Model(self.card, b"")])
        return Recipe(models=tuple(sorted([*answering(models), *mine], key=lambda each: each.role)), threshold=SURE)


def readouts_at_work(site: Installation) -> list[ReadoutAtWork]:
    """Return the readouts in use; one that is lost or damaged is logged and left out, for the shipped score goes on.

    Raises
    ------
    ModelError
        If it cannot be read which they are.
    """
    found = []
    for used in readouts_in_use(site.home).values():
        try:
            found.append(_at_work(site.home.models, used))
        except ModelError as error:
            log.error("readout %s of imager %s: %s; put it to use again then", used.name, used.imager, error)
    return found


@lru_cache(maxsize=32)
def _at_work(folder: Path, used: ReadoutInUse) -> ReadoutAtWork:
    model = in_role(model_in_any([folder], used.sha256), ReadoutCard)
    return ReadoutAtWork(used=used, card=model.card, rescoring=readout_from_json(model.onnx, model.card.file))


def readout_scores(
    readout: ReadoutAtWork, rows: Rows, images: Mapping[int, StoredImage], recipe: Recipe
) -> list[AutoScore]:
    """Return what a readout says of images, by rows of what the shipped models said of the pictures that they show now.

    Parameters
    ----------
    rows
        Of a store whose models `recipe` names, of images of the readout's imager.
    images
        As the database knows them, by id.
    recipe
        That of the scores.
    """
    if not len(rows):
        return []
    seen, now = seen_in(rows), datetime.now(UTC)
    shares = np.round(shares_of(readout.rescoring.readout.logits(seen)), DIGITS)
    classes = within_groups(shares, seen.means)
    digest = recipe_digits(recipe)
    return [
        AutoScore(
            image_id=image.id,
            work_unit=unit_name(digest, image),
            recipe=recipe,
            scored_at=now,
            found=score_by(shares[at], classes[at], recipe.threshold),
            version=image.version,
        )
        for at, image in enumerate(images[each] for each in rows["image_id"].tolist())
    ]


def shown_rows(site: Installation, readout: ReadoutAtWork, rows: Rows, images: Mapping[int, StoredImage]) -> Rows:
    """Return those of a store's rows that are of the readout's imager, and of the picture that the image shows now."""
    kept = [
        image_id in images and _fits(site, readout, images[image_id], tuple(picture))
        for image_id, picture in zip(rows["image_id"].tolist(), rows["picture"].tolist(), strict=True)
    ]
    return rows[np.array(kept, np.bool_)]


def _fits(site: Installation, readout: ReadoutAtWork, image: StoredImage, picture: tuple[int, ...]) -> bool:
    shown = picture_of(image.sha256)
    return image.key.channel == CHANNEL and picture == shown and site.imagers.of(image) == readout.used.imager


@lru_cache(256)
def recipe_digits(recipe: Recipe) -> str:
    """Return the hexadecimal digits that name a recipe; the same wherever models and threshold are the same."""
    told = json.dumps([hashes_of(recipe.models), recipe.threshold], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:RECIPE_DIGITS]


def unit_name(digits: str, image: StoredImage) -> str:
    """Return what the score of an image's picture is called; another name once earlier scores count no more.

    >>> from crystal_search.wells import WellKey
    >>> where = WellKey(plate="P1", row=0, column=0)
    >>> unit_name("0123456789ab", StoredImage(id=7, key=where, path="/x.jpg", imaged_at=None))
    'readout-0123456789ab-00000000000000000000000000000000'
    """
    picture = image.sha256.ljust(PICTURE_DIGITS, "0")[:PICTURE_DIGITS]
    return f"readout-{digits}-{picture}" + (f"-{image.scores_before}" if image.scores_before else "")


def within_groups(shares: Floats, means: Floats) -> Floats:
    """Return probabilities of classes, (N, classes): groups as `shares` (N, groups) say, within each as `means` do.

    >>> within_groups(np.array([[0.6, 0, 0, 0.4]]), np.full((1, 13), 1 / 13)).round(2).tolist()[0][:4]
    [0.2, 0.2, 0.2, 0.0]
    """
    sums = np.maximum(means @ GROUP_OF_CLASS.T, 1e-12)  # (N, groups)
    return np.asarray(means * ((shares / sums) @ GROUP_OF_CLASS))  # (N, classes)


def score_by(shares: Floats, classes: Floats, threshold: float) -> ImageScore:
    """Return the score of an image by probabilities of its groups, (groups,), and of classes, (classes,).

    >>> score_by(np.array([0.4, 0.3, 0.2, 0.1]), np.full(13, 1 / 13), 0.5).score.above_threshold
    False
    """
    peaks = tuple(shares.tolist())
    group, above = winning_group(peaks, classes.tolist(), threshold)
    ranked = RankedScore(
        outcome=outcome_within(group, classes, whole_image=True),
        probability=peaks[GROUPS.index(group)],
        above_threshold=above,
    )
    return ImageScore(height_px=0, width_px=0, score=ranked, group_peaks=peaks)
