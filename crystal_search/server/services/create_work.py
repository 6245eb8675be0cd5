"""``crystal-search create-work``: packs unscored images into work units for the engine.

A work unit is recorded in the imaging database before its file exists, and its name follows from what it holds.
Whatever moment the process is killed at, the next run finds the record, sees that the file is missing, and
writes the same file.
"""

import argparse
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby, islice
from math import ceil

from crystal_search.arguments import count
from crystal_search.server.imaging.adding_rules import batches
from crystal_search.server.imaging.imaging_database import Recipe
from crystal_search.server.imaging.stored_images import StoredImage
from crystal_search.server.installation import Installation, add_home_argument, opened, recipe_of, say
from crystal_search.server.locks import only_service
from crystal_search.server.services.packing import pack, read_some, recorded
from crystal_search.server.services.postponing import said_of
from crystal_search.server.services.reconcile import reconcile
from crystal_search.server.unit_states import State, names_in, newest_first
from crystal_search.wells import CHANNELS

log = logging.getLogger(__name__)

MAX_LOOK = 1_000_000  #: images packed at most
LOOK = 2_000  #: images asked for at a time
AT_ONCE = 32  #: images that are read before their work units are recorded and written, in one go
FRESH_UNITS = 4  #: at least so many may be packed above a full queue, of images newer than any in it
PASS_S = 20.0  #: after this time a run leaves the rest to the next, so that one has its turn that came meanwhile


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """What one run packed."""

    units: int  #: new work units
    images: int  #: images in them
    again: int  #: images in files that were lost and written again


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """How much to pack, and what of."""

    plate: str | None = None  #: only this plate
    limit: int | None = None  #: at most so many images
    max_queue: int | None = None  #: instead of the settings'
    channel: str = "visible"
    newer_than: datetime | None = None  #: only images that were taken since


EVERYTHING = Order()


def create_work(
    site: Installation,
    recipe: Recipe,
    order: Order = EVERYTHING,
    *,
    packed: Callable[[int], None] = lambda images: None,
) -> Created:
    """Write work units for images that have no score by `recipe`, until the queue is full.

    Parameters
    ----------
    site
        The installation.
    recipe
        Models and threshold of the scores to be made.
    order
        Which images, and how many.
    packed
        Called with the number of images after each work unit.
    """
    again = reconcile(site, recipe)
    if again:
        packed(again)
    queued = len(names_in(site.home, State.QUEUED))
    most = order.max_queue or site.settings.max_queue
    room, only_fresh = most - queued, queued >= most
    if only_fresh:
        room = most + max(FRESH_UNITS, most // 10) - queued
    left = MAX_LOOK if order.limit is None else order.limit
    units = images = 0
    ends_at = time.monotonic() + PASS_S
    while room > 0 and left > 0 and time.monotonic() < ends_at:
        found = _to_pack(site, recipe, min(room * site.settings.images_per_unit, left, LOOK), order)
        if only_fresh:
            found = _newer(found, site.imaging.newest_packed(recipe, channel=order.channel))
        if not found:
            break
        for held in _packed(site, recipe, found, room):
            packed(held)
            units, images, room, left = units + 1, images + held, room - 1, left - held
    return Created(units=units, images=images, again=again)


def _to_pack(site: Installation, recipe: Recipe, limit: int, order: Order) -> list[StoredImage]:
    images = site.imaging.images_without_score(recipe, limit=limit, plate=order.plate, channel=order.channel)
    if order.newer_than:
        images = [image for image in images if image.imaged_at and image.imaged_at >= order.newer_than]
    return images


def _newer(images: Sequence[StoredImage], newest: StoredImage | None) -> list[StoredImage]:
    """Return the images that came later than any in work."""
    return [image for image in images if newest is None or _age(image) > _age(newest)]


def _age(image: StoredImage) -> tuple[float, int]:
    return image.arrived_at.timestamp() if image.arrived_at else 0.0, image.id


def _packed(site: Installation, recipe: Recipe, images: Sequence[StoredImage], room: int) -> Iterator[int]:
    """Pack images into at most `room` work units, several at a time; yield how many each holds."""
    size = images_per_unit(len(images), site)
    for units in batches(islice(batches_to_pack(images, size), room), ceil(AT_ONCE / size)):
        unit_of = {image.id: number for number, unit in enumerate(units) for image in unit}
        rest: Sequence[StoredImage] = [image for unit in units for image in unit]
        while rest:
            read, rest = read_some(site, rest)
            held = [list(part) for _, part in groupby(read, key=lambda each: unit_of[each.image.id])]
            if held:
                records = recorded(site, recipe, [[each.image for each in part] for part in held])
                yield from pack(site, list(zip(records, held, strict=True)))


def images_per_unit(waiting: int, site: Installation) -> int:
    """Return how many images a work unit holds: few enough that every client here has work, at most the setting."""
    if not site.engine.clients_here:
        return site.settings.images_per_unit
    return max(1, min(site.settings.images_per_unit, ceil(waiting / site.settings.worker_count)))


def batches_to_pack(images: Iterable[StoredImage], size: int) -> Iterator[list[StoredImage]]:
    """Yield at most `size` images of one inspection of one plate at a time, the inspection of the first image first."""
    inspections: dict[tuple[str, int], list[StoredImage]] = {}
    for image in images:
        inspections.setdefault((image.key.plate, image.key.inspection), []).append(image)
    for members in inspections.values():
        yield from (sorted(batch, key=lambda image: image.key.place) for batch in batches(members, size))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    add_home_argument(parser)
    parser.add_argument("--plate", help="only images of this plate")
    parser.add_argument("--channel", choices=CHANNELS, default="visible", help="of the images (default: %(default)s)")
    parser.add_argument("--days", type=count, metavar="N", help="only images of the last N days")
    parser.add_argument("--limit", type=count, metavar="N", help="at most so many images")


def run(arguments: argparse.Namespace) -> None:
    """Pack what waits and say how much it was."""
    order = Order(
        plate=arguments.plate,
        limit=arguments.limit,
        channel=arguments.channel,
        newer_than=datetime.now(UTC) - timedelta(days=arguments.days) if arguments.days else None,
    )
    with opened(arguments.home) as site:
        with only_service(site.home):
            created = create_work(site, recipe_of(site), order)
        if not site.engine.clients_here:
            with site.started_engine() as engine:
                engine.submit(newest_first(site.home))
                engine.step()
        waiting = [said_of(each) for each in site.imaging.postponed()]
    say(f"packed {created.images} images into {created.units} work units")
    if created.again:
        say(f"packed {created.again} images again, whose files were lost")
    for each in waiting:
        say(each)
