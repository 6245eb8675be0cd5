"""Facilities of every kind, each with an imager and a person, so that one suite runs on all of them."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import create_engine

from crystal_search.server.facility.facility_database import FacilityDatabase
from crystal_search.server.facility.xtaltrak_schema import XtalTrakSite, xtaltrak_tables
from crystal_search.server.imaging.facility_records import PulledScore
from crystal_search.server.imaging.stored_images import NewImage
from tests.ispyb_sites import in_sqlite
from tests.memory_facility import MemoryFacility
from tests.xtaltrak_site import PlayedXtalTrak


class PlayedSite(Protocol):
    """A facility, and what its own people and machines do."""

    @property
    def facility(self) -> FacilityDatabase:
        """The facility's database."""

    def take(self, images: Sequence[NewImage]) -> None:
        """Have an imager take pictures."""

    def find_crystals(self, image: NewImage, at: datetime) -> None:
        """Have a person score an image: crystals, harvestable."""

    def by_people(self) -> Any:
        """Return what people said, in whatever form, to be compared."""

    def ours(self) -> Any:
        """Return what we said, in whatever form, to be compared."""


class MemorySite:
    """A facility in memory."""

    def __init__(self) -> None:
        self.facility = MemoryFacility()

    def take(self, images: Sequence[NewImage]) -> None:
        """Have an imager take pictures."""
        self.facility.images += images

    def find_crystals(self, image: NewImage, at: datetime) -> None:
        """Have a person score an image."""
        score = PulledScore(path=image.path, person="zoe", outcome="crystal_harvestable", scored_at=at)
        self.facility.by_people.append(score)

    def by_people(self) -> Any:
        """Return what people said."""
        return list(self.facility.by_people)

    def ours(self) -> Any:
        """Return what we said."""
        return dict(self.facility.given)


class IspybSite:
    """An ISPyB in SQLite."""

    def __init__(self, folder: Path) -> None:
        self._site = in_sqlite(folder)
        self.facility = self._site.database()

    def take(self, images: Sequence[NewImage]) -> None:
        """Have an imager take pictures."""
        self._site.add_images(images)

    def find_crystals(self, image: NewImage, at: datetime) -> None:
        """Have a person score an image."""
        self._site.score(image.path, "3D Crystals", at=at.replace(tzinfo=None))

    def by_people(self) -> Any:
        """Return what people said."""
        return self._site.by_people()

    def ours(self) -> Any:
        """Return what we said."""
        return self._site.given()


class XtalTrakInSqlite:
    """An XtalTrak in SQLite."""

    def __init__(self, folder: Path) -> None:
        url = f"sqlite:///{folder / 'xtaltrak.sqlite'}"
        tables = xtaltrak_tables({}, owner="")
        site = XtalTrakSite(channels={"*_UV_*": "uv", "*": "visible"}, time_zone="UTC")
        self._site = PlayedXtalTrak(create_engine(url), create_engine(url), tables, site)
        self.facility = self._site.facility

    def take(self, images: Sequence[NewImage]) -> None:
        """Have an imager take pictures."""
        self._site.take(images)

    def find_crystals(self, image: NewImage, at: datetime) -> None:
        """Have a person score an image."""
        self._site.score(image, "zoe", 23, at)

    def by_people(self) -> Any:
        """Return what people said."""
        return self._site.rows(ours=False)

    def ours(self) -> Any:
        """Return what we said."""
        return self._site.rows(ours=True)


#: Kind -> what makes a site of it in an empty folder.
SITES: dict[str, Callable[[Path], PlayedSite]] = {
    "memory": lambda folder: MemorySite(),
    "ispyb": IspybSite,
    "xtaltrak": XtalTrakInSqlite,
}
