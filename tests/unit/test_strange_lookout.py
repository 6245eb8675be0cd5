"""Strange images in an installation: features in the store, what is kept, what `health` and the viewer say."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from crystal_search.features import packed
from crystal_search.server.health.status import status
from crystal_search.server.health.troubles import troubles
from crystal_search.server.imaging.imaging_database import AutoScore, Recipe
from crystal_search.server.imaging.stored_images import FileVersion, NewImage, Removal
from crystal_search.server.installation import Installation
from crystal_search.server.services import look_after_imagers, strange_lookout, strange_records
from crystal_search.server.services.keeping_features import keep_features
from crystal_search.server.services.look_after_imagers import standing, strange_said
from crystal_search.server.services.strange_records import StrangeRecord, read_all_strange, read_strange
from crystal_search.viewer.app import viewer_app
from crystal_search.wells import WellKey
from tests.recipes import made_by
from tests.service_site import site_at
from tests.viewer_site import RECIPE, Client, auto_score

NUMBERS, HISTORY = 6, 80
IMAGER = "RI1000-0081"
RNG_SEED = 7


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """Return an installation with an imager that was learnt from 80 images: the farthest of 40 are what can be told."""
    for module in (strange_records, look_after_imagers):
        monkeypatch.setattr(module, "HISTORY", HISTORY)
    monkeypatch.setattr(strange_lookout, "FALSE_ALARMS", 1 / 41)
    site = site_at(tmp_path)
    taken(site, "A", ordinary(HISTORY))
    looked(site)
    return site


def ordinary(images: int) -> NDArray[np.float64]:
    """Return features that are like each other."""
    return np.random.default_rng(RNG_SEED + images).uniform(-1, 1, (images, NUMBERS))


def strange(images: int, *, far: float = 30) -> NDArray[np.float64]:
    """Return features that are like no others."""
    return ordinary(images) + far


def ids_of(site: Installation, plate: str) -> list[int]:
    return [drop.image.id for drop in site.imaging.drops(plate, inspection=1)]


def taken(
    site: Installation,
    plate: str,
    features: NDArray[np.float64],
    *,
    recipe: Recipe = RECIPE,
    imager: str = IMAGER,
) -> list[int]:
    """Have an imager take images of a plate, and have them scored; return their ids."""
    day = datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(days=len(site.imaging.plates()))
    site.imaging.add_images(
        NewImage(
            key=WellKey(plate=plate, row=number // 12, column=number % 12),
            path=f"/nowhere/{plate}_{imager}/{number}.png",
            imaged_at=day,
        )
        for number in range(len(features))
    )
    ids = ids_of(site, plate)
    versions = {each: FileVersion(sha256=f"{each:064x}"[::-1], size_bytes=1, mtime_ns=1) for each in ids}
    site.imaging.note_versions(versions)
    scores = [scored(each, numbers, versions[each], recipe) for each, numbers in zip(ids, features, strict=True)]
    keep_features(site.home, scores)
    site.imaging.add_auto_scores(scores)
    return ids


def scored(image_id: int, features: NDArray[np.float64], version: FileVersion, recipe: Recipe) -> AutoScore:
    score = auto_score(image_id, "clear")
    found = replace(score.found, packed_features=packed(features))
    return replace(score, found=found, version=version, recipe=recipe)


def looked(site: Installation) -> None:
    while look_after_imagers.look_after_imagers(site):
        pass


def known(site: Installation) -> StrangeRecord:
    return read_strange(site.home.sentinel, IMAGER)


def page_of(site: Installation, folder: Path) -> str:
    return Client(viewer_app(site.imaging, folder / "thumbs", site=site)).get("/imagers").text


def test_the_history_is_learnt_first(tmp_path: Path, site: Installation) -> None:
    assert known(site).learnt_ids == tuple(range(1, HISTORY + 1))
    assert (known(site).compared, known(site).strange) == (0, ())
    other = site_at(tmp_path / "other")
    taken(other, "A", np.concatenate([ordinary(HISTORY - 2), strange(1)]))
    looked(other)
    assert strange_said(other.imaging, known(other)) == (
        f"{IMAGER}: 79 images with features; what is out of the ordinary is known after 80"
    )
    assert known(other).strange == ()


def test_a_strange_image_is_kept_and_listed_but_no_alarm(site: Installation, tmp_path: Path) -> None:
    ids = taken(site, "B", np.concatenate([0.2 * ordinary(20), strange(1), 0.2 * ordinary(3)]))
    looked(site)
    (found,) = known(site).strange
    assert (found.image_id, found.number, found.at) == (ids[20], 21, "2026-01-02T12:00+00:00")
    assert found.p_value == pytest.approx(1 / 41)
    assert found.beyond > 10
    assert known(site).compared == 24
    assert standing(site.imaging, site.home.sentinel) == []
    page = page_of(site, tmp_path)
    assert f'<a href="/drop/{ids[20]}">' in page
    assert "B B09 drop 1" in page
    assert "2026-01-02: " in page
    assert page.count(": p 0.024, ") == 1
    assert "no more images are out of the ordinary than chance explains, of 24" in page


def test_many_strange_images_are_said_by_health(site: Installation, tmp_path: Path) -> None:
    ids = taken(site, "B", np.concatenate([0.2 * ordinary(10), strange(30)]))
    looked(site)
    said = f"{IMAGER}: more strange images than chance explains since 2026-01-02 12:00 (image {ids[10]})"
    assert standing(site.imaging, site.home.sentinel) == [said]
    assert any(said in each for each in troubles(status(site)))
    page = page_of(site, tmp_path)
    assert f"! {said}" in page
    assert page.count("times the farthest distance learnt") == 12


def test_it_is_said_no_more_when_images_are_ordinary_again(site: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strange_lookout, "STANDING", 20)
    taken(site, "B", strange(30))
    looked(site)
    assert standing(site.imaging, site.home.sentinel)
    taken(site, "C", 0.2 * ordinary(21))
    looked(site)
    assert standing(site.imaging, site.home.sentinel) == []
    assert len(known(site).strange) == 30


def test_images_that_were_taken_back_or_changed_are_not_listed(site: Installation, tmp_path: Path) -> None:
    ids = taken(site, "B", strange(30))
    looked(site)
    site.imaging.remove_images(ids[:28], Removal(person="Ada", what="B", why="", removed_at=datetime.now(UTC)))
    other = FileVersion(sha256="e" * 64, size_bytes=2, mtime_ns=2)
    site.imaging.note_versions({ids[28]: other})
    assert standing(site.imaging, site.home.sentinel) == []
    page = page_of(site, tmp_path)
    assert page.count("times the farthest distance learnt") == 1
    assert f'<a href="/drop/{ids[29]}">' in page


def test_images_are_compared_once(site: Installation) -> None:
    taken(site, "B", strange(5))
    looked(site)
    before = known(site)
    (site.home.sentinel / "last-image").unlink()  # as if killed before it was written
    looked(site)
    assert known(site) == before


def test_only_the_last_strange_ones_are_kept(site: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strange_lookout, "KEPT", 4)
    ids = taken(site, "B", strange(9))
    looked(site)
    assert [each.image_id for each in known(site).strange] == ids[-4:]


def test_other_models_are_learnt_anew(site: Installation) -> None:
    ids = taken(site, "B", strange(30), recipe=made_by("new", "e", drop="d"))
    looked(site)
    assert known(site).learnt_ids == tuple(ids)
    assert known(site).strange == ()


def test_a_store_that_was_moved_away_is_learnt_anew(site: Installation, tmp_path: Path) -> None:
    site.home.features.rename(tmp_path / "away")
    ids = taken(site, "B", strange(30))
    looked(site)
    assert known(site).learnt_ids == tuple(ids)


def test_a_damaged_store_is_said_and_images_are_compared_with_the_next(site: Installation, tmp_path: Path) -> None:
    taken(site, "B", strange(3))
    (about,) = site.home.features.glob("*/about.json")
    whole = about.read_bytes()
    about.write_bytes(b"{}")
    looked(site)
    assert len(known(site).missed) == 3
    (said,) = standing(site.imaging, site.home.sentinel)
    assert said.startswith(f"{IMAGER}: its last 3 images are not compared: ")
    assert "about.json" in said
    assert "are not compared" in page_of(site, tmp_path)
    about.write_bytes(whole)
    taken(site, "C", ordinary(1))
    looked(site)
    assert (len(known(site).strange), known(site).compared) == (3, 4)
    assert (known(site).missed, known(site).trouble) == ((), "")


def test_a_damaged_store_holds_up_no_other_imager(site: Installation) -> None:
    taken(site, "B", strange(3))
    (about,) = site.home.features.glob("*/about.json")
    about.write_bytes(b"{}")
    taken(site, "C", ordinary(HISTORY), recipe=made_by("other-net", "e", drop="f"), imager="RI54-1234")
    looked(site)
    assert known(site).trouble
    found = read_strange(site.home.sentinel, "RI54-1234")
    assert (len(found.learnt_ids), found.trouble) == (HISTORY, "")


def test_a_record_of_a_version_that_knew_no_trouble_is_read(site: Installation) -> None:
    (file,) = (site.home.sentinel / "strange").glob("*.json")
    plain = json.loads(file.read_text())
    del plain["missed"], plain["trouble"]
    file.write_text(json.dumps(plain))
    assert len(known(site).learnt_ids) == HISTORY


def test_images_without_features_are_passed_over(site: Installation) -> None:
    day = datetime(2026, 2, 1, tzinfo=UTC)
    site.imaging.add_images([NewImage(key=WellKey(plate="B", row=0, column=0), path=f"/x/{IMAGER}/0", imaged_at=day)])
    site.imaging.add_auto_scores([auto_score(each, "no_drop") for each in ids_of(site, "B")])
    looked(site)
    assert known(site).compared == 0


def test_after_a_repair_it_learns_anew(site: Installation) -> None:
    assert [each.name for each in read_all_strange(site.home.sentinel)] == [IMAGER]
    strange_records.forget_strange(site.home.sentinel, IMAGER)
    assert known(site).is_learning
    ids = taken(site, "B", ordinary(10))
    looked(site)
    assert known(site).learnt_ids == tuple(ids)


def test_what_somebody_wrote_into_the_folder_counts_as_nothing(site: Installation) -> None:
    for name, text in (("x.json", "{}"), ("y.json", "[1]"), ("z.json", "\0"), ("w.json", '{"version": 1, "name": 3}')):
        (site.home.sentinel / "strange" / name).write_text(text)
    assert [each.name for each in read_all_strange(site.home.sentinel)] == [IMAGER]
