"""retry: what waits, or was condemned by whatever version, is tried again now."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crystal_search.main import main
from crystal_search.result import ImageScore
from crystal_search.server.imaging.imaging_database import AutoScore
from crystal_search.server.installation import Installation
from crystal_search.server.services.create_work import create_work
from crystal_search.server.services.postponing import Reason, put_off
from crystal_search.server.services.retry import Retried, retry
from tests.service_site import RECIPE, add_images, auto_scores, pass_time, site_at


def condemned_by_an_older_version(site: Installation, image_id: int, reason: str) -> None:
    """Leave what older versions left: a verdict that names no file, and a work unit that failed."""
    create_work(site, RECIPE)
    (unit,) = [each for each in site.imaging.units("open") if image_id in each.image_ids]
    error = ImageScore(height_px=0, width_px=0, error=reason)
    score = AutoScore(image_id=image_id, work_unit=unit.name, recipe=RECIPE, scored_at=datetime.now(UTC), found=error)
    site.imaging.add_auto_scores([score])
    site.imaging.close_unit(unit.name, "failed", reason)
    for path in site.home.queue.glob("*.zip"):
        path.unlink()


def test_images_that_wait_are_due_at_once(tmp_path: Path) -> None:
    site = site_at(tmp_path, images=2)
    add_images(site, tmp_path / "other", 1, plate="other")
    put_off(site, {1: Reason("its file is gone"), 2: Reason("out of memory"), 3: Reason("its file is gone")})
    assert create_work(site, RECIPE).images == 0
    assert retry(site, plate="other", reason="memory") == Retried(postponed=0, unreadable=0)
    assert retry(site, plate="other") == Retried(postponed=1, unreadable=0)
    assert create_work(site, RECIPE).images == 1
    assert retry(site, path="*/images/*", reason="memory") == Retried(postponed=1, unreadable=0)
    assert retry(site) == Retried(postponed=1, unreadable=0)
    assert create_work(site, RECIPE).images == 2


@pytest.mark.parametrize("words", [{}, {"reason": "SIGKILL"}, {"plate": "90j8"}, {"path": "*_000.jpg"}])
def test_what_older_versions_condemned_is_scored_again_and_the_verdict_kept(
    tmp_path: Path, words: dict[str, str]
) -> None:
    site = site_at(tmp_path, images=1)
    condemned_by_an_older_version(site, 1, "the client was killed by SIGKILL")
    pass_time(site, seconds=100)
    assert create_work(site, RECIPE).images == 0
    assert retry(site, reason="another") == Retried(postponed=0, unreadable=0)
    assert retry(site, **words) == Retried(postponed=0, unreadable=1)
    (score,) = auto_scores(site)[1]
    assert not score.counts
    assert replace(score, counts=True).outcome == "unreadable"
    assert create_work(site, RECIPE).images == 1
    assert retry(site) == Retried(postponed=0, unreadable=0)


def test_a_mistyped_home_is_refused_and_none_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["retry", "--home", str(tmp_path / "nowhere")]) == 2
    assert "there is no Crystal Search installation in" in capsys.readouterr().err
    assert not (tmp_path / "nowhere").exists()
