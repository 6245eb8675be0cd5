"""Every statement on imports, and on images that are taken back or have moved, one a function."""

from collections.abc import Sequence

from sqlalchemy import Update, func, select, update

from crystal_search.server.imaging.schema import image, import_run, removal, removed_image, score
from crystal_search.server.imaging.sql_rows import digest_of
from crystal_search.server.imaging.sql_statements import Query, images, stands
from crystal_search.wells import REMOVED

_PLACE = (image.c.plate_id, image.c.well_row, image.c.well_column, image.c.drop_number, image.c.last_recipe_id)
_GONE = removed_image.c.returned_at == ""


def imports() -> Query:
    """Select the imports of images that are there, with how many there are of each, the last first."""
    there = (
        select(image.c.import_id, func.count().label("images"))
        .where(image.c.channel != REMOVED, image.c.import_id != 0)
        .group_by(image.c.import_id)
        .subquery()
    )
    return (
        select(import_run, there.c.images)
        .join(there, there.c.import_id == import_run.c.id)
        .order_by(import_run.c.id.desc())
    )


def images_of_import(import_id: int) -> Query:
    """Select the images that an import brought, by id."""
    return images().where(image.c.import_id == import_id).order_by(image.c.id)


def images_below(folder: str) -> Query:
    """Select the images whose files lie in a folder or deeper, by id."""
    return images().where(image.c.path.startswith(f"{folder.rstrip('/')}/", autoescape=True)).order_by(image.c.id)


def scored_by_hand(image_ids: Sequence[int]) -> Query:
    """Select those of these images that a person has scored, and did not take that back."""
    by_hand = (score.c.image_id.in_(image_ids), score.c.person.is_not(None), stands())
    return select(score.c.image_id).where(*by_hand).distinct()


def removals() -> Query:
    """Select what was taken back, the last first."""
    return select(removal).order_by(removal.c.id.desc())


def to_remove(image_ids: Sequence[int]) -> Query:
    """Select of these images that are there what a removal changes."""
    wanted = (image.c.id.in_(image_ids), image.c.channel != REMOVED)
    return select(image.c.id, *_PLACE, image.c.inspection, image.c.channel, image.c.path_digest).where(*wanted)


def hiding(image_id: int) -> Update:
    """Have an image be nowhere: its place and path are free for another one."""
    values = {"channel": REMOVED, "inspection": -image_id, "path_digest": f"removed {image_id}"}
    return update(image).where(image.c.id == image_id).values(values)


def showing(image_id: int, now: str, *, number: int, channel: str, path_digest: str) -> Update:
    """Have an image be where it was, and wait since `now` unless it has a score."""
    values = {"channel": channel, "inspection": number, "path_digest": path_digest, "waits_since": now}
    return update(image).where(image.c.id == image_id).values(values)


def removed_with(path_digests: Sequence[str]) -> Query:
    """Select the images that were taken back and had these paths, with the place that they had."""
    had = (removed_image.c.inspection, removed_image.c.channel, removed_image.c.path_digest)
    found = select(image.c.id, *_PLACE, *had).join_from(image, removed_image)
    return found.where(removed_image.c.path_digest.in_(path_digests), _GONE)


def no_longer_removed(image_id: int, now: str) -> Update:
    """Note that an image is there again."""
    return update(removed_image).where(removed_image.c.image_id == image_id, _GONE).values(returned_at=now)


def moving(image_id: int, path: str) -> Update:
    """Note where the file of an image is now."""
    return update(image).where(image.c.id == image_id).values(path=path, path_digest=digest_of(path))


def removed_below(folder: str) -> Query:
    """Select the images that were taken back and whose files lay in a folder or deeper."""
    below = image.c.path.startswith(f"{folder.rstrip('/')}/", autoescape=True)
    return select(image.c.id, image.c.path).join_from(image, removed_image).where(below, _GONE)


def moving_removed(image_id: int, path: str) -> tuple[Update, Update]:
    """Note where the file of an image is now that was taken back."""
    return (
        update(image).where(image.c.id == image_id).values(path=path),
        update(removed_image).where(removed_image.c.image_id == image_id, _GONE).values(path_digest=digest_of(path)),
    )
