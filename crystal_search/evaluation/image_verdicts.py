"""Whole images scored by the function that scores in earnest, beside what is known of them."""

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from crystal_search.direct.scored_files import Job, Scored, peaks_for_ranking, scored, unreadable
from crystal_search.errors import ImageError
from crystal_search.evaluation.bootstrap import Draws, Interval, drawn
from crystal_search.evaluation.judging import Figure
from crystal_search.evaluation.known_images import UNKNOWN, KnownImage
from crystal_search.exporting.export import write_model
from crystal_search.images import WORKING_WIDTH_PX, to_grey
from crystal_search.inference import Network
from crystal_search.model import Model
from crystal_search.model_card import DropCard, ModelCard
from crystal_search.outcomes import BY_NAME, GROUPS, Group
from crystal_search.result import ImageScore, winning_group
from crystal_search.scoring.pipeline import Models, loaded, score_image
from crystal_search.unet_drop.locate import LocatedDrop, locate_drop
from crystal_search.unet_drop.regions import overlap
from crystal_search.work_unit import Parameters

CRYSTAL = GROUPS.index(Group.CRYSTAL)
NOTHING = len(GROUPS)  #: the answer of an image without a drop or that cannot be read; right for no group
Statistic = Callable[[Draws, NDArray[np.float64], NDArray[np.bool_]], Interval]
GOOD, USABLE = 0.9, 0.5  #: intersection over union


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ImageVerdict:
    """A whole image, what is known of it, and what models say."""

    known: KnownImage
    score: ImageScore
    peaks: tuple[float, ...] = ()  #: of the groups, by which images are ranked; () for what was not read
    overlap: float | None = None  #: intersection over union of drop and mask, if there is a mask
    seconds: float = 0.0

    @property
    def readable(self) -> bool:
        """Whether the image could be scored."""
        return self.score.error is None

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

    def answer(self, threshold: float) -> Group | None:
        """Return the group that the ranked score gives it; None where no drop was found."""
        if not self.score.group_peaks:
            return None
        return winning_group(self.score.group_peaks, self.score.class_probabilities, threshold)[0]


def group_of(answer: str) -> Group | None:
    """Return the group of an outcome; None for an answer that is none, such as ``no_drop``."""
    return BY_NAME[answer].group if answer in BY_NAME else None


def image_verdicts(
    images: Sequence[KnownImage],
    models: Sequence[Model[ModelCard]],
    parameters: Parameters,
    *,
    threads: int = 1,
    workers: int = 1,
) -> tuple[ImageVerdict, ...]:
    """Return what a classifier and a drop locator, `models`, say of images, in order.

    Several `workers` score image files, each in a process of its own; a file that kills it is unreadable.
    """
    networks = loaded(models, threads=threads)
    paths = [each.path for each in images if each.path is not None]
    with tempfile.TemporaryDirectory() as folder:
        if len(paths) == len(images):
            for model in models:
                write_model(model.onnx, model.card, Path(folder))
            job = Job(models=Path(folder), parameters=parameters, overlays=None)
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
    verdict = ImageVerdict(known=known, score=found.score, peaks=found.peaks, seconds=found.seconds)
    if not known.masked or not verdict.readable:
        return verdict
    return replace(verdict, overlap=located(known, models.drop).overlap)


@dataclass(frozen=True, slots=True, eq=False)
class Located:
    """A drop as a locator sees it, and the true one, at the locator's size."""

    drop: LocatedDrop | None
    true: NDArray[np.bool_] | None  #: any size; None: nobody knows
    overlap: float | None  #: intersection over union; 1 for an empty well reported empty


def located(known: KnownImage, locator: Network[DropCard]) -> Located:
    """Return what `locator` says of the drop in an image: the one way in which drops are compared with masks.

    Raises
    ------
    ImageError
        If the image cannot be read.
    """
    image = known.image(WORKING_WIDTH_PX)
    drop, true = locate_drop(to_grey(image.colour), locator), known.mask(image)
    return Located(drop, true, None if true is None else overlap(true, None if drop is None else drop.mask))


class SeesDrop(Protocol):
    """What is said of the drop in an image."""

    @property
    def known(self) -> KnownImage:
        """The image."""

    @property
    def drop_found(self) -> bool:
        """Whether a drop was found."""

    @property
    def overlap(self) -> float | None:
        """Intersection over union of drop and mask, if there is a mask."""


def drop_figures(verdicts: Sequence[SeesDrop]) -> list[Figure]:
    """Return the figures of a drop locator; a figure of nothing is left out."""
    count = _Counting([each.known for each in verdicts])
    full = count.those(lambda known: not known.empty and known.label != UNKNOWN)
    empty, unknown = count.those(lambda known: known.empty), count.those(lambda known: known.label == UNKNOWN)
    overlaps = np.array([np.nan if each.overlap is None else each.overlap for each in verdicts])
    masked, found = full & ~np.isnan(overlaps), np.array([each.drop_found for each in verdicts], np.bool_)
    overlaps = np.nan_to_num(overlaps)
    return count.figures(
        ("mean intersection over union of drops", overlaps, masked),
        ("median intersection over union of drops", overlaps, masked, _median),
        (f"drops with at least {GOOD}", overlaps >= GOOD, masked),
        (f"drops with at least {USABLE}", overlaps >= USABLE, masked),
        ("drops found", found, full),
        ("empty wells reported empty", ~found, empty),
        ("empty wells with a false drop", found, empty),
        ("images with a drop found", found, unknown),
    )


def classifier_figures(verdicts: Sequence[ImageVerdict]) -> list[Figure]:
    """Return the figures of a classifier, with the drops that its locator found; a figure of nothing is left out."""
    count = _Counting([each.known for each in verdicts])
    grouped, exact = count.those(lambda known: known.group is not None), count.those(lambda known: bool(known.outcome))
    crystal, unknown = count.those(lambda known: known.crystal), count.those(lambda known: known.label == UNKNOWN)
    others = count.those(lambda known: not known.crystal and not known.empty and known.label != UNKNOWN)
    called = np.array([each.called is Group.CRYSTAL for each in verdicts], np.bool_)
    return count.figures(
        ("4-group accuracy of wells with a drop", [each.called is each.known.group for each in verdicts], grouped),
        ("12-outcome accuracy of wells with a drop", [v.score.outcome == v.known.outcome for v in verdicts], exact),
        ("crystal wells called crystal", called, crystal),
        ("other wells called crystal", called, others),
        ("images called crystal", called, unknown),
    )


class _Counting:
    """Figures of some of the images of verdicts."""

    def __init__(self, known: Sequence[KnownImage]) -> None:
        self._known = known
        self._draws = drawn([each.drawn_with for each in known])

    def those(self, chosen: Callable[[KnownImage], bool]) -> NDArray[np.bool_]:
        return np.array([chosen(each) for each in self._known], np.bool_)

    def figures(self, *asked: Any) -> list[Figure]:
        """Return a figure for each measure, values and those they are of, and how, where it is no mean."""
        return [self._figure(*each) for each in asked if each[2].any()]

    def _figure(self, measure: str, values: Any, among: NDArray[np.bool_], how: Statistic = Draws.mean) -> Figure:
        return Figure(measure, how(self._draws, np.asarray(values, np.float64), among), int(among.sum()))


def _median(draws: Draws, values: NDArray[np.float64], among: NDArray[np.bool_]) -> Interval:
    def median(times: NDArray[np.float64]) -> float:
        chosen = np.repeat(values[among], times[among].astype(np.int64))
        return float(np.median(chosen)) if len(chosen) else float("nan")

    return draws.figure(median)
