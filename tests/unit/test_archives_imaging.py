"""An installation's own images: what people said last counts, ultraviolet mates are found."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from crystal_search.archives.archive import ArchiveImage, ArchiveOptions, LeftOut
from crystal_search.archives.archive_kinds import open_archive
from crystal_search.archives.installation_archive import scored_images
from crystal_search.errors import UserError
from crystal_search.server.imaging.imaging_database import ImagingDatabase, ManualScore
from crystal_search.server.imaging.stored_images import NewImage
from crystal_search.server.installation import opened
from crystal_search.wells import WellKey
from tests.memory_imaging import MemoryImaging


def add(imaging: ImagingDatabase, path: Path, *outcomes: str, there: bool = True, **key: int | str) -> None:
    """Add an image and what people said of it, one after another."""
    if there:
        path.write_bytes(b"picture")
    place = WellKey(**{"plate": "90j8", "row": 2, "column": 6} | key)  # type: ignore[arg-type]
    imaging.add_images([NewImage(key=place, path=str(path))])
    (image,) = (each for each in imaging.plate_images(place.plate) if each.path == str(path))
    for hour, outcome in enumerate(outcomes):
        said_at = datetime(2026, 1, 1, hour, tzinfo=UTC)
        imaging.add_manual_score(ManualScore(image_id=image.id, person="ada", scored_at=said_at, outcome=outcome))


def test_what_a_person_said_last_counts(tmp_path: Path) -> None:
    imaging = MemoryImaging()
    add(imaging, tmp_path / "a.jpg", "clear", "crystal_harvestable")
    add(imaging, tmp_path / "b.jpg", "no_drop", inspection=2)
    add(imaging, tmp_path / "c.jpg", row=3)
    found = list(scored_images(imaging))
    assert [(each.name, each.outcome, each.well, each.plate) for each in found if isinstance(each, ArchiveImage)] == [
        (str(tmp_path / "a.jpg"), "crystal_harvestable", "90j8 C07.1", "90j8"),
        (str(tmp_path / "b.jpg"), "no_drop", "90j8 C07.1", "90j8"),
    ]
    assert len(found) == 2


def test_the_ultraviolet_mate_is_of_the_same_drop_and_inspection(tmp_path: Path) -> None:
    imaging = MemoryImaging()
    add(imaging, tmp_path / "a.jpg", "clear")
    add(imaging, tmp_path / "later.jpg", "clear", inspection=2)
    add(imaging, tmp_path / "other.jpg", "clear", drop=2)
    add(imaging, tmp_path / "uv.jpg", "crystal_harvestable", channel="uv")
    found = {Path(each.name).name: each.uv for each in scored_images(imaging) if isinstance(each, ArchiveImage)}
    assert found == {"a.jpg": tmp_path / "uv.jpg", "later.jpg": None, "other.jpg": None}


def test_files_that_are_missing_and_rims_are_left_out(tmp_path: Path) -> None:
    imaging = MemoryImaging()
    add(imaging, tmp_path / "a.jpg", "clear")
    add(imaging, tmp_path / "a.uv.jpg", there=False, channel="uv")
    add(imaging, tmp_path / "lost.jpg", "clear", there=False, row=3)
    add(imaging, tmp_path / "rim.jpg", "rim", row=4)
    found = list(scored_images(imaging))
    assert [each for each in found if isinstance(each, LeftOut)] == [
        LeftOut(str(tmp_path / "a.uv.jpg"), "the file of a mate is missing", "uv"),
        LeftOut(str(tmp_path / "lost.jpg"), "the file is missing"),
        LeftOut(str(tmp_path / "rim.jpg"), "scored as a rim, which only chops are"),
    ]
    assert [each.uv for each in found if isinstance(each, ArchiveImage)] == [None]


def test_an_installation_is_read_as_often_as_one_likes(tmp_path: Path) -> None:
    with opened(tmp_path / "site") as site:
        add(site.imaging, tmp_path / "a.jpg", "spherulites")
    archive = open_archive("imaging", tmp_path / "site")
    for _ in range(2):
        assert [each.outcome for each in archive.images() if isinstance(each, ArchiveImage)] == ["spherulites"]
    assert (archive.name, archive.scheme.name) == ("imaging database of site", "outcomes-13")


def test_what_is_no_installation_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no Crystal Search installation in"):
        open_archive("imaging", tmp_path)
    with opened(tmp_path / "site"), pytest.raises(UserError, match=r"people score in the scheme outcomes-13"):
        open_archive("imaging", tmp_path / "site", ArchiveOptions(scheme="groups-4"))
