"""Weeks of trouble between our imaging database and an XtalTrak: nothing is lost, nothing is there twice."""

import contextlib
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import CheckConstraint, Engine, create_engine, event

from crystal_search.errors import DatabaseError
from crystal_search.server.facility.foreign_sql import begin_writing
from crystal_search.server.facility.xtaltrak_schema import XtalTrakSite, xtaltrak_tables
from crystal_search.server.imaging.imaging_database import ImagingDatabase, ManualScore
from crystal_search.server.imaging.sql_imaging import open_imaging
from crystal_search.server.imaging.stored_images import StoredImage
from crystal_search.server.services import facility_exchange
from crystal_search.server.services.facility_exchange import pull, push
from tests.integration.imaging_nouns import OTHER_RECIPE, RECIPE, auto
from tests.xtaltrak_site import FIRST, PlayedXtalTrak, image_of, key

LAB = "xtaltrak db.lab/XTAL"


class Trouble:
    """Breaks a connection at one statement of so many, drawn by chance, as a network or an administrator does."""

    def __init__(self, engine: Engine, seed: int) -> None:
        self.of = 0  #: one statement of so many; 0: all is well
        self.broken = 0
        self._random = random.Random(seed)
        event.listen(engine, "before_cursor_execute", self._maybe)

    def _maybe(self, *_: Any) -> None:
        if self.of and self._random.randrange(self.of) == 0:
            self.broken += 1
            raise ConnectionResetError("the server closed the connection")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[PlayedXtalTrak]:
    """A played XtalTrak that takes no score 31, which one image in ten gets."""
    own, ours = (begin_writing(create_engine(f"sqlite:///{tmp_path / 'site.sqlite'}")) for _ in range(2))
    tables = xtaltrak_tables({}, owner="")
    tables.scores.append_constraint(CheckConstraint(tables.scores.c.score != 31, name="never"))
    yield PlayedXtalTrak(own, ours, tables, XtalTrakSite(time_zone="UTC", channels={"*": "visible"}))
    own.dispose()
    ours.dispose()


@pytest.fixture
def imaging(tmp_path: Path) -> Iterator[ImagingDatabase]:
    database = open_imaging(f"sqlite:///{tmp_path / 'imaging.sqlite'}")
    yield database
    database.close()


def again_and_again(work: Callable[[], object], tries: int = 200) -> None:
    """Do something until it works, as `watch` and cron do."""
    for _ in range(tries):
        with contextlib.suppress(DatabaseError):
            work()
            return
    raise AssertionError(f"in vain {tries} times")


def score(imaging: ImagingDatabase, images: list[StoredImage], unit: str, outcome: str, **recipe: Any) -> None:
    scores = []
    for number, image in enumerate(images):
        given = auto(image, f"{unit}-{number}", **recipe)
        named = "phase_separation" if number % 10 == 7 else outcome
        found = replace(given.found, score=replace(given.found.score, outcome=named))  # type: ignore[type-var]
        scores.append(replace(given, found=found))
    imaging.add_auto_scores(scores)


def test_a_month_of_trouble_loses_nothing_and_writes_nothing_twice(
    site: PlayedXtalTrak, imaging: ImagingDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The seed decides which statements fail, not what is there in the end."""
    monkeypatch.setattr(facility_exchange, "PULL_ROWS", 25)
    monkeypatch.setattr(facility_exchange, "PUSH_SCORES", 20)
    trouble = Trouble(site.ours, seed=20)
    wells = [(row, column) for row in range(5) for column in range(4)]
    images = {inspection: [image_of(key(well, inspection)) for well in wells] for inspection in (1, 2)}
    site.take(images[1])
    for image in images[1][:5]:
        site.score(image, "zoe", 13, FIRST + timedelta(days=1))
    site.take(images[2])
    people = site.rows()
    trouble.of = 5
    again_and_again(lambda: pull(imaging, site.facility, LAB))
    stored = imaging.plate_images("CI1")
    assert [each.path for each in stored] == [each.path for each in (*images[1], *images[2])]
    told = [row for image in stored for row in imaging.ledger(image.id) if isinstance(row, ManualScore)]
    assert [(row.person, row.outcome) for row in told] == [("zoe", "precipitate")] * 5
    trouble.of = 20  # a push is many statements, and is done whole or not at all
    for unit, outcome, recipe in (("first", "clear", RECIPE), ("second", "crystal_harvestable", OTHER_RECIPE)):
        score(imaging, stored, unit, outcome, recipe=recipe)
        again_and_again(lambda: push(imaging, site.facility, LAB))
    assert trouble.broken > 10
    trouble.of = 0
    refused = imaging.pushes(LAB, refused=True)
    assert len(refused) == 4
    assert all("XtalTrak refused it" in each.refused and each.path in each.refused for each in refused)
    assert site.rows(ours=False) == people
    ours = site.rows(ours=True)
    assert Counter(row.score for row in ours) == {23: 36}
    assert len({row.inspectid for row in ours}) == 36
    assert site.counters() == {("CI1", 1): 18, ("CI1", 2): 18}
    assert [each.scoredby for (_, row, _, _), each in site.shown().items() if row == 1] == ["zoe"] * 4


def test_an_hour_without_the_server_holds_scores_back_and_no_longer(
    site: PlayedXtalTrak, imaging: ImagingDatabase
) -> None:
    site.take([image_of(key((0, column))) for column in range(3)])
    pull(imaging, site.facility, LAB)
    trouble = Trouble(site.ours, seed=1)
    score(imaging, imaging.plate_images("CI1"), "unit", "clear")
    trouble.of = 1
    for _ in range(10):
        with pytest.raises(DatabaseError, match="cannot write scores"):
            push(imaging, site.facility, LAB)
    trouble.of = 0
    assert push(imaging, site.facility, LAB).taken == 3
    assert push(imaging, site.facility, LAB).taken == 0
    assert len(site.rows()) == 3


def test_a_plate_that_was_deleted_there_is_told_and_given_again_when_it_is_back(
    site: PlayedXtalTrak, imaging: ImagingDatabase
) -> None:
    image = image_of(key())
    site.take([image])
    pull(imaging, site.facility, LAB)
    score(imaging, imaging.plate_images("CI1"), "unit", "clear")
    site.execute([site.tables.images.delete()])
    report = push(imaging, site.facility, LAB)
    assert (report.taken, len(report.refused)) == (0, 1)
    assert "was it deleted there?" in report.refused[0]
    row = {"inspectid": 1, "imagename": image.path.rpartition("/")[2]}
    site.execute([site.tables.images.insert().values(row)])
    later = datetime.now(UTC) + timedelta(days=2)
    found = imaging.scores_to_push(LAB, now=later, limit=10)
    assert site.facility.push(found.scores) == ()
    assert len(site.rows()) == 1
