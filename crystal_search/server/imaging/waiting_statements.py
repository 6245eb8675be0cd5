"""Every statement on images that wait, or are called unreadable, one a function."""

from collections.abc import Sequence

from sqlalchemy import Delete, delete, exists, func, select

from crystal_search.outcomes import UNREADABLE
from crystal_search.server.imaging.schema import image, plate, postponement, score
from crystal_search.server.imaging.sql_statements import Query, images, of_inspection


def postponements(image_ids: Sequence[int]) -> Query:
    """Select why these images wait."""
    return select(postponement).where(postponement.c.image_id.in_(image_ids))


def postponements_of_inspection(barcode: str, number: int, channel: str) -> Query:
    """Select why images of one inspection of a plate wait."""
    there = postponement.join(image).join(plate)
    return select(postponement).select_from(there).where(*of_inspection(barcode, number, channel))


def taking_up(image_ids: Sequence[int]) -> Delete:
    """Forget why these images waited."""
    return delete(postponement).where(postponement.c.image_id.in_(image_ids))


def reasons(barcode: str | None) -> Query:
    """Select how many images wait for each reason, of one plate or all, since when, until when, and the first path."""
    number = func.count().label("images")
    first = [func.min(postponement.c[name]).label(name) for name in ("since", "next_at")]
    there = postponement.join(image).join(plate)
    counted = select(postponement.c.reason, number, *first, func.min(image.c.path).label("first")).select_from(there)
    if barcode is not None:
        counted = counted.where(plate.c.barcode == barcode)
    return counted.group_by(postponement.c.reason).order_by(number.desc(), postponement.c.reason)


def postponed_images() -> Query:
    """Select every image that waits, by id."""
    return images().join(postponement, postponement.c.image_id == image.c.id).order_by(image.c.id)


def unreadable_images(readouts: Sequence[int]) -> Query:
    """Select every image whose last automatic score says that it is unreadable, by id; recipes of readouts apart."""
    later = score.alias()
    by_machine = (later.c.recipe_id.is_not(None), later.c.recipe_id.not_in(readouts))
    is_later = (later.c.image_id == score.c.image_id, later.c.id > score.c.id, *by_machine)
    condemned = select(score.c.image_id).where(score.c.outcome == UNREADABLE, ~exists().where(*is_later))
    return images().where(image.c.id.in_(condemned), image.c.last_recipe_id != 0).order_by(image.c.id)
