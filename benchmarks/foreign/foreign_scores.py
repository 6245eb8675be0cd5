"""What a classifier says of the foreign imagers' wells, kept beside the pictures under its hash."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.foreign.foreign_plates import wells_of
from benchmarks.foreign.imagers import IMAGERS, ForeignImager
from crystal_search.direct.scored_files import peaks_for_ranking
from crystal_search.evaluation.known_images import KnownImage
from crystal_search.files import whole_file
from crystal_search.metrics import Floats
from crystal_search.model import Model, answering, references
from crystal_search.model_card import DropCard, ModelCard
from crystal_search.outcomes import GROUPS, OUTCOMES, Group
from crystal_search.scoring.pipeline import Models, loaded, score_image
from crystal_search.work_unit import Parameters

NO_GROUP = -1  #: an empty well


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ForeignScores:
    """The wells of one imager, N of them, plate by plate."""

    groups: NDArray[np.int64]  #: (N,), true positions in GROUPS, or `NO_GROUP`
    plates: NDArray[np.str_]  #: (N,)
    called: NDArray[np.int64]  #: (N,), the group that the models name, or `NO_GROUP` where they see no drop
    peaks: Floats  #: (N, groups), as images are ranked by
    means: Floats  #: (N, outcomes), 0 where no drop was found
    features: Floats  #: (N, D), 0 where no drop was found
    located: NDArray[np.bool_]  #: (N,), whether a drop was found

    @property
    def crystal(self) -> NDArray[np.bool_]:
        """Which wells hold crystals."""
        return np.asarray(self.groups == GROUPS.index(Group.CRYSTAL))

    @property
    def crystal_peaks(self) -> Floats:
        """How much the best chop of each speaks for a crystal."""
        return np.asarray(self.peaks[:, GROUPS.index(Group.CRYSTAL)])


def scores_of(folder: Path, models: Sequence[Model[ModelCard]]) -> dict[str, ForeignScores]:
    """Return by imager what models say of the wells in `folder`; what was scored before is read."""
    return {imager.name: scores_at(folder, imager, models) for imager in IMAGERS}


def scores_at(folder: Path, imager: ForeignImager, models: Sequence[Model[ModelCard]]) -> ForeignScores:
    """Return what models say of the wells of one imager."""
    looking = [model.sha256[:12] for model in answering(references(models)) if model.role != DropCard.role]
    kept = folder / imager.name / f"scores-{'-'.join(looking)}.npz"
    if not kept.exists():
        arrays = scored(known_wells(folder, imager), loaded(models))
        with whole_file(kept) as file:
            np.savez(file, allow_pickle=False, **arrays)
    with np.load(kept) as arrays:
        return ForeignScores(**arrays)


def known_wells(folder: Path, imager: ForeignImager) -> list[KnownImage]:
    """Return the wells of an imager, as evaluation knows images."""
    return [
        KnownImage(
            name=well.file,
            label=well.label,
            content=(folder / well.file).read_bytes,
            source=imager.name,
            plate=str(well.plate),
        )
        for well in wells_of(imager)
    ]


def scored(images: Sequence[KnownImage], models: Models) -> dict[str, NDArray[np.generic]]:
    """Return what models say of wells, by the names of `ForeignScores`."""
    features = models.gives_features.card.features
    numbers = 0 if features is None else features.channels
    rows = [_row(each, models, numbers) for each in images]
    columns = zip(*rows, strict=True)
    names = ("groups", "plates", "called", "peaks", "means", "features", "located")
    return {name: np.array(column) for name, column in zip(names, columns, strict=True)}


def _row(known: KnownImage, models: Models, numbers: int) -> tuple[object, ...]:
    image, parameters = known.image(models.decode_width_px), Parameters()
    score = score_image(image, models, parameters)
    peaks, features = peaks_for_ranking(score, image, models, parameters), score.features
    called = NO_GROUP if score.score is None else GROUPS.index(score.score.group)
    return (
        NO_GROUP if known.group is None else GROUPS.index(known.group),
        known.plate,
        called,
        peaks,
        score.class_probabilities or (0.0,) * len(OUTCOMES),
        np.zeros(numbers, np.float32) if features is None else np.asarray(features, np.float32),
        score.drop is not None,
    )
