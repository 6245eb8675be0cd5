"""A plate's scores as a CSV table, one row for each image."""

import csv
import io
from collections.abc import Iterable

from crystal_search.outcomes import BY_NAME, GROUPS
from crystal_search.server.imaging.imaging_database import AutoScore, DropScores, ManualScore
from crystal_search.server.services.score_csv import harmless
from crystal_search.viewer.records import moment

Cell = str | int | float | bool | None

_KEY = ("plate", "well", "row", "column", "drop", "inspection", "channel", "image_id", "imaged_at")
_AUTO = ("outcome", "score_number", "group", "probability", "above_threshold")
_MODEL = ("scored_at", "classifier", "classifier_sha256", "threshold")
_MANUAL = ("outcome", "score_number", "group", "person", "scored_at", "comment")
COLUMNS = (
    *_KEY,
    *(f"auto_{name}" for name in (*_AUTO, *(f"p_{group}" for group in GROUPS), *_MODEL)),
    *(f"manual_{name}" for name in _MANUAL),
)


def score_table(drops: Iterable[DropScores]) -> str:
    """Return the table as text, its header first; columns count from 1, as people do."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for drop in drops:
        cells = (*_key(drop), *_auto(drop.auto), *_manual(drop.manual))
        writer.writerow(harmless(cell) if isinstance(cell, str) else cell for cell in cells)
    return text.getvalue()


def _key(drop: DropScores) -> tuple[Cell, ...]:
    key = drop.image.key
    place = (key.plate, key.well, key.row + 1, key.column + 1, key.drop, key.inspection, key.channel)
    return (*place, drop.image.id, moment(drop.image.imaged_at))


def _number_and_group(outcome: str) -> tuple[Cell, Cell]:
    known = BY_NAME.get(outcome)
    return (known.score_number, known.group.value) if known else (None, None)


def _auto(score: AutoScore | None) -> tuple[Cell, ...]:
    if score is None:
        return (None,) * (len(_AUTO) + len(GROUPS) + len(_MODEL))
    peaks: tuple[Cell, ...] = score.group_peaks or (None,) * len(GROUPS)
    answer = (score.outcome, *_number_and_group(score.outcome), score.probability, score.above_threshold)
    recipe = score.recipe
    return (
        *answer,
        *peaks,
        moment(score.scored_at),
        recipe.classifier_name,
        recipe.classifier_sha256,
        recipe.threshold,
    )


def _manual(score: ManualScore | None) -> tuple[Cell, ...]:
    if score is None:
        return (None,) * len(_MANUAL)
    number, group = _number_and_group(score.outcome)
    return score.outcome, number, group, score.person, moment(score.scored_at), score.comment
