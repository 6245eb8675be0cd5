"""Every statement that only the rescoring of an archive needs, one a function."""

from sqlalchemy import or_, select

from crystal_search.server.imaging.imaging_database import Age
from crystal_search.server.imaging.schema import image
from crystal_search.server.imaging.sql_rows import time_text
from crystal_search.server.imaging.sql_statements import NEWEST, Query, images


def images_scored_by(recipe_id: int, older_than: Age | None, limit: int) -> Query:
    """Select visible-light images whose last automatic score is by a recipe, the newest first, as `images_to_score`."""
    wanted = [image.c.channel == "visible", image.c.last_recipe_id == recipe_id]
    if older_than:
        at, image_id = time_text(older_than[0]), older_than[1]
        older = or_(image.c.arrived_at < at, image.c.id < image_id)
        wanted += [image.c.arrived_at <= at, older]  # the first of both is what an index is searched by
    chosen = select(image.c.id).where(*wanted).order_by(*NEWEST).limit(limit).subquery()
    return images().join(chosen, chosen.c.id == image.c.id).order_by(*NEWEST)
