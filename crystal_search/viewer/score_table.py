"""A plate's scores as a CSV table, one row for each image."""

from collections.abc import Iterable, Iterator
from types import MappingProxyType

from crystal_search.columns import Cell, csv_text
from crystal_search.outcomes import GROUPS
from crystal_search.score_cells import COUNT_COLUMNS, count_cells, outcome_cells, ranked_cells
from crystal_search.server.imaging.imaging_database import AutoScore, DropScores, ManualScore, Recipe
from crystal_search.server.imaging.stored_images import StoredImage
from crystal_search.viewer.about_plates import CONDITION_COLUMNS, FACT_COLUMNS, AboutPlate, about_cells
from crystal_search.viewer.json_records import moment, taken
from crystal_search.viewer.made_once import made_once
from crystal_search.viewer.reading import Promised

KEY_COLUMNS = ("plate", "well", "row", "column", "drop", "inspection", "channel", "image_id", "imaged_at")
_AUTO = ("outcome", "score_number", "group", "probability", "above_threshold", *(f"p_{group}" for group in GROUPS))
_RECIPE = ("scored_at", "readout", "triage", "classifier", "classifier_sha256", "threshold")
_AUTO_NAMES = {name: f"auto_{name}" for name in (*_AUTO, "looks", *COUNT_COLUMNS, *_RECIPE)}
_MANUAL = ("outcome", "score_number", "group", "person", "scored_at", "comment")
COLUMNS = (
    *KEY_COLUMNS,
    *_AUTO_NAMES.values(),
    *(f"manual_{name}" for name in _MANUAL),
    "opinions",
    "comments",
    *FACT_COLUMNS,
    *CONDITION_COLUMNS,
)
KEPT = 1000  #: recipes
NOTHING: Promised = MappingProxyType({})


def score_table(drops: Iterable[DropScores], plate: AboutPlate, promised: Promised = NOTHING) -> str:
    """Return the table as text, its header first; rows and columns count from 1, as people do."""
    return csv_text(COLUMNS, score_rows(drops, plate, promised))


def score_rows(drops: Iterable[DropScores], plate: AboutPlate, promised: Promised) -> Iterator[dict[str, Cell]]:
    """Yield the rows of the table."""
    for drop in drops:
        yield _row(drop, plate) | {"auto_triage": promised.get(drop.image.id)}


def _row(drop: DropScores, plate: AboutPlate) -> dict[str, Cell]:
    scores = auto_cells(drop.current) | manual_cells(drop.manual) | said_cells(drop)
    return image_cells(drop.image) | scores | about_cells(plate, drop.image.key)


def image_cells(image: StoredImage) -> dict[str, Cell]:
    """Return the columns that tell which image it is; rows and columns count from 1."""
    key = image.key
    place = (key.plate, key.well, key.row + 1, key.column + 1, key.drop, key.inspection, key.channel)
    return dict(zip(KEY_COLUMNS, (*place, image.id, taken(image)), strict=True))


def auto_cells(score: AutoScore | None) -> dict[str, Cell]:
    """Return the columns that tell the machine's score; none without one."""
    if score is None:
        return {}
    found = ranked_cells(score.found) | count_cells(score.found.crystals) | recipe_cells(score.recipe)
    found |= {"looks": score.found.looks or None, "scored_at": moment(score.scored_at)}
    return {_AUTO_NAMES[name]: cell for name, cell in found.items()}


@made_once(limit=KEPT)
def recipe_cells(recipe: Recipe) -> dict[str, Cell]:
    """Return the columns that tell what made a machine's score."""
    return {
        "readout": recipe.readout.name if recipe.readout else None,
        "classifier": recipe.model("classifier").name,
        "classifier_sha256": recipe.model("classifier").sha256,
        "threshold": recipe.threshold,
    }


def said_cells(drop: DropScores) -> dict[str, Cell]:
    """Return the columns that tell what people said last and wrote."""
    return {
        "opinions": "; ".join(f"{each.person}: {each.outcome}" for each in drop.people),
        "comments": " | ".join(f"{each.person}: {each.text}" for each in drop.comments),
    }


def manual_cells(score: ManualScore | None) -> dict[str, Cell]:
    """Return the columns that tell a person's score; none without one."""
    if score is None:
        return {}
    found = outcome_cells(score.outcome) | {
        "person": score.person,
        "scored_at": moment(score.scored_at),
        "comment": score.comment,
    }
    return {f"manual_{name}": cell for name, cell in found.items()}
