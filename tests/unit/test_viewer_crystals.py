"""Crystals one by one: what programs get of them."""

import json
from pathlib import Path

import pytest

from crystal_search.columns import column_named
from crystal_search.server.home import Home
from crystal_search.server.imaging.plate_facts import PlateFacts, Source
from crystal_search.server.installation import Installation
from crystal_search.server.settings import Settings
from crystal_search.viewer.app import viewer_app
from crystal_search.viewer.crystal_records import TOLD, crystal_records
from tests.memory_imaging import MemoryImaging
from tests.people_site import people_site
from tests.viewer_site import CRYSTALS, Client, add_plate, auto_score, crystal_score

SCALE = 2.5


@pytest.fixture
def imaging(tmp_path: Path) -> MemoryImaging:
    """A plate with crystals, one without any, one in which nobody looked for them, one without a score."""
    database = MemoryImaging()
    found, none, unsearched, _ = add_plate(database, tmp_path, rows=1, columns=4)
    scores = [crystal_score(found.image.id), crystal_score(none.image.id, ()), auto_score(unsearched.image.id, "clear")]
    database.add_auto_scores(scores)
    return database


def client_of(imaging: MemoryImaging, tmp_path: Path, scale: float | None = None) -> Client:
    home = Home(tmp_path / "home").made()
    settings = Settings(micrometres_per_pixel={"all images": scale} if scale else {})
    site = Installation(home=home, settings=settings, imaging=imaging)
    return Client(viewer_app(imaging, home.thumbnails, site=site))


def ids(imaging: MemoryImaging) -> list[int]:
    return [drop.image.id for drop in imaging.drops("P1", inspection=1)]


def test_a_drop_tells_its_crystals_the_most_probable_first(imaging: MemoryImaging, tmp_path: Path) -> None:
    for scale, lengths in ((None, [None] * 3), (SCALE, [200.0, 30.0, 60.0])):
        client = client_of(imaging, tmp_path, scale)
        (score,) = client.get(f"/api/drop/{ids(imaging)[0]}").json()["ledger"]
        crystals = score["crystals"]
        assert [each["crystal"] for each in crystals] == [1, 2, 3]
        assert [each["probability"] for each in crystals] == [0.93, 0.71, 0.6]
        assert [each["long_um"] for each in crystals] == lengths
        assert [each["cut_off"] for each in crystals] == [False, False, True]
        assert crystals[0]["outline"] == [[90, 100], [90, 180], [110, 180], [110, 100]]
        assert (score["crystals_found"], score["longest_px"]) == (3, 80)


def test_none_found_is_told_apart_from_not_looked_for(imaging: MemoryImaging, tmp_path: Path) -> None:
    client = client_of(imaging, tmp_path)
    told = [client.get(f"/api/drop/{each}").json()["ledger"][0] for each in ids(imaging)[1:3]]
    assert [(each["crystals"], each["crystals_found"]) for each in told] == [([], 0), (None, None)]


def test_a_plate_tells_how_many_there_are_and_how_long_the_longest(imaging: MemoryImaging, tmp_path: Path) -> None:
    for scale, longest in ((None, None), (SCALE, 200.0)):
        drops = client_of(imaging, tmp_path, scale).get("/api/plate/P1").json()["drops"]
        assert [each["longest_um"] for each in drops] == [longest, None, None, None]
        assert [each["auto"] and each["auto"]["crystals_found"] for each in drops] == [3, 0, None, None]
    rows = client_of(imaging, tmp_path).get("/api/drops").json()["drops"]
    assert [(row["auto_crystals_found"], row["auto_longest_px"]) for row in rows] == [
        (3, 80),
        (0, None),
        (None, None),
        (None, None),
    ]
    scores = client_of(imaging, tmp_path).get("/api/scores").json()["scores"]
    assert [row["crystals_found"] for row in scores] == [3, 0, None]


def test_today_tells_how_long_the_longest_is(imaging: MemoryImaging, tmp_path: Path) -> None:
    cards = client_of(imaging, tmp_path, SCALE).get("/api/today?days=3650").json()["cards"]
    assert [(card["longest_um"], card["auto"]["crystals_found"]) for card in cards] == [(200.0, 3), (None, 0)]


def test_fields_are_columns_of_the_vocabulary(imaging: MemoryImaging) -> None:
    (record, *_) = crystal_records(crystal_score(1).found, None) or []
    assert [*record] == [*TOLD, "outline"]
    assert all(column_named(name) for name in TOLD)
    assert crystal_records(auto_score(1, "clear").found, None) is None


def test_crystals_of_other_projects_are_not_there(imaging: MemoryImaging, tmp_path: Path) -> None:
    imaging.note_plates([PlateFacts(plate="P1", project="hidden")], source=Source(name="test"))
    with people_site(imaging, tmp_path) as site:
        site.store.set_projects("Root", ("mx-7",))
        limited = site.client("Root")
        assert limited.get(f"/api/drop/{ids(imaging)[0]}").status_code == 404
        assert limited.get("/api/drops").json()["drops"] == []
        assert limited.get("/api/scores").json()["scores"] == []
        assert limited.get(f"/picks/harvest.csv?ids={ids(imaging)[0]}").status_code == 404


def test_a_result_as_the_ledger_keeps_it_is_told_the_same(imaging: MemoryImaging, tmp_path: Path) -> None:
    """What was found goes through JSON and back in every database but that in memory."""
    record = crystal_records(crystal_score(1).found, SCALE)
    assert record is not None
    assert json.loads(json.dumps(record))[0]["outline"][0] == list(CRYSTALS[0].outline[0])
