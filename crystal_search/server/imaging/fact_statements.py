"""Every statement on what is known of plates and wells besides their images, one a function."""

from collections.abc import Sequence

from sqlalchemy import Update, bindparam, select, update

from crystal_search.server.imaging.schema import cocktail, plate, plate_fact, well_condition
from crystal_search.server.imaging.sql_statements import Query

WELL = ("plate_id", "well_row", "well_column", "drop_number")  #: the key of table well_condition
_SAID = (well_condition.c.source, well_condition.c.by_hand)


def facts_of(barcodes: Sequence[str]) -> Query:
    """Select what is known of these plates."""
    return select(plate_fact, plate.c.barcode).join(plate).where(plate.c.barcode.in_(barcodes))


def plates_of(projects: Sequence[str]) -> Query:
    """Select the barcodes of the plates of these projects."""
    return select(plate.c.barcode).join(plate_fact).where(plate_fact.c.project.in_(projects))


def noting_facts() -> Update:
    """Note what is known now of the plate `of_plate`, in whatever columns are given with it."""
    return update(plate_fact).where(plate_fact.c.plate_id == bindparam("of_plate"))


def cocktails_like(digests: Sequence[str]) -> Query:
    """Select digest and id of the cocktails that are known of these."""
    return select(cocktail.c.digest, cocktail.c.id).where(cocktail.c.digest.in_(digests))


def wells_of(plate_ids: Sequence[int]) -> Query:
    """Select which cocktail is in each well of these plates, by digest, and who says so."""
    keys = (well_condition.c[name] for name in WELL)
    return (
        select(*keys, *_SAID, cocktail.c.digest)
        .join(cocktail, cocktail.c.id == well_condition.c.cocktail_id)
        .where(well_condition.c.plate_id.in_(plate_ids))
    )


def noting_condition() -> Update:
    """Note what is in a well now, which parameters `of_plate_id` and so on name, in the columns given with it."""
    this = (well_condition.c[name] == bindparam(f"of_{name}") for name in WELL)
    return update(well_condition).where(*this)


def conditions_of(barcode: str) -> Query:
    """Select what is in the wells of a plate, and who says so."""
    return (
        select(well_condition, cocktail.c.name, cocktail.c.ingredients)
        .join(cocktail, cocktail.c.id == well_condition.c.cocktail_id)
        .join(plate, plate.c.id == well_condition.c.plate_id)
        .where(plate.c.barcode == barcode)
    )
