"""A played XtalTrak: its tables with images in them, for a look without an imager, and for tests."""

from collections import Counter
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, Engine, Table
from sqlalchemy import Sequence as NumberSequence
from sqlalchemy.schema import CreateSequence

from crystal_search.server.facility.site_tables import identifier
from crystal_search.server.facility.xtaltrak_schema import XtalTrakTables, xtaltrak_tables
from crystal_search.server.imaging.imaging_database import NewImage
from crystal_search.server.imaging.plate_facts import PlateFacts
from crystal_search.wells import WellKey


def played_xtaltrak(engine: Engine, images: Sequence[NewImage]) -> None:
    """Make of an empty database an XtalTrak that has these images."""
    tables = xtaltrak_tables({}, owner="")
    make_tables(engine, tables)
    with engine.begin() as connection:
        add_images(connection, tables, images)


def make_tables(engine: Engine, tables: XtalTrakTables, sequence: str = "") -> None:
    """Create the tables of a site in an empty database, and the sequence that numbers scores."""
    with engine.begin() as connection:
        tables.scores.metadata.create_all(connection, checkfirst=False)
        if sequence:
            found = NumberSequence(identifier(sequence, "the sequence"), schema=tables.scores.schema)
            connection.execute(CreateSequence(found))


def add_images(connection: Connection, tables: XtalTrakTables, images: Sequence[NewImage], *, first: int = 1) -> None:
    """Have an imager take pictures: a row for each drop at an inspection, from number `first`, and for each image."""
    drops: dict[tuple[int | str, ...], int] = {}
    for image in images:
        drops.setdefault(_drop(image.key), first + len(drops))
    taken = {drops[_drop(image.key)]: image for image in reversed(images)}
    _insert(connection, tables.inspections, [_inspection(number, taken[number]) for number in sorted(taken)])
    names = [{"inspectid": drops[_drop(each.key)], "imagename": each.path.rpartition("/")[2]} for each in images]
    _insert(connection, tables.images, names)
    if tables.counts is not None:
        inspections = Counter((each.key.plate, each.key.inspection) for each in images)
        rows = [{"barcodeid": plate, "inspectnumber": number, "dropscorecount": 0} for plate, number in inspections]
        _insert(connection, tables.counts, rows)


def add_plates(connection: Connection, tables: XtalTrakTables, facts: Iterable[PlateFacts]) -> None:
    """Say whose plates are, each of a project and a sample of its own."""
    if tables.plates is None or tables.projects is None or tables.drops is None or tables.samples is None:
        return
    for number, each in enumerate(facts, start=1):
        plate = {"plate_id": number, "barcode": each.plate, "project_id": number}
        _insert(connection, tables.plates, [plate | ({"owner": each.owner} if "owner" in tables.plates.c else {})])
        _insert(connection, tables.projects, [{"project_id": number, "name": each.project}])
        _insert(connection, tables.drops, [{"fk_plate_id": number, "fk_sample_id": number}] * 2)
        _insert(connection, tables.samples, [{"sample_id": number, "sample_name": each.protein}])


def _drop(key: WellKey) -> tuple[int | str, ...]:
    return key.plate, key.inspection, key.row, key.column, key.drop


def _inspection(number: int, image: NewImage) -> dict[str, object]:
    key = image.key
    return {
        "inspectid": number,
        "barcodeid": key.plate,
        "inspectnumber": key.inspection,
        "inspectdate": image.imaged_at.replace(tzinfo=None) if image.imaged_at else None,
        "col": key.column + 1,
        "i_row": key.row + 1,
        "subwell": key.drop,
    }


def _insert(connection: Connection, table: Table, rows: list[dict[str, object]]) -> None:
    if rows:
        connection.execute(table.insert(), rows)
