"""Whole images scored by the function that scores in earnest, beside what is known of them."""

import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm

from crystal_search.direct.scored_files import Job, Scored, peaks_for_ranking, scored, unreadable
from crystal_search.errors import ImageError
from crystal_search.evaluation.known_images import KnownImage
from crystal_search.group_rule import winning_group
from crystal_search.images import WORKING_WIDTH_PX, to_grey
from crystal_search.inference import Network
from crystal_search.model import Model, default_model, write_model
from crystal_search.model_card import ClassifierCard, DropCard, FirstLookCard, ImageCard, ModelCard
from crystal_search.outcomes import GROUPS, Group, group_of
from crystal_search.result import ImageScore
from crystal_search.scoring.pipeline import Models, loaded, score_image
from crystal_search.unet_drop.locate import locate_drop
from crystal_search.unet_drop.regions import Mask, overlap
from crystal_search.work_unit import Parameters

CRYSTAL = GROUPS.index(Group.CRYSTAL)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ImageVerdict:
    """A whole image, what is known of it, and what models say."""

    known: KnownImage
    score: ImageScore
    peaks: tuple[float, ...] = ()  #: of the groups, by which images are ranked; () for what was not read
    overlap: float | None = None  #: intersection over union of drop and mask, if there is a mask
    seconds: float = 0.0
    role: str = ClassifierCard.role  #: of the model that is judged; a classifier of whole images asks for no drop

    @property
    def readable(self) -> bool:
        """Whether the image could be scored."""
        return self.score.error is None

    @property
    def asks_for_drop(self) -> bool:
        """Whether the models say where the drop is."""
        return self.role != ImageCard.role

    @property
    def drop_found(self) -> bool:
        """Whether the models see a drop."""
        return self.score.drop is not None

    @property
    def crystal_peak(self) -> float:
        """How much its best chop speaks for a crystal, in [0, 1]; 0 where no chop was scored."""
        return self.peaks[CRYSTAL] if self.peaks else 0.0

    @property
    def called(self) -> Group | None:
        """The group that the models name; None where they see no drop."""
        return group_of(self.score.outcome)

    def is_unsure(self, threshold: float) -> bool:
        """Tell whether no group reached a threshold, so that the answer is only the likeliest."""
        peaks, shares = self.score.group_peaks, self.score.class_probabilities
        return bool(peaks) and not winning_group(peaks, shares, threshold)[1]

    def answer(self, threshold: float) -> Group | None:
        """Return the group that the ranked score gives it; None where no drop was found."""
        if not self.score.group_peaks:
            return None
        return winning_group(self.score.group_peaks, self.score.class_probabilities, threshold)[0]


def with_companions(model: Model[ModelCard], folder: Path | None) -> tuple[Model[ModelCard], ...]:
    """Return a classifier with the drop locator of a folder, a first look with the classifier there as well.

    Raises
    ------
    ModelError
        If the folder, by default the package's own, has none or several of them.
    """
    locator = default_model(DropCard, folder)
    after = (default_model(ClassifierCard, folder),) if isinstance(model.card, FirstLookCard) else ()
    return (model, *after, locator)


def image_verdicts(
    images: Sequence[KnownImage],
    models: Sequence[Model[ModelCard]],
    parameters: Parameters,
    *,
    threads: int = 1,
    workers: int = 1,
) -> tuple[ImageVerdict, ...]:
    """Return what a classifier and a drop locator, `models`, say of images, in order; with a first look, what both say.

    Several `workers` score image files, each in a process of its own; a file that kills it is unreadable.
    """
    networks = loaded(models, threads=threads)
    paths = [each.path for each in images if each.path is not None]
    with tempfile.TemporaryDirectory() as folder:
        if len(paths) == len(images):
            named = tuple(write_model(each.onnx, each.card, Path(folder) / each.card.role) for each in models)
            job = Job(models=Path(folder), parameters=parameters, overlays=None, named=named)
            found = scored(paths, job, workers=max(1, min(workers, len(paths))))
        else:
            found = (_scored(each, networks, parameters) for each in images)
        shown = tqdm(found, networks.classifier.card.name, len(images), unit="image", disable=not sys.stderr.isatty())
        return tuple(_verdict(known, each, networks) for known, each in zip(images, shown, strict=True))


def _scored(known: KnownImage, models: Models, parameters: Parameters) -> Scored:
    start, path, name = time.perf_counter(), Path(known.name), models.classifier.card.name
    try:
        image = known.image(models.decode_width_px)
    except ImageError as error:
        return Scored(path=path, score=unreadable(str(error)), peaks=(), model=name, seconds=0.0)
    score = score_image(image, models, parameters)
    peaks = peaks_for_ranking(score, image, models, parameters)
    return Scored(path=path, score=score, peaks=peaks, model=name, seconds=time.perf_counter() - start)


def _verdict(known: KnownImage, found: Scored, models: Models) -> ImageVerdict:
    role = models.gives_features.card.role
    verdict = ImageVerdict(known=known, score=found.score, peaks=found.peaks, seconds=found.seconds, role=role)
    if not known.masked or not verdict.readable:
        return verdict
    return replace(verdict, overlap=located(known, models.drop).overlap)


@dataclass(frozen=True, slots=True, eq=False)
class DropVerdict:
    """What a locator says of the drop in an image, and what is true."""

    known: KnownImage
    true: Mask | None  #: any size; None: nobody knows
    found: Mask | None  #: at the locator's size; None: no drop
    overlap: float | None  #: intersection over union; 1 for an empty well reported empty; None: nobody knows
    readable: bool = True

    @property
    def drop_found(self) -> bool:
        """Whether the locator sees a drop."""
        return self.found is not None


def located(known: KnownImage, locator: Network[DropCard]) -> DropVerdict:
    """Return what `locator` says of the drop in an image: the one way in which drops are compared with masks.

    Raises
    ------
    ImageError
        If the image cannot be read.
    """
    image = known.image(WORKING_WIDTH_PX)
    drop, true = locate_drop(to_grey(image.colour), locator), known.mask(image)
    found = None if drop is None else drop.mask
    return DropVerdict(known, true, found, None if true is None else overlap(true, found))
