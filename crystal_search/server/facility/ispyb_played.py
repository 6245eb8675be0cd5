"""A played ISPyB: the tables that we use with a plate in them, for a look without a synchrotron, and for tests."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, Engine, PrimaryKeyConstraint, func, select

from crystal_search.server.facility.ispyb_places import PlateLayout
from crystal_search.server.facility.ispyb_schema import (
    CLASS_OF_OUTCOME,
    GROUP_CLASSES,
    SCHEMA,
    SCHEMA_OUTCOMES,
    IspybTables,
    ispyb_tables,
)
from crystal_search.server.imaging.stored_images import NewImage

PRIMARY = {  #: the columns that make a table's key, where that is not its first column alone
    "BLSampleImage_has_AutoScoreClass": ("blsampleimageid", "blsampleimageautoscoreclassid"),
    "ProposalHasPerson": ("proposalid", "personid"),
}
LAYOUT = PlateLayout(name="SWISSCI 3 Drop", columns=12, drops=3)
CHANNEL_TYPES = {"visible": 1, "uv": 2}


def played_ispyb(engine: Engine, images: Iterable[NewImage]) -> None:
    """Make of an empty database an ISPyB that has these images."""
    tables = ispyb_tables({})
    make_tables(engine, tables)
    with engine.begin() as connection:
        add_basics(connection, tables)
        add_images(connection, tables, images)


def make_tables(engine: Engine, tables: IspybTables) -> None:
    """Create the tables that we use in an empty database; a real ISPyB has some 200."""
    for name, table in tables.by_name.items():
        keys = PRIMARY.get(name, (next(iter(table.c)).key,))
        table.append_constraint(PrimaryKeyConstraint(*(table.c[key] for key in keys)))
    next(iter(tables.by_name.values())).metadata.create_all(engine)


def add_basics(connection: Connection, tables: IspybTables) -> None:
    """Add what every ISPyB has, and what an administrator makes for us: types, people's scores, our schemas."""
    lay = {"dropperwellx": 2, "dropperwelly": 2, "welldrop": 1, "capacity": 288, "wellperrow": LAYOUT.columns}
    types = [{"containertypeid": 23, "name": LAYOUT.name, **lay}]
    connection.execute(tables["ContainerType"].insert(), types)
    kinds = [{"inspectiontypeid": number, "name": name} for name, number in (("Visible", 1), ("UV", 2))]
    connection.execute(tables["InspectionType"].insert(), kinds)
    named = enumerate(("Clear", "Light Precipitate", "3D Crystals"), start=1)
    scores = [{"blsampleimagescoreid": number, "name": name} for number, name in named]
    connection.execute(tables["BLSampleImageScore"].insert(), scores)
    register_schema(connection, tables, SCHEMA, GROUP_CLASSES)
    register_schema(connection, tables, SCHEMA_OUTCOMES, tuple(CLASS_OF_OUTCOME.values()))


def register_schema(connection: Connection, tables: IspybTables, name: str, classes: Sequence[str]) -> None:
    """Add a score schema, as an administrator does once."""
    schema, one = tables["BLSampleImageAutoScoreSchema"], tables["BLSampleImageAutoScoreClass"]
    number = (connection.scalar(select(func.max(schema.c.blsampleimageautoscoreschemaid))) or 0) + 1
    first = (connection.scalar(select(func.max(one.c.blsampleimageautoscoreclassid))) or 0) + 1
    row = {"blsampleimageautoscoreschemaid": number, "schemaname": name, "enabled": 1}
    connection.execute(schema.insert().values(row))
    rows = [
        {"blsampleimageautoscoreclassid": first + at, "scoreclass": each, "blsampleimageautoscoreschemaid": number}
        for at, each in enumerate(classes)
    ]
    connection.execute(one.insert(), rows)


def add_images(connection: Connection, tables: IspybTables, images: Iterable[NewImage]) -> None:
    """Have an imager take pictures: plates, samples, inspections and images, as the importer makes them."""
    for image in images:
        key = image.key
        container = _found(connection, tables, "Container", "containerid", barcode=key.plate) or _insert(
            connection, tables, "Container", barcode=key.plate, containertypeid=23, containertype=LAYOUT.name
        )
        location = str(LAYOUT.location(key.row, key.column, key.drop))
        where = {"containerid": container, "location": location}
        sample = _found(connection, tables, "BLSample", "blsampleid", **where) or _insert(
            connection, tables, "BLSample", **where
        )
        looked = _inspection(connection, tables, container, key.inspection, CHANNEL_TYPES[key.channel])
        _insert(
            connection,
            tables,
            "BLSampleImage",
            blsampleid=sample,
            imagefullpath=image.path,
            containerinspectionid=looked,
            bltimestamp=image.imaged_at.replace(tzinfo=None) if image.imaged_at else None,
        )


def _inspection(connection: Connection, tables: IspybTables, container: int, number: int, kind: int) -> int:
    """Return the inspection of a plate with a number; those before it are made when they are missing."""
    table = tables["ContainerInspection"]
    there = select(table.c.containerinspectionid).where(table.c.containerid == container)
    found = list(connection.scalars(there.order_by(table.c.containerinspectionid)))
    while len(found) < number:
        values = {"containerid": container, "inspectiontypeid": kind}
        found.append(_insert(connection, tables, "ContainerInspection", **values))
    return int(found[number - 1])


def _found(connection: Connection, tables: IspybTables, name: str, wanted: str, **values: object) -> int:
    table = tables[name]
    query = select(table.c[wanted]).where(*(table.c[key] == value for key, value in values.items()))
    return int(connection.scalar(query) or 0)


def _insert(connection: Connection, tables: IspybTables, name: str, **values: object) -> int:
    return int(connection.execute(tables[name].insert().values(values)).lastrowid)
