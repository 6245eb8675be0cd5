"""What status and health tell of a facility's database."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from crystal_search.server.health.facility_health import facility_line, facility_status, facility_troubles
from crystal_search.server.health.status import as_text, status
from crystal_search.server.imaging.facility_records import Push
from crystal_search.server.installation import Installation
from tests.integration.imaging_nouns import NOON, auto
from tests.service_site import site_at

LAB = "ispyb db.lab/ispyb"


def site_with_facility(folder: Path, text: str = "") -> Installation:
    site = site_at(folder, images=1)
    site.home.settings.write_text(f'[facility]\nkind = "ispyb"\nurl = "mariadb://crystal@db.lab/ispyb"\n{text}')
    return site


def said(site: Installation, *, hours: float) -> list[str]:
    return list(facility_troubles(facility_status(site, NOON + timedelta(hours=hours))))


def score(site: Installation, *, hours: float = 0) -> Push:
    (image,) = site.imaging.plate_images("90j8")
    site.imaging.add_auto_scores([replace(auto(image), scored_at=NOON + timedelta(hours=hours))])
    return Push(score_id=1, image_id=image.id)


def test_nothing_is_told_where_no_facility_is_named(tmp_path: Path) -> None:
    assert facility_status(site_at(tmp_path), NOON) is None
    assert list(facility_troubles(None)) == []


def test_one_that_was_not_pulled_for_long_is_complained_of(tmp_path: Path) -> None:
    site = site_with_facility(tmp_path)
    assert said(site, hours=0) == [f"{LAB} was never looked at: `facility pull` tells why"]
    site.imaging.note_pulled(LAB, "17", now=NOON)
    assert said(site, hours=0.9) == []
    assert said(site, hours=2) == [f"{LAB} was last 2.0 hours ago looked at: `facility pull` tells why"]


def test_scores_that_wait_for_long_are_complained_of_unless_others_go(tmp_path: Path) -> None:
    site = site_with_facility(tmp_path)
    push = score(site)
    site.imaging.note_pulled(LAB, "17", now=NOON + timedelta(hours=2))
    assert said(site, hours=2) == [f"scores wait 2.0 hours to be given to {LAB}: `facility push` tells why"]
    site.imaging.note_pushed(LAB, [push], now=NOON + timedelta(hours=2))
    assert said(site, hours=2) == []


def test_a_facility_that_gets_no_scores_keeps_none_waiting(tmp_path: Path) -> None:
    site = site_with_facility(tmp_path, "push = false\n")
    score(site)
    site.imaging.note_pulled(LAB, "17", now=NOON + timedelta(hours=2))
    assert said(site, hours=2) == []


def test_a_score_that_is_refused_again_and_again_is_complained_of(tmp_path: Path) -> None:
    site = site_with_facility(tmp_path)
    push = score(site)
    site.imaging.note_pulled(LAB, "17", now=NOON)
    site.imaging.note_pushed(LAB, [replace(push, refused="no such path", tries=3)], now=NOON)
    assert said(site, hours=0) == []
    site.imaging.note_pushed(LAB, [replace(push, refused="no such path", tries=4)], now=NOON)
    assert said(site, hours=0) == [f"{LAB} refuses scores (1 now), one because: no such path; see `facility report`"]
    told = facility_status(site, NOON)
    assert told
    assert facility_line(told) == f"{LAB}: pulled 0.0 hours ago, pushed 0.0 hours ago, 1 scores refused and given again"


def test_status_tells_of_it_and_of_settings_that_cannot_be_read(tmp_path: Path) -> None:
    site = site_with_facility(tmp_path)
    text = as_text(status(site))
    assert f"{LAB}: pulled never, pushed never" in text
    assert f"! {LAB} was never looked at" in text
    site.home.settings.write_text('[facility]\nkind = "ispyb"\n')
    assert "! the facility's settings: " in as_text(status(site))
    site.home.settings.write_text('[facility]\nkind = "isbyp"\nurl = "mariadb://crystal@db.lab/ispyb"\n')
    assert "[facility]: no kind " in as_text(status(site))
