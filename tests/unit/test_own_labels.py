"""What people said in the viewer, as labels: the newest score, of the picture shown now, of one imager."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from crystal_search.adaptation.labelled import NOT_CRYSTAL
from crystal_search.features import unpacked
from crystal_search.outcomes import GROUPS, Group
from crystal_search.server.feature_store.feature_store import stores_in
from crystal_search.server.imaging.imaging_database import ManualScore
from crystal_search.server.imaging.stored_images import FileVersion, Removal
from crystal_search.server.installation import Installation
from crystal_search.server.services.own_labels import OwnLabels, own_labels
from tests.fake_client import features_of
from tests.service_site import add_images, auto_scores, engine_of, score_everything, site_at

NOW = datetime(2026, 1, 31, tzinfo=UTC)


def scored_site(folder: Path) -> Installation:
    """Return an installation with two plates of two images, all of them scored."""
    site = site_at(folder, images=2)
    add_images(site, folder / "images", 2, plate="other")
    with engine_of(site) as engine:
        score_everything(site, engine)
    return site


def say(site: Installation, image: int, outcome: str, day: int = 0) -> None:
    told = ManualScore(image_id=image, person="Ada", scored_at=NOW + timedelta(days=day), outcome=outcome)
    site.imaging.add_manual_score(told)


def labels(site: Installation, part: str = "") -> OwnLabels:
    (store,) = stores_in(site.home.features)
    return own_labels(site.imaging, store, lambda image: part in image.path)


def test_the_newest_score_of_a_person_is_the_label(tmp_path: Path) -> None:
    site = scored_site(tmp_path)
    assert len(labels(site).labelled) == 0
    say(site, 1, "clear")
    say(site, 1, "crystal_harvestable", day=1)
    say(site, 3, "no_drop")
    found = labels(site)
    assert found.labelled.groups.tolist() == [GROUPS.index(Group.CRYSTAL), NOT_CRYSTAL]
    assert found.labelled.plates == ("90j8", "other")
    assert found.labelled.drops == ("90j8 A01 1", "other A01 1")
    assert [Path(path).name for path in found.images] == ["90j8_1_000.jpg", "other_1_000.jpg"]
    (score,) = auto_scores(site)[1]
    assert score.version
    assert found.labelled.seen.features[0].tolist() == unpacked(features_of(score.version.sha256)).tolist()
    np.testing.assert_allclose(found.labelled.seen.peaks[0], score.found.group_peaks, atol=1e-6)


def test_labels_are_of_one_imager(tmp_path: Path) -> None:
    site = scored_site(tmp_path)
    for image in (1, 2, 3):
        say(site, image, "clear")
    assert labels(site, "other_").labelled.plates == ("other",)
    assert len(labels(site, "90j8_").labelled) == 2
    assert len(labels(site, "nobody").labelled) == 0


def test_what_shows_another_picture_or_was_taken_back_has_no_label(tmp_path: Path) -> None:
    site = scored_site(tmp_path)
    for image in (1, 2, 3):
        say(site, image, "clear")
    site.imaging.note_versions({1: FileVersion(sha256="c" * 64, size_bytes=1, mtime_ns=1)})
    assert [Path(path).name for path in labels(site).images] == ["90j8_1_001.jpg", "other_1_000.jpg"]
    assert labels(site).left_out == 1
    removal = Removal(person="Ada", what="plate other", why="", removed_at=NOW)
    site.imaging.remove_images([3, 4], removal)
    assert labels(site).labelled.plates == ("90j8",)
