"""ISPyB for tests: the tables that we use in SQLite, or all that PyPI's package `ispyb` makes in MariaDB."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, select, text, update

from crystal_search.server.facility import ispyb_played as played
from crystal_search.server.facility.facility_settings import FacilitySettings
from crystal_search.server.facility.ispyb_database import IspybDatabase, open_ispyb
from crystal_search.server.facility.ispyb_schema import GROUP_CLASSES, SCHEMA, IspybTables, ispyb_tables
from crystal_search.server.imaging.sql_imaging import parsed
from crystal_search.server.imaging.stored_images import NewImage


class PlayedIspyb:
    """An ISPyB that tests may look at and change, as its owner would."""

    def __init__(self, url: str, *, folders: Mapping[str, str] | None = None) -> None:
        self.settings = FacilitySettings(kind="ispyb", url=url, folders=folders or {}, options={"time_zone": "UTC"})
        self.tables: IspybTables = ispyb_tables({})
        self.engine: Engine = create_engine(parsed(url))

    def database(self, **settings: Any) -> IspybDatabase:
        """Return it as a facility's database."""
        values = {name: getattr(self.settings, name) for name in ("kind", "url", "folders", "options")}
        return open_ispyb(FacilitySettings(**values | settings), "")

    def add_images(self, images: Iterable[NewImage]) -> None:
        """Have an imager take pictures."""
        with self.engine.begin() as connection:
            played.add_images(connection, self.tables, images)

    def score(self, path: str, name: str, *, at: object = None) -> None:
        """Have a person score an image."""
        image, score = self.tables["BLSampleImage"], self.tables["BLSampleImageScore"]
        with self.engine.begin() as connection:
            number = connection.scalar(select(score.c.blsampleimagescoreid).where(score.c.name == name))
            values = {"blsampleimagescoreid": number, "modifiedtimestamp": at}
            connection.execute(update(image).where(image.c.imagefullpath == path).values(values))

    def by_people(self) -> dict[str, int | None]:
        """Return by path the number of the score that people gave."""
        image = self.tables["BLSampleImage"]
        return self._pairs(select(image.c.imagefullpath, image.c.blsampleimagescoreid))

    def given(self, schema: str = "CrystalSearch") -> dict[str, dict[str, float]]:
        """Return by path the probabilities of the classes of a schema."""
        of, one = self.tables["BLSampleImageAutoScoreSchema"], self.tables["BLSampleImageAutoScoreClass"]
        has, image = self.tables["BLSampleImage_has_AutoScoreClass"], self.tables["BLSampleImage"]
        query = (
            select(image.c.imagefullpath, one.c.scoreclass, has.c.probability)
            .join(has, has.c.blsampleimageid == image.c.blsampleimageid)
            .join(one, one.c.blsampleimageautoscoreclassid == has.c.blsampleimageautoscoreclassid)
            .join(of, of.c.blsampleimageautoscoreschemaid == one.c.blsampleimageautoscoreschemaid)
            .where(of.c.schemaname == schema)
        )
        found: dict[str, dict[str, float]] = {}
        with self.engine.connect() as connection:
            for path, name, probability in connection.execute(query):
                found.setdefault(path, {})[name] = round(probability, 5)
        return found

    def _pairs(self, query: Any) -> dict[Any, Any]:
        with self.engine.connect() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def run(self, *statements: str, **values: Any) -> Sequence[Any]:
        """Run statements as the owner, and return the rows of the last."""
        with self.engine.begin() as connection:
            for statement in statements:
                done = connection.execute(text(statement), values)
            return done.all() if done.returns_rows else []

    def close(self) -> None:
        """Give back connections."""
        self.engine.dispose()


def in_sqlite(folder: Path) -> PlayedIspyb:
    """Return one with the tables that we use, in a file."""
    found = PlayedIspyb(f"sqlite:///{folder / 'ispyb.sqlite'}")
    played.make_tables(found.engine, found.tables)
    with found.engine.begin() as connection:
        played.add_basics(connection, found.tables)
    return found


def in_mariadb(url: str) -> PlayedIspyb:
    """Return one with every table of PyPI's package `ispyb`, in an empty database of MariaDB."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the package's own classes
        from ispyb.sqlalchemy import Base  # type: ignore[import-untyped,unused-ignore]

        found = PlayedIspyb(url)
        Base.metadata.create_all(found.engine)
    fill(found)
    return found


def registered(found: PlayedIspyb) -> PlayedIspyb:
    """Return one that has all but a score schema of ours with that schema."""
    with found.engine.begin() as connection:
        played.register_schema(connection, found.tables, SCHEMA, GROUP_CLASSES)
    return found


def fill(found: PlayedIspyb) -> None:
    """Add what every ISPyB has to empty tables."""
    with found.engine.begin() as connection:
        connection.execute(
            text("INSERT INTO ProcessingPipeline (processingPipelineId, name, discipline) VALUES (6, 'none', 'MX')")
        )
        played.add_basics(connection, found.tables)


def emptied(connection: Connection, tables: IspybTables) -> None:
    """Delete what tests added to a database, whose tables take long to make; what every ISPyB has stays."""
    for name in ("BLSampleImage_has_AutoScoreClass", "BLSubSample", "Position", "BLSampleImage", "ContainerInspection"):
        connection.execute(tables[name].delete())
    for name in ("BLSample", "Container", "Crystal", "Protein", "BLSession", "ProposalHasPerson", "Proposal", "Person"):
        connection.execute(tables[name].delete())
