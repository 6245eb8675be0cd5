"""A model beside the one that it would replace, asked about the same images (docs/models.md).

It needs no torch, so that an installation that only scores can compare models.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from crystal_search.bootstrap import Interval, drawn
from crystal_search.datasets.packed import sampled
from crystal_search.errors import UserError
from crystal_search.evaluation.image_verdicts import image_verdicts, located, with_companions
from crystal_search.evaluation.known_images import KnownImage, Truth, demo_truth
from crystal_search.evaluation.whole_image_verdicts import whole_image_verdicts
from crystal_search.inference import OnnxNetwork
from crystal_search.metrics import Floats
from crystal_search.model import Model, in_role
from crystal_search.model_card import DropCard, ImageCard, ModelCard
from crystal_search.work_unit import Parameters

WELLS = 48  #: of the demo plate that models are compared on: half a minute for two of them on one processor


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How well two models do on the same images."""

    measure: str
    truth: str  #: what the images are
    images: int
    new: Interval
    used: Interval
    gain: Interval  #: of the new one, wells drawn again for both at once

    @property
    def worse(self) -> bool:
        """Whether the new one does worse, by more than chance."""
        return self.gain.high < 0


@dataclass(frozen=True, slots=True)
class Measure:
    """What models of a role are compared by."""

    name: str
    asked: Callable[[KnownImage], bool]  #: which images tell
    values: Callable[
        [Sequence[KnownImage], Model[ModelCard], Path], Floats
    ]  #: one for each image, the higher the better


def right_groups(images: Sequence[KnownImage], classifier: Model[ModelCard], companions: Path) -> Floats:
    """Return 1 for each image that a classifier puts into its group, with the models of a folder, else 0."""
    verdicts = image_verdicts(images, with_companions(classifier, companions), Parameters())
    return np.array([each.called is each.known.group for each in verdicts], np.float64)


def overlaps(images: Sequence[KnownImage], locator: Model[ModelCard], _: Path) -> Floats:
    """Return the intersection over union of each drop with what a locator finds."""
    network = OnnxNetwork(in_role(locator, DropCard))
    return np.array([located(each, network).overlap or 0.0 for each in images])


def right_groups_at_once(images: Sequence[KnownImage], classifier: Model[ModelCard], _: Path) -> Floats:
    """Return 1 for each image that a classifier of whole images puts into its group, else 0."""
    verdicts = whole_image_verdicts(images, in_role(classifier, ImageCard))
    return np.array([each.called is each.known.group for each in verdicts], np.float64)


_GROUPS_OF_CHOPS = Measure("images in the right group of four", lambda known: known.group is not None, right_groups)
#: By role. Models of other roles are not compared when they are put to use.
MEASURES: dict[str, Measure] = {
    "classifier": _GROUPS_OF_CHOPS,
    "first_look": _GROUPS_OF_CHOPS,
    "image": Measure("images in the right group of four", lambda known: known.group is not None, right_groups_at_once),
    "drop": Measure("mean intersection over union of drops", lambda known: known.masked, overlaps),
}


def comparison_wells() -> Truth:
    """Return what models are compared on where nothing else is named: a part of the demo plate, always the same."""
    plate = demo_truth()
    images = sampled(plate.images, WELLS)
    return Truth(name=f"{len(images)} wells of the demo plate", source=plate.source, images=images)


def compared(new: Model[ModelCard], used: Model[ModelCard], companions: Path, truth: Truth) -> Comparison:
    """Return how well two models do that play a role in `MEASURES`, by what that of the new one is compared by.

    Parameters
    ----------
    companions
        Folder of the models that a classifier is used with.

    Raises
    ------
    UserError
        If `truth` has nothing by which such models can be told apart.
    """
    measure = MEASURES[new.card.role]
    images = [each for each in truth.images if measure.asked(each)]
    if not images:
        raise UserError(f"{truth.name} says nothing about a {new.card.title}; name other images")
    values = [measure.values(images, each, companions) for each in (new, used)]
    draws = drawn([each.drawn_with for each in images])
    return Comparison(
        measure=measure.name,
        truth=truth.name,
        images=len(images),
        new=draws.mean(values[0]),
        used=draws.mean(values[1]),
        gain=draws.mean(values[0] - values[1]),
    )
