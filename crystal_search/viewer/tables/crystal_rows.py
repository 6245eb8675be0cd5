"""Rows of the table of all crystals that machines found one by one."""

from collections.abc import Iterator

from crystal_search.columns import Cell
from crystal_search.crystals.crystal_cells import PLACE_COLUMNS, crystal_cells
from crystal_search.server.imaging.imaging_database import AutoScore, LedgerEntry
from crystal_search.viewer.json_records import moment
from crystal_search.viewer.score_table import KEY_COLUMNS, image_cells

CRYSTAL_COLUMNS = (
    *("score_id", *KEY_COLUMNS, *PLACE_COLUMNS),
    *("scored_at", "counts", "detector", "detector_sha256", "work_unit"),
)


def crystal_rows(entry: LedgerEntry, um_per_px: float | None) -> Iterator[dict[str, Cell]]:
    """Yield a row for each crystal of a score; none for a person's, or where nothing was looked for or found."""
    score = entry.score
    if not isinstance(score, AutoScore) or not score.found.crystals:
        return
    size = score.found.height_px, score.found.width_px
    common = _common(entry, score)
    for number, crystal in enumerate(score.found.crystals, start=1):
        yield common | {"crystal": number} | crystal_cells(crystal, size, um_per_px)


def _common(entry: LedgerEntry, score: AutoScore) -> dict[str, Cell]:
    """Return what all crystals of a score have in common."""
    detector = next((model for model in score.recipe.models if model.role == "crystals"), None)
    told: dict[str, Cell] = {
        "score_id": entry.id,
        "scored_at": moment(score.scored_at),
        "counts": score.counts,
        "work_unit": score.work_unit,
    }
    if detector:
        told |= {"detector": detector.name, "detector_sha256": detector.sha256}
    return told | image_cells(entry.image)
