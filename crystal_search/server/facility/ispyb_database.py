"""ISPyB as a facility's database: MariaDB, as synchrotrons run it; the played site is one in SQLite."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, partial

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from crystal_search.outcomes import OUTCOME_NAMES
from crystal_search.server.facility import ispyb_statements as statements
from crystal_search.server.facility.facility_database import NEWEST_FILES, Checked, Pulled, Refusal, files_lost
from crystal_search.server.facility.facility_rights import unreadable, why_not
from crystal_search.server.facility.facility_settings import FacilitySettings
from crystal_search.server.facility.folder_mapping import FolderMapping
from crystal_search.server.facility.foreign_engine import foreign_engine
from crystal_search.server.facility.foreign_sql import asked, guard
from crystal_search.server.facility.ispyb_crystals import CrystalWriter, FoundCrystal, crystals_to_give
from crystal_search.server.facility.ispyb_paths import PathsThere
from crystal_search.server.facility.ispyb_pull import IspybReader
from crystal_search.server.facility.ispyb_push import IspybWriter
from crystal_search.server.facility.ispyb_schema import (
    CLASS_OF_OUTCOME,
    CRYSTALS,
    GROUP_CLASSES,
    MAY_LACK,
    IspybSite,
    IspybTables,
    column,
    ispyb_site,
    ispyb_tables,
)
from crystal_search.server.imaging.imaging_database import ScoredImage

ATTEMPTS = 3  #: at a transaction that meets others
TRY_AGAIN = (1205, 1213)  #: MariaDB: a lock that is not given, a deadlock


class IspybDatabase:
    """A `FacilityDatabase` that is ISPyB.

    Parameters
    ----------
    engine
        It is guarded from now on: nothing but our own statements goes through.
    mapping
        What folders are called there and here.
    push
        Whether scores are given to it; otherwise no right to write is asked for.
    """

    def __init__(
        self, engine: Engine, tables: IspybTables, site: IspybSite, mapping: FolderMapping, *, push: bool = True
    ) -> None:
        names = ("BLSampleImage_has_AutoScoreClass", "BLSubSample", "Position")
        writable = {tables[name]: ("insert",) for name in names if tables.readable(name)} if push else {}
        calls = (*statements.GIVE_SCORES.values(), statements.ADD_CRYSTAL)
        self._engine = guard(engine, writable, calls=calls if push else ())
        self._all, self._site, self._mapping, self._push = tables, site, mapping, push

    def check(self) -> Checked:
        """Tell what is there, and what is missing; nothing is written."""
        with self._transaction("connect"):
            pass
        needed = [table for name, table in self._all.by_name.items() if name not in MAY_LACK]
        missing = [*unreadable(self._engine, needed)]
        if not missing and self._push:
            missing += self._missing_to_push()
        found = [] if missing else [*self._seen(), *self._would()]
        return Checked(found=tuple(found), missing=tuple(missing))

    def pull(self, mark: str, *, limit: int) -> Pulled:
        """Return images and people's scores that came after `mark`, the oldest first."""
        reader = IspybReader(self._tables, self._site, self._mapping.here)
        with self._transaction("read images and scores") as connection:
            return reader.pull(connection, mark, limit)

    def push(self, scores: Sequence[ScoredImage]) -> tuple[Refusal, ...]:
        """Give it these scores in one transaction, then their crystals; return those that it does not take."""
        refused = self._push_scores(scores) if scores else ()
        lost = {each.image_id for each in refused}
        return (*refused, *self._push_crystals_of([each for each in scores if each.image.id not in lost]))

    def _push_crystals_of(self, scores: Sequence[ScoredImage]) -> Iterator[Refusal]:
        crystals = crystals_to_give(scores)
        if not (crystals and self._takes_crystals):
            return
        ids = {each.image.path: each.image.id for each in scores}
        for path, why in self._refused_crystals(crystals):
            yield Refusal(image_id=ids[path], why=f"crystals of {why}")

    def _push_scores(self, scores: Sequence[ScoredImage]) -> tuple[Refusal, ...]:
        writer = partial(
            IspybWriter,
            self._tables,
            self._site,
            self._paths,
            by_procedure=statements.SCORE_PROCEDURE in self._procedures,
        )
        with asked(self._engine, "write scores"):
            for _ in range(ATTEMPTS - 1):
                try:
                    return self._push_once(writer, scores)
                except DBAPIError as error:
                    if not (error.orig and error.orig.args[:1] and error.orig.args[0] in TRY_AGAIN):
                        raise
            return self._push_once(writer, scores)

    def _push_once(
        self, writer: Callable[[Connection], IspybWriter], scores: Sequence[ScoredImage]
    ) -> tuple[Refusal, ...]:
        with self._engine.begin() as connection:
            return tuple(writer(connection).push(scores))

    def push_crystals(self, crystals: Mapping[str, Sequence[FoundCrystal]]) -> tuple[str, ...]:
        """Give it the crystals of images, by our paths; return what it does not take, a sentence for each image.

        Raises
        ------
        DatabaseError
            If it cannot be reached; what it took stays, and giving the same again adds nothing to it.
        """
        return tuple(why for _, why in self._refused_crystals(crystals))

    def _refused_crystals(self, crystals: Mapping[str, Sequence[FoundCrystal]]) -> list[tuple[str, str]]:
        by_procedure, paths, tables = statements.CRYSTAL_PROCEDURE in self._procedures, self._paths, self._tables
        with self._transaction("write crystals") as connection:
            return list(CrystalWriter(tables, connection, paths, by_procedure).push(crystals))

    @cached_property
    def _takes_crystals(self) -> bool:
        """Whether what is there of crystals may be read, and others added."""
        if not (self._site.crystals and self._tables.readable(*CRYSTALS)):
            return False
        if statements.CRYSTAL_PROCEDURE in self._procedures:
            return True
        return not any(why_not(self._engine, statements.may_add(self._all[name])) for name in CRYSTALS)

    def close(self) -> None:
        """Give back connections."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self, what: str) -> Iterator[Connection]:
        with asked(self._engine, what), self._engine.begin() as connection:
            yield connection

    @cached_property
    def _tables(self) -> IspybTables:
        """The tables that may be read: people, screens and crystals need not be."""
        maybe = [name for name in MAY_LACK if self._all.readable(name)]
        return self._all.without(tuple(name for name in maybe if any(unreadable(self._engine, [self._all[name]]))))

    @cached_property
    def _procedures(self) -> frozenset[str]:
        """The procedures that may be called."""
        if self._engine.dialect.name == "sqlite":
            return frozenset()
        with self._transaction("look for procedures") as connection:
            names = (statements.SCORE_PROCEDURE, statements.CRYSTAL_PROCEDURE)
            return frozenset(row.name for row in connection.execute(statements.procedures_there(names)))

    @cached_property
    def _paths(self) -> PathsThere:
        if self._engine.dialect.name == "sqlite":
            return PathsThere(self._mapping)
        with self._transaction("look at the column of paths") as connection:
            path = column(self._all["BLSampleImage"], "imageFullPath")
            return PathsThere(self._mapping, connection.scalar(statements.charset_of(path)) or "")

    def _missing_to_push(self) -> Iterable[str]:
        nothing = statements.may_give(self._all, self._engine.dialect.name)
        if statements.SCORE_PROCEDURE not in self._procedures and (why := why_not(self._engine, nothing)):
            name = statements.SCORE_PROCEDURE
            yield f"right to give scores: {why}; grant EXECUTE ON PROCEDURE {name}, as role ispyb_import has it"
        with self._transaction("read score schemas") as connection:
            rows = connection.execute(statements.score_classes(self._all)).all()
        there = {row.schema for row in rows if row.enabled}
        named = {key: name for key, name in self._site.schemas.items() if key != "outcomes"}
        for schema in sorted({self._site.schema_of_groups(""), *named.values()}):
            if schema not in there:
                yield f"score schema {schema!r}, enabled, with classes {', '.join(GROUP_CLASSES)} (docs/facility.md)"
            elif lost := sorted({*GROUP_CLASSES} - {row.name for row in rows if row.schema == schema}):
                yield f"classes {', '.join(lost)} of score schema {schema!r}"

    def _seen(self) -> Iterable[str]:
        """Say how many images there are, and how many of the newest are here."""
        with self._transaction("look at the newest images") as connection:
            newest = connection.scalar(statements.newest_id(self._all)) or 0
        yield f"the newest image has number {newest}"
        yield from files_lost(self.newest_files(), "[facility.folders]")

    def newest_files(self) -> tuple[str, ...]:
        """Return what this machine calls the files of the newest images."""
        with self._transaction("look at the newest images") as connection:
            newest = connection.scalar(statements.newest_id(self._all)) or 0
            before = max(0, newest - NEWEST_FILES)
            rows = connection.execute(statements.images_between(self._all, before, None, NEWEST_FILES)).all()
        return tuple(self._mapping.here(row.path) for row in rows if row.path)

    def _would(self) -> Iterable[str]:
        yield f"would read {', '.join(sorted(self._tables.by_name))}"
        if lacking := sorted(self._all.by_name.keys() - self._tables.by_name.keys()):
            yield f"would do without {', '.join(lacking)}, which may not be read"
        if not self._push:
            yield "would write nothing"
            return
        way = "procedure" if statements.SCORE_PROCEDURE in self._procedures else "rows"
        yield f"would write BLSampleImage_has_AutoScoreClass, by {way}: schema {self._site.schema_of_groups('')!r}"
        yield self._would_of_crystals()
        with self._transaction("read score schemas") as connection:
            there = {row.schema for row in connection.execute(statements.score_classes(self._all)) if row.enabled}
        if self._site.schema_of_outcomes in there:
            yield f"and schema {self._site.schema_of_outcomes!r} with {len(OUTCOME_NAMES)} classes"
        else:
            yield f"no schema {self._site.schema_of_outcomes!r} with {len(CLASS_OF_OUTCOME)} classes, which none needs"

    def _would_of_crystals(self) -> str:
        if not self._site.crystals:
            return "would write no crystals, as the option crystals says"
        if not self._takes_crystals:
            return f"would write no crystals: {' and '.join(CRYSTALS)} may not be read, or not be added to"
        way = "procedure" if statements.CRYSTAL_PROCEDURE in self._procedures else "rows"
        return f"would write crystals found one by one into {' and '.join(CRYSTALS)}, by {way}"


def open_ispyb(settings: FacilitySettings, password: str) -> IspybDatabase:
    """Return the database that the settings describe.

    Raises
    ------
    ConfigError
        If they say what nothing asks for, or the driver is not installed.
    """
    site = ispyb_site(settings)
    engine = foreign_engine(settings, password, database="mariadb")
    mapping = FolderMapping(settings.folders)
    return IspybDatabase(engine, ispyb_tables(settings.names), site, mapping, push=settings.push)
