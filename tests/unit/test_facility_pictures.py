"""Framed pictures that go where a facility's users look."""

from dataclasses import replace
from pathlib import Path

import pytest

from crystal_search.errors import ConfigError
from crystal_search.result import ImageResult, Overlay, RankedScore, Result, write_result
from crystal_search.server.facility.facility_settings import FacilitySettings
from crystal_search.server.home import Home
from crystal_search.server.imaging.imaging_database import ScoredImage
from crystal_search.server.services.facility_exchange import pull, push
from crystal_search.server.services.facility_pictures import place_pictures, placing
from tests.integration.imaging_nouns import FOUND, NOON, RECIPE, auto, key, new_image
from tests.memory_facility import MemoryFacility
from tests.memory_imaging import MemoryImaging

BEST = RankedScore(outcome="crystal_harvestable", probability=0.9, above_threshold=True)
SCORE = replace(FOUND, score=BEST, group_peaks=(0.9, 0.3, 0.4, 0.3))
LAB, UNIT = "memory host/lab", "P1-1-0123456789abcdef"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home").made()


def scored(imaging: MemoryImaging, home: Home) -> list[ScoredImage]:
    """Two images that a client scored and framed; their result is in the archive."""
    folder = home.archive / UNIT
    (folder / "overlays").mkdir(parents=True)
    images, results = imaging.plate_images("P1"), []
    for number, image in enumerate(images):
        overlay = Overlay(file=f"overlays/{number:04d}.jpg", sha256="0" * 64, size_bytes=7)
        (folder / overlay.file).write_bytes(b"frames%d" % number)
        results.append(ImageResult(id=str(image.id), sha256="0" * 64, score=SCORE, overlay=overlay))
    made = Result(work_unit=UNIT, client_version="0", models=RECIPE.models, images=tuple(results))
    write_result(made, folder)
    imaging.add_auto_scores([auto(image, UNIT) for image in images])
    return list(imaging.scores_to_push(LAB, now=NOON, limit=9).scores)


def imaging_of(facility: MemoryFacility) -> MemoryImaging:
    imaging = MemoryImaging()
    pull(imaging, facility, LAB)
    return imaging


@pytest.fixture
def facility() -> MemoryFacility:
    made = MemoryFacility()
    made.images = [new_image(key(column=column)) for column in range(2)]
    return made


def test_pictures_are_put_when_scores_are_pushed(facility: MemoryFacility, home: Home, tmp_path: Path) -> None:
    imaging = imaging_of(facility)
    scored(imaging, home)
    settings = FacilitySettings(pictures=f"{tmp_path}/frames/{{plate}}/{{inspection}}/{{name}}_ART.jpg")
    assert push(imaging, facility, LAB, pictures=placing(home, settings)).taken == 2
    found = sorted((tmp_path / "frames").rglob("*.jpg"))
    assert [path.relative_to(tmp_path).as_posix() for path in found] == [
        "frames/P1/1/A01_1_ART.jpg",
        "frames/P1/1/A02_1_ART.jpg",
    ]
    assert [path.read_bytes() for path in found] == [b"frames0", b"frames1"]


def test_a_picture_that_cannot_be_put_is_told_and_put_later(
    facility: MemoryFacility, home: Home, tmp_path: Path
) -> None:
    imaging = imaging_of(facility)
    scores = scored(imaging, home)
    share = tmp_path / "share"
    share.touch()  # no folder: it is not mounted
    settings = FacilitySettings(pictures=f"{share}/{{name}}.jpg")
    report = push(imaging, facility, LAB, pictures=placing(home, settings))
    assert (report.taken, len(report.refused)) == (0, 2)
    assert report.refused[0].startswith(f"{scores[0].image.path}: its score is there, but its picture cannot be put to")
    assert len(facility.given) == 2
    share.unlink()
    share.mkdir()
    assert place_pictures(home, settings.pictures, scores) == {}
    assert len(list(share.iterdir())) == 2


def test_scores_without_a_picture_are_pushed_all_the_same(facility: MemoryFacility, home: Home, tmp_path: Path) -> None:
    imaging = imaging_of(facility)
    imaging.add_auto_scores([auto(image, UNIT) for image in imaging.plate_images("P1")])
    settings = FacilitySettings(pictures=f"{tmp_path}/frames/{{name}}.jpg")
    assert push(imaging, facility, LAB, pictures=placing(home, settings)).taken == 2
    assert not (tmp_path / "frames").exists()


def test_a_plate_leads_to_no_other_folder(facility: MemoryFacility, home: Home, tmp_path: Path) -> None:
    imaging = imaging_of(facility)
    first = scored(imaging, home)[0]
    strange = replace(first, image=replace(first.image, key=replace(first.image.key, plate="..")))
    place_pictures(home, f"{tmp_path}/frames/{{plate}}/{{name}}.jpg", [strange])
    assert [path.name for path in (tmp_path / "frames").iterdir()] == ["_"]


@pytest.mark.parametrize("template", ["/x/{plate}.jpg", "frames/{name}.jpg", "/x/{well}/{name}.jpg", "/x/{name"])
def test_a_path_that_tells_no_images_apart_is_refused(template: str, home: Home) -> None:
    with pytest.raises(ConfigError, match=r"pictures in \[facility\] is .*write a path like"):
        placing(home, FacilitySettings(pictures=template))
