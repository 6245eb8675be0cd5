"""Features of archived results kept again: after a loss, once each, wherever it is interrupted."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from crystal_search.server.feature_store.feature_rows import Rows
from crystal_search.server.feature_store.feature_store import stores_in
from crystal_search.server.imaging.stored_images import FileVersion
from crystal_search.server.installation import Installation
from crystal_search.server.services.rebuild_features import LAST, rebuild_features
from crystal_search.server.unit_states import State, names_in, place_of
from tests.service_site import engine_of, score_everything, site_at

IMAGES = 10


@pytest.fixture
def site(tmp_path: Path) -> Installation:
    """Return an installation with three archived results, whose images are in the ledger."""
    site = site_at(tmp_path, images=IMAGES)
    with engine_of(site) as engine:
        score_everything(site, engine)
    return site


def kept(site: Installation) -> Rows:
    """Return all rows, by image."""
    (store,) = stores_in(site.home.features)
    rows = np.concatenate([*store.blocks()])
    return rows[rows["image_id"].argsort()]


def lose(site: Installation) -> None:
    shutil.rmtree(site.home.features)
    site.home.features.mkdir()


def test_all_that_was_lost_is_kept_again(site: Installation) -> None:
    before = kept(site)
    lose(site)
    found = list(rebuild_features(site, at_a_time=2))
    assert [each.results for each in found] == [2, 1]
    assert sum(each.new for each in found) == IMAGES
    for name in ("image_id", "picture", "peaks", "means", "features"):
        np.testing.assert_array_equal(kept(site)[name], before[name])
    assert not (site.home.features / LAST).exists()


def test_what_is_kept_is_not_kept_again(site: Installation) -> None:
    assert sum(each.new for each in rebuild_features(site)) == 0
    assert len(kept(site)) == IMAGES


def test_one_that_was_interrupted_goes_on(site: Installation) -> None:
    lose(site)
    steps = rebuild_features(site, at_a_time=1)
    next(steps)
    next(steps)
    del steps
    assert (site.home.features / LAST).read_text() == sorted(names_in(site.home, State.ARCHIVED))[1]
    assert [each.results for each in rebuild_features(site, at_a_time=1)] == [1]
    assert len(kept(site)) == IMAGES
    assert [each.results for each in rebuild_features(site)] == [3]


def test_what_the_ledger_does_not_count_gets_no_row(site: Installation) -> None:
    site.imaging.note_versions({1: FileVersion(sha256="c" * 64, size_bytes=1, mtime_ns=1)})
    lose(site)
    assert sum(each.new for each in rebuild_features(site)) == IMAGES - 1
    assert 1 not in kept(site)["image_id"]


def test_a_result_that_cannot_be_read_is_named_and_holds_up_no_other(site: Installation) -> None:
    lose(site)
    broken = place_of(site.home, names_in(site.home, State.ARCHIVED)[0], State.ARCHIVED)
    (broken / "result.json").write_text("[")
    (found,) = rebuild_features(site)
    assert (found.results, len(found.unread)) == (3, 1)
    assert broken.name in found.unread[0]
    assert 0 < found.new < IMAGES
