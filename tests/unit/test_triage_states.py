"""What a readout in use promises of the drops of a plate: in the viewer's API and table."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from crystal_search.adaptation.new_plates import PLATES_NEEDED, plate_means
from crystal_search.adaptation.readout import Readout, shipped_readout
from crystal_search.adaptation.rescoring import Rescoring
from crystal_search.adaptation.triage import Promise, Triage
from crystal_search.server.feature_store.feature_store import stores_in
from crystal_search.server.feature_store.stored_readout import seen_in
from crystal_search.server.home import Home
from crystal_search.server.imaging.stored_images import NewImage
from crystal_search.server.installation import Installation
from crystal_search.server.readouts_in_use import ReadoutInUse
from crystal_search.server.services import triage_states as states
from crystal_search.server.services.readout_scores import ReadoutAtWork
from crystal_search.server.services.triage_states import triage_states
from crystal_search.server.settings import Settings
from crystal_search.viewer.app import viewer_app
from crystal_search.wells import WellKey
from tests.memory_imaging import MemoryImaging
from tests.readout_site import NOW, NUMBERS, OURS, THEIRS, add_scored, readout_model, with_picture
from tests.viewer_site import Client

FIRSTS = (3.0, -3.0, 1.0, -1.0)


@pytest.fixture
def site(tmp_path: Path) -> Installation:
    """Return an installation with a plate of each of two imagers, and a well of ours without a score."""
    site = Installation(home=Home(tmp_path / "home").made(), settings=Settings(), imaging=MemoryImaging())
    add_scored(site, "P1", FIRSTS)
    add_scored(site, "P2", FIRSTS, imager=THEIRS)
    key = WellKey(plate="P1", row=7, column=0, inspection=1)
    site.imaging.add_images([NewImage(key=key, path=f"/robot/P1_{OURS}-2drop/99.jpg", imaged_at=NOW)])
    return site


def promising(site: Installation, *, threshold: float | None = 0.0, apart: float = 0.0) -> ReadoutAtWork:
    """Return a readout of our imager that looks where the first number is high, from plates so far from ours."""
    shipped = shipped_readout(NUMBERS)
    weights = np.zeros_like(shipped.weights)
    weights[0, 0] = 1
    triage = Triage(promise=Promise(), threshold=threshold, crystals=500, plates=30, counting=400, missed=0, bound=0.01)
    (store,) = stores_in(site.home.features)
    (mean,) = plate_means(seen_in(store.rows(np.arange(len(FIRSTS)))), ["P1"] * len(FIRSTS)).values()
    plates = mean + apart + np.random.default_rng(0).normal(0, 1, (PLATES_NEEDED + 11, len(mean)))
    readout = Readout(bias=shipped.bias, weights=weights)
    return ReadoutAtWork(
        used=ReadoutInUse(imager=OURS, name="ours", sha256="0" * 64, since=""),
        card=readout_model(site.home.path).card,
        rescoring=Rescoring(readout=readout, triage=triage, plates=plates),
    )


def told(site: Installation, plate: str = "P1") -> list[str | None]:
    drops = site.imaging.drops(plate, inspection=1)
    found = triage_states(site, drops)
    return [found.get(drop.image.id) for drop in drops]


def test_drops_are_in_or_out_by_the_threshold(site: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "readouts_at_work", lambda _: [promising(site)])
    assert told(site) == ["in", "out", "in", "out", None]
    assert told(site, "P2") == [None] * 4  # another imager's


def test_without_a_promise_nothing_is_told(site: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(site) == [None] * 5
    monkeypatch.setattr(states, "readouts_at_work", lambda _: [promising(site, threshold=None)])
    assert told(site) == [None] * 5


def test_a_plate_unlike_the_others_is_promised_nothing(site: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "readouts_at_work", lambda _: [promising(site, apart=9)])
    assert told(site) == ["cannot_promise"] * 4 + [None]


def test_what_shows_another_picture_or_has_no_features_is_promised_nothing(
    site: Installation, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    readout = promising(site)
    monkeypatch.setattr(states, "readouts_at_work", lambda _: [readout])
    with_picture(site, 1, "another")
    assert told(site)[0] is None  # its score counts no more
    (about,) = site.home.features.glob("*/about.json")
    about.write_text("{}")
    assert told(site) == [None, *["cannot_promise"] * 3, None]
    assert "nothing is promised of plate P1" in caplog.text


def test_the_viewer_tells_it_in_its_api_and_table(
    site: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(states, "readouts_at_work", lambda _: [promising(site)])
    client = Client(viewer_app(site.imaging, tmp_path / "thumbnails", site=site))
    drops = client.get("/api/plate/P1").json()["drops"]
    assert [drop["triage"] for drop in drops] == ["in", "out", "in", "out", None]
    assert client.get("/api/plate/P1/counts").json()["triage"] == {"in": 2, "out": 2}
    assert client.get("/api/plate/P2/counts").json()["triage"] == {}
    rows = list(csv.DictReader(io.StringIO(client.get("/plate/P1/scores.csv").text)))
    assert [row["auto_triage"] for row in rows] == ["in", "out", "in", "out", ""]
