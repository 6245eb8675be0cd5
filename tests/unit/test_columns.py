"""One vocabulary: what every CSV file calls its columns, and how cells are written."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crystal_search.annotations import annotator_agreement, mask_table
from crystal_search.archives.archive import LeftOut
from crystal_search.column import KINDS
from crystal_search.columns import VOCABULARY, Cell, column_named, csv_text, harmless, plain, written
from crystal_search.datasets.packed import ChopRow, WellRow
from crystal_search.demo.truth import TRUTH_FILE, plate_folder
from crystal_search.direct import crystal_files, crystal_stacks, rescored_files, scored_files, target_files
from crystal_search.errors import UnknownNameError
from crystal_search.in_cells import yield_tables
from crystal_search.populations import population_tables
from crystal_search.review import corrections
from crystal_search.server.services import score_csv
from crystal_search.synthesis.suspension import growth_writing, histograms
from crystal_search.synthesis.wells import well_writing
from crystal_search.viewer import score_table
from crystal_search.viewer.picking import pick_formats
from crystal_search.wells import CHANNELS

PAGE = (Path(__file__).parents[2] / "docs" / "columns.md").read_text(encoding="utf-8")
FILES: dict[str, Sequence[str]] = {
    "score": scored_files.COLUMNS,
    "crystals": crystal_files.COLUMNS,
    "targets": target_files.TARGET_COLUMNS,
    "dispense": target_files.DISPENSE_COLUMNS,
    "score with a readout": rescored_files.READOUT_COLUMNS,
    "finalize": score_csv.COLUMNS,
    "viewer": score_table.COLUMNS,
    "pick list": pick_formats.COLUMNS,
    "pick list for dispensing": pick_formats.DISPENSE_COLUMNS,
    "render": (*well_writing.TRUTH_FIELDS, *well_writing.SERIES_FIELDS, *CHANNELS[1:]),
    "suspension": histograms.COLUMNS,
    "masks": mask_table.COLUMNS,
    "stacks": crystal_stacks.COLUMNS,
    "agreement": annotator_agreement.COLUMNS,
    "growth": (*growth_writing.CRYSTAL_COLUMNS, *growth_writing.COURSE_COLUMNS, "time", "concentration_unit"),
    **{f"populations in {unit}": population_tables.time_columns(unit) for unit in ("px", "um")},
    "in cells": (*yield_tables.IMAGE_COLUMNS, *yield_tables.WELL_COLUMNS),
    "trends": (*population_tables.TREND_COLUMNS, *population_tables.CHANGE_COLUMNS),
    "corrections": corrections.COLUMNS,
    "demo plate": (plate_folder() / TRUTH_FILE).read_text(encoding="utf-8").splitlines()[0].split(","),
    **{kind.__name__: [field.name for field in fields(kind)] for kind in (ChopRow, WellRow, LeftOut)},
}


def documented() -> str:
    """Return the tables of docs/columns.md."""
    lines = []
    for part, columns in VOCABULARY.items():
        lines += [f"## {part}", "", "| column | cells | meaning |", "|---|---|---|"]
        lines += [f"| `{each.name}` | {KINDS[each.kind]} | {each.meaning} |" for each in columns]
        lines.append("")
    return "\n".join(lines)


def test_the_page_tells_every_column_and_no_other() -> None:
    assert PAGE.endswith(documented())


@pytest.mark.parametrize("file", FILES)
def test_every_file_has_columns_of_the_vocabulary(file: str) -> None:
    for name in FILES[file]:
        assert column_named(name)


def test_a_word_that_is_no_column_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="no column 'crystal_score'"):
        column_named("crystal_score")


def test_no_column_is_told_twice() -> None:
    names = [column.name for part in VOCABULARY.values() for column in part]
    assert len(set(names)) == len(names)


@given(st.text(alphabet="'=+-@\t\r ab"))
def test_what_is_made_harmless_can_be_read_back(text: str) -> None:
    assert plain(harmless(text)) == text
    assert not harmless(text).startswith(("=", "+", "-", "@", "\t", "\r"))


def test_booleans_are_yes_and_no_and_numbers_are_no_formulas() -> None:
    row: dict[str, Cell] = {
        "file": "=1",
        "drop_found": False,
        "day": -1.0,
        "iou": float("nan"),
        "error": None,
    }
    assert written(row) == {"file": "'=1", "drop_found": "no", "day": "-1.0", "iou": "", "error": ""}
    assert csv_text(("file", "day", "well"), [{"file": "a,b", "day": 1.5}]) == 'file,day,well\n"a,b",1.5,\n'
