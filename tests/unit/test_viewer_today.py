"""Today: which drops are new to whom, in which order; and what browsers say that people have seen."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from crystal_search.server.imaging.imaging_database import DropScores
from crystal_search.server.imaging.plate_facts import PlateFacts, Source
from crystal_search.viewer import best_cards
from crystal_search.viewer.app import viewer_app
from crystal_search.viewer.hand_scores import MAX_PLATES
from tests.memory_imaging import MemoryImaging
from tests.viewer_site import Client, add_plate, auto_score, hand_score


@pytest.fixture
def imaging() -> MemoryImaging:
    return MemoryImaging()


@pytest.fixture
def client(imaging: MemoryImaging, tmp_path: Path) -> Client:
    return Client(viewer_app(imaging, tmp_path / "thumbnails"))


def scored(
    imaging: MemoryImaging, folder: Path, plate: str, *scores: tuple[str, float], inspection: int = 1
) -> list[DropScores]:
    drops = add_plate(imaging, folder, plate=plate, rows=1, columns=len(scores), inspection=inspection)
    pairs = zip(drops, scores, strict=True)
    imaging.add_auto_scores([auto_score(drop.image.id, *score) for drop, score in pairs])
    return drops


def asked(client: Client, query: str = "person=Ada") -> Any:
    return client.get(f"/api/today?{query}").json()


def wells(found: Any) -> list[tuple[str, str, int, bool]]:
    return [(each["plate"], each["well"], each["inspection"], each["seen"]) for each in found["cards"]]


def say_seen(client: Client, **said: object) -> Any:
    answer = client.post("/api/seen", json.dumps({"person": "Ada"} | said).encode())
    return answer.json()


def test_the_likeliest_crystals_come_first_and_unlikely_ones_not_at_all(
    imaging: MemoryImaging, client: Client, tmp_path: Path
) -> None:
    scored(imaging, tmp_path, "P1", ("crystal_bad_form", 0.6), ("clear", 0.99))
    scored(imaging, tmp_path, "P2", ("crystal_harvestable", 0.9), ("no_drop", 0.0))
    imaging.note_plates([PlateFacts(plate="P2", project="mx-2")], source=Source(name="x"))
    found = asked(client)
    assert wells(found) == [("P2", "A01", 1, False), ("P1", "A01", 1, False)]
    assert [each["project"] for each in found["cards"]] == ["mx-2", ""]
    assert (found["plates"], found["more"], found["any_plates"]) == (["P1", "P2"], False, True)
    assert (found["last_looked"], found["days"]) == (None, None)


def test_a_drop_is_one_card_of_the_inspection_that_shows_it_best(
    imaging: MemoryImaging, client: Client, tmp_path: Path
) -> None:
    for inspection, probability in ((1, 0.7), (2, 0.9), (3, 0.9)):
        scored(imaging, tmp_path, "P1", ("crystal_bad_form", probability), inspection=inspection)
    assert wells(asked(client)) == [("P1", "A01", 3, False)]


def test_plates_that_were_seen_and_drops_that_were_scored_come_last(
    imaging: MemoryImaging, client: Client, tmp_path: Path
) -> None:
    scored(imaging, tmp_path, "P1", ("crystal_bad_form", 0.99))
    drops = scored(imaging, tmp_path, "P2", ("crystal_bad_form", 0.9), ("crystal_bad_form", 0.5))
    found = asked(client)
    assert say_seen(client, plates=["P1", "P0"], as_of=found["as_of"]) == {"plates": ["P1"]}
    imaging.add_manual_score(hand_score(drops[0].image.id, "clear"))
    assert wells(asked(client)) == [("P2", "A02", 1, False), ("P1", "A01", 1, True), ("P2", "A01", 1, True)]
    assert asked(client)["plates"] == ["P2"]
    assert wells(asked(client, "person=Ben"))[0] == ("P1", "A01", 1, False)


def test_plates_are_shown_whole_and_who_has_seen_them_goes_on_with_the_next(
    imaging: MemoryImaging, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(best_cards, "IMAGES", 3)
    for number in range(3):
        scored(
            imaging, tmp_path, f"P{number}", *[("crystal_bad_form", 0.9 - 0.1 * number - 0.2 * at) for at in range(2)]
        )
    pages = [asked(client, f"person=Ada&after={after}") for after in (0, 2)]
    assert [(page["plates"], len(page["cards"]), page["more"]) for page in pages] == [
        (["P0", "P1"], 4, True),
        (["P2"], 2, False),
    ]
    say_seen(client, plates=["P0", "P1"], as_of=pages[0]["as_of"])
    found = asked(client)
    assert (found["plates"], found["more"]) == (["P2"], False)
    assert wells(found)[:2] == [("P2", "A01", 1, False), ("P2", "A02", 1, False)]


def test_the_page_begins_where_a_person_looked_through_it_last(
    imaging: MemoryImaging, client: Client, tmp_path: Path
) -> None:
    scored(imaging, tmp_path, "P1", ("crystal_bad_form", 0.9))
    say_seen(client, through=True, as_of=asked(client)["as_of"])
    found = asked(client)
    assert (found["cards"], found["since"], found["any_plates"]) == ([], found["last_looked"], True)
    assert len(asked(client, "person=Ada&days=7")["cards"]) == len(asked(client, "")["cards"]) == 1
    scored(imaging, tmp_path, "P2", ("crystal_bad_form", 0.5))
    assert wells(asked(client)) == [("P2", "A01", 1, False)]


def test_an_empty_installation_says_that_there_are_no_plates(client: Client) -> None:
    assert asked(client)["any_plates"] is False
    assert client.get("/").status_code == 200


def test_links_to_the_list_of_plates_that_was_here_lead_to_it(client: Client) -> None:
    answer = client.get("/?search=mx-1&sort=crystals")
    assert (answer.status_code, answer.headers["location"]) == (307, "/plates?search=mx-1&sort=crystals")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"person": ""}, "printable"),
        ({"as_of": "yesterday"}, "a time with its zone"),
        ({"as_of": "2026-01-31T12:00:00"}, "a time with its zone"),
        ({"as_of": "0001-01-01T00:00:00+14:00"}, "a time with its zone"),
        ({"plates": ["P"] * (MAX_PLATES + 1)}, str(MAX_PLATES)),
        ({"plates": "P1"}, "plates"),
        ({"through": "yes"}, "through"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_cannot_be_seen_is_refused(client: Client, said: dict[str, object], message: str) -> None:
    answer = say_seen(client, **said)
    assert answer["status"] == 400
    assert message in answer["error"]


def test_nobody_has_seen_what_is_still_to_come(imaging: MemoryImaging, client: Client) -> None:
    say_seen(client, through=True, as_of=(datetime.now(UTC) + timedelta(days=9)).isoformat())
    last = imaging.last_looked("Ada")
    assert last is not None
    assert last <= datetime.now(UTC)


def test_a_snapshot_notes_nothing(imaging: MemoryImaging, tmp_path: Path) -> None:
    client = Client(viewer_app(imaging, tmp_path, is_snapshot=True))
    assert say_seen(client, through=True)["status"] == 403
    assert imaging.last_looked("Ada") is None
