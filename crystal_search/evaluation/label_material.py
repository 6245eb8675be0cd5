"""Images of one imager scored, with the labels that somebody gave to some of them."""

import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from crystal_search.adaptation.labelled import Labelled, Seen, seen_of
from crystal_search.direct.named_images import inputs, once
from crystal_search.direct.scored_files import Job, scored
from crystal_search.errors import UserError
from crystal_search.evaluation.label_table import LabelledFile
from crystal_search.result import ImageScore

OTHERS = 200  #: images without labels that are scored too, to know how the imager's numbers are spread


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Material:
    """Labelled images and others of the imager, as far as they could be scored."""

    labelled: Labelled
    names: tuple[str, ...]  #: of the labelled images
    everything: Seen
    left_out: int  #: labelled images of which there are no numbers


def material_of(files: Sequence[LabelledFile], folder: Path, job: Job, workers: int) -> Material:
    """Score labelled images and some others of `folder`, and put together what can be learnt from.

    Raises
    ------
    UserError
        If not one of the labelled images can be scored.
    """
    images = once(inputs([folder]))
    files = as_listed(files, images)
    known = dict.fromkeys(each.path for each in files)
    others = [path for path in images if path not in known]
    scores = answers_to([*known, *others[:: max(1, -(-len(others) // OTHERS))]], job, workers)
    there = [each for each in files if each.path in scores]
    if not there:
        raise UserError(f"not one of {len(files)} labelled images could be scored; name a folder of images of wells")
    return Material(
        labelled=labelled_of(there, scores),
        names=tuple(each.path.relative_to(folder).as_posix() for each in there),
        everything=seen_of(list(scores.values())),
        left_out=len(files) - len(there),
    )


def as_listed(files: Sequence[LabelledFile], images: Iterable[Path]) -> list[LabelledFile]:
    """Return labels by the path by which their image stands among `images`, where a table names it by another."""
    paths = {os.path.realpath(path): path for path in images}
    return [replace(each, path=paths.get(os.path.realpath(each.path), each.path)) for each in files]


def answers_to(paths: Sequence[Path], job: Job, workers: int) -> dict[Path, ImageScore]:
    """Return the scores of the images that could be scored, by path."""
    found = tqdm(scored(paths, job, workers=workers), total=len(paths), desc="score", disable=not sys.stderr.isatty())
    return {each.path: each.score for each in found if each.score.error is None and each.score.class_probabilities}


def labelled_of(files: Iterable[LabelledFile], scores: dict[Path, ImageScore]) -> Labelled:
    """Return labels, which may be none, with what the shipped models say of their images, all of which have scores."""
    files, places = list(files), {path: at for at, path in enumerate(scores)}
    return Labelled(
        seen=seen_of(list(scores.values())).of(np.array([places[each.path] for each in files], np.int64)),
        groups=np.array([each.group for each in files], np.int64),
        plates=tuple(each.plate or "one plate" for each in files),
        drops=tuple(each.drop or each.path.as_posix() for each in files),
    )
