"""The ledger of all images for programs, part by part."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from crystal_search.viewer.app import viewer_app
from tests.memory_imaging import MemoryImaging
from tests.viewer_site import NOON, Client, add_plate, auto_score, hand_score


@pytest.fixture
def imaging(tmp_path: Path) -> MemoryImaging:
    database = MemoryImaging()
    drops = add_plate(database, tmp_path)
    for number, drop in enumerate(drops):
        database.add_auto_scores([auto_score(drop.image.id, "crystal_bad_form")])
        if number % 2:
            database.add_manual_score(hand_score(drop.image.id, "clear", comment="tiny"))
    return database


@pytest.fixture
def client(imaging: MemoryImaging, tmp_path: Path) -> Client:
    return Client(viewer_app(imaging, tmp_path / "thumbnails"))


def followed(client: Client, after: int, per_page: int) -> tuple[list[dict[str, Any]], int]:
    """Return every score after one, and where to go on later."""
    met: list[dict[str, Any]] = []
    while True:
        part = client.get(f"/api/scores?after={after}&per_page={per_page}").json()
        met, after = met + part["scores"], part["next"]
        if part["is_last"]:
            return met, after


@pytest.mark.parametrize("per_page", [1, 3, 9, 500])
def test_whoever_follows_gets_every_score_once(imaging: MemoryImaging, client: Client, per_page: int) -> None:
    met, after = followed(client, 0, per_page)
    assert len(met) == 9
    assert [each["score_id"] for each in met] == sorted({each["score_id"] for each in met})
    assert followed(client, after, per_page) == ([], after)
    imaging.add_manual_score(hand_score(met[0]["image_id"], "spherulites", person="Ben"))
    (new,), last = followed(client, after, per_page)
    assert (new["person"], new["outcome"], new["group"], new["score_id"]) == ("Ben", "spherulites", "other", last)


def test_both_kinds_of_score_say_what_the_tables_say(client: Client) -> None:
    met, _ = followed(client, 0, 500)
    machine = next(each for each in met if each["person"] is None)
    person = next(each for each in met if each["person"])
    assert (machine["plate"], machine["well"], machine["outcome"]) == ("P1", "A01", "crystal_bad_form")
    assert (machine["p_crystal"], machine["above_threshold"], machine["classifier"]) == (0.97, True, "test-net")
    assert (person["outcome"], person["comment"], person["p_crystal"], person["classifier"]) == (
        "clear",
        "tiny",
        None,
        None,
    )
    assert person["scored_at"] == (NOON + timedelta(hours=1)).isoformat()


def test_an_empty_ledger_has_no_scores(tmp_path: Path) -> None:
    client = Client(viewer_app(MemoryImaging(), tmp_path / "thumbnails"))
    assert client.get("/api/scores?after=7").json() == {"scores": [], "next": 7, "is_last": True}


@pytest.mark.parametrize("asked", ["after=-1", "after=x", "per_page=0", "per_page=501", "since=2026-01-31"])
def test_what_cannot_be_asked_is_refused(client: Client, asked: str) -> None:
    assert client.get(f"/api/scores?{asked}").status_code == 400
