"""create-work: what is packed, under which name, and what is made good after a kill."""

import argparse
import errno
import io
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from crystal_search.model import hashes_of, sha256_of
from crystal_search.pictures import Converted, as_work_picture
from crystal_search.result import ImageScore
from crystal_search.server.engines.attempts import add_failure, set_aside
from crystal_search.server.folders import unit_files
from crystal_search.server.imaging.imaging_database import AutoScore
from crystal_search.server.imaging.stored_images import FileVersion, NewImage
from crystal_search.server.installation import Installation
from crystal_search.server.services import create_work as create_work_command
from crystal_search.server.services import image_files, packing
from crystal_search.server.services.assimilate import assimilate
from crystal_search.server.services.create_work import Order, create_work
from crystal_search.server.services.cycle import Pass, is_finished, publish_scores
from crystal_search.server.services.image_files import read_image
from crystal_search.server.services.packing import unit_name
from crystal_search.server.services.postponing import DELAYS_S, Reason, put_off
from crystal_search.server.services.validate import Validated, validate
from crystal_search.server.unit_states import newest_first
from crystal_search.wells import WellKey
from crystal_search.work_unit import image_bytes, read_work_unit, write_work_unit
from tests.recipes import made_by
from tests.service_site import (
    PICTURE,
    RECIPE,
    add_images,
    auto_scores,
    pass_time,
    return_results,
    site_at,
    with_settings,
)


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
    site = with_settings(site_at(tmp_path, images=3), workers=1)
    monkeypatch.setattr(packing, "MAX_PACKED_BYTES", 10)
    assert create_work(site, RECIPE).units == 3
    assert [len(read_work_unit(path).images) for path in unit_files(site.home.queue)] == [1, 1, 1]


def test_the_newest_images_are_packed_first_whatever_their_plates_are_called(tmp_path: Path) -> None:
    site = with_settings(site_at(tmp_path), max_queue=1)
    for plate, day in (("M", 1), ("ZZZ", 3), ("AAA", 2)):
        add_images(site, tmp_path / plate, 2, plate=plate, imaged_at=datetime(2026, 1, day, tzinfo=UTC))
    for plate in ("ZZZ", "AAA", "M"):
        assert create_work(site, RECIPE).units >= 1
        (path,) = unit_files(site.home.queue)
        assert path.name.startswith(f"{plate}-1-")
        path.unlink()
        site.imaging.close_unit(path.stem, "failed")


def test_a_new_image_is_packed_though_the_queue_is_full_of_a_backlog(tmp_path: Path) -> None:
    site = with_settings(site_at(tmp_path), max_queue=2, images_per_unit=1)
    add_images(site, tmp_path / "old", 9, plate="old", imaged_at=datetime(2020, 1, 1, tzinfo=UTC))
    assert [create_work(site, RECIPE).units for _ in range(2)] == [2, 0]
    add_images(site, tmp_path / "new", 20, plate="new", imaged_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert [create_work(site, RECIPE).units for _ in range(2)] == [4, 0]
    assert [path.name[:3] for path in newest_first(site.home)] == ["new"] * 4 + ["old"] * 2


def test_a_lost_file_is_written_again_the_same(tmp_path: Path) -> None:
    site = site_at(tmp_path, images=4)
    create_work(site, RECIPE)
    before = {path.name: path.read_bytes() for path in unit_files(site.home.queue)}
    for path in unit_files(site.home.queue):
        path.unlink()
    created = create_work(site, RECIPE)
    assert (created.units, created.again) == (0, 4)
    assert {path.name: path.read_bytes() for path in unit_files(site.home.queue)} == before


def killed(*_: object, **__: object) -> None:
    raise SystemExit


def test_killed_between_record_and_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = site_at(tmp_path, images=4)

    with monkeypatch.context() as patch:
        patch.setattr(packing, "write_work_unit", killed)
        with pytest.raises(SystemExit):
            create_work(site, RECIPE)
    assert len(site.imaging.units("open")) == 2
    create_work(site, RECIPE)
    packed = [image.id for path in unit_files(site.home.queue) for image in read_work_unit(path).images]
    assert sorted(packed) == ["1", "2", "3", "4"]


def test_killed_between_two_files_that_are_written_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = site_at(tmp_path, images=4)

    def killed_at_the_last(path: Path, **told: Any) -> None:
        if told["images"][0][0] == "1":
            killed()
        write_work_unit(path, **told)

    with monkeypatch.context() as patch:
        patch.setattr(packing, "write_work_unit", killed_at_the_last)
        with pytest.raises(SystemExit):
            create_work(site, RECIPE)
    first = unit_files(site.home.queue)
    assert len(first) == 1
    before = first[0].read_bytes()
    assert create_work(site, RECIPE).again == 2
    assert first[0].read_bytes() == before
    packed = [image.id for path in unit_files(site.home.queue) for image in read_work_unit(path).images]
    assert sorted(packed) == ["1", "2", "3", "4"]


def reasons(site: Installation) -> dict[str, int]:
    return {each.reason: each.images for each in site.imaging.postponed()}


def nothing_is_said_of_images(site: Installation) -> bool:
    return not any(auto_scores(site).values())


def test_an_image_that_is_gone_is_put_off_and_blocks_no_other(tmp_path: Path) -> None:
    site = site_at(tmp_path, images=4)
    path = tmp_path / "images" / "90j8_1_002.jpg"
    path.rename(tmp_path / "elsewhere.jpg")
    for _ in range(2):
        create_work(site, RECIPE)
    assert reasons(site) == {"its file is gone": 1}
    assert sum(len(read_work_unit(path).images) for path in unit_files(site.home.queue)) == 3
    (tmp_path / "elsewhere.jpg").rename(path)
    assert create_work(site, RECIPE).images == 0
    pass_time(site, seconds=3)
    assert create_work(site, RECIPE).images == 1
    assert nothing_is_said_of_images(site)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.gif", b"GIF89a", "its suffix '.gif' is none of .jpg"),
        ("a.jpg", b"", "its file is empty"),
        ("a.tif", None, "it is no regular file"),
    ],
)
def test_what_is_no_file_of_an_image_is_said(tmp_path: Path, name: str, content: bytes | None, reason: str) -> None:
    site = site_at(tmp_path)
    path = tmp_path / "images" / name
    if content is None:
        os.mkfifo(path)
    else:
        path.write_bytes(content)
    site.imaging.add_images([NewImage(key=WellKey(plate="p", row=0, column=0), path=str(path))])
    assert create_work(site, RECIPE).images == 0
    assert [each.startswith(reason) for each in reasons(site)] == [True]


def test_a_share_that_is_not_mounted_condemns_nothing(tmp_path: Path) -> None:
    site = site_at(tmp_path)
    add_images(site, tmp_path / "here", 1, plate="other")
    add_images(site, tmp_path / "images", 3)
    (tmp_path / "images").rename(tmp_path / "away")
    assert create_work(site, RECIPE, Order(limit=1)).images == 1
    assert reasons(site) == {"its folder is gone, or its share is not mounted": 3}
    (tmp_path / "away").rename(tmp_path / "images")
    for _ in range(20):  # however often it was tried in vain, it is tried again each minute
        pass_time(site, seconds=61)
        (tmp_path / "images").rename(tmp_path / "away")
        create_work(site, RECIPE)
        (tmp_path / "away").rename(tmp_path / "images")
    pass_time(site, seconds=61)
    assert create_work(site, RECIPE).images == 3
    assert nothing_is_said_of_images(site)


@pytest.mark.parametrize("number", [errno.ESTALE, errno.EIO, errno.EACCES, errno.EMFILE], ids=errno.errorcode.get)
def test_a_file_that_cannot_be_read_now_condemns_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    site = with_settings(site_at(tmp_path, images=3), workers=1)
    real = read_image

    def read(path: str) -> tuple[bytes, FileVersion]:
        if path.endswith("90j8_1_001.jpg"):
            raise OSError(number, os.strerror(number))
        return real(path)

    with monkeypatch.context() as patch:
        patch.setattr(packing, "read_image", read)
        created = [create_work(site, RECIPE) for _ in range(3)]
    assert [(each.images, each.units, each.again) for each in created] == [(2, 1, 0), (0, 0, 0), (0, 0, 0)]
    assert is_finished(site, Pass(created=created[2], validated=Validated(valid=0, invalid=0), assimilated=0)) is False
    assert reasons(site) == {f"its file cannot be read: {os.strerror(number)}": 1}
    pass_time(site, seconds=3)
    assert create_work(site, RECIPE).images == 1
    assert nothing_is_said_of_images(site)


@pytest.mark.parametrize("number", [errno.ESTALE, errno.EIO, errno.ENOTCONN], ids=errno.errorcode.get)
def test_a_share_that_fails_as_a_whole_is_tried_each_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    site = site_at(tmp_path, images=1)

    def fail(path: str) -> object:
        raise OSError(number, f"{os.strerror(number)}: {path}")

    with monkeypatch.context() as patch:
        patch.setattr(packing, "read_image", fail)
        patch.setattr(image_files, "folder_is_there", lambda path: False)
        for _ in range(10):
            create_work(site, RECIPE)
            pass_time(site, seconds=61)
    assert site.imaging.postponements([1])[1].tries == 10
    assert create_work(site, RECIPE).images == 1


@pytest.mark.parametrize("fault", [MemoryError, RecursionError, ZeroDivisionError])
def test_a_fault_of_ours_puts_one_image_off_and_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: type[Exception]
) -> None:
    site = site_at(tmp_path, images=3)
    odd = tmp_path / "images" / "90j8_1_001.jpg"
    odd.write_bytes(PICTURE + b"odd")
    real = as_work_picture

    def decode(data: bytes, suffix: str) -> Converted:
        if data.endswith(b"odd"):
            raise fault
        return real(data, suffix)

    with monkeypatch.context() as patch:
        patch.setattr(packing, "as_work_picture", decode)
        assert create_work(site, RECIPE).images == 2
        assert reasons(site) == {f"this server could not read it: {fault.__name__}": 1}
        for _ in range(5):
            pass_time(site, seconds=50_000)
            assert create_work(site, RECIPE).images == 0
    assert nothing_is_said_of_images(site)
    pass_time(site, seconds=50_000)
    assert create_work(site, RECIPE).images == 1


def test_a_clock_that_is_set_back_neither_hides_an_image_nor_holds_up_its_verdict(tmp_path: Path) -> None:
    site = site_at(tmp_path, images=2)
    path = tmp_path / "images" / "90j8_1_000.jpg"
    path.write_bytes(half(PICTURE))
    put_off(site, {2: Reason("its file is gone")})
    assert create_work(site, RECIPE).images == 0
    pass_time(site, seconds=-1_000_000)
    assert create_work(site, RECIPE).images == 1
    pass_time(site, seconds=61)
    create_work(site, RECIPE)
    assert [score.outcome for score in auto_scores(site)[1]] == ["unreadable"]


def test_each_try_in_vain_makes_the_next_wait_longer(tmp_path: Path) -> None:
    site = site_at(tmp_path, images=1)
    path = tmp_path / "images" / "90j8_1_000.jpg"
    path.unlink()
    path.symlink_to(path.name)  # a link to itself: too many levels of links, which is not: no such file
    waits = []
    for _ in range(10):
        create_work(site, RECIPE)
        (waiting,) = site.imaging.postponements([1]).values()
        waits.append((waiting.next_at - datetime.now(UTC)).total_seconds())
        pass_time(site, seconds=50_000)
    assert waits == pytest.approx([*DELAYS_S, DELAYS_S[-1], DELAYS_S[-1]], abs=2)
    assert waiting.tries == 10


def test_a_picture_that_clients_read_otherwise_is_converted_and_the_choice_is_told(tmp_path: Path) -> None:
    site = site_at(tmp_path)
    path = tmp_path / "images" / "pages.tif"
    flat = Image.new("L", (400, 300), 90)
    sharp = Image.effect_noise((400, 300), 80)
    flat.save(path, save_all=True, append_images=[sharp])
    site.imaging.add_images([NewImage(key=WellKey(plate="p", row=0, column=0), path=str(path))])
    assert create_work(site, RECIPE).images == 1
    (unit,) = unit_files(site.home.queue)
    (member,) = read_work_unit(unit).images
    assert member.member.endswith(".png")
    with Image.open(io.BytesIO(image_bytes(unit, member))) as packed:
        assert np.array_equal(np.asarray(packed), np.asarray(sharp))
    client_fails(site)
    (score,) = auto_scores(site)[1]
    assert score.version
    assert score.version.sha256 == sha256_of(path.read_bytes())
    assert "page 2 of 2" in score.version.remarks[0]


def half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def client_fails(site: Installation, *ids: str) -> None:
    return_results(site, unreadable=ids)
    validate(site.home)
    assimilate(site)
    publish_scores(site)


def test_only_bytes_that_stay_the_same_and_that_this_server_cannot_decode_are_unreadable(tmp_path: Path) -> None:
    site = site_at(tmp_path, images=1)
    path = tmp_path / "images" / "90j8_1_000.jpg"
    path.write_bytes(half(PICTURE))
    create_work(site, RECIPE)
    client_fails(site, "1")
    for seconds in (5, 50):
        pass_time(site, seconds=seconds)
        assert create_work(site, RECIPE).images == 0
        assert nothing_is_said_of_images(site)
        assert [each.startswith("it cannot be decoded yet: ") for each in reasons(site)] == [True]
    pass_time(site, seconds=60)
    assert create_work(site, RECIPE).images == 0
    (score,) = auto_scores(site)[1]
    assert score.outcome == "unreadable"
    assert score.version
    assert score.version.sha256 == sha256_of(half(PICTURE))
    assert reasons(site) == {}
    path.write_bytes(PICTURE)
    assert create_work(site, RECIPE).images == 1  # it is another picture now
    return_results(site)
    validate(site.home)
    assimilate(site)
    publish_scores(site)
    assert [each.outcome == "unreadable" for each in auto_scores(site)[1]] == [True, False]


def test_a_copy_that_stalled_is_scored_when_it_is_whole(tmp_path: Path) -> None:
    site = site_at(tmp_path, images=1)
    path = tmp_path / "images" / "90j8_1_000.jpg"
    path.write_bytes(half(PICTURE))
    create_work(site, RECIPE)
    path.write_bytes(PICTURE)
    client_fails(site, "1")
    pass_time(site, seconds=5)
    assert create_work(site, RECIPE).images == 1
    assert nothing_is_said_of_images(site)


def test_what_a_client_cannot_read_and_this_server_can_is_never_unreadable(tmp_path: Path) -> None:
    site = site_at(tmp_path, images=1)
    for _ in range(5):
        assert create_work(site, RECIPE).images == 1
        client_fails(site, "1")
        pass_time(site, seconds=50_000)
    assert nothing_is_said_of_images(site)


def test_another_picture_in_the_same_file_is_scored_anew(tmp_path: Path) -> None:
    site = site_at(tmp_path, images=2)
    create_work(site, RECIPE)
    client_fails(site)
    assert [len(each) for each in auto_scores(site).values()] == [1, 1]
    path = tmp_path / "images" / "90j8_1_000.jpg"
    path.write_bytes(PICTURE + b"another")
    assert create_work(site, RECIPE).images == 1
    client_fails(site)
    assert [len(each) for each in auto_scores(site).values()] == [2, 1]
    os.utime(path, (1, 1))
    assert create_work(site, RECIPE).images == 0
    image = site.imaging.images([1])[1]
    assert image.version
    assert image.version.mtime_ns == 1_000_000_000


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
    assert list(site.home.failed.iterdir()) == []


def test_an_image_that_ends_every_client_is_tried_again_later(tmp_path: Path) -> None:
    site = site_at(tmp_path, images=1)
    for _ in range(3):
        assert create_work(site, RECIPE).units == 1
        (unit,) = site.imaging.units("open")
        add_failure(site.home, unit.name, "the client was killed by SIGKILL; its log ends:\nsomething")
        set_aside(site.home, unit.name)
        assert create_work(site, RECIPE).units == 0
        assert reasons(site) == {"clients could not score it: the client was killed by SIGKILL": 1}
        assert list(site.home.failed.iterdir()) == []
        pass_time(site, seconds=100)
    assert nothing_is_said_of_images(site)


def test_a_unit_that_is_split_twice_holds_each_image_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = with_settings(site_at(tmp_path, images=2), workers=1)
    create_work(site, RECIPE)
    (whole,) = site.imaging.units("open")
    set_aside(site.home, whole.name)
    with monkeypatch.context() as patch:
        patch.setattr(type(site.imaging), "close_unit", killed)
        with pytest.raises(SystemExit):
            create_work(site, RECIPE)
    create_work(site, RECIPE)
    assert sorted(unit.image_ids for unit in site.imaging.units("open")) == [(1,), (2,)]


def scored_elsewhere(site: Installation, image_id: int) -> None:
    """Have another unit score an image that is in work."""
    (unit,) = site.imaging.units("open")
    site.imaging.add_units([replace(unit, name="other", image_ids=(image_id,))])
    found = ImageScore(height_px=9, width_px=9)
    score = AutoScore(image_id=image_id, work_unit="other", recipe=RECIPE, scored_at=datetime.now(UTC), found=found)
    site.imaging.add_auto_scores([score])
    site.imaging.close_unit("other", "done")


@pytest.mark.parametrize("way", ["its file is lost", "it failed"])
def test_an_image_that_has_its_score_is_not_packed_again_when_its_unit_is(tmp_path: Path, way: str) -> None:
    site = with_settings(site_at(tmp_path, images=3), workers=1)
    create_work(site, RECIPE)
    scored_elsewhere(site, 2)
    (path,) = unit_files(site.home.queue)
    if way == "it failed":
        set_aside(site.home, path.stem)
    else:
        path.unlink()
    create_work(site, RECIPE)
    packed = [[each.id for each in read_work_unit(path).images] for path in unit_files(site.home.queue)]
    assert sorted(packed) == ([["1"], ["3"]] if way == "it failed" else [["1", "3"]])


def test_an_image_that_another_unit_scored_is_not_put_off(tmp_path: Path) -> None:
    site = site_at(tmp_path, images=1)
    create_work(site, RECIPE)
    (unit,) = site.imaging.units("open")
    scored_elsewhere(site, 1)
    set_aside(site.home, unit.name)
    create_work(site, RECIPE)
    assert [score.work_unit for score in auto_scores(site)[1]] == ["other"]
    assert site.imaging.postponed() == []


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
