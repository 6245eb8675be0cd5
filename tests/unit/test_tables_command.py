"""All plates' scores and the whole ledger as CSV and Parquet."""

import csv
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pyarrow.parquet
import pytest

from crystal_search.columns import column_named
from crystal_search.errors import UserError
from crystal_search.server.home import Home
from crystal_search.server.imaging.plate_facts import PlateFacts, Source
from crystal_search.server.installation import Installation
from crystal_search.server.settings import Settings
from crystal_search.viewer.tables import table_files, whole_tables
from crystal_search.viewer.tables.table_files import Row, write_table
from crystal_search.viewer.tables.whole_tables import WHOLE_TABLES
from tests.memory_imaging import MemoryImaging
from tests.viewer_site import CRYSTALS, NOON, add_plate, crystal_score, hand_score, score_plate


@pytest.fixture
def site(tmp_path: Path) -> Installation:
    """Two plates with scores by machine and people, one of which was taken back."""
    imaging = MemoryImaging()
    for plate in ("P1", "P2"):
        drops = add_plate(imaging, tmp_path, plate=plate, rows=1)
        crystals = CRYSTALS[:2] if plate == "P1" else ()
        imaging.add_auto_scores([crystal_score(drops[0].image.id, crystals)])
        score_plate(imaging, drops, ["", "unreadable", ""])
    imaging.note_plates([PlateFacts(plate="P2", owner="-Ben")], source=Source(name="test"))
    image_id = imaging.drops("P1", inspection=1)[0].image.id
    imaging.add_manual_score(hand_score(image_id, "clear", comment="=1"))
    score = imaging.drops("P1", inspection=1)[0].people[0]
    imaging.take_back(score.id, person="Ada", at=NOON)
    home = Home(tmp_path / "home").made()
    return Installation(home=home, settings=Settings(), imaging=imaging)


def in_csv(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


@pytest.mark.parametrize("name", WHOLE_TABLES)
def test_both_kinds_of_file_tell_the_same(site: Installation, tmp_path: Path, name: str) -> None:
    table = WHOLE_TABLES[name]
    counts = [write_table(tmp_path / f"t{kind}", table.columns, table.rows(site)) for kind in (".csv", ".parquet")]
    rows, parquet = in_csv(tmp_path / "t.csv"), pyarrow.parquet.read_table(tmp_path / "t.parquet")
    assert counts == [len(rows), parquet.num_rows]
    assert parquet.column_names == list(rows[0])
    for column in ("plate", "well", "image_id"):
        assert [str(cell) for cell in parquet[column].to_pylist()] == [row[column] for row in rows]


def test_the_scores_of_every_plate_are_there(site: Installation, tmp_path: Path) -> None:
    write_table(tmp_path / "s.csv", WHOLE_TABLES["scores"].columns, WHOLE_TABLES["scores"].rows(site))
    rows = in_csv(tmp_path / "s.csv")
    assert [(row["plate"], row["well"]) for row in rows] == [
        (p, w) for p in ("P1", "P2") for w in ("A01", "A02", "A03")
    ]
    assert [row["auto_outcome"] for row in rows[:3]] == ["crystal_harvestable", "unreadable", ""]
    assert {row["owner"] for row in rows[3:]} == {"'-Ben"}


@pytest.mark.parametrize("name", WHOLE_TABLES)
def test_images_are_of_the_robots_time(site: Installation, name: str) -> None:
    abroad = replace(site, settings=Settings(time_zone="America/New_York"))
    assert {row["imaged_at"] for row in WHOLE_TABLES[name].rows(abroad)} == {"2025-11-21T07:00:00-05:00"}


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_a_cell_of_a_column_that_the_table_has_not_is_no_row(tmp_path: Path, name: str) -> None:
    rows: list[Row] = [{"well": "A01"}, {"well": "A02", "misspelt": 1}]
    with pytest.raises(ValueError, match="a row has misspelt, which the table has not"):
        write_table(tmp_path / name, ["well"], rows)
    assert not (tmp_path / name).exists()


def test_the_ledger_has_what_was_taken_back(
    site: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole_tables, "ENTRIES_AT_ONCE", 2)
    monkeypatch.setattr(table_files, "ROWS_AT_ONCE", 2)
    write_table(tmp_path / "l.parquet", whole_tables.LEDGER_COLUMNS, whole_tables.whole_ledger(site))
    rows = pyarrow.parquet.read_table(tmp_path / "l.parquet").to_pylist()
    assert [(row["plate"], row["outcome"]) for row in rows] == [
        ("P1", "crystal_harvestable"),
        ("P1", "unreadable"),
        ("P2", "crystal_harvestable"),
        ("P2", "unreadable"),
        ("P1", "clear"),
    ]
    assert [row["counts"] for row in rows] == [True, True, True, True, False]
    assert rows[-1]["taken_back_at"] == NOON
    assert (rows[-1]["comment"], rows[0]["person"], rows[-1]["threshold"]) == ("=1", None, None)
    assert isinstance(rows[0]["scored_at"], datetime)
    assert rows[1]["error"] == "the JPEG is cut off"
    assert pyarrow.parquet.ParquetFile(tmp_path / "l.parquet").num_row_groups == 3


def test_every_crystal_is_a_row_with_lengths_where_the_scale_is_known(site: Installation, tmp_path: Path) -> None:
    table = WHOLE_TABLES["crystals"]
    calibrated = replace(site, settings=Settings(micrometres_per_pixel={"all images": 2.5}))
    for where, lengths in ((site, ["", ""]), (calibrated, ["200.0", "30.0"])):
        assert write_table(tmp_path / "c.csv", table.columns, table.rows(where)) == 2
        rows = in_csv(tmp_path / "c.csv")
        assert [row["long_um"] for row in rows] == lengths
    assert [(row["plate"], row["well"], row["crystal"], row["probability"]) for row in rows] == [
        ("P1", "A01", "1", "0.93"),
        ("P1", "A01", "2", "0.71"),
    ]
    assert (rows[0]["long_px"], rows[0]["middle_column_px"], rows[0]["cut_off"]) == ("80", "140.0", "no")
    assert (rows[0]["um_per_px"], rows[0]["counts"], rows[0]["upright_left"]) == ("2.5", "yes", "100")


def test_how_many_crystals_were_found_stands_in_scores_and_ledger(site: Installation) -> None:
    scores = list(WHOLE_TABLES["scores"].rows(site))
    assert [(row.get("auto_crystals_found"), row.get("auto_longest_px")) for row in scores] == [
        (2, 80),
        (None, None),
        (None, None),
        (0, None),
        (None, None),
        (None, None),
    ]
    ledger = list(WHOLE_TABLES["ledger"].rows(site))
    assert [row.get("crystals_found") for row in ledger] == [2, None, 0, None, None]


def test_an_empty_installation_gives_a_header(tmp_path: Path) -> None:
    site = Installation(home=Home(tmp_path / "home").made(), settings=Settings(), imaging=MemoryImaging())
    for kind in (".csv", ".parquet"):
        assert write_table(tmp_path / f"l{kind}", whole_tables.LEDGER_COLUMNS, whole_tables.whole_ledger(site)) == 0
    assert (tmp_path / "l.csv").read_text(encoding="utf-8").startswith("score_id,plate,well")
    assert pyarrow.parquet.read_table(tmp_path / "l.parquet").column_names == list(whole_tables.LEDGER_COLUMNS)


def test_every_column_is_of_the_vocabulary() -> None:
    assert all(column_named(name) for table in WHOLE_TABLES.values() for name in table.columns)


def test_a_file_that_breaks_off_is_not_there(tmp_path: Path) -> None:
    def rows() -> Iterator[Row]:
        yield {"plate": "P1"}
        raise RuntimeError

    for kind in (".csv", ".parquet"):
        with pytest.raises(RuntimeError):
            write_table(tmp_path / f"t{kind}", ("plate",), rows())
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"end the file's name in one of \.csv, \.parquet"):
        write_table(tmp_path / "t.xlsx", ("plate",), [])
    with pytest.raises(UserError, match="name a file in a folder that is there"):
        write_table(tmp_path / "none" / "t.csv", ("plate",), [])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UserError, match=r"pip install 'crystal-search\[tables\]'"):
        write_table(tmp_path / "t.parquet", ("plate",), [])
    assert list(tmp_path.iterdir()) == []
