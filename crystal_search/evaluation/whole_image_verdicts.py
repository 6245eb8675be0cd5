"""Whole images as a classifier of whole images answers them, in the form in which others are judged, too."""

import sys
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from crystal_search.direct.scored_files import unreadable
from crystal_search.errors import ImageError
from crystal_search.evaluation.image_verdicts import ImageVerdict
from crystal_search.evaluation.known_images import KnownImage
from crystal_search.group_rule import group_probabilities
from crystal_search.images import WORKING_WIDTH_PX, DecodedImage
from crystal_search.inference import Network, OnnxNetwork
from crystal_search.model import Model
from crystal_search.model_card import ImageCard
from crystal_search.outcomes import THRESHOLD
from crystal_search.result import ImageScore
from crystal_search.scoring.image_opinion import class_opinion
from crystal_search.scoring.ranking import ranked_score


def whole_image_verdicts(
    images: Sequence[KnownImage], model: Model[ImageCard], *, threads: int = 1
) -> tuple[ImageVerdict, ...]:
    """Return what a classifier of whole images says of images, in order."""
    network = OnnxNetwork(model, threads=threads)
    shown = tqdm(images, model.card.name, unit="image", disable=not sys.stderr.isatty())
    return tuple(_verdict(known, network) for known in shown)


def _verdict(known: KnownImage, network: Network[ImageCard]) -> ImageVerdict:
    start = time.perf_counter()
    try:
        image = known.image(WORKING_WIDTH_PX)
    except ImageError as error:
        return ImageVerdict(known=known, score=unreadable(str(error)), role=ImageCard.role)
    score = score_of(image, class_opinion(image, network))
    seconds = time.perf_counter() - start
    return ImageVerdict(known=known, score=score, peaks=score.group_peaks, seconds=seconds, role=ImageCard.role)


def score_of(image: DecodedImage, opinion: NDArray[np.float64]) -> ImageScore:
    """Return an opinion about an image as its score: of a chop that is the whole image.

    At most one group can reach a threshold above one half, and that is the likeliest one; so the rule of ranked scores
    always names the likeliest.
    """
    return ImageScore(
        height_px=image.height_px,
        width_px=image.width_px,
        score=ranked_score(opinion[None], THRESHOLD),
        class_probabilities=tuple(opinion.tolist()),
        group_peaks=tuple(min(1.0, each) for each in group_probabilities(opinion.tolist())),
        chops=1,
    )
