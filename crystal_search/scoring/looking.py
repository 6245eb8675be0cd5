"""What a classifier says of one image whose drop is located; and of two, the smaller one's word where it is sure."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from crystal_search.chopper.cutting import chops_of_drop
from crystal_search.chopper.tiling import grid_over_drop
from crystal_search.class_schemes import in_outcomes, scheme_of
from crystal_search.errors import ModelMismatchError
from crystal_search.geometry import Box
from crystal_search.images import IN_COLOUR, DecodedImage, Grey, normalised, resized
from crystal_search.inference import Network
from crystal_search.model_card import ClassifierCard, FirstLookCard
from crystal_search.result import ImageScore
from crystal_search.scoring.chops_around import ChopsAround, chops_around
from crystal_search.scoring.classify import dense_answers, probabilities, windowed_answers
from crystal_search.scoring.feature_cells import FeatureCells, mean_over_drop
from crystal_search.scoring.ranking import best_chops, group_columns, ranked_score
from crystal_search.unet_drop.locate import LocatedDrop
from crystal_search.work_unit import Parameters


class Stopwatch:
    """Wall time by step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Add the time spent inside to `name`."""
        start = perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + perf_counter() - start


@dataclass(frozen=True, slots=True, eq=False)
class LocatedImage:
    """An image, and where its drop is."""

    image: DecodedImage
    grey: Grey  #: its luma
    drop: LocatedDrop | None


@dataclass(frozen=True, slots=True, eq=False)
class Chops:
    """Scored chops of one image."""

    boxes: list[Box]  #: in pixels of the classifier's view
    probabilities: NDArray[np.float64]  #: (chops, 13), by outcome whatever classes the classifier has
    packed_features: bytes = b""  #: of the drop; b"" where the classifier gives none


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What a classifier says of an image."""

    score: ImageScore  #: without the drop
    chops: ChopsAround  #: what its chops say of places


def looked(
    seen: LocatedImage,
    classifier: Network[ClassifierCard],
    first_look: Network[FirstLookCard] | None,
    parameters: Parameters,
    watch: Stopwatch,
) -> Look:
    """Return what counts of an image: a first look's word where it has little doubt, else the classifier's.

    Features are always of who looks first, so that those of all images mean the same.
    """
    if first_look is None:
        return look(seen, classifier, parameters, watch)
    first = look(seen, first_look, parameters, watch)
    if first.score.doubt <= first_look.card.most_doubt:
        return replace(first, score=replace(first.score, looks=1))
    second = look(seen, classifier, parameters, watch)
    features = first.score.packed_features
    return replace(second, score=replace(second.score, looks=2, packed_features=features))


def check_sees_less(first: ClassifierCard, classifier: ClassifierCard) -> None:
    """Refuse a first look for views as wide as those of the classifier after it.

    Raises
    ------
    ModelMismatchError
        If it is one: it would spare nothing.
    """
    if first.working_width_px >= classifier.working_width_px:
        raise ModelMismatchError(
            f"{first.name} sees images {first.working_width_px} px wide, {classifier.name} "
            f"{classifier.working_width_px}: a first look must see less (train cells --width)"
        )


def look(
    seen: LocatedImage, classifier: Network[ClassifierCard], parameters: Parameters, watch: Stopwatch | None = None
) -> Look:
    """Return what one classifier says of an image."""
    watch, image = watch or Stopwatch(), seen.image
    with watch.step("normalise"):
        view = _view_for(seen, classifier.card)
    with watch.step("classify"):
        chops = scored_chops(view, seen.drop, classifier, parameters)
    around = chops_around(chops.boxes, chops.probabilities, image.width_px / view.shape[1])
    return Look(summary(chops, image, view.shape[1], parameters), around)


def chops_in_drop(
    seen: LocatedImage, classifier: Network[ClassifierCard], first_look: Network[FirstLookCard] | None = None
) -> ChopsAround:
    """Return what the chops of an image say of places in it, those that count as `looked` says."""
    return looked(seen, classifier, first_look, Parameters(), Stopwatch()).chops


def _view_for(seen: LocatedImage, card: ClassifierCard) -> NDArray[np.float32]:
    """Return an image as a classifier sees it: (rows, columns), in colour (rows, columns, 3)."""
    pixels = seen.image.colour if card.normalisation in IN_COLOUR else seen.grey
    return normalised(resized(pixels, card.working_width_px), card.normalisation)


def scored_chops(
    view: NDArray[np.float32], drop: LocatedDrop | None, classifier: Network[ClassifierCard], parameters: Parameters
) -> Chops:
    """Return the chops of the drop, or of the whole view where there is none, with their probabilities and features.

    A classifier with the classes of a coarser scheme gives each to the outcome that it counts as.
    """
    card = classifier.card
    height, width = view.shape[:2]
    mask = drop.mask if drop else np.ones((height, width), dtype=np.bool_)
    scale = width / mask.shape[1]
    grid = grid_over_drop(
        drop.box if drop else None,
        mask_width=mask.shape[1],
        view_height=height,
        view_width=width,
        side_px=card.side_px,
        stride_px=card.chop_stride_px,
    )
    boxes = list(grid.boxes())
    kept = chops_of_drop(mask, [box.scaled(1 / scale) for box in boxes])
    answers_of = windowed_answers if parameters.scoring == "windowed" or card.padded else dense_answers
    answers = answers_of(view, grid, kept, classifier)
    shares = probabilities(answers.logits, card.temperature)  # (chops, the card's classes)
    features, cells = b"", FeatureCells.of(grid, card)
    if cells and answers.features is not None:
        features = mean_over_drop(answers.features, cells.shares(mask, scale, kept))
    return Chops([boxes[index] for index in kept], in_outcomes(shares, scheme_of(card.classes)), features)


def summary(chops: Chops, image: DecodedImage, view_width_px: int, parameters: Parameters) -> ImageScore:
    """Return the image's score from its scored chops, positions in stored pixels."""
    score = ranked_score(chops.probabilities, parameters.threshold)
    scale = image.width_px / view_width_px
    best = best_chops(chops.probabilities, chops.boxes, score.group, parameters.best_chops)
    peaks = group_columns(chops.probabilities).max(axis=0)
    return ImageScore(
        height_px=image.height_px,
        width_px=image.width_px,
        score=score,
        class_probabilities=tuple(chops.probabilities.mean(axis=0).tolist()),
        group_peaks=tuple(np.minimum(peaks, 1.0).tolist()),
        best_chops=tuple(
            replace(chop, box=chop.box.scaled(scale).clipped(image.height_px, image.width_px)) for chop in best
        ),
        chops=len(chops.boxes),
        packed_features=chops.packed_features,
    )
