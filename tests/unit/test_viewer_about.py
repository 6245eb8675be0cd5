"""Whose plates are and what is in wells, as the viewer tells it."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from crystal_search.server.imaging.plate_facts import Condition, Ingredient, PlateFacts, Source
from crystal_search.viewer.app import viewer_app
from tests.memory_imaging import MemoryImaging
from tests.viewer_site import Client, add_plate

ISPYB = Source(name="ispyb")
FACTS = PlateFacts(plate="P1", project="mx-1", protein="lysozyme", owner="Zoë", people=("Ann",), plate_type="SWISSCI")
HEPES = Ingredient(name="HEPES", concentration=0.1, unit="M", ph=7.5, role="buffer")
WELL = Condition(plate="P1", row=0, column=0, name="JCSG A1", ingredients=(HEPES, Ingredient(name="25 % PEG")))


@pytest.fixture
def imaging() -> Iterator[MemoryImaging]:
    database = MemoryImaging()
    yield database
    database.close()


@pytest.fixture
def client(imaging: MemoryImaging, tmp_path: Path) -> Client:
    return Client(viewer_app(imaging, tmp_path / "thumbnails"))


def test_a_drop_tells_what_is_in_it_and_whose_it_is(imaging: MemoryImaging, client: Client, tmp_path: Path) -> None:
    first, other, *_ = add_plate(imaging, tmp_path)
    imaging.note_plates([FACTS], source=ISPYB)
    imaging.note_conditions([WELL], source=ISPYB)
    told = client.get(f"/api/drop/{first.image.id}").json()
    assert {name: told[name] for name in ("project", "protein", "owner", "people", "plate_type")} == {
        "project": "mx-1",
        "protein": "lysozyme",
        "owner": "Zoë",
        "people": ["Ann"],
        "plate_type": "SWISSCI",
    }
    assert (told["condition_name"], told["condition_source"]) == ("JCSG A1", "ispyb")
    assert told["condition"] == "0.1 M HEPES pH 7.5, 25 % PEG"
    assert told["ingredients"] == [
        {
            "ingredient": "HEPES",
            "concentration": 0.1,
            "concentration_unit": "M",
            "ph": 7.5,
            "role": "buffer",
            "text": "0.1 M HEPES pH 7.5",
        },
        {
            "ingredient": "25 % PEG",
            "concentration": None,
            "concentration_unit": "",
            "ph": None,
            "role": "",
            "text": "25 % PEG",
        },
    ]
    assert "condition" not in client.get(f"/api/drop/{other.image.id}").json()


def test_a_board_tells_it_of_every_drop(imaging: MemoryImaging, client: Client, tmp_path: Path) -> None:
    add_plate(imaging, tmp_path)
    imaging.note_plates([FACTS], source=ISPYB)
    imaging.note_conditions([WELL], source=ISPYB)
    board = client.get("/api/plate/P1").json()
    assert (board["project"], board["owner"]) == ("mx-1", "Zoë")
    wells = {drop["well"]: drop.get("condition_name") for drop in board["drops"]}
    assert wells == {"A01": "JCSG A1"} | {well: None for well in wells if well != "A01"}
    assert len(wells) > 1


def test_the_table_tells_it_too(imaging: MemoryImaging, client: Client, tmp_path: Path) -> None:
    add_plate(imaging, tmp_path)
    imaging.note_plates([PlateFacts(plate="P1", project="=HYPERLINK()", owner="Zoë")], source=ISPYB)
    imaging.note_conditions([WELL], source=ISPYB)
    first, *_, last = csv.DictReader(io.StringIO(client.get("/plate/P1/scores.csv").text))
    assert (first["project"], first["protein"], first["owner"]) == ("'=HYPERLINK()", "", "Zoë")
    assert (first["condition_name"], first["condition"]) == ("JCSG A1", "0.1 M HEPES pH 7.5, 25 % PEG")
    assert (last["project"], last["condition"]) == ("'=HYPERLINK()", "")


def test_a_plate_of_which_nobody_says_anything_tells_nothing(
    imaging: MemoryImaging, client: Client, tmp_path: Path
) -> None:
    first, *_ = add_plate(imaging, tmp_path)
    assert client.get("/api/plate/P1").json()["project"] == ""
    assert client.get(f"/api/drop/{first.image.id}").json()["people"] == []


def test_what_is_noted_cannot_become_markup(imaging: MemoryImaging, client: Client, tmp_path: Path) -> None:
    first, *_ = add_plate(imaging, tmp_path)
    bad = "</script><script>alert(1)</script>"
    imaging.note_plates([PlateFacts(plate="P1", project=bad, owner=bad, people=(bad,))], source=Source(name=bad))
    condition = Condition(plate="P1", row=0, column=0, name=bad, ingredients=(Ingredient(name=bad, unit=bad),))
    imaging.note_conditions([condition], source=Source(name=bad))
    for page in ("/plate/P1", f"/drop/{first.image.id}"):
        text = client.get(page).text
        assert "alert(1)" in text
        assert "<script>alert" not in text


def test_the_list_is_searched_sorted_and_cut_into_pages(imaging: MemoryImaging, client: Client, tmp_path: Path) -> None:
    for number in range(3):
        add_plate(imaging, tmp_path, plate=f"P{number}")
    imaging.note_plates([FACTS], source=ISPYB)
    imaging.note_conditions([WELL], source=ISPYB)
    told = client.get("/api/plates?sort=plate&turned=yes&page=2&per_page=2").json()
    assert [each["plate"] for each in told["plates"]] == ["P0"]
    assert (told["page"], told["pages"], told["per_page"], told["found"], told["all"]) == (2, 2, 2, 3, 3)
    for search in ("MX-1", "zoë+lyso", "hepes", "p1"):
        told = client.get(f"/api/plates?search={search}").json()
        assert ([each["plate"] for each in told["plates"]], told["found"], told["all"]) == (["P1"], 1, 3)
    line = told["plates"][0]
    assert {name: line[name] for name in ("project", "crystals", "crystals_by_hand", "disagreements")} == {
        "project": "mx-1",
        "crystals": 0,
        "crystals_by_hand": 0,
        "disagreements": 0,
    }
    assert client.get("/api/plates?search=%25").json()["found"] == 1  # the one with 25 % PEG


@pytest.mark.parametrize(
    "asked", ["sort=colour", "page=0", "page=x", "per_page=501", "per_page=-1", f"search={'x' * 201}"]
)
def test_what_the_list_cannot_be_asked_is_refused(client: Client, asked: str) -> None:
    assert client.get(f"/api/plates?{asked}").status_code == 400
    assert client.get(f"/plates?{asked}").status_code == 400
