"""The drops of all plates for programs: rows as in the table of scores, by filters, part by part."""

import csv
import io
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from crystal_search.server.imaging.imaging_database import DropScores
from crystal_search.server.imaging.plate_facts import PlateFacts, Source
from crystal_search.server.imaging.stored_images import NewImage
from crystal_search.viewer import drop_walk
from crystal_search.viewer.app import viewer_app
from crystal_search.wells import WellKey
from tests.memory_imaging import MemoryImaging
from tests.viewer_site import NOON, Client, add_plate, auto_score, hand_score, score_plate

Rows = list[dict[str, object]]


@pytest.fixture
def imaging(tmp_path: Path) -> MemoryImaging:
    """Two plates: P1 scored, its first inspection by a person too, P2 of another project, in two channels."""
    database = MemoryImaging()
    first = add_plate(database, tmp_path)
    score_plate(database, first, ["crystal_harvestable", "clear", "no_drop", "precipitate", "unreadable"])
    database.add_manual_score(hand_score(first[1].image.id, "crystal_bad_form"))
    second = add_plate(database, tmp_path, plate="P2", inspection=9)
    add_plate(database, tmp_path, plate="P2", inspection=9, channel="uv")
    database.add_auto_scores([auto_score(second[0].image.id, "crystal_harvestable", 0.6)])
    facts = [PlateFacts(plate="P1", project="mx-1"), PlateFacts(plate="P2", project="mx-2", owner="Zoë")]
    database.note_plates(facts, source=Source(name="ispyb"))
    return database


@pytest.fixture
def client(imaging: MemoryImaging, tmp_path: Path) -> Client:
    return Client(viewer_app(imaging, tmp_path / "thumbnails"))


def drops(client: Client, **asked: object) -> Rows:
    found: Rows = client.get(f"/api/drops?{urlencode(asked)}").json()["drops"]
    return found


def places(rows: Rows) -> list[str]:
    return [f"{row['plate']} {row['well']}" for row in rows]


def test_rows_are_those_of_the_table_of_scores(client: Client) -> None:
    rows = drops(client, plate="P1")
    table = list(csv.DictReader(io.StringIO(client.get("/plate/P1/scores.csv").text)))
    in_csv = {True: "yes", False: "no", None: ""}
    told = [{name: in_csv.get(cell, str(cell)) for name, cell in row.items() if cell != 1} for row in rows]  # type: ignore[call-overload]
    assert told == [{name: line[name] for name in row} for line, row in zip(table, told, strict=True)]
    assert [*rows[0]] == [*table[0]]
    assert (rows[0]["row"], rows[0]["column"], rows[0]["auto_p_crystal"]) == (1, 1, 0.97)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"auto_group": "crystal"}, ["P1 A01", "P2 A01"]),
        ({"auto_group": "crystal", "auto_above_threshold": "yes"}, ["P1 A01"]),
        ({"auto_p_crystal_from": 0.6}, ["P1 A01", "P2 A01"]),
        ({"auto_p_crystal_from": 0.61}, ["P1 A01"]),
        ({"auto_outcome": "no_drop"}, ["P1 A03"]),
        ({"auto_outcome": "unreadable"}, ["P1 B02"]),
        ({"manual_group": "crystal"}, ["P1 A02"]),
        ({"manual_outcome": "crystal_bad_form", "auto_outcome": "clear"}, ["P1 A02"]),
        ({"manual_outcome": "clear"}, []),
        ({"project": "mx-2", "auto_group": "crystal"}, ["P2 A01"]),
        ({"project": "mx-3"}, []),
        ({"since": (NOON + timedelta(days=8)).isoformat(), "auto_group": "crystal"}, ["P2 A01"]),
        ({"until": "2025-11-22", "auto_group": "crystal"}, ["P1 A01"]),
        ({"imager": "all images", "manual_group": "crystal"}, ["P1 A02"]),
        ({"imager": "RI1000-0081"}, []),
    ],
)
def test_filters_find_drops_on_all_plates(client: Client, asked: dict[str, object], found: list[str]) -> None:
    assert places(drops(client, **asked)) == found


def test_images_of_another_channel_are_asked_for(client: Client) -> None:
    assert len(drops(client, channel="uv")) == 6
    assert {row["owner"] for row in drops(client, channel="uv")} == {"Zoë"}


@pytest.mark.parametrize("per_page", [1, 4, 6, 500])
def test_parts_follow_each_other_without_a_gap(client: Client, per_page: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drop_walk, "INSPECTIONS", 1)
    met: Rows = []
    after: str | None = ""
    while after is not None:
        asked = {"per_page": per_page} | ({"after": after} if after else {})
        part = client.get(f"/api/drops?{urlencode(asked)}").json()
        met, after = [*met, *part["drops"]], part["next"]
    assert places(met) == [f"{plate} {row}0{column}" for plate in ("P1", "P2") for row in "AB" for column in (1, 2, 3)]


def test_what_is_rare_costs_no_more_than_so_many_inspections(
    imaging: MemoryImaging, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [WellKey(plate=f"Q{number:02}", row=0, column=0) for number in range(40)]
    imaging.add_images([NewImage(key=each, path=f"/{each.plate}.jpg", imaged_at=NOON) for each in keys])
    asked: list[str] = []
    read = imaging.drops

    def counted(plate: str, **options: Any) -> list[DropScores]:
        asked.append(plate)
        return read(plate, **options)

    monkeypatch.setattr(imaging, "drops", counted)
    part = client.get("/api/drops?manual_outcome=spherulites").json()
    assert (part["drops"], len(asked)) == ([], drop_walk.INSPECTIONS)
    assert part["next"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("auto_grop=crystal", "no parameter 'auto_grop'; choose from since, until, plate"),
        ("auto_group=salt", "auto_group must be one of crystal, precipitate, other, clear, got 'salt'"),
        ("per_page=501", "per_page must be a number from 1 to 500"),
        ("after=nothing", "after must be `next` of an answer, as it is, got 'nothing'"),
        ("since=yesterday", "since must be a day or a time like 2026-01-31T12:00:00Z"),
        ("auto_p_crystal_from=2", "auto_p_crystal_from must be a number from 0 to 1"),
        ("plate=%00", "plate must be at most 100 printable letters"),
    ],
)
def test_what_cannot_be_asked_is_refused(client: Client, asked: str, said: str) -> None:
    answer = client.get(f"/api/drops?{asked}")
    assert answer.status_code == 400
    assert said in answer.json()["error"]


def test_an_empty_installation_has_no_drops(tmp_path: Path) -> None:
    client = Client(viewer_app(MemoryImaging(), tmp_path / "thumbnails"))
    assert client.get("/api/drops").json() == {"drops": [], "next": None}
