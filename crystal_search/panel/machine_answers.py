"""What machines say of a panel's images: every recipe in the ledger, and lists of scores."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crystal_search.archives.csv_rows import read_rows
from crystal_search.direct.scored_files import NOT_SCORED
from crystal_search.errors import UserError
from crystal_search.model_card import FirstLookCard
from crystal_search.outcomes import BY_NAME, NO_DROP, UNREADABLE
from crystal_search.panel.panel_set import CLASSES, PanelSet
from crystal_search.panel.rater_agreement import NO_ANSWER
from crystal_search.server.imaging.imaging_database import AutoScore, Ledger, Recipe

NONE_OF_THEM = len(CLASSES)  #: an answer that is no class, such as ``no_drop``: right for no image
ANSWERS = (*BY_NAME, NO_DROP, UNREADABLE)  #: that lists of scores have
DIGITS = 8  #: of a model's hash, where names do not tell recipes apart


@dataclass(frozen=True, slots=True, eq=False)
class MachineAnswers:
    """What one recipe says of a panel's images."""

    name: str
    answers: NDArray[np.int64]  #: (images,): position of the class, `NONE_OF_THEM`, or `NO_ANSWER` where not scored


def in_ledger(ledger: Ledger, panel: PanelSet) -> list[MachineAnswers]:
    """Return the answers of every recipe that scored an image of a panel; the last score of each counts."""
    found: dict[Recipe, dict[int, str]] = {}
    for at, image in enumerate(panel.images):
        for score in ledger.ledger(image.image_id) if image.image_id else ():
            if isinstance(score, AutoScore) and score.counts:
                found.setdefault(score.recipe, {})[at] = score.outcome
    names = recipe_names(list(found))
    return [
        MachineAnswers(name, _answers(outcomes, len(panel.images)))
        for name, outcomes in sorted(zip(names, found.values(), strict=True), key=lambda pair: pair[0])
    ]


def recipe_names(recipes: Sequence[Recipe]) -> list[str]:
    """Return what recipes are called: by those who look, or a readout of them, and more where that is not enough."""
    called = [_called(recipe) for recipe in recipes]
    with_threshold = [f"{name}, {recipe.threshold:g}" for name, recipe in zip(called, recipes, strict=True)]
    hashes = ["-".join(model.sha256[:DIGITS] for model in recipe.models) for recipe in recipes]
    whole = [f"{name}, {digits}" for name, digits in zip(with_threshold, hashes, strict=True)]
    return [
        next(each for each, among in ((a, called), (b, with_threshold), (c, [])) if among.count(each) < 2)
        for a, b, c in zip(called, with_threshold, whole, strict=True)
    ]


def _called(recipe: Recipe) -> str:
    first = next((f" after {each.name}" for each in recipe.models if each.role == FirstLookCard.role), "")
    classifier = f"{recipe.model('classifier').name}{first}"
    return f"readout {recipe.readout.name} of {classifier}" if recipe.readout else classifier


def in_list(name: str, path: Path, folder: Path, panel: PanelSet) -> MachineAnswers:
    """Return the answers in a list of scores, as ``score`` and ``finalize`` write it.

    Its paths may be those of the panel's own pictures in `folder`, or of the files that they are copies of.

    Raises
    ------
    UserError
        If it cannot be read, lacks a column, has an outcome that nobody knows, or no image of the panel.
    """
    places = {str((folder / image.file).resolve()): at for at, image in enumerate(panel.images)}
    places |= {str(Path(image.path).resolve()): at for at, image in enumerate(panel.images)}
    outcomes: dict[int, str] = {}
    for row in read_rows(path, {"path": ("path", "file"), "outcome": ("outcome",)}, ("path", "outcome")):
        at = _place(row["path"], path.parent, places)
        if at is not None and row["outcome"] != NOT_SCORED:
            outcomes[at] = _checked(row["outcome"], f"{path} line {row.line}")
    if not outcomes:
        raise UserError(
            f"{path} has no image of this panel; score its pictures: crystal-search score {folder}/images --csv {path}"
        )
    return MachineAnswers(name, _answers(outcomes, len(panel.images)))


def _checked(outcome: str, where: str) -> str:
    if outcome not in ANSWERS:
        raise UserError(f"{where}: nobody knows the outcome {outcome!r}; write one of {', '.join(ANSWERS)}")
    return outcome


def _place(named: str, beside: Path, places: Mapping[str, int]) -> int | None:
    """Return which image a path means that is from here or from beside its list; None for none of the panel."""
    candidates: Iterable[Path] = (Path(named), beside / named)
    return next((places[key] for key in (str(each.resolve()) for each in candidates) if key in places), None)


def _answers(outcomes: Mapping[int, str], images: int) -> NDArray[np.int64]:
    answers = np.full(images, NO_ANSWER, np.int64)
    for at, outcome in outcomes.items():
        known = BY_NAME.get(outcome)
        answers[at] = CLASSES.index(str(known.group)) if known else NONE_OF_THEM
    return answers
