"""An imaging database of millions of images, made by the database itself: ``INSERT ... SELECT``, some plates at a time.

Ids follow from each other: an image's from its session and its place on the plate, a work unit's from its session. What
a score says is short, without outline, and so smaller than a client's; the digests of paths are MD5.
"""

import hashlib
import sqlite3
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Integer,
    String,
    Table,
    cast,
    create_engine,
    event,
    func,
    literal,
    literal_column,
    select,
    text,
)

from crystal_search.server.imaging import schema
from crystal_search.server.imaging.imaging_database import Recipe
from crystal_search.server.imaging.sql_imaging import open_imaging, parsed
from crystal_search.server.imaging.sql_rows import recipe_values, time_text

DROPS, SESSIONS = 288, 5  #: images of one inspection of a plate, inspections of a plate
UNIT = 72  #: images in a work unit
PLATES_AT_ONCE = 400  #: in one transaction
CACHE_KIB = 1_500_000  #: of SQLite while it is filled: digests come in no order
START, DAYS = datetime(2012, 1, 1, tzinfo=UTC), 4000  #: when the first image was taken, and until the last
FOUND = (
    '{"height_px":960,"width_px":1280,"error":null,"drop":null,"score":{"outcome":"clear","probability":0.9,'
    '"above_threshold":true},"class_probabilities":[0.1,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.9,0.0,0.0],'
    '"group_peaks":[0.1,0.0,0.0,0.9],"best_chops":[],"chops":1,"seconds":{}}'
)

_INSPECTION = schema.inspection.c
_N = literal_column("n", Integer)  #: of the rows of a session, from 0
_SESSION = (_INSPECTION.plate_id - 1) * SESSIONS + _INSPECTION.number - 1  #: from 0
_IMAGE = _SESSION * DROPS + _N + 1
_UNIT = (_SESSION * DROPS + _N) // UNIT  #: of an image, from 0


def fill(url: str, images: int, recipe: Recipe, *, scored: bool) -> int:
    """Fill an empty imaging database with whole inspections of at least `images` images; return how many they are.

    Parameters
    ----------
    url
        SQLAlchemy URL, of SQLite, PostgreSQL or MariaDB.
    recipe
        Of the scores.
    scored
        Whether each image has a score, of a work unit that is done.
    """
    open_imaging(url).close()
    sessions = -(-images // DROPS)
    engine = _quick_engine(url)
    with engine.begin() as connection:
        connection.execute(schema.recipe.insert().values({"id": 1} | recipe_values(recipe)))
    plates = -(-sessions // SESSIONS)
    for first in range(1, plates + 1, PLATES_AT_ONCE):
        last = min(first + PLATES_AT_ONCE - 1, plates)
        with engine.begin() as connection:
            _fill_plates(connection, range(first, last + 1), sessions, scored=scored)
    _finish(engine)
    engine.dispose()
    return sessions * DROPS


def _quick_engine(url: str) -> Engine:
    """Return an engine that looks after nothing but speed: what is killed here is made anew."""
    engine = create_engine(parsed(url))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _hurry_sqlite)
    return engine


def _hurry_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.create_function("md5", 1, lambda text: hashlib.md5(text.encode()).hexdigest(), deterministic=True)
    for words in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{CACHE_KIB}", "locking_mode = EXCLUSIVE"):
        connection.execute(f"PRAGMA {words}")


def _fill_plates(connection: Connection, plates: range, sessions: int, *, scored: bool) -> None:
    """Add plates, their inspections, and all that follows from these."""
    connection.execute(schema.plate.insert(), [{"id": each, "barcode": f"A{each:06}"} for each in plates])
    numbers = [(plates[0] - 1) * SESSIONS + each for each in range(len(plates) * SESSIONS)]
    rows = [_inspection(each, scored=scored) for each in numbers if each < sessions]
    connection.execute(schema.inspection.insert(), rows)
    _insert(connection, schema.image, plates, _images(scored=scored), DROPS)
    if scored:
        _insert(connection, schema.work_unit, plates, _units(), DROPS // UNIT)
        _insert(connection, schema.work_unit_image, plates, _members(), DROPS)
        _insert(connection, schema.score, plates, _scores(), DROPS)


def _inspection(number: int, *, scored: bool) -> dict[str, Any]:
    """Return the row of a session, by its number from 0; when its images were taken stands where scores' times do."""
    plate, session = divmod(number, SESSIONS)
    taken = time_text(START + timedelta(days=DAYS * number / (number + 50_000)))
    key = {"plate_id": plate + 1, "number": session + 1, "channel": "visible"}
    return key | {"images": DROPS, "scored": DROPS if scored else 0, "last_scored_at": taken}


def _insert(connection: Connection, table: Table, plates: range, values: dict[str, Any], size: int) -> None:
    """Insert so many rows for each session of some plates, in which ``n`` counts from 0."""
    numbers = select(literal(0).label("n")).cte("numbers", recursive=True)
    numbers = numbers.union_all(select(numbers.c.n + 1).where(numbers.c.n < size - 1))
    rows = (
        select(*(value if isinstance(value, ColumnElement) else literal(value) for value in values.values()))
        .select_from(schema.inspection.join(numbers, literal(1) == 1))
        .where(_INSPECTION.plate_id.between(plates[0], plates[-1]))
        .order_by(_INSPECTION.plate_id, _INSPECTION.number, numbers.c.n)
    )
    connection.execute(table.insert().from_select(list(values), rows, include_defaults=False))


def _images(*, scored: bool) -> dict[str, Any]:
    path = _text("/share/images/", _INSPECTION.plate_id, "/", _INSPECTION.number, "/", _N, ".jpg")
    file = {"sha256": "f" * 64, "size_bytes": 300_000, "mtime_ns": 10**18} if scored else {}
    return file | {
        "id": _IMAGE,
        "plate_id": _INSPECTION.plate_id,
        "well_row": _N // 36,
        "well_column": _N // 3 % 12,
        "drop_number": _N % 3 + 1,
        "inspection": _INSPECTION.number,
        "channel": "visible",
        "path": path,
        "path_digest": func.md5(path),
        "imaged_at": _INSPECTION.last_scored_at,
        "arrived_at": _INSPECTION.last_scored_at,
        "waits_since": _INSPECTION.last_scored_at,
        "last_recipe_id": 1 if scored else 0,
    }


def _units() -> dict[str, Any]:
    number = _SESSION * (DROPS // UNIT) + _N
    return {
        "id": number + 1,
        "name": _text("unit-", number),
        "recipe_id": 1,
        "created_at": _INSPECTION.last_scored_at,
        "state": "done",
        "reason": "",
    }


def _members() -> dict[str, Any]:
    return {"work_unit_id": _UNIT + 1, "position": _N % UNIT, "image_id": _IMAGE, "released": False}


def _scores() -> dict[str, Any]:
    return {
        "id": _IMAGE,
        "image_id": _IMAGE,
        "scored_at": _INSPECTION.last_scored_at,
        "outcome": "clear",
        "work_unit": _text("unit-", _UNIT),
        "recipe_id": 1,
        "probability": 0.9,
        "above_threshold": True,
        "found": FOUND,
    }


def _text(*parts: str | ColumnElement[Any]) -> ColumnElement[str]:
    """Return what texts and numbers say one after the other."""
    told: ColumnElement[str] = literal("")
    for each in parts:
        told = told + (literal(each) if isinstance(each, str) else cast(each, String))
    return told


def _finish(engine: Engine) -> None:
    """Have the database count on from the ids that were given, and know how large its tables are."""
    with engine.begin() as connection:
        for table in (schema.plate, schema.image, schema.work_unit, schema.score, schema.recipe):
            if engine.dialect.name == "postgresql":
                last = f"(SELECT COALESCE(MAX(id), 1) FROM {table.name})"
                connection.execute(text(f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), {last})"))
                connection.execute(text(f"ANALYZE {table.name}"))
