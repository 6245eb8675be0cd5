"""Whole images of a dataset, scored once by the function that scores in earnest, judged at any threshold."""

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from crystal_search.datasets.packed import PackedDataset, WellRow
from crystal_search.outcomes import BY_NAME, GROUPS, Group
from crystal_search.result import ImageScore, winning_group
from crystal_search.scoring.pipeline import Models, score_data
from crystal_search.work_unit import Parameters

log = logging.getLogger(__name__)

NOTHING = len(GROUPS)  #: the answer of an image without a drop or that cannot be read; right for no group


@dataclass(frozen=True, slots=True)
class JudgedWell:
    """One whole image with its truth and what was found."""

    row: WellRow
    score: ImageScore

    @property
    def truth(self) -> Group | None:
        """The group that it is in; None for a well without a drop."""
        return BY_NAME[self.row.outcome].group if self.row.outcome in BY_NAME else None

    @property
    def crystal_peak(self) -> float:
        """How much its best chop speaks for a crystal, in [0, 1]; 0 where no chop was scored."""
        return self.score.group_peaks[GROUPS.index(Group.CRYSTAL)] if self.score.group_peaks else 0.0

    def answer(self, threshold: float) -> Group | None:
        """Return the group that the ranked score gives it; None where no chop was scored."""
        if not self.score.group_peaks:
            return None
        return winning_group(self.score.group_peaks, self.score.class_probabilities, threshold)[0]


def scored_wells(models: Models, dataset: PackedDataset, rows: Sequence[WellRow], name: str) -> list[JudgedWell]:
    """Return whole images scored with `models`; `name` is what the progress bar says."""
    bar = tqdm(rows, desc=f"{name}: whole images", unit="image", disable=not sys.stderr.isatty())
    return [JudgedWell(row, score_data(dataset.image(row), models, Parameters())[0]) for row in bar]


def truths(wells: Sequence[JudgedWell]) -> NDArray[np.int64]:
    """Return the position of each well's group among `GROUPS`, `NOTHING` where it has no drop."""
    return np.array([NOTHING if well.truth is None else GROUPS.index(well.truth) for well in wells], dtype=np.int64)


def answers(wells: Sequence[JudgedWell], threshold: float) -> NDArray[np.int64]:
    """Return the position of each well's answer among `GROUPS`, `NOTHING` where no drop was found."""
    found = (well.answer(threshold) for well in wells)
    return np.array([NOTHING if group is None else GROUPS.index(group) for group in found], dtype=np.int64)
