"""Best chops of scored images as boxes by class, to train detectors on (Thielmann et al. 2023, section 4).

A machine drew them: they say where a classifier saw what it named, and are as right as its scores.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

from crystal_search.annotations.annotated_image import AnnotatedImage, AnnotatedObject, Boxed, Edges
from crystal_search.columns import plain
from crystal_search.direct.named_images import inputs, once
from crystal_search.direct.scored_files import Job, scored
from crystal_search.errors import UserError
from crystal_search.known_names import unknown_name
from crystal_search.model import read_card
from crystal_search.outcomes import BY_NAME
from crystal_search.result import ImageScore
from crystal_search.server.imaging.imaging_database import DropScores, ImagingDatabase, Recipe
from crystal_search.spreadsheets import read_sheet

OUTCOMES, BY_GROUP = "outcomes", "groups"
OPINIONS = ("any", "agree", "none")  #: of people on the image: whatever they say, the same group, nobody said anything


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which scores become boxes, and what these are called."""

    least: float | None = None  #: probability that a chop must have; None: that its score reached the threshold
    classes: str = OUTCOMES  #: or `BY_GROUP`


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredImages:
    """Images with their best chops as boxes, and how many have none and why."""

    folder: Path  #: that the images' names are relative to
    images: Sequence[AnnotatedImage] = ()
    left_out: dict[str, int] = field(default_factory=dict)


def boxes_of(found: ImageScore, choice: Choice) -> tuple[AnnotatedObject, ...]:
    """Return the best chops of an image that count, as boxes in pixels as stored."""
    if choice.least is None and not found.above_threshold:
        return ()
    return tuple(
        AnnotatedObject(
            label=str(BY_NAME[each.outcome].group) if choice.classes == BY_GROUP else each.outcome,
            shape=Boxed(Edges(*map(float, each.box))),
            probability=each.probability,
        )
        for each in found.best_chops
        if each.probability >= (choice.least or 0.0)
    )


def gathered(found: Iterable[tuple[Path, ImageScore | str]], choice: Choice) -> ScoredImages:
    """Return images whose scores are known, or the reason why one is not taken."""
    taken: list[tuple[Path, AnnotatedImage]] = []
    left_out: dict[str, int] = {}
    for path, score in found:
        reason = score if isinstance(score, str) else "cannot be read" if score.error is not None else ""
        objects = () if isinstance(score, str) or reason else boxes_of(score, choice)
        reason = reason or ("" if objects else "no chop is probable enough")
        if reason or isinstance(score, str):
            left_out[reason] = left_out.get(reason, 0) + 1
            continue
        image = AnnotatedImage(name=path.name, height_px=score.height_px, width_px=score.width_px, objects=objects)
        taken.append((path, image))
    folder = Path(os.path.commonpath([path.absolute().parent for path, _ in taken])) if taken else Path()
    images = [replace(each, name=path.absolute().relative_to(folder).as_posix()) for path, each in taken]
    return ScoredImages(folder=folder, images=images, left_out=left_out)


def scored_now(sources: Sequence[Path], job: Job, workers: int) -> Iterator[tuple[Path, ImageScore | str]]:
    """Yield images, folders, and the images that tables of ``score`` list, scored now; tables tell no chops.

    Raises
    ------
    UserError
        If there is nothing to score, or a table has no column ``path``.
    """
    named = (_listed(source) if source.suffix == ".csv" else inputs([source]) for source in sources)
    paths = once(chain.from_iterable(named))
    for each in scored(paths, job, workers=min(workers, max(1, len(paths)))):
        yield each.path, each.score


def _listed(table: Path) -> Iterator[Path]:
    """Yield the images of a table of ``score`` whose score reached the threshold."""
    with read_sheet(table) as sheet:
        names = [name.strip() for name in sheet.header]
        if not {"path", "above_threshold"} <= set(names):
            raise UserError(f"{table} has no columns path and above_threshold; name a table that score wrote")
        for _, cells in sheet.lines:
            row = dict(zip(names, cells, strict=False))
            if row.get("above_threshold") == "yes":
                yield Path(plain(row["path"]))


def in_ledger(
    imaging: ImagingDatabase, *, classifier: str | None = None, opinion: str = OPINIONS[0]
) -> Iterator[tuple[Path, ImageScore | str]]:
    """Yield the images of an installation with their scores that count, or why one is not taken.

    Parameters
    ----------
    classifier
        Card, name or beginning of the hash of the model whose scores count; None: the scores that came last.
    opinion
        One of `OPINIONS`.

    Raises
    ------
    UnknownNameError
        If no score is by such a classifier; the message lists those there are.
    """
    recipes = [] if classifier is None else _recipes(imaging, classifier)
    wanted = _AGREES[opinion]
    for plate in imaging.plates():
        for inspection in plate.inspections:
            by_recipe = [imaging.scores_by(each, plate.plate, inspection=inspection) for each in recipes]
            for drop in imaging.drops(plate.plate, inspection=inspection):
                named = [scores[drop.image.id] for scores in by_recipe if drop.image.id in scores]
                score = drop.current if classifier is None else (named[-1] if named else None)
                path = Path(drop.image.path)
                if score is None:
                    yield path, "no score by the machine counts"
                elif not wanted(drop, score.found):
                    yield path, f"people's opinion is not: {opinion}"
                elif not path.is_file():
                    yield path, "the file is missing"
                else:
                    yield path, score.found


def _recipes(imaging: ImagingDatabase, classifier: str) -> list[Recipe]:
    there = [each for each in imaging.recipes() if each.readout is None]
    models = [each.model("classifier") for each in there]
    if Path(classifier).is_file():  # its own file may be gone since
        classifier = read_card(Path(classifier)).sha256
    chosen = [
        recipe
        for recipe, model in zip(there, models, strict=True)
        if model.name == classifier or (classifier and model.sha256.startswith(classifier))
    ]
    if not chosen:
        raise unknown_name(sorted({each.name for each in models}), classifier, "classifier", which="that made scores")
    return chosen


def _agrees(drop: DropScores, found: ImageScore) -> bool:
    said = drop.manual and BY_NAME.get(drop.manual.outcome)
    return bool(said and found.score and said.group == found.score.group)


_AGREES: dict[str, Callable[[DropScores, ImageScore], bool]] = {
    "any": lambda drop, found: True,
    "agree": _agrees,
    "none": lambda drop, found: drop.manual is None,
}
