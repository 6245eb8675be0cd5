"""create-work: what is packed, under which name, and what is made good after a kill."""

import argparse
import errno
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crystal_search.model import hashes_of
from crystal_search.server.engines.attempts import add_failure, set_aside
from crystal_search.server.folders import unit_files
from crystal_search.server.imaging.imaging_database import NewImage
from crystal_search.server.services import create_work as create_work_command
from crystal_search.server.services import packing
from crystal_search.server.services.create_work import Order, batches_to_pack, create_work
from crystal_search.server.services.cycle import Pass, is_finished
from crystal_search.server.services.packing import unit_name, unreadable
from crystal_search.server.services.validate import Validated
from crystal_search.wells import WellKey
from crystal_search.work_unit import read_work_unit
from tests.recipes import made_by
from tests.service_site import PICTURE, RECIPE, add_images, auto_scores, site_at, with_settings


def test_every_image_is_packed_once(tmp_path: Path) -> None:
    site = site_at(tmp_path, images=10)
    created = create_work(site, RECIPE)
    units = [read_work_unit(path) for path in unit_files(site.home.queue)]
    assert (created.units, created.images) == (3, 10)
    assert sorted(int(image.id) for unit in units for image in unit.images) == list(range(1, 11))
    assert {unit.models for unit in units} == {RECIPE.models}
    assert create_work(site, RECIPE).units == 0


@pytest.mark.parametrize("overlays", [True, False])
def test_the_settings_say_whether_clients_draw(tmp_path: Path, overlays: bool) -> None:
    site = with_settings(site_at(tmp_path, images=1), overlays=overlays)
    create_work(site, RECIPE)
    assert [read_work_unit(path).parameters.overlays for path in unit_files(site.home.queue)] == [overlays]


def test_no_unit_mixes_plates_or_inspections(tmp_path: Path) -> None:
    site = site_at(tmp_path, images=3)
    add_images(site, tmp_path / "images", 3, plate="a/../=b")
    add_images(site, tmp_path / "images", 3, inspection=2)
    create_work(site, RECIPE)
    names = sorted(path.name.rpartition("-")[0] for path in unit_files(site.home.queue))
    assert names == ["90j8-1", "90j8-2", "a-b-1"]
    assert sorted(unit.image_ids for unit in site.imaging.units("open")) == [(1, 2, 3), (4, 5, 6), (7, 8, 9)]


def test_the_name_follows_from_images_and_recipe(tmp_path: Path) -> None:
    site = site_at(tmp_path, images=2)
    images = site.imaging.images_without_score(RECIPE, limit=9)
    assert unit_name(RECIPE, images) == unit_name(RECIPE, images)
    others = [unit_name(RECIPE, images[:1]), unit_name(replace(RECIPE, threshold=0.5), images)]
    moved = [replace(images[0], path="/elsewhere.jpg"), images[1]]
    assert len({unit_name(RECIPE, images), unit_name(RECIPE, moved), *others}) == 4


def test_few_images_are_spread_over_all_clients(tmp_path: Path) -> None:
    site = site_at(tmp_path, images=4)
    assert create_work(site, RECIPE).units == 2


def test_the_queue_is_bounded_and_plate_and_limit_choose(tmp_path: Path) -> None:
    site = with_settings(site_at(tmp_path, images=9), max_queue=1)
    add_images(site, tmp_path / "images", 3, plate="other")
    assert create_work(site, RECIPE, Order(plate="other", limit=2)).images == 1
    assert create_work(site, RECIPE).units == 0
    assert create_work(with_settings(site, max_queue=2), RECIPE).units == 1


@pytest.mark.parametrize("limit", ["-1", "0", "many"])
def test_a_limit_is_a_number_from_1(limit: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    create_work_command.add_arguments(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(["--limit", limit])
    assert "--limit" in capsys.readouterr().err
    assert parser.parse_args(["--limit", "2"]).limit == 2


def test_large_files_are_packed_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = site_at(tmp_path, images=3)
    monkeypatch.setattr("crystal_search.server.services.create_work.MAX_PACKED_BYTES", 10)
    images = site.imaging.images_without_score(RECIPE, limit=9)
    assert [len(batch) for batch in batches_to_pack(images, 9)] == [1, 1, 1]


def test_a_lost_file_is_written_again_the_same(tmp_path: Path) -> None:
    site = site_at(tmp_path, images=4)
    create_work(site, RECIPE)
    before = {path.name: path.read_bytes() for path in unit_files(site.home.queue)}
    for path in unit_files(site.home.queue):
        path.unlink()
    created = create_work(site, RECIPE)
    assert (created.units, created.again) == (0, 4)
    assert {path.name: path.read_bytes() for path in unit_files(site.home.queue)} == before


def test_killed_between_record_and_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = site_at(tmp_path, images=4)

    def killed(*_: object, **__: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(packing, "write_work_unit", killed)
        with pytest.raises(SystemExit):
            create_work(site, RECIPE)
    assert len(site.imaging.units("open")) == 1
    create_work(site, RECIPE)
    packed = [image.id for path in unit_files(site.home.queue) for image in read_work_unit(path).images]
    assert sorted(packed) == ["1", "2", "3", "4"]


def test_a_vanished_image_is_in_the_ledger_and_blocks_no_other(tmp_path: Path) -> None:
    site = site_at(tmp_path, images=4)
    (tmp_path / "images" / "90j8_1_002.jpg").unlink()
    for _ in range(2):
        create_work(site, RECIPE)
    assert [len(scores) for scores in auto_scores(site).values()] == [0, 0, 1, 0]
    (score,) = auto_scores(site)[3]
    assert score.outcome == "unreadable"
    assert "No such file" in str(score.found.error)
    assert sum(len(read_work_unit(path).images) for path in unit_files(site.home.queue)) == 3


def test_a_unit_of_vanished_images_is_done(tmp_path: Path) -> None:
    site = site_at(tmp_path, images=2)
    (tmp_path / "images" / "90j8_1_000.jpg").rename(tmp_path / "images" / "kept.jpg")
    (tmp_path / "images" / "90j8_1_001.jpg").unlink()
    create_work(site, RECIPE)
    assert [len(scores) for scores in auto_scores(site).values()] == [1, 1]
    assert len(site.imaging.units("done")) == 2


def test_images_of_no_known_kind_are_unreadable(tmp_path: Path) -> None:
    site = site_at(tmp_path)
    path = tmp_path / "images" / "a.gif"
    path.write_bytes(b"GIF89a")
    site.imaging.add_images([NewImage(key=WellKey(plate="p", row=0, column=0), path=str(path))])
    create_work(site, RECIPE)
    assert "none of .jpg" in str(auto_scores(site)[1][0].found.error)


def test_a_share_that_is_not_mounted_condemns_nothing(tmp_path: Path) -> None:
    site = site_at(tmp_path)
    add_images(site, tmp_path / "here", 1, plate="other")
    add_images(site, tmp_path / "images", 3)
    (tmp_path / "images").rename(tmp_path / "away")
    created = create_work(site, RECIPE, Order(limit=1))
    assert (created.images, created.unreachable) == (1, 3)
    (tmp_path / "away").rename(tmp_path / "images")
    assert create_work(site, RECIPE).images == 3


@pytest.mark.parametrize("number", [errno.ESTALE, errno.EIO, errno.EACCES, errno.EMFILE], ids=errno.errorcode.get)
def test_a_file_that_cannot_be_read_now_condemns_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    site = with_settings(site_at(tmp_path, images=3), workers=1)
    real = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        if path.name == "90j8_1_001.jpg":
            raise OSError(number, os.strerror(number))
        return real(path)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", read_bytes)
        created = [create_work(site, RECIPE) for _ in range(3)]
        assert [(each.images, each.units, each.again, each.unreachable) for each in created] == [(0, 0, 0, 3)] * 3
        assert is_finished(site, Pass(created=created[2], validated=Validated(valid=0, invalid=0), assimilated=0))
    assert [os.strerror(number) in record.getMessage() for record in caplog.records] == [True]
    assert create_work(site, RECIPE).again == 3
    assert not any(auto_scores(site).values())


def test_a_file_that_cannot_be_opened_holds_up_no_other(tmp_path: Path) -> None:
    site = with_settings(site_at(tmp_path, images=3), workers=1)
    path = tmp_path / "images" / "90j8_1_001.jpg"
    path.unlink()
    path.symlink_to(path.name)  # a link to itself: too many levels of links, which is not: no such file
    for images, limit in ((1, 1), (1, None), (0, None)):
        created = create_work(site, RECIPE, Order(limit=limit))
        assert created.images == images
    assert created.unreachable == 1
    path.unlink()
    path.write_bytes(PICTURE)
    assert create_work(site, RECIPE).images == 1
    assert not any(auto_scores(site).values())


def test_a_failed_unit_is_split(tmp_path: Path) -> None:
    site = with_settings(site_at(tmp_path, images=3), workers=1)
    create_work(site, RECIPE)
    (whole,) = site.imaging.units("open")
    add_failure(site.home, whole.name, "it crashed")
    set_aside(site.home, whole.name)
    for _ in range(2):
        create_work(site, RECIPE)
    (split,) = site.imaging.units("withdrawn")
    assert split.name == whole.name
    assert "split into units of one image" in split.reason
    assert "it crashed" in split.reason
    assert sorted(unit.image_ids for unit in site.imaging.units("open")) == [(1,), (2,), (3,)]
    assert len(unit_files(site.home.queue)) == 3


def test_a_failed_unit_of_one_image_is_given_up(tmp_path: Path) -> None:
    site = site_at(tmp_path, images=1)
    create_work(site, RECIPE)
    (unit,) = site.imaging.units("open")
    add_failure(site.home, unit.name, "it crashed")
    set_aside(site.home, unit.name)
    for _ in range(2):
        assert create_work(site, RECIPE).units == 0
    (score,) = auto_scores(site)[1]
    assert (score.outcome, score.work_unit) == ("unreadable", unit.name)
    assert "it crashed" in str(score.found.error)


@pytest.mark.parametrize("way", ["its file is lost", "it failed"])
def test_an_image_that_has_its_score_is_not_packed_again_when_its_unit_is(tmp_path: Path, way: str) -> None:
    site = with_settings(site_at(tmp_path, images=3), workers=1)
    image = tmp_path / "images" / "90j8_1_001.jpg"
    image.unlink()
    create_work(site, RECIPE)
    image.write_bytes(PICTURE)
    (path,) = unit_files(site.home.queue)
    if way == "it failed":
        set_aside(site.home, path.stem)
    else:
        path.unlink()
    create_work(site, RECIPE)
    packed = [[each.id for each in read_work_unit(path).images] for path in unit_files(site.home.queue)]
    assert sorted(packed) == ([["1"], ["3"]] if way == "it failed" else [["1", "3"]])
    assert not site.imaging.units("done")


def test_an_image_that_another_unit_scored_is_not_given_up(tmp_path: Path) -> None:
    site = site_at(tmp_path, images=1)
    create_work(site, RECIPE)
    (unit,) = site.imaging.units("open")
    other = replace(unit, name="other")
    site.imaging.add_unit(other)
    site.imaging.add_auto_scores([unreadable(other, 1, "cut off")])
    set_aside(site.home, unit.name)
    create_work(site, RECIPE)
    assert [score.work_unit for score in auto_scores(site)[1]] == ["other"]


def test_units_of_a_replaced_model_are_packed_anew(tmp_path: Path) -> None:
    site = site_at(tmp_path, images=2)
    create_work(site, RECIPE)
    newer = made_by("fake-2", "c")
    assert create_work(site, newer).images == 2
    assert all("replaced by fake-2" in unit.reason for unit in site.imaging.units("withdrawn"))
    assert {hashes_of(read_work_unit(path).models)["classifier"] for path in unit_files(site.home.queue)} == {"c" * 64}


@pytest.mark.parametrize("split", [False, True])
def test_a_model_that_comes_back_scores_what_it_left(tmp_path: Path, split: bool) -> None:
    site = with_settings(site_at(tmp_path, images=3), workers=1)
    create_work(site, RECIPE)
    before = site.imaging.units("open")
    if split:
        set_aside(site.home, before[0].name)
        create_work(site, RECIPE)
    create_work(site, made_by("fake-2", "c"))
    assert create_work(site, RECIPE).images == 3
    assert site.imaging.units("open") == before
    assert [path.stem for path in unit_files(site.home.queue)] == [before[0].name]
    assert not unit_files(site.home.failed)


def test_only_images_of_the_last_days_are_packed_when_asked_for(tmp_path: Path) -> None:
    site = site_at(tmp_path)
    now = datetime.now(UTC)
    for number, age in enumerate((0.5, 2, 40, None)):
        path = tmp_path / f"{number}.jpg"
        path.write_bytes(PICTURE)
        imaged_at = None if age is None else now - timedelta(days=age)
        key = WellKey(plate="aged", row=0, column=number)
        site.imaging.add_images([NewImage(key=key, path=str(path), imaged_at=imaged_at)])
    assert create_work(site, RECIPE, Order(newer_than=now - timedelta(days=7))).images == 2
    assert create_work(site, RECIPE, Order(channel="uv")).images == 0
    assert create_work(site, RECIPE).images == 2
