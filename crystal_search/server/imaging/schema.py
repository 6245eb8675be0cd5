"""The imaging database's tables, version 11, the same on SQLite, PostgreSQL and MariaDB (docs/imaging-database.md).

Times are UTC as text, ``2026-01-31T12:00:00.000000Z``, which sorts as time does and reads the same in every
database. Text compares byte by byte everywhere: two barcodes that differ in case are two plates.
"""

from functools import partial
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.schema import SchemaItem

EXACT: dict[str, Any] = {
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
    "mariadb_collate": "utf8mb4_nopad_bin",
}
NUMBER = BigInteger().with_variant(Integer, "sqlite")  #: SQLite counts up only in a column of type INTEGER
TIME = String(27)
CONSTRAINT_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}
metadata = MetaData(naming_convention=CONSTRAINT_NAMES)


def _table(name: str, *parts: SchemaItem, **options: Any) -> Table:
    return Table(name, metadata, *parts, **options, **EXACT)


_key = partial(Column, primary_key=True, autoincrement=False)  #: one column of a key of several


def _taken_back(of: Table, name: str) -> Table:
    """Return the table of what people took back of their rows in another."""
    return _table(
        f"{name}_taken_back",
        _key(f"{name}_id", NUMBER, ForeignKey(of.c.id), comment=f"a person's {name}, which counts no more"),
        Column("taken_back_at", TIME, nullable=False, comment="UTC, when the same person took it back"),
        comment=f"What people took back of their {name}s; rows are added, never changed, never deleted",
    )


schema_version = _table(
    "schema_version",
    _key("version", Integer, comment="counts from 1; the highest row is it"),
    Column("applied_at", TIME, nullable=False, comment="when this database came to that version, UTC"),
    comment="The versions this database went through",
)

plate = _table(
    "plate",
    Column("id", NUMBER, primary_key=True),
    Column("barcode", String(100), nullable=False, unique=True, comment="as the robot reads it"),
    comment="Crystallization plates",
)

image = _table(
    "image",
    Column("id", NUMBER, primary_key=True),
    Column("plate_id", NUMBER, ForeignKey(plate.c.id), nullable=False),
    Column("well_row", Integer, nullable=False, comment="from 0; 0 is A"),
    Column("well_column", Integer, nullable=False, comment="from 0; 0 is 1"),
    Column("drop_number", Integer, nullable=False, comment="sub-well, from 1"),
    Column("inspection", Integer, nullable=False, comment="imaging session of the plate, from 1"),
    Column("channel", String(20), nullable=False, comment="visible, uv, cross-polarised or shg"),
    Column("path", Text, nullable=False, comment="absolute path of the file"),
    Column("path_digest", String(32), nullable=False, unique=True, comment="BLAKE2b of the path, 128 bit, in hex"),
    Column("imaged_at", TIME, nullable=False, comment="UTC; empty when unknown, which sorts as oldest"),
    Column("arrived_at", TIME, nullable=False, server_default="", comment="UTC; imaged_at, or else when it came in"),
    Column("waits_since", TIME, nullable=False, server_default="", comment="UTC; since when it waits to be scored"),
    Column("last_recipe_id", NUMBER, nullable=False, comment="of the last automatic score that counts; 0: none yet"),
    Column("scores_before", NUMBER, nullable=False, server_default="0", comment="scores up to this id do not count"),
    Column("sha256", String(64), nullable=False, server_default="", comment="of the file when last read; else empty"),
    Column("size_bytes", NUMBER, nullable=False, server_default="0", comment="of the file then"),
    Column("mtime_ns", NUMBER, nullable=False, server_default="0", comment="of the file then, ns since 1970"),
    Column("remarks", Text, comment="a line for each thing that was overlooked or chosen in it then"),
    Column("import_id", NUMBER, nullable=False, server_default="0", comment="the import that brought it; 0: not known"),
    UniqueConstraint(
        "plate_id", "channel", "inspection", "well_row", "well_column", "drop_number", name="uq_image_key"
    ),
    Index("ix_image_to_score", "channel", "last_recipe_id", "arrived_at", "id"),
    Index("ix_image_waits_since", "channel", "last_recipe_id", "waits_since", "id"),
    comment="Files that robots made, one for a drop at an inspection in a channel",
    sqlite_autoincrement=True,
)

inspection = _table(
    "inspection",
    _key("plate_id", NUMBER, ForeignKey(plate.c.id)),
    _key("number", Integer, comment="from 1"),
    Column("channel", String(20), primary_key=True),
    Column("images", Integer, nullable=False, comment="how many there are"),
    Column("scored", Integer, nullable=False, comment="how many of them have an automatic score"),
    Column("last_scored_at", TIME, nullable=False, comment="UTC, of the newest automatic score; empty without one"),
    Column("newest_at", TIME, nullable=False, server_default="", comment="UTC, when the newest of its images came"),
    Column("news_at", TIME, nullable=False, server_default="", comment="UTC, when images got their first score last"),
    Column("changes", Integer, nullable=False, server_default="0", comment="how often what follows may have changed"),
    Column("counted", Integer, nullable=False, server_default="-1", comment="at which of these changes it was counted"),
    Column("crystals", Integer, nullable=False, server_default="0", comment="drops with crystals by the machine"),
    Column("crystals_by_hand", Integer, nullable=False, server_default="0", comment="drops with crystals by people"),
    Column("disagreements", Integer, nullable=False, server_default="0", comment="drops about which they disagree"),
    Index("ix_inspection_news_at", "channel", "news_at"),
    comment="What the list of plates shows, counted whenever images or scores are added",
)

recipe = _table(
    "recipe",
    Column("id", NUMBER, primary_key=True),
    Column("models", Text, nullable=False, comment="JSON, role, name and sha256 of each model, by role"),
    Column("models_digest", String(32), nullable=False, comment="BLAKE2b of roles and sha256, 128 bit, in hex"),
    Column("threshold", Double, nullable=False, comment="a group counts when its best chop reaches it"),
    UniqueConstraint("models_digest", "threshold", name="uq_recipe_models"),
    comment="Models and threshold: what makes two automatic scores comparable",
)

#: What a machine's row has told since version 2 is in column ``found``; the seven columns before it are of older rows.
score = _table(
    "score",
    Column("id", NUMBER, primary_key=True),
    Column("image_id", NUMBER, ForeignKey(image.c.id), nullable=False),
    Column("scored_at", TIME, nullable=False, comment="UTC"),
    Column("outcome", String(40), nullable=False, comment="an outcome's name, no_drop or unreadable"),
    Column("person", String(200), comment="who gave the score; NULL for a machine's"),
    Column("comment", Text, comment="what the person wrote; NULL for a machine's"),
    Column("work_unit", String(100), comment="where the score was made; NULL for a person's"),
    Column("recipe_id", NUMBER, ForeignKey(recipe.c.id), comment="NULL for a person's"),
    Column("probability", Double, comment="of the outcome's group in its best chop; NULL without a score"),
    Column("above_threshold", Boolean, comment="whether that probability reached the recipe's threshold"),
    Column("class_probabilities", Text, comment="JSON, mean over chops in class order"),
    Column("group_peaks", Text, comment="JSON, each group's probability in its best chop"),
    Column("best_chops", Text, comment="JSON, the chops that speak most for the score"),
    Column("drop_region", Text, comment="JSON, where the liquid is; NULL when no drop was found"),
    Column("height_px", Integer, comment="of the stored image; 0 when unreadable"),
    Column("width_px", Integer, comment="of the stored image; 0 when unreadable"),
    Column("error", Text, comment="why the image is unreadable"),
    Column("found", Text, comment="JSON, the image's score as the result file has it"),
    Column("sha256", String(64), comment="of the file that it was made from; NULL when not known"),
    Column("size_bytes", NUMBER, comment="of that file"),
    Column("mtime_ns", NUMBER, comment="of that file, ns since 1970"),
    Column("remarks", Text, comment="a line for each thing that was overlooked or chosen in it"),
    Column("pulled_from", String(200), nullable=False, server_default="", comment="facility it came from; else empty"),
    Column("late", Boolean, nullable=False, server_default="0", comment="came after a newer one of a person"),
    UniqueConstraint("image_id", "work_unit", name="uq_score_image_work_unit"),
    CheckConstraint("(person IS NULL) <> (recipe_id IS NULL)", name="person_or_machine"),
    CheckConstraint("(work_unit IS NULL) = (recipe_id IS NULL)", name="machine_by_work_unit"),
    comment="The ledger of scores by people and machines; rows are added, never changed, never deleted",
    sqlite_autoincrement=True,
)

score_taken_back = _taken_back(score, "score")

image_comment = _table(
    "image_comment",
    Column("id", NUMBER, primary_key=True),
    Column("image_id", NUMBER, ForeignKey(image.c.id), nullable=False, index=True),
    Column("person", String(200), nullable=False, comment="who wrote it"),
    Column("written_at", TIME, nullable=False, comment="UTC"),
    Column("text", Text, nullable=False, comment="what the person wrote"),
    comment="What people wrote about images; rows are added, never changed, never deleted",
    sqlite_autoincrement=True,
)

comment_taken_back = _taken_back(image_comment, "comment")

image_mark = _table(
    "image_mark",
    Column("id", NUMBER, primary_key=True),
    Column("image_id", NUMBER, ForeignKey(image.c.id), nullable=False, index=True),
    Column("person", String(200), nullable=False, comment="who marked it"),
    Column("marked_at", TIME, nullable=False, comment="UTC"),
    Column("kind", String(20), nullable=False, comment="pick, dispense or favourite"),
    Column("top_px", Integer, comment="row of the point, or first of the box; NULL of a favourite"),
    Column("left_px", Integer, comment="column of the point, or first of the box; NULL of a favourite"),
    Column("bottom_px", Integer, comment="first row below the box; NULL of a point"),
    Column("right_px", Integer, comment="first column beside the box; NULL of a point"),
    comment="What people marked in images; rows are added, never changed, never deleted",
    sqlite_autoincrement=True,
)

mark_taken_back = _taken_back(image_mark, "mark")

work_unit = _table(
    "work_unit",
    Column("id", NUMBER, primary_key=True),
    Column("name", String(100), nullable=False, unique=True),
    Column("recipe_id", NUMBER, ForeignKey(recipe.c.id), nullable=False),
    Column("created_at", TIME, nullable=False, comment="UTC"),
    Column("state", String(10), nullable=False, comment="open, done, failed or withdrawn"),
    Column("reason", Text, nullable=False, comment="why it failed or was withdrawn; else empty"),
    Index("ix_work_unit_state", "state", "created_at"),
    comment="Work units that create-work made",
)

work_unit_image = _table(
    "work_unit_image",
    _key("work_unit_id", NUMBER, ForeignKey(work_unit.c.id)),
    _key("position", Integer, comment="order in the work unit, from 0"),
    Column("image_id", NUMBER, ForeignKey(image.c.id), nullable=False),
    Column("sha256", String(64), comment="of the file that was packed; NULL when it was not"),
    Column("size_bytes", NUMBER, comment="of that file"),
    Column("mtime_ns", NUMBER, comment="of that file, ns since 1970"),
    Column("remarks", Text, comment="a line for each thing that was overlooked or chosen in it"),
    Column("released", Boolean, nullable=False, server_default="0", comment="whether it no longer holds the image"),
    Index("ix_work_unit_image_image_id", "image_id", "work_unit_id"),
    comment="The images of each work unit",
)

postponement = _table(
    "postponement",
    _key("image_id", NUMBER, ForeignKey(image.c.id)),
    Column("reason", Text, nullable=False, comment="why there is no score yet"),
    Column("tries", Integer, nullable=False, comment="in vain so far, from 1"),
    Column("since", TIME, nullable=False, comment="UTC, of the first of them"),
    Column("next_at", TIME, nullable=False, comment="UTC; it is tried again, not before"),
    Column("sha256", String(64), nullable=False, comment="of the file that could not be decoded; else empty"),
    comment="Images that are not scored yet for a reason that may go",
)

import_run = _table(
    "import_run",
    Column("id", NUMBER, primary_key=True),
    Column("folder", Text, nullable=False, comment="that was imported"),
    Column("person", String(200), nullable=False, comment="who ran it"),
    Column("began_at", TIME, nullable=False, comment="UTC"),
    comment="Imports that brought images",
)

removal = _table(
    "removal",
    Column("id", NUMBER, primary_key=True),
    Column("removed_at", TIME, nullable=False, comment="UTC"),
    Column("person", String(200), nullable=False, comment="who took images back"),
    Column("what", Text, nullable=False, comment="plate P1, import 7"),
    Column("why", Text, nullable=False, comment="what the person wrote"),
    Column("images", Integer, nullable=False, comment="how many"),
    comment="What was taken back, by whom",
)

removed_image = _table(
    "removed_image",
    _key("image_id", NUMBER, ForeignKey(image.c.id)),
    _key("removal_id", NUMBER, ForeignKey(removal.c.id)),
    Column("inspection", Integer, nullable=False, comment="that it had"),
    Column("channel", String(20), nullable=False, comment="that it had"),
    Column("path_digest", String(32), nullable=False, index=True, comment="that it had"),
    Column("returned_at", TIME, nullable=False, comment="UTC, when it came again; empty while it is gone"),
    comment="Images that were taken back; in table image their channel is removed, their inspection minus their id",
)

plate_fact = _table(
    "plate_fact",
    _key("plate_id", NUMBER, ForeignKey(plate.c.id)),
    Column("project", Text, nullable=False, comment="project or proposal; empty when nobody says so, as below"),
    Column("protein", Text, nullable=False),
    Column("owner", Text, nullable=False, comment="the person whose plate it is"),
    Column("people", Text, nullable=False, comment="others who have to do with it, a line each"),
    Column("plate_type", Text, nullable=False, comment="as the maker calls it"),
    Column("words", Text, nullable=False, comment="all of it in small letters, a line each, to be searched"),
    Column("sources", Text, nullable=False, comment="JSON, by column who said it, and whether by hand"),
    Column("noted_at", TIME, nullable=False, comment="UTC, when any of it changed last"),
    comment="Whose plates are, and what they are for",
)

cocktail = _table(
    "cocktail",
    Column("id", NUMBER, primary_key=True),
    Column("digest", String(32), nullable=False, unique=True, comment="BLAKE2b of name and ingredients, in hex"),
    Column("name", Text, nullable=False, comment="what the screen calls it; may be empty"),
    Column("ingredients", Text, nullable=False, comment="JSON, name, concentration, unit, ph and role of each"),
    Column("words", Text, nullable=False, comment="all of it in small letters, a line each, to be searched"),
    comment="What wells can hold; the same in many plates",
)

well_condition = _table(
    "well_condition",
    _key("plate_id", NUMBER, ForeignKey(plate.c.id)),
    _key("well_row", Integer, comment="from 0; 0 is A"),
    _key("well_column", Integer, comment="from 0; 0 is 1"),
    _key("drop_number", Integer, comment="sub-well, from 1; 0: the whole well"),
    Column("cocktail_id", NUMBER, ForeignKey(cocktail.c.id), nullable=False),
    Column("source", Text, nullable=False, comment="who says so"),
    Column("by_hand", Boolean, nullable=False, comment="whether that is a person, whom no database contradicts"),
    Column("noted_at", TIME, nullable=False, comment="UTC"),
    Index("ix_well_condition_cocktail_id", "cocktail_id", "plate_id"),
    comment="Which cocktail is in which well",
)

facility = _table(
    "facility",
    Column("id", NUMBER, primary_key=True),
    Column("name", String(200), nullable=False, unique=True, comment="its kind, and where its database is"),
    Column("pull_mark", Text, nullable=False, comment="where the next pull begins; empty before the first"),
    Column("pulled_at", TIME, nullable=False, comment="UTC, of the last pull; empty before the first"),
    Column("push_mark", NUMBER, nullable=False, comment="scores up to this id were looked at, to be given to it"),
    Column("pushed_at", TIME, nullable=False, comment="UTC, of the last push; empty before the first"),
    comment="Facilities' own databases, and how far they were looked at",
)

pushed_score = _table(
    "pushed_score",
    _key("facility_id", NUMBER, ForeignKey(facility.c.id)),
    _key("score_id", NUMBER, ForeignKey(score.c.id)),
    Column("image_id", NUMBER, ForeignKey(image.c.id), nullable=False),
    Column("pushed_at", TIME, nullable=False, comment="UTC, when it was given last; empty: it never is"),
    Column("refused", Text, nullable=False, comment="why it was not taken; empty when it was"),
    Column("tries", Integer, nullable=False, comment="how often it was given"),
    Column("next_at", TIME, nullable=False, comment="UTC, when it is given again; empty: it is not"),
    Index("ix_pushed_score_next_at", "facility_id", "next_at"),
    Index("ix_pushed_score_image_id", "image_id", "facility_id"),
    comment="Which scores a facility was given, and what became of them",
)

likely_crystal = _table(
    "likely_crystal",
    _key("plate_id", NUMBER, ForeignKey(plate.c.id)),
    _key("number", Integer, comment="of the inspection, in visible light"),
    _key("readout_id", NUMBER, comment="recipe of the readout that says so; 0: the shipped score does"),
    _key("place", Integer, comment="from 1, the likeliest"),
    Column("image_id", NUMBER, ForeignKey(image.c.id), nullable=False),
    Column("p_crystal", Double, nullable=False, comment="probability of the crystal group in its best chop"),
    comment="The likeliest crystals of each inspection, found anew where scores changed",
)

seen = _table(
    "seen",
    Column("id", NUMBER, primary_key=True),
    Column("person", String(200), nullable=False, comment="who looked"),
    Column("plate_id", NUMBER, ForeignKey(plate.c.id), comment="at which plate; NULL: through the page Today"),
    Column("seen_at", TIME, nullable=False, comment="UTC"),
    Index("ix_seen_person", "person", "plate_id", "seen_at"),
    comment="Who looked at which plate, and when",
)
