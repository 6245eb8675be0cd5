"""When a fit of a readout is offered: by counts, once, and again when something is new."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crystal_search.server.health.status import as_text, status
from crystal_search.server.health.troubles import troubles
from crystal_search.server.home import Home
from crystal_search.server.imaging.imaging_database import ManualScore
from crystal_search.server.installation import Installation
from crystal_search.server.readouts_in_use import IN_USE, use_readout
from crystal_search.server.services import readout_offers
from crystal_search.server.services.imager_records import ImagerRecord, Noticed, write_record
from crystal_search.server.services.readout_offers import Fit, OfferRounds, note_fit, offers, read_fits
from crystal_search.server.settings import Settings
from crystal_search.viewer.app import viewer_app
from crystal_search.who_looks import Looks
from tests.memory_imaging import MemoryImaging
from tests.readout_site import NOW, OURS, THEIRS, add_scored, readout_model
from tests.viewer_site import Client


@pytest.fixture
def site(tmp_path: Path) -> Installation:
    return Installation(home=Home(tmp_path / "home").made(), settings=Settings(), imaging=MemoryImaging())


def label(site: Installation, plate: str, crystals: int, rest: int, *, imager: str = OURS) -> None:
    """Have people score images of a new plate."""
    ids = add_scored(site, plate, (crystals + rest) * [0.0], imager=imager)
    for at, image in enumerate(ids):
        outcome = "crystal_bad_form" if at < crystals else ("no_drop" if at == crystals else "clear")
        site.imaging.add_manual_score(ManualScore(image_id=image, person="Ada", scored_at=NOW, outcome=outcome))


def why(site: Installation) -> dict[str, str]:
    return {each.imager: each.why for each in offers(site)}


@pytest.mark.parametrize(("crystals", "rest", "enough"), [(5, 5, True), (4, 50, False), (50, 4, False), (0, 0, False)])
def test_a_fit_is_offered_when_there_are_five_labels_of_crystals_and_five_others(
    site: Installation, crystals: int, rest: int, enough: bool
) -> None:
    label(site, "P1", crystals, rest)
    assert bool(offers(site)) is enough


def test_imagers_are_counted_apart(site: Installation) -> None:
    label(site, "P1", 5, 9)
    label(site, "P2", 4, 20, imager=THEIRS)
    (offer,) = offers(site)
    assert offer.said == (
        f"14 scores by people of imager '{OURS}', 5 of crystals, enough for a readout: `crystal-search adapt --home "
        f"{site.home.path} --imager '{OURS}'` tells whether they make its scores better"
    )


def test_it_is_offered_again_when_labels_have_doubled(site: Installation) -> None:
    label(site, "P1", 5, 5)
    note_fit(site, OURS, 10)
    assert why(site) == {}
    label(site, "P2", 5, 4)
    assert why(site) == {}
    label(site, "P3", 0, 1)
    assert why(site) == {OURS: "2 times as many as the 10 of the last fit, or more"}
    note_fit(site, OURS, 20)
    assert (why(site), read_fits(site.home)[OURS].labels) == ({}, 20)


def test_it_is_offered_again_when_another_classifier_is_in_use(
    site: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    label(site, "P1", 5, 5)
    old = Fit(imager=OURS, labels=10, classifier_sha256="9" * 64, fitted_at=NOW.isoformat())
    monkeypatch.setattr(readout_offers, "read_fits", lambda _: {OURS: old})
    assert why(site) == {OURS: "and another classifier or first look is in use since the last fit"}


def test_it_is_offered_again_when_another_classifier_is_behind_a_first_look(
    site: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    label(site, "P1", 5, 5)
    in_use = Looks(first="f" * 64, behind="c" * 64)
    monkeypatch.setattr(readout_offers, "looks_in", lambda _: in_use)
    note_fit(site, OURS, 10)
    assert why(site) == {}
    monkeypatch.setattr(readout_offers, "looks_in", lambda _: replace(in_use, behind="d" * 64))
    assert why(site) == {OURS: "and another classifier or first look is in use since the last fit"}


def test_a_record_of_fits_of_version_1_is_read(site: Installation) -> None:
    label(site, "P1", 5, 5)
    note_fit(site, OURS, 10)
    content = json.loads(site.home.fits.read_text())
    assert content["fits"][0].pop("behind_sha256", "missing") is None
    site.home.fits.write_text(json.dumps(content | {"version": 1}))
    assert why(site) == {}


def test_it_is_offered_again_when_the_imager_is_no_longer_as_it_was_and_there_are_new_labels(
    site: Installation,
) -> None:
    label(site, "P1", 5, 5)
    note_fit(site, OURS, 10)
    label(site, "P2", 1, 0)
    later, before = datetime.now(UTC) + timedelta(days=1), datetime.now(UTC) - timedelta(days=1)
    for at, expected in ((before, {}), (later, {OURS: f"and the sentinel noticed defocus on {later:%Y-%m-%d}, after"})):
        told = at.isoformat(timespec="minutes")
        fault = Noticed(kind="defocus", what="", image_id=9, at=told, since_image_id=7, since=told)
        write_record(site.home.sentinel, ImagerRecord(name=OURS, images=999, standing=(fault,), alarms=(fault,)))
        assert {imager: said.removesuffix(" the last fit") for imager, said in why(site).items()} == expected


def test_watch_says_each_offer_once(site: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readout_offers, "EVERY_S", 0.0)
    rounds = OfferRounds(site)
    assert rounds.look() == []
    label(site, "P1", 5, 5)
    assert len(rounds.look()) == 1
    label(site, "P2", 1, 1)
    assert rounds.look() == []
    note_fit(site, OURS, 6)
    assert "2 times as many as the 6 of the last fit" in rounds.look()[0]
    monkeypatch.setattr(readout_offers, "EVERY_S", 1000.0)
    rounds.look()
    label(site, "P3", 5, 5, imager=THEIRS)
    assert rounds.look() == []


def test_a_spoiled_record_of_fits_counts_as_none(site: Installation, caplog: pytest.LogCaptureFixture) -> None:
    label(site, "P1", 5, 5)
    site.home.fits.write_text("spoiled")
    assert why(site) == {OURS: "enough for a readout"}
    assert "it counts as none" in caplog.text


def test_status_and_the_page_of_imagers_offer_it_and_health_is_silent(site: Installation) -> None:
    label(site, "P1", 5, 5)
    use_readout(site, readout_model(site.home.path))
    found = status(site)
    assert found["offers"] == [each.said for each in offers(site)]
    assert (found["readouts"][0]["imager"], found["readouts"][0]["name"]) == (OURS, "ours")
    text = as_text(found)
    assert f"worth trying: 10 scores by people of imager '{OURS}'" in text
    assert f"readout ours scores images of imager '{OURS}'" in text
    assert not any("readout" in line or "adapt" in line for line in troubles(found))
    page = Client(viewer_app(site.imaging, site.home.thumbnails, site=site)).get("/imagers").text
    assert "10 scores by people of imager" in page
    assert "crystal-search adapt --home" in page
    assert "The readout ours scores its images since 20" in page


def test_the_page_of_imagers_is_there_though_models_cannot_be_read(
    site: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    label(site, "P1", 5, 5)
    empty = replace(site, settings=Settings(models=str(site.home.queue)))
    assert Client(viewer_app(site.imaging, site.home.thumbnails, site=empty)).get("/imagers").status_code == 200
    assert "nothing is offered: expected one classifier" in caplog.text


def test_health_says_when_it_is_not_known_which_readouts_are_in_use(site: Installation) -> None:
    use_readout(site, readout_model(site.home.path))
    (site.home.models / IN_USE).write_text("spoiled")
    assert any("it is not known which readouts are in use" in line for line in troubles(status(site)))
