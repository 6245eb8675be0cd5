"""People who see the plates of some projects: nothing tells them that there are others."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from starlette.exceptions import HTTPException

from crystal_search.server.imaging.imaging_database import ImagingDatabase
from crystal_search.server.imaging.plate_facts import PlateFacts, Source
from crystal_search.server.imaging.plate_list import PlateQuery
from crystal_search.viewer.addresses import Address
from crystal_search.viewer.limited import LimitedImaging, LimitedQueues
from crystal_search.viewer.queue_kinds import Entry
from crystal_search.viewer.queues import Key, Listing
from crystal_search.viewer.routes import ADDRESSES
from tests.memory_imaging import MemoryImaging
from tests.people_site import PeopleSite, people_site
from tests.viewer_site import Client, add_plate, hand_score, score_plate

OPEN, SECRET, NOBODYS = "Open-1", "Secret-1", "Nobodys-1"
PROJECT = "mx-7"
UNKNOWN_ID = 999_999
#: What is sent, beside the number of an image.
SENT: dict[str, dict[str, object]] = {
    "/api/score": {"outcome": "clear"},
    "/api/comment": {"text": "tiny needles"},
    "/api/take-back": {"score_id": 1},
    "/api/mark": {"kind": "favourite"},
}


@pytest.fixture
def imaging(tmp_path: Path) -> Iterator[MemoryImaging]:
    database = MemoryImaging()
    for plate in (OPEN, SECRET, NOBODYS):
        drops = add_plate(database, tmp_path, plate=plate, rows=1, columns=2)
        score_plate(database, drops, ["clear", "crystal_bad_form"])
        database.add_manual_score(hand_score(drops[0].image.id, "crystal_bad_form", person="Eve"))
    database.note_plates(
        [PlateFacts(plate=OPEN, project=PROJECT), PlateFacts(plate=SECRET, project="hidden", protein="kinase")],
        source=Source(name="test"),
    )
    yield database
    database.close()


@pytest.fixture
def site(imaging: MemoryImaging, tmp_path: Path) -> Iterator[PeopleSite]:
    with people_site(imaging, tmp_path) as found:
        found.store.set_projects("Root", (PROJECT,))
        yield found


def id_on(imaging: MemoryImaging, plate: str) -> int:
    return imaging.drops(plate, inspection=1)[0].image.id


@dataclass(frozen=True)
class Asked:
    """An address that names a plate or an image, and one that is asked instead."""

    client: Client
    address: Address

    def answer(self, plate: str, image_id: int) -> httpx.Response:
        filled = {"plate": plate, "image_id": str(image_id), "queue": "person", "format": "harvest"}
        path = self.address.plain_path.format_map(filled)
        if self.address.method == "GET":
            return self.client.get(f"{path}?ids={image_id}")
        told = {"image_id": image_id} | SENT.get(path, {})
        return self.client.post(path, json.dumps(told).encode())


def test_what_is_of_another_project_is_not_there_at_any_address(site: PeopleSite, imaging: MemoryImaging) -> None:
    secret_id, client = id_on(imaging, SECRET), site.client("Root")
    walked = 0
    for address in (each for each in ADDRESSES if each.needs):
        asked = Asked(client, address)
        secret, unknown = asked.answer(SECRET, secret_id), asked.answer("none", UNKNOWN_ID)
        told = secret.text.replace(SECRET, "none").replace(f"image {secret_id}", f"image {UNKNOWN_ID}")
        assert (secret.status_code, secret.status_code == 401) == (unknown.status_code, False), address.path
        assert "kinase" not in secret.text
        names_one = "{plate}" in address.path or "{image_id" in address.path
        if names_one or "image_id" in getattr(address.takes, "__annotations__", ()):
            assert secret.status_code == 404, address.path
            assert told == unknown.text, address.path
            walked += 1
        else:
            assert SECRET not in secret.text
    assert walked >= 14
    assert [each.person for each in imaging.drops(SECRET, inspection=1)[0].people] == ["Eve"]


def test_what_is_of_the_project_is_all_there(site: PeopleSite, imaging: MemoryImaging) -> None:
    open_id, client = id_on(imaging, OPEN), site.client("Root")
    for address in ADDRESSES:
        if address.method == "GET" and ("{plate}" in address.path or "{image_id" in address.path):
            assert Asked(client, address).answer(OPEN, open_id).status_code == 200, address.path
    told = json.dumps({"image_id": open_id, "outcome": "clear"}).encode()
    assert client.post("/api/score", told).status_code == 201
    assert imaging.drops(OPEN, inspection=1)[0].people[0].person == "Root"


def test_lists_counts_and_neighbours_know_no_other_plates(site: PeopleSite) -> None:
    client = site.client("Root")
    listed = client.get("/api/plates").json()
    assert (listed["found"], listed["all"], [each["plate"] for each in listed["plates"]]) == (1, 1, [OPEN])
    assert client.get("/api/plates?search=kinase").json()["found"] == 0
    for page in ("/", f"/plate/{OPEN}", "/queues/person", "/imagers"):
        text = client.get(page).text
        assert SECRET not in text
        assert NOBODYS not in text


@pytest.mark.parametrize("path", ["/report", "/report.pptx", "/api/drops", "/api/plates"])
def test_naming_another_project_is_like_naming_none_that_there_is(site: PeopleSite, path: str) -> None:
    client = site.client("Root")
    asked = [client.get(f"{path}?{key}={value}") for key, value in (("project", "hidden"), ("project", "nothing"))]
    assert asked[0].status_code == asked[1].status_code
    told = [each.text.replace("nothing", "hidden") for each in asked]  # pages have attributes of this name, too
    assert told[0] == told[1]
    assert SECRET not in asked[0].text


def test_a_person_without_a_project_sees_nothing_and_one_without_limits_all(site: PeopleSite) -> None:
    site.store.set_projects("Ada", ())
    assert site.client("Ada").get("/api/plates").json()["all"] == 0
    assert site.client("Lea").get("/api/plates").json()["all"] == 3


def test_another_project_counts_from_the_next_request_on(site: PeopleSite) -> None:
    client = site.client("Root")
    site.store.set_projects("Root", ("hidden",))
    assert client.get(f"/plate/{SECRET}").status_code == 200
    assert client.get(f"/plate/{OPEN}").status_code == 404


def test_a_token_sees_what_its_person_sees(site: PeopleSite) -> None:
    secret = site.store.add_token("Root", label="x", role="administer", seconds=60)
    client = Client(site.app, always={"authorization": f"Bearer {secret}"})
    assert client.get(f"/api/plate/{OPEN}").status_code == 200
    assert client.get(f"/api/plate/{SECRET}").status_code == 404


def test_a_list_worth_a_look_leaves_out_what_is_not_seen(imaging: MemoryImaging) -> None:
    images = [each.image for plate in (OPEN, SECRET) for each in imaging.drops(plate, inspection=1)]

    class Lists:
        def imagers(self) -> list[str]:
            return ["one"]

        def get(self, _: Key) -> Listing:
            return Listing(entries=tuple(Entry(each, {}) for each in images), is_current=True)

    limited = LimitedQueues(Lists(), cast(ImagingDatabase, LimitedImaging(imaging, (PROJECT,))))
    assert {each.image.key.plate for each in limited.get(Key("person", "")).entries} == {OPEN}
    assert limited.imagers() == ["one"]
    nobody = LimitedQueues(Lists(), cast(ImagingDatabase, LimitedImaging(imaging, ())))
    assert nobody.get(Key("person", "")).why_empty == "No drop of this list is on a plate that you see."


def test_what_nobody_limited_yet_is_refused(imaging: MemoryImaging) -> None:
    limited: Any = LimitedImaging(imaging, (PROJECT,))
    with pytest.raises(HTTPException, match="some projects only"):
        limited.newest_by_hand()
    with pytest.raises(HTTPException, match="there is no image"):
        limited.add_manual_score(hand_score(id_on(imaging, SECRET), "clear"))


def test_a_plate_that_is_seen_no_longer_has_another_state(imaging: MemoryImaging) -> None:
    states = [
        LimitedImaging(cast(ImagingDatabase, imaging), projects).state_of_drops(plate, inspection=1)
        for projects, plate in (((PROJECT,), OPEN), ((PROJECT,), SECRET), ((), OPEN))
    ]
    assert states == [imaging.state_of_drops(OPEN, inspection=1), None, None]


def test_the_list_of_plates_knows_projects(imaging: MemoryImaging) -> None:
    page = imaging.list_plates(PlateQuery(projects=(PROJECT,)))
    assert ([each.plate for each in page.plates], page.found, page.all) == ([OPEN], 1, 1)
    assert imaging.list_plates(PlateQuery(projects=())).all == 0
