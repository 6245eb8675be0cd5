"""The sentinel in an installation: images as they come, what is kept, what `health` and the viewer say."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from crystal_search.errors import UserError
from crystal_search.exit_codes import USAGE
from crystal_search.main import main
from crystal_search.sentinel import usual
from crystal_search.sentinel.vitals import Vitals
from crystal_search.server.health.status import status
from crystal_search.server.health.troubles import troubles
from crystal_search.server.imaging.stored_images import FileVersion, NewImage
from crystal_search.server.installation import Installation
from crystal_search.server.services import imager_records, look_after_imagers
from crystal_search.server.services.imager_records import read_record, read_records, read_seen
from crystal_search.server.services.look_after_imagers import Rounds, said_of, standing
from crystal_search.viewer.app import viewer_app
from crystal_search.wells import WellKey
from tests.service_site import site_at
from tests.viewer_site import Client, auto_score

LEARNT, PLATE = 100, 24
SIZE = (128, 153)
OUTCOMES = ("clear", "precipitate", "crystal_bad_form", "spherulites", "no_drop")
IMAGER = "RI1000-0081"


def textured(rng: np.random.Generator, blur: float) -> Image.Image:
    """Return a lit floor with black squares on it, other ones in each picture."""
    levels = np.full(SIZE, 180.0)
    for row, column in zip(rng.integers(0, SIZE[0] - 6, 15), rng.integers(0, SIZE[1] - 6, 15), strict=True):
        levels[row : row + 6, column : column + 6] = 30
    noisy = (levels + rng.normal(0, 2, SIZE)).clip(0, 255).astype(np.uint8)
    return Image.fromarray(noisy).filter(ImageFilter.GaussianBlur(blur))


def quick_vitals(grey: NDArray[np.uint8]) -> Vitals:
    """Return vitals by which a picture is sharp where its edges are, in less time than the true ones take."""
    edges = float(np.abs(np.diff(grey.astype(np.float32), axis=1)).max())
    rng = np.random.default_rng(int(grey[:4].sum()))
    shade = rng.normal(0, 0.05, (4, 5)).astype(np.float16)
    return Vitals(brightness=float(rng.normal()), sharpness=edges, coarse_sharpness=float(rng.normal()), shade=shade)


def taken(site: Installation, folder: Path, count: int, *, plate: str, blur: float = 0, scored: bool = True) -> None:
    """Have an imager take the images of a plate."""
    rng, new = np.random.default_rng(ord(plate)), []
    (folder / f"{plate}_{IMAGER}").mkdir(parents=True)
    day = datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(days=len(site.imaging.plates()))
    for number in range(count):
        path = folder / f"{plate}_{IMAGER}" / f"{number}.png"
        textured(rng, blur).save(path, compress_level=1)
        key = WellKey(plate=plate, row=number // 12, column=number % 12)
        new.append(NewImage(key=key, path=str(path), imaged_at=day + timedelta(seconds=number)))
    site.imaging.add_images(new)
    drops = site.imaging.drops(plate, inspection=1)
    version = FileVersion(sha256="a" * 64, size_bytes=1, mtime_ns=1)
    site.imaging.note_versions({drop.image.id: version for drop in drops})
    if scored:
        site.imaging.add_auto_scores(
            auto_score(drop.image.id, OUTCOMES[number % len(OUTCOMES)]) for number, drop in enumerate(drops)
        )


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    for module in (imager_records, look_after_imagers):
        monkeypatch.setattr(module, "LEARNT", LEARNT)
    monkeypatch.setattr(usual, "LEAST_IMAGES", LEARNT)
    monkeypatch.setattr(look_after_imagers, "vitals_of", quick_vitals)
    site = site_at(tmp_path)
    for plate in ("A", "B", "C", "D", "E"):
        taken(site, tmp_path / "in", PLATE, plate=plate)
    return site


def looked(site: Installation) -> None:
    while look_after_imagers.look_after_imagers(site):
        pass


def test_a_fault_goes_from_pictures_to_health_and_the_page(site: Installation, tmp_path: Path) -> None:
    looked(site)
    (record,) = read_records(site.home.sentinel)
    assert said_of(record) == [f"{IMAGER}: all is as usual, after 120 images"]
    assert troubles(status(site)) == []

    taken(site, tmp_path / "in", PLATE, plate="F", blur=2)
    looked(site)
    said = next(each for each in standing(site.imaging, site.home.sentinel) if "defocus" in each)
    assert said.startswith(f"{IMAGER}: defocus since 2026-01-06 12:00 (image 12")
    assert any(said in each for each in troubles(status(site)))
    viewer = Client(viewer_app(site.imaging, tmp_path / "thumbs", site=site))
    page = viewer.get("/imagers").text
    assert f"! {said.removeprefix(f'{IMAGER}: ')}" in page
    assert page.count("<polyline") == 7
    assert 'class="faulty"' in page


def test_after_a_repair_it_learns_anew(site: Installation, tmp_path: Path) -> None:
    taken(site, tmp_path / "in", PLATE, plate="F", blur=2)
    looked(site)
    assert standing(site.imaging, site.home.sentinel)
    look_after_imagers._forget(site.home.sentinel, IMAGER)
    record = read_record(site.home.sentinel, IMAGER)
    assert said_of(record) == [f"{IMAGER}: 0 images; what is usual is known after {LEARNT}"]
    assert record.alarms
    assert len(record.days) == 6
    with pytest.raises(UserError, match="no imager 'X'; choose from RI1000-0081"):
        look_after_imagers._forget(site.home.sentinel, "X")


def test_images_are_looked_at_once_and_in_order(site: Installation, tmp_path: Path) -> None:
    taken(site, tmp_path / "in", 10, plate="F", scored=False)
    taken(site, tmp_path / "in", 10, plate="G")
    looked(site)
    assert read_record(site.home.sentinel, IMAGER).images == 120  # those behind the unscored ones wait
    site.imaging.add_auto_scores(auto_score(drop.image.id, "clear") for drop in site.imaging.drops("F", inspection=1))
    looked(site)
    assert read_record(site.home.sentinel, IMAGER).images == 140
    (site.home.sentinel / "last-image").unlink()  # as if killed before it was written
    looked(site)
    assert read_record(site.home.sentinel, IMAGER).images == 140
    ids = [each.image_id for each in read_seen(site.home.sentinel, IMAGER)]
    assert ids == sorted(ids)


def test_old_images_make_room(site: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look_after_imagers, "RECENT", 10)
    looked(site)
    seen = [each.image_id for each in read_seen(site.home.sentinel, IMAGER)]
    assert seen[:LEARNT] == list(range(1, LEARNT + 1))
    assert seen[LEARNT:] == list(range(116, 121))


def test_watch_looks_now_and_then_a_few_at_a_time(site: Installation) -> None:
    rounds = Rounds(site)
    assert rounds.look() == []
    assert read_record(site.home.sentinel, IMAGER).images == look_after_imagers.IN_A_ROUND
    assert rounds.look() == []
    assert read_record(site.home.sentinel, IMAGER).images == look_after_imagers.IN_A_ROUND


def test_pictures_that_are_gone_hold_up_nothing(site: Installation, tmp_path: Path) -> None:
    for path in (tmp_path / "in" / f"A_{IMAGER}").iterdir():
        path.unlink()
    looked(site)
    assert read_record(site.home.sentinel, IMAGER).images == 96


def test_what_somebody_wrote_into_the_folder_counts_as_nothing(site: Installation) -> None:
    looked(site)
    for name, text in (("x.json", "{}"), ("y.json", "[1]"), ("z.json", "\0"), ("w.json", '{"version": 1, "name": 3}')):
        (site.home.sentinel / name).write_text(text)
    assert [each.name for each in read_records(site.home.sentinel)] == [IMAGER]


def test_a_home_that_is_not_there_is_not_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sentinel", "--home", str(tmp_path / "typo")]) == USAGE
    assert "there is no Crystal Search installation" in capsys.readouterr().err
    assert not (tmp_path / "typo").exists()


def test_no_imager_yet(tmp_path: Path) -> None:
    site = site_at(tmp_path)
    looked(site)
    viewer = Client(viewer_app(site.imaging, tmp_path / "thumbs", site=site))
    assert "No imager is known yet" in viewer.get("/imagers").text
