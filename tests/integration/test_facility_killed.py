"""A pull and a push that are killed at any statement lose nothing and do nothing twice."""

import os
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from crystal_search.server.facility.ispyb_database import IspybDatabase
from crystal_search.server.imaging.sql_imaging import SqlImaging, open_imaging
from crystal_search.server.services.facility_exchange import pull, push
from tests.integration.imaging_nouns import NOON, auto, key, new_image
from tests.ispyb_sites import PlayedIspyb, in_sqlite

LAB = "ispyb host/lab"
KILLED, WHOLE = 9, 0
IMAGES = [new_image(key(row=row, column=column)) for row in range(2) for column in range(3)]
Work = Callable[[SqlImaging, IspybDatabase], object]


def imaging_in(folder: Path) -> SqlImaging:
    return open_imaging(f"sqlite:///{folder / 'imaging.sqlite'}")


def killed_at(number: int, folder: Path, work: Work) -> bool:
    """Do `work` in a process that ends before its statement of that number; tell whether it came to that."""
    child = os.fork()
    if child == 0:
        told = iter(range(1, number))

        def count(*_: object) -> None:
            if next(told, None) is None:
                os._exit(KILLED)

        event.listen(Engine, "before_cursor_execute", count)
        work(imaging_in(folder), PlayedIspyb(f"sqlite:///{folder / 'ispyb.sqlite'}").database())
        os._exit(WHOLE)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == KILLED


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """A folder with an ISPyB that has images, one of them scored by a person, and an empty imaging database."""
    folder = tmp_path / "begun"
    folder.mkdir()
    with closing(in_sqlite(folder)) as site:
        site.add_images(IMAGES)
        site.score(IMAGES[0].path, "Clear", at=NOON.replace(tzinfo=None))
    imaging_in(folder).close()
    return folder


def step(number: int) -> int:
    """Return the next statement to be killed at: each of the first, then some."""
    return number + (1 if number < 12 else 5)


def test_a_pull_that_is_killed_anywhere_is_made_good_by_the_next(begun: Path, tmp_path: Path) -> None:
    def work(imaging: SqlImaging, database: IspybDatabase) -> object:
        return pull(imaging, database, LAB)

    number, killed = 1, True
    while killed:
        folder = tmp_path / str(number)
        shutil.copytree(begun, folder)
        killed = killed_at(number, folder, work)
        with closing(imaging_in(folder)) as imaging, closing(PlayedIspyb(f"sqlite:///{folder}/ispyb.sqlite")) as site:
            work(imaging, site.database())
            assert {image.path for image in imaging.plate_images("P1")} == {image.path for image in IMAGES}
            assert [len(imaging.ledger(image.id)) for image in imaging.plate_images("P1")] == [1, 0, 0, 0, 0, 0]
        number = step(number)
    assert number > 20


def test_a_push_that_is_killed_anywhere_is_made_good_by_the_next(begun: Path, tmp_path: Path) -> None:
    with closing(imaging_in(begun)) as imaging, closing(PlayedIspyb(f"sqlite:///{begun}/ispyb.sqlite")) as site:
        pull(imaging, site.database(), LAB)
        imaging.add_auto_scores([auto(image) for image in imaging.plate_images("P1")])
        by_people = site.by_people()

    def work(imaging: SqlImaging, database: IspybDatabase) -> object:
        return push(imaging, database, LAB)

    number, killed = 1, True
    while killed:
        folder = tmp_path / str(number)
        shutil.copytree(begun, folder)
        killed = killed_at(number, folder, work)
        with closing(imaging_in(folder)) as imaging, closing(PlayedIspyb(f"sqlite:///{folder}/ispyb.sqlite")) as site:
            assert len(site.given()) in (0, len(IMAGES))  # wholly, or not at all
            work(imaging, site.database())
            assert len(site.given()) == len(IMAGES)
            noted = imaging.pushes(LAB)
            assert [each.refused for each in noted] == [""] * len(IMAGES)
            assert len({each.score_id for each in noted}) == len(IMAGES)
            assert site.by_people() == by_people
        number = step(number)
    assert number > 20
