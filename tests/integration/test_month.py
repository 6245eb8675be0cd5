"""A small month: the real services, engine and database with a BOINC server and volunteers that are played."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.month.archive import DROPS, fill
from benchmarks.month.clock import Clock
from benchmarks.month.lab import Lab, staged
from benchmarks.month.play import Books, audited, play
from crystal_search.server.imaging.sql_imaging import open_imaging
from crystal_search.server.imaging.stored_images import NewImage
from crystal_search.wells import WellKey
from tests.service_site import RECIPE

SMALL = Lab(images=48, images_per_unit=4, s_per_image=60.0, on_share=0.5, tick_s=14_400.0, broken=0.0, spool_full=0.05)


@pytest.mark.parametrize("seed", range(3))
def test_every_image_is_scored_once_whatever_volunteers_do(tmp_path: Path, seed: int) -> None:
    stage = staged(replace(SMALL, seed=seed), tmp_path, "", Clock(time.time()))
    played = play(stage)
    assert audited(stage) == Books(scored=48, lost=0, doubled=0, given_up=0, false=0, unreadable=0)
    assert stage.server.copies_sent > 2 * 48 / 4
    assert played.days < SMALL.limit_days


def test_pictures_that_nobody_can_decode_are_all_that_is_called_unreadable(tmp_path: Path) -> None:
    stage = staged(replace(SMALL, broken=0.1, hosts={"fair": 4}), tmp_path, "", Clock(time.time()))
    play(stage)
    broken = len(stage.broken)
    assert broken > 1
    assert audited(stage) == Books(scored=48 - broken, lost=0, doubled=0, given_up=0, false=0, unreadable=broken)


def test_what_is_not_done_in_time_is_told_as_lost(tmp_path: Path) -> None:
    stage = staged(replace(SMALL, hosts={"vanishing": 3}, limit_days=2.0), tmp_path, "", Clock(time.time()))
    play(stage)
    assert audited(stage).lost == 48


def test_hosts_that_say_the_same_wrong_thing_are_found_out_by_the_audit(tmp_path: Path) -> None:
    lab = replace(SMALL, hosts={"liar": 3}, replication="none")
    stage = staged(lab, tmp_path, "", Clock(time.time()))
    play(stage)
    assert audited(stage).false > 30


def test_a_generated_database_is_like_one_that_was_filled_by_services(empty_url: str) -> None:
    assert fill(empty_url, 2000, RECIPE, scored=True) == 7 * DROPS
    imaging = open_imaging(empty_url)
    try:
        plates = imaging.plates()
        assert sum(plate.images for plate in plates) == sum(plate.scored for plate in plates) == 7 * DROPS
        assert imaging.images_without_score(RECIPE, limit=9) == []
        assert imaging.units("open") == []
        drops = imaging.drops("A000002", inspection=1)
        assert [drop.image.key.drop for drop in drops[:4]] == [1, 2, 3, 1]
        assert {drop.auto.outcome for drop in drops if drop.auto} == {"clear"}
        ledger = imaging.ledger(7 * DROPS)
        assert [score.image_id for score in ledger] == [7 * DROPS]
        new = NewImage(key=WellKey(plate="new", row=0, column=0), path="/new.jpg")
        assert imaging.add_images([new]).added == 1
        assert [image.key.plate for image in imaging.images_without_score(RECIPE, limit=9)] == ["new"]
    finally:
        imaging.close()
