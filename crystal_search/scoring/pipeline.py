"""How one well image is scored. `score_image` is the function to read first."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from crystal_search.chopper.cutting import chops_of_drop
from crystal_search.chopper.tiling import grid_over_drop
from crystal_search.class_schemes import in_outcomes, scheme_of
from crystal_search.errors import ImageError, ModelMismatchError
from crystal_search.geometry import Box
from crystal_search.hostile_json import printable
from crystal_search.images import IN_COLOUR, DecodedImage, Grey, decode, normalised, resized, to_grey
from crystal_search.inference import Network, OnnxNetwork
from crystal_search.model import Model, in_role
from crystal_search.model_card import ClassifierCard, CrystalCard, DropCard, ImageCard, ModelCard
from crystal_search.result import DropRegion, ImageScore
from crystal_search.scoring.chops_around import ChopsAround, chops_around
from crystal_search.scoring.classify import dense_answers, probabilities, windowed_answers
from crystal_search.scoring.crystals_in_drop import crystals_in_drop, is_searched
from crystal_search.scoring.feature_cells import FeatureCells, mean_over_drop
from crystal_search.scoring.image_opinion import class_opinion
from crystal_search.scoring.ranking import best_chops, group_columns, ranked_score
from crystal_search.unet_drop.locate import LocatedDrop, locate_drop
from crystal_search.work_unit import Parameters


@dataclass(frozen=True, slots=True)
class Models:
    """The networks that scoring asks, by role."""

    classifier: Network[ClassifierCard]
    drop: Network[DropCard]
    image: Network[ImageCard] | None = None  #: gives a second opinion
    crystals: Network[CrystalCard] | None = None  #: finds crystals one by one

    @property
    def decode_width_px(self) -> int:
        """How wide an image must at least be decoded, the same whether there is a second opinion or not.

        A detector that sees images wider than the others has them decoded wider, by which scores differ a little.
        """
        asked = [self.classifier.card, self.drop.card, *([self.crystals.card] if self.crystals else [])]
        return max(card.working_width_px for card in asked)


@dataclass(frozen=True, slots=True, eq=False)
class Chops:
    """Scored chops of one image."""

    boxes: list[Box]  #: in pixels of the classifier's view
    probabilities: NDArray[np.float64]  #: (chops, 13), by outcome whatever classes the classifier has
    packed_features: bytes = b""  #: of the drop; b"" where the classifier gives none


def loaded(models: Iterable[Model[ModelCard]], *, threads: int = 1) -> Models:
    """Return the networks of models, one for each role that scoring has; classifier and drop locator must be there.

    Raises
    ------
    ModelMismatchError
        If a role that is needed has none, one has two, or scoring knows nothing to do with one.
    ModelError
        If a model cannot be loaded.
    """
    given = list(models)
    by_role = {model.card.role: model for model in given}
    needed = {each.name for each in fields(Models) if each.default is MISSING}
    if len(by_role) != len(given) or not needed <= by_role.keys() <= {each.name for each in fields(Models)}:
        names = ", ".join(f"{model.card.name} ({model.card.title})" for model in given)
        raise ModelMismatchError(f"expected one classifier and one drop locator, got {names or 'none'}")
    return Models(
        classifier=OnnxNetwork(in_role(by_role["classifier"], ClassifierCard), threads=threads),
        drop=OnnxNetwork(in_role(by_role["drop"], DropCard), threads=threads),
        image=OnnxNetwork(in_role(by_role["image"], ImageCard), threads=threads) if "image" in by_role else None,
        crystals=(
            OnnxNetwork(in_role(by_role["crystals"], CrystalCard), threads=threads) if "crystals" in by_role else None
        ),
    )


class Stopwatch:
    """Wall time by step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Add the time spent inside to `name`."""
        start = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


def score_data(data: bytes, models: Models, parameters: Parameters) -> tuple[ImageScore, DecodedImage | None]:
    """Score the bytes of one image file; an image that cannot be read is a score with its error.

    Returns
    -------
    score
        What was found.
    image
        The decoded image, None when it could not be read.
    """
    watch = Stopwatch()
    try:
        with watch.step("decode"):
            image = decode(data, at_least_width_px=models.decode_width_px)
    except ImageError as error:
        return ImageScore(height_px=0, width_px=0, error=printable(str(error)), seconds=watch.seconds), None
    score = score_image(image, models, parameters)
    return replace(score, seconds=watch.seconds | score.seconds), image


def score_image(image: DecodedImage, models: Models, parameters: Parameters) -> ImageScore:
    """Score one decoded image: locate the drop, score its chops, rank the outcome; then ask the models beside these.

    A second opinion is of the whole image, also where no drop was found. Crystals are searched for where the best chop
    speaks for some, and count where the chops around them do. Neither changes anything in the score.

    Parameters
    ----------
    image
        Decoded at least as wide as `models.decode_width_px`, or as it is stored.
    models
        Classifier and drop locator, perhaps a classifier of whole images, perhaps a crystal detector.
    parameters
        Threshold, number of best chops, kind of scoring, from when on crystals are searched for.
    """
    watch = Stopwatch()
    score, drop, chops = _first_opinion(image, models, parameters, watch)
    if models.image is not None:
        with watch.step("second_opinion"):
            score = replace(score, second_opinion=tuple(class_opinion(image, models.image).tolist()))
    if models.crystals is not None and chops is not None and is_searched(score, parameters.crystals_from):
        with watch.step("crystals"):
            found = crystals_in_drop(image, models.crystals, drop, chops, crystals_from=parameters.crystals_from)
        score = replace(score, crystals=found.crystals, uncounted=found.uncounted)
    return replace(score, seconds=watch.seconds)


def first_opinion(image: DecodedImage, models: Models, parameters: Parameters) -> ImageScore:
    """Return the score of one decoded image by its chops; the arguments are those of `score_image`."""
    watch = Stopwatch()
    score, _, _ = _first_opinion(image, models, parameters, watch)
    return replace(score, seconds=watch.seconds)


def _first_opinion(
    image: DecodedImage, models: Models, parameters: Parameters, watch: Stopwatch
) -> tuple[ImageScore, LocatedDrop | None, ChopsAround | None]:
    """Return the score of one image by its chops, its drop, and what chops say of places; None where there is none."""
    with watch.step("drop"):
        grey = to_grey(image.colour)
        drop = locate_drop(grey, models.drop)
    if drop is None and parameters.no_drop == "stop":
        return ImageScore(height_px=image.height_px, width_px=image.width_px), None, None
    with watch.step("normalise"):
        view = _view_for(image, grey, models.classifier.card)
    with watch.step("classify"):
        chops = scored_chops(view, drop, models.classifier, parameters)
    found = summary(chops, image, view.shape[1], parameters)
    return replace(found, drop=_region(drop, image)), drop, _around(chops, image, view)


def chops_in_drop(
    image: DecodedImage, grey: Grey, drop: LocatedDrop, classifier: Network[ClassifierCard]
) -> ChopsAround:
    """Return what the chops of a drop say of places in it, given the luma of its image."""
    view = _view_for(image, grey, classifier.card)
    return _around(scored_chops(view, drop, classifier, Parameters()), image, view)


def _view_for(image: DecodedImage, grey: Grey, card: ClassifierCard) -> NDArray[np.float32]:
    """Return an image, whose luma is `grey`, as a classifier sees it: (rows, columns), in colour (rows, columns, 3)."""
    pixels = image.colour if card.normalisation in IN_COLOUR else grey
    return normalised(resized(pixels, card.working_width_px), card.normalisation)


def _around(chops: Chops, image: DecodedImage, view: NDArray[np.float32]) -> ChopsAround:
    return chops_around(chops.boxes, chops.probabilities, image.width_px / view.shape[1])


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


def _region(drop: LocatedDrop | None, image: DecodedImage) -> DropRegion | None:
    """Return the drop in stored pixels."""
    if drop is None:
        return None
    scale = image.width_px / drop.mask.shape[1]
    height, width = image.height_px, image.width_px
    return DropRegion(
        box=drop.box.scaled(scale).clipped(height, width),
        area_fraction=drop.area_fraction,
        outline=tuple((min(round(row * scale), height), min(round(col * scale), width)) for row, col in drop.outline),
    )
