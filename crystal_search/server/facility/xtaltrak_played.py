"""A played XtalTrak: its tables with images in them, for a look without an imager, and for tests."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, Engine, Table, select
from sqlalchemy import Sequence as NumberSequence
from sqlalchemy.schema import CreateSequence

from crystal_search.server.facility.site_tables import identifier
from crystal_search.server.facility.xtaltrak_schema import XtalTrakTables, xtaltrak_tables
from crystal_search.server.facility.xtaltrak_statements import add_score, count_drops
from crystal_search.server.imaging.plate_facts import PlateFacts
from crystal_search.server.imaging.stored_images import NewImage
from crystal_search.wells import WellKey

DATE = datetime(2026, 2, 1, 9, 30)  #: when a played person scored, by the database's clock


def played_xtaltrak(engine: Engine, images: Sequence[NewImage]) -> None:
    """Make of an empty database an XtalTrak that has these images; a person has scored the first."""
    tables = xtaltrak_tables({}, owner="")
    make_tables(engine, tables)
    plates = sorted({image.key.plate for image in images})
    with engine.begin() as connection:
        add_images(connection, tables, images)
        add_plates(connection, tables, [PlateFacts(plate=each, project="demo", protein="lysozyme") for each in plates])
        add_score_by(connection, tables, images[0], person="zoe", number=13, date=DATE)


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


def add_score_by(
    connection: Connection, tables: XtalTrakTables, image: NewImage, *, person: str, number: int, date: datetime
) -> None:
    """Have a person score an image, as XtalTrak's own program does: a row, and the counter of scored drops."""
    name = image.path.rpartition("/")[2]
    drop = connection.scalar(select(tables.images.c.inspectid).where(tables.images.c.imagename == name))
    row = {"inspectid": drop, "imagename": name, "score": number, "scoredate": date, "scoredby": person}
    connection.execute(add_score(tables, ""), [row])
    if tables.counts is not None:
        counted = {"of_plate": image.key.plate, "of_number": image.key.inspection, "drops": 1}
        connection.execute(count_drops(tables.counts), [counted])


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
