"""How well two models do together, through the function that scores wells in earnest, into their cards."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from crystal_search.datasets.outcome_maps import Bytes, KnownWell
from crystal_search.demo.truth import plate_folder, read_truth
from crystal_search.exporting.export import write_card
from crystal_search.images import SUFFIXES, DecodedImage, decode, to_grey
from crystal_search.model import default_models
from crystal_search.model_card import Measurement, ModelCard
from crystal_search.outcomes import BY_NAME, NO_DROP, Group
from crystal_search.scoring.pipeline import Models, loaded, score_image
from crystal_search.unet_drop.locate import locate_drop
from crystal_search.unet_drop.regions import overlap
from crystal_search.work_unit import Parameters

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the models said of one well, and what is true."""

    truth: str  #: an outcome, or ``no_drop``
    answer: str
    overlap: float  #: intersection over union of the drops; 1 for an empty well reported empty

    @property
    def right_group(self) -> bool:
        """Whether the answer is in the group of the truth; a missed drop is in none."""
        return group_of(self.truth) is group_of(self.answer)


def group_of(answer: str) -> Group | None:
    """Return the group of an outcome; None for an answer that is none, such as ``no_drop``."""
    return BY_NAME[answer].group if answer in BY_NAME else None


def judged(well: KnownWell, models: Models) -> Verdict:
    """Return what `models` say of a well whose truth is known."""
    height, width, _ = well.image.shape
    image = DecodedImage(well.image, height, width)
    score = score_image(image, models, Parameters())
    drop = locate_drop(to_grey(well.image), models.drop)
    found = None if drop is None else drop.mask
    return Verdict(truth=well.outcome or NO_DROP, answer=score.outcome, overlap=overlap(well.drop_mask, found))


def drop_figures(verdicts: Sequence[Verdict], data: str) -> list[Measurement]:
    """Return the figures of the drop locator."""
    full = [each for each in verdicts if each.truth != NO_DROP]
    empty = [each for each in verdicts if each.truth == NO_DROP]
    return [
        _mean(data, "mean intersection over union of drops", [each.overlap for each in full]),
        _mean(data, "drops found", [each.answer != NO_DROP for each in full]),
        _mean(data, "empty wells reported empty", [each.answer == NO_DROP for each in empty]),
    ]


def classifier_figures(verdicts: Sequence[Verdict], data: str) -> list[Measurement]:
    """Return the figures of the classifier, with the drops that the locator found."""
    full = [each for each in verdicts if each.truth != NO_DROP]
    crystals = [each for each in full if group_of(each.truth) is Group.CRYSTAL]
    others = [each for each in full if group_of(each.truth) is not Group.CRYSTAL]
    return [
        _mean(data, "4-group accuracy of wells with a drop", [each.right_group for each in full]),
        _mean(data, "12-outcome accuracy of wells with a drop", [each.truth == each.answer for each in full]),
        _mean(data, "crystal wells called crystal", [each.right_group for each in crystals]),
        _mean(data, "other wells called crystal", [group_of(each.answer) is Group.CRYSTAL for each in others]),
    ]


def _mean(data: str, measure: str, values: Sequence[float]) -> Measurement:
    value = round(float(np.mean(values)), 4) if values else 0.0
    return Measurement(data=data, measure=measure, value=value, count=len(values))


def photograph_figures(answers: Sequence[str], data: str) -> tuple[list[Measurement], list[Measurement]]:
    """Return the figures of locator and classifier on images of one kind, of which no more is known."""
    found = [answer != NO_DROP for answer in answers]
    crystals = [group_of(answer) is Group.CRYSTAL for answer in answers]
    return (
        [_mean(data, "images with a drop found", found)],
        [_mean(data, "images called crystal", crystals)],
    )


def measure_wells(wells: Iterable[KnownWell], folder: Path, data: str) -> list[Verdict]:
    """Score `wells` with the models of `folder`, put the figures into their cards, and return the verdicts."""
    models = models_in(folder)
    verdicts = [judged(well, models) for well in wells]
    record(models.drop.card, folder, drop_figures(verdicts, data))
    record(models.classifier.card, folder, classifier_figures(verdicts, data))
    return verdicts


@dataclass(frozen=True, slots=True, eq=False)
class StoredWell:
    """A well of the demo plate, as it is stored."""

    image: Bytes
    outcome: str
    drop_mask: NDArray[np.bool_]


def demo_wells() -> Iterator[StoredWell]:
    """Yield the wells of the demo plate."""
    folder = plate_folder()
    for file, outcome in read_truth(folder).items():
        image = decode((folder / file).read_bytes())
        mask = np.asarray(Pillow.open((folder / file).with_suffix(".mask.png"))) > 0
        yield StoredWell(image.colour, outcome, mask)


def measure_photographs(images: Path, folder: Path, data: str) -> dict[str, str]:
    """Score the image files below `images`, put the figures into the cards, and return the answers by file."""
    models = models_in(folder)
    files = sorted(path for path in images.rglob("*") if path.suffix.lower() in SUFFIXES)
    answers = {}
    for path in files:
        image = decode(path.read_bytes(), at_least_width_px=models.decode_width_px)
        answers[str(path.relative_to(images))] = score_image(image, models, Parameters()).outcome
    located, classified = photograph_figures(list(answers.values()), data)
    record(models.drop.card, folder, located)
    record(models.classifier.card, folder, classified)
    return answers


def models_in(folder: Path) -> Models:
    """Return the one classifier and the one drop locator of `folder`, ready to run."""
    return loaded(default_models(folder))


def record(card: ModelCard, folder: Path, figures: Sequence[Measurement]) -> None:
    """Put `figures` into the card in `folder`, in place of earlier ones of the same measure on the same data.

    A figure of nothing, such as the empty wells of a plate that has none, is left out.
    """
    figures = [figure for figure in figures if figure.count]
    new = {(figure.data, figure.measure) for figure in figures}
    kept = [figure for figure in card.measured if (figure.data, figure.measure) not in new]
    write_card(replace(card, measured=(*kept, *figures)), folder)
    for figure in figures:
        log.info("%s: %s, %s: %s of %d", card.name, figure.data, figure.measure, figure.value, figure.count)
