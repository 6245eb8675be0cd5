"""``crystal-search create-work``: packs unscored images into work units for the engine.

A work unit is recorded in the imaging database before its file exists, and its name follows from what it holds.
Whatever moment the process is killed at, the next run finds the record, sees that the file is missing, and
writes the same file.
"""

import argparse
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from math import ceil
from pathlib import Path

from crystal_search.arguments import count
from crystal_search.server.imaging.imaging_database import Recipe, StoredImage
from crystal_search.server.installation import Installation, add_home_argument, opened, recipe_of, say
from crystal_search.server.locks import only_service
from crystal_search.server.services.packing import can_be_opened, folder_is_there, pack, record_of
from crystal_search.server.services.reconcile import reconcile
from crystal_search.server.unit_states import State, move, names_in, newest_first
from crystal_search.wells import CHANNELS

log = logging.getLogger(__name__)

MAX_PACKED_BYTES = 512 * 1024 * 1024  #: of images in one work unit; they pass through memory
MAX_LOOK = 1_000_000  #: images asked for at most, when many lie in folders that cannot be reached


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """What one run packed."""

    units: int  #: new work units
    images: int  #: images in them
    again: int  #: images in files that were lost and written again
    unreachable: int  #: images left for later: they cannot be read now


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
    again, waiting = reconcile(site, recipe)
    if again:
        packed(again)
    room = (order.max_queue or site.settings.max_queue) - len(names_in(site.home, State.QUEUED))
    if room <= 0:
        return Created(units=0, images=0, again=again, unreachable=waiting)
    wanted = min(room * site.settings.images_per_unit, MAX_LOOK if order.limit is None else order.limit)
    images, unreachable = _reachable(site, recipe, wanted, order)
    units = count = 0
    for batch in list(batches_to_pack(images, images_per_unit(len(images), site)))[:room]:
        record = record_of(recipe, batch)
        if site.imaging.add_unit(record):
            move(site.home, record.name, State.SET_ASIDE, State.GONE)  # it was split and withdrawn, and is back
            held = pack(site, record, batch)
            packed(len(batch))
            if held is None:
                unreachable += len(batch)
                continue
            units, count = units + 1, count + held
            log.info("packed %d images", held, extra={"action": "unit_packed", "unit": record.name})
    return Created(units=units, images=count, again=again, unreachable=waiting + unreachable)


def _reachable(site: Installation, recipe: Recipe, wanted: int, order: Order) -> tuple[list[StoredImage], int]:
    """Return up to `wanted` images that can be opened or are gone, and how many others were passed over."""
    look = wanted
    while True:
        images = site.imaging.images_without_score(recipe, limit=look, plate=order.plate, channel=order.channel)
        enough = len(images) >= look
        if order.newer_than:  # the newest come first, so that none is missed beyond the limit
            images = [image for image in images if image.imaged_at and image.imaged_at >= order.newer_than]
        folders = {str(Path(image.path).parent): image.path for image in images}
        there = {folder for folder, path in folders.items() if folder_is_there(path)}
        found: list[StoredImage] = []
        passed_over = 0
        for image in images:
            if str(Path(image.path).parent) in there and can_be_opened(image.path):
                found.append(image)
            else:
                passed_over += 1
            if len(found) >= wanted:
                break
        if len(found) >= wanted or not enough or look >= MAX_LOOK:
            return found, passed_over
        look = min(look * 4, MAX_LOOK)


def images_per_unit(waiting: int, site: Installation) -> int:
    """Return how many images a work unit holds: few enough that every client here has work, at most the setting."""
    if not site.engine.clients_here:
        return site.settings.images_per_unit
    return max(1, min(site.settings.images_per_unit, ceil(waiting / site.settings.worker_count)))


def batches_to_pack(images: Iterable[StoredImage], size: int) -> Iterator[list[StoredImage]]:
    """Yield the images of one inspection of one plate at a time, at most `size` and MAX_PACKED_BYTES together."""
    for _, inspection in groupby(sorted(images, key=_place), key=lambda image: _place(image)[:2]):
        batch: list[StoredImage] = []
        room = MAX_PACKED_BYTES
        for image in inspection:
            need = _size_bytes(image)
            if batch and (len(batch) == size or need > room):
                yield batch
                batch, room = [], MAX_PACKED_BYTES
            batch.append(image)
            room -= need
        yield batch


def _place(image: StoredImage) -> tuple[str, int, int, int, int]:
    key = image.key
    return key.plate, key.inspection, key.row, key.column, key.drop


def _size_bytes(image: StoredImage) -> int:
    try:
        return Path(image.path).stat().st_size
    except OSError:
        return 0


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
    say(f"packed {created.images} images into {created.units} work units")
    if created.again:
        say(f"packed {created.again} images again, whose files were lost")
    if created.unreachable:
        say(f"{created.unreachable} images wait: they cannot be read now; see that their folders can be reached")
