"""How one well image is scored. `score_image` is the function to read first."""

from collections.abc import Iterable
from dataclasses import MISSING, dataclass, fields, replace

from crystal_search.errors import ImageError, ModelMismatchError
from crystal_search.hostile_json import printable
from crystal_search.images import DecodedImage, decode, to_grey
from crystal_search.inference import Network, OnnxNetwork
from crystal_search.model import Card, Model, in_role
from crystal_search.model_card import ClassifierCard, CrystalCard, DropCard, FirstLookCard, ImageCard, ModelCard
from crystal_search.result import DropRegion, ImageScore
from crystal_search.scoring.chops_around import ChopsAround
from crystal_search.scoring.crystals_in_drop import crystals_in_drop, is_searched
from crystal_search.scoring.image_opinion import class_opinion
from crystal_search.scoring.looking import LocatedImage, Stopwatch, check_sees_less, looked
from crystal_search.unet_drop.locate import LocatedDrop, locate_drop
from crystal_search.who_looks import Looks
from crystal_search.work_unit import Parameters


@dataclass(frozen=True, slots=True)
class Models:
    """The networks that scoring asks, by role."""

    classifier: Network[ClassifierCard]
    drop: Network[DropCard]
    image: Network[ImageCard] | None = None  #: gives a second opinion
    crystals: Network[CrystalCard] | None = None  #: finds crystals one by one
    first_look: Network[FirstLookCard] | None = None  #: spares the classifier what is clear to it

    @property
    def gives_features(self) -> Network[ClassifierCard]:
        """Who looks at every image first, so that the features of all are its."""
        return self.first_look or self.classifier

    @property
    def looks(self) -> Looks:
        """Which of them look at images."""
        return Looks.of(first=self.gives_features.card.sha256, classifier=self.classifier.card.sha256)

    @property
    def decode_width_px(self) -> int:
        """How wide an image must at least be decoded, the same whether there is a second opinion or not.

        A detector that sees images wider than the others has them decoded wider, by which scores differ a little.
        """
        asked = [self.classifier.card, self.drop.card, *([self.crystals.card] if self.crystals else [])]
        return max(card.working_width_px for card in asked)


def loaded(models: Iterable[Model[ModelCard]], *, threads: int = 1) -> Models:
    """Return the networks of models, one for each role that scoring has; classifier and drop locator must be there.

    Raises
    ------
    ModelMismatchError
        If a role that is needed has none, one has two, scoring knows nothing to do with one, or a first look does not
        see less than the classifier.
    ModelError
        If a model cannot be loaded.
    """
    given = list(models)
    by_role = {model.card.role: model for model in given}
    needed = {each.name for each in fields(Models) if each.default is MISSING}
    if len(by_role) != len(given) or not needed <= by_role.keys() <= {each.name for each in fields(Models)}:
        names = ", ".join(f"{model.card.name} ({model.card.title})" for model in given)
        raise ModelMismatchError(f"expected one classifier and one drop locator, got {names or 'none'}")

    def network(kind: type[Card]) -> Network[Card] | None:
        model = by_role.get(kind.role)
        return None if model is None else OnnxNetwork(in_role(model, kind), threads=threads)

    classifier = in_role(by_role["classifier"], ClassifierCard)
    if (first := by_role.get(FirstLookCard.role)) is not None:
        check_sees_less(in_role(first, FirstLookCard).card, classifier.card)
    return Models(
        classifier=OnnxNetwork(classifier, threads=threads),
        drop=OnnxNetwork(in_role(by_role["drop"], DropCard), threads=threads),
        image=network(ImageCard),
        crystals=network(CrystalCard),
        first_look=network(FirstLookCard),
    )


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
    seen = LocatedImage(image, grey, drop)
    counted = looked(seen, models.classifier, models.first_look, parameters, watch)
    return replace(counted.score, drop=_region(drop, image)), drop, counted.chops


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
