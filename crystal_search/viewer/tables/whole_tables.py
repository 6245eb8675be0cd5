"""What is told of a whole installation: the scores of all plates, and the ledger."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from crystal_search.columns import Cell
from crystal_search.outcomes import GROUPS
from crystal_search.score_cells import COUNT_COLUMNS, outcome_cells, score_cells
from crystal_search.server.imaging.imaging_database import AutoScore, LedgerEntry, ManualScore
from crystal_search.server.installation import Installation
from crystal_search.server.services.shown_scores import shown_in
from crystal_search.server.services.triage_states import triage_states
from crystal_search.viewer import score_table
from crystal_search.viewer.json_records import moment
from crystal_search.viewer.reading import Board, PlateReader
from crystal_search.viewer.score_table import KEY_COLUMNS, image_cells, recipe_cells, score_rows
from crystal_search.viewer.tables.crystal_rows import CRYSTAL_COLUMNS, crystal_rows
from crystal_search.viewer.tables.table_files import Row

ENTRIES_AT_ONCE = 1000
_FOUND = (
    "outcome",
    "score_number",
    "group",
    "probability",
    "above_threshold",
    *(f"p_{group}" for group in GROUPS),
    "looks",
    "second_group",
    "second_probability",
    "drop_found",
    *COUNT_COLUMNS,
)
LEDGER_COLUMNS = (
    "score_id",
    *KEY_COLUMNS,
    *_FOUND,
    "person",
    "comment",
    "scored_at",
    "taken_back_at",
    "counts",
    "pulled_from",
    "readout",
    "classifier",
    "classifier_sha256",
    "threshold",
    "work_unit",
    "error",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeTable:
    """A table of all that an installation knows."""

    columns: Sequence[str]
    rows: Callable[[Installation], Iterator[Row]]
    meaning: str


def scores_of_all_plates(site: Installation) -> Iterator[Row]:
    """Yield a row for each image, plate by plate, as the viewer's table of a plate has it."""
    reader = _reader_of(site)
    for summary in reader.plates():
        boards = [(number, channel) for channel in summary.channels for number in summary.inspections]
        for number, channel in boards:
            drops = reader.unkept_drops(Board(summary.plate, number, channel))
            yield from score_rows(drops, reader.about(summary.plate), reader.promised(drops))


def whole_ledger(site: Installation) -> Iterator[Row]:
    """Yield a row for each score that was ever given, by people and machines, in the order in which they came."""
    reader = _reader_of(site)
    yield from (entry_row(each, reader) for each in _entries(site))


def every_crystal(site: Installation) -> Iterator[Row]:
    """Yield a row for each crystal of each score in the ledger, in the order in which scores came."""
    reader = _reader_of(site)
    for entry in _entries(site):
        scale = site.settings.micrometres_per_pixel.get(site.imagers.of(entry.image))
        yield from crystal_rows(replace(entry, image=reader.by_robots_clock(entry.image)), scale)


def _entries(site: Installation) -> Iterator[LedgerEntry]:
    after = 0
    while entries := site.imaging.ledger_entries(after=after, limit=ENTRIES_AT_ONCE):
        yield from entries
        after = entries[-1].id


def _reader_of(site: Installation) -> PlateReader:
    return PlateReader(
        site.imaging,
        time_zone=site.settings.time_zone,
        shown=shown_in(site.home, site.imagers),
        promised=partial(triage_states, site),
    )


def entry_row(entry: LedgerEntry, reader: PlateReader) -> dict[str, Cell]:
    """Return the columns of one score; those that would say nothing are missing or None."""
    told = _machine_cells(entry.score) if isinstance(entry.score, AutoScore) else _person_cells(entry.score)
    common = {"score_id": entry.id, "scored_at": moment(entry.score.scored_at), "counts": entry.score.counts}
    return common | image_cells(reader.by_robots_clock(entry.image)) | told


def _machine_cells(score: AutoScore) -> dict[str, Cell]:
    found = {name: cell for name, cell in score_cells(score.found).items() if name in _FOUND}
    return found | recipe_cells(score.recipe) | {"work_unit": score.work_unit, "error": score.found.error}


def _person_cells(score: ManualScore) -> dict[str, Cell]:
    return outcome_cells(score.outcome) | {
        "person": score.person,
        "comment": score.comment or None,
        "taken_back_at": moment(score.taken_back_at),
        "pulled_from": score.pulled_from or None,
    }


WHOLE_TABLES: dict[str, WholeTable] = {
    "scores": WholeTable(
        columns=score_table.COLUMNS,
        rows=scores_of_all_plates,
        meaning="a row for each image of every plate, with the scores that count now",
    ),
    "ledger": WholeTable(
        columns=LEDGER_COLUMNS,
        rows=whole_ledger,
        meaning="a row for each score that people and machines ever gave",
    ),
    "crystals": WholeTable(
        columns=CRYSTAL_COLUMNS,
        rows=every_crystal,
        meaning="a row for each crystal that machines found one by one",
    ),
}
