"""Tables and answers of the viewer tell who looked at an image."""

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest

from crystal_search.server.home import Home
from crystal_search.server.installation import Installation
from crystal_search.server.readouts_in_use import use_readout
from crystal_search.server.services.rescoring_archive import rescore_all
from crystal_search.server.settings import Settings
from crystal_search.viewer.app import viewer_app
from crystal_search.viewer.tables.whole_tables import scores_of_all_plates
from tests.memory_imaging import MemoryImaging
from tests.readout_site import add_scored, readout_model, shipped_score
from tests.viewer_site import Client


@pytest.fixture
def site(tmp_path: Path) -> Installation:
    """Return an installation with an image that no first look saw, one that it was sure of, and one that it was not."""
    site = Installation(home=Home(tmp_path / "home").made(), settings=Settings(), imaging=MemoryImaging())
    ids = add_scored(site, "P1", [2.0, 2.0, 2.0])
    images = site.imaging.images(ids)
    for image_id, looks in zip(ids[1:], (1, 2), strict=True):
        score = shipped_score(site, images[image_id], 2.0, unit=f"again-{looks}")
        site.imaging.add_auto_scores([replace(score, found=replace(score.found, looks=looks))])
    return site


@pytest.mark.parametrize("by_readout", [False, True])
def test_tables_and_answers_tell_who_looked_also_where_a_readout_is_shown(site: Installation, by_readout: bool) -> None:
    if by_readout:
        use_readout(site, readout_model(site.home.path))
        assert sum(block.new for block in rescore_all(site)) == 3
    client = Client(viewer_app(site.imaging, site.home.thumbnails, site=site))
    rows = list(csv.DictReader(io.StringIO(client.get("/plate/P1/scores.csv").text)))
    drops = client.get("/api/plate/P1").json()["drops"]
    assert [row["auto_readout"] for row in rows] == 3 * ["ours" if by_readout else ""]
    assert [row["auto_looks"] for row in rows] == ["", "1", "2"]
    assert [row["auto_looks"] for row in client.get("/api/drops").json()["drops"]] == [None, 1, 2]
    assert [row["auto_looks"] for row in scores_of_all_plates(site)] == [None, 1, 2]
    assert [drop["auto"]["looks"] for drop in drops] == [0, 1, 2]
    for drop in drops:
        ledger = client.get(f"/api/drop/{drop['id']}").json()["ledger"]
        assert next(each["looks"] for each in ledger if each["shown"]) == drop["auto"]["looks"]
