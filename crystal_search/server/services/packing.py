"""From images to the file of a work unit; those that cannot be packed now are put off with the reason."""

import hashlib
import json
import logging
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path

from crystal_search.errors import ImageError
from crystal_search.files import at_once
from crystal_search.model import hashes_of
from crystal_search.pictures import as_work_picture
from crystal_search.result import ImageScore
from crystal_search.server.home import Home
from crystal_search.server.imaging.imaging_database import AutoScore, Recipe, UnitRecord
from crystal_search.server.imaging.stored_images import FileVersion, Postponement, StoredImage
from crystal_search.server.installation import Installation
from crystal_search.server.services.image_files import is_of_the_share, read_image, why_not_now
from crystal_search.server.services.postponing import DELAYS_S, SHARE_S, Reason, is_final, put_off
from crystal_search.server.unit_states import State, move, place_of
from crystal_search.work_unit import Parameters, write_work_unit

log = logging.getLogger(__name__)

PREFIX_LENGTH = 40
MAX_PACKED_BYTES = 512 * 1024 * 1024  #: of images in one work unit; they pass through memory
NOT_WHOLE = "it cannot be decoded yet"  #: begins a reason that may become a verdict


def unit_name(recipe: Recipe, images: Sequence[StoredImage], *, again: int = 0) -> str:
    """Return the name of the work unit that scores `images` by `recipe`, for the first time or once more.

    The plate and the inspection come first, for people; a digest of everything makes it unique.
    """
    plate = re.sub(r"[^A-Za-z0-9]+", "-", images[0].key.plate).strip("-")[:PREFIX_LENGTH] or "plate"
    content = [*hashes_of(recipe.models).values(), recipe.threshold, [[i.id, i.path] for i in images]]
    digest = hashlib.sha256(json.dumps([*content, again] if again else content).encode()).hexdigest()[:16]
    return f"{plate}-{images[0].key.inspection}-{digest}"


def record_of(recipe: Recipe, images: Sequence[StoredImage], *, again: int = 0) -> UnitRecord:
    """Return the record of a new work unit."""
    return UnitRecord(
        name=unit_name(recipe, images, again=again),
        recipe=recipe,
        image_ids=tuple(image.id for image in images),
        created_at=datetime.now(UTC),
    )


def recorded(site: Installation, recipe: Recipe, units: Sequence[Sequence[StoredImage]]) -> list[UnitRecord]:
    """Record new work units of these images, be they their first or not, and return the records in order."""
    records: dict[int, UnitRecord] = {}
    for again in count():
        left = [number for number in range(len(units)) if number not in records]
        if not left:
            break
        tried = {number: record_of(recipe, units[number], again=again) for number in left}
        new = site.imaging.add_units(tried.values())
        records |= {number: record for number, record in tried.items() if record.name in new}
    for record in records.values():
        clear_set_aside(site.home, record.name)  # it was split and withdrawn, and is back
    return [record for _, record in sorted(records.items())]


def clear_set_aside(home: Home, name: str) -> None:
    """Take away a work unit that was set aside; its reasons go first, since nobody would look for them alone."""
    place_of(home, name, State.SET_ASIDE).with_suffix(".txt").unlink(missing_ok=True)
    move(home, name, State.SET_ASIDE, State.GONE)


@dataclass(frozen=True, slots=True)
class ReadImage:
    """An image whose file was read."""

    image: StoredImage
    version: FileVersion
    suffix: str
    data: bytes  #: as clients get them: converted where they could not read the file rightly
    trouble: str = ""  #: why these bytes will never be decoded; empty when they can be

    @property
    def packed(self) -> tuple[str, str, bytes]:
        """The image's id, suffix and bytes, as `write_work_unit` wants them."""
        return str(self.image.id), self.suffix, self.data


def read_some(site: Installation, images: Sequence[StoredImage]) -> tuple[list[ReadImage], Sequence[StoredImage]]:
    """Read images until MAX_PACKED_BYTES, and put those off that cannot be read or decoded now.

    Returns
    -------
    read
        Those that can be packed, and those that will never be decoded.
    rest
        Those that were not looked at.
    """
    before = site.imaging.postponements([image.id for image in images])
    read: list[ReadImage] = []
    reasons: dict[int, Reason] = {}
    room, rest = MAX_PACKED_BYTES, images
    while rest and room > 0:
        image, rest = rest[0], rest[1:]
        taken = _tried(site, image, before.get(image.id))
        if isinstance(taken, Reason):
            log.info("image %d waits: %s: %s", image.id, taken.text, image.path)
            reasons[image.id] = taken
        else:
            read.append(taken)
            room -= len(taken.data)
    put_off(site, reasons)
    return read, rest


def _tried(site: Installation, image: StoredImage, before: Postponement | None) -> ReadImage | Reason:
    """Read an image; whatever else goes wrong, such as too little memory, says nothing about it and stops no other."""
    try:
        return _taken(site, image, before)
    except Exception as error:
        log.exception("image %d: this program is at fault: %s", image.id, image.path)
        return Reason(f"this server could not read it: {type(error).__name__}")


def _taken(site: Installation, image: StoredImage, before: Postponement | None) -> ReadImage | Reason:
    try:
        data, version = site.files.ask(image.path, partial(read_image, image.path))
    except OSError as error:
        longest_s = SHARE_S if is_of_the_share(error, image.path) else DELAYS_S[-1]
        return Reason(why_not_now(image.path, error), longest_s)
    try:
        converted = as_work_picture(data, Path(image.path).suffix.lower())
    except ImageError as error:
        if is_final(before, version.sha256, now=datetime.now(UTC)):
            return ReadImage(image, version, "", data, trouble=str(error))
        return Reason(f"{NOT_WHOLE}: {error}", sha256=version.sha256)
    return ReadImage(image, replace(version, remarks=converted.remarks), converted.suffix, converted.data)


def pack(site: Installation, units: Sequence[tuple[UnitRecord, Sequence[ReadImage]]]) -> list[int]:
    """Write the files of recorded work units into the queue; return how many images each holds.

    Images that will never be decoded get an ``unreadable`` score. A work unit without any other image is done at once.
    """
    told = [(record, each) for record, read in units for each in read]
    packed = {each.image.id: record.name for record, each in told}
    site.imaging.note_versions({each.image.id: each.version for _, each in told}, packed=packed)
    condemned = [unreadable(record, each) for record, each in told if each.trouble]
    if condemned:
        site.imaging.add_auto_scores(condemned)
        site.imaging.finish_units([record.name for record, read in units if all(each.trouble for each in read)])
    return list(at_once(lambda unit: _write(site, *unit), units))


def _write(site: Installation, record: UnitRecord, read: Sequence[ReadImage]) -> int:
    """Write the file of a work unit, if it is to hold anything; return how many images it holds."""
    good = [each for each in read if not each.trouble]
    if not good:
        return 0
    path = place_of(site.home, record.name, State.QUEUED)
    write_work_unit(
        path,
        name=record.name,
        models=record.recipe.models,
        parameters=Parameters(
            threshold=record.recipe.threshold,
            best_chops=site.settings.best_chops,
            overlays=site.settings.overlays and site.engine.overlays,
            crystals_from=site.settings.crystals_from,
        ),
        images=[each.packed for each in good],
    )
    newest = max((each.image.arrived_at for each in good if each.image.arrived_at), default=record.created_at)
    os.utime(path, (newest.timestamp(), newest.timestamp()))  # the queue is worked on in the order of these times
    log.info("packed %d images", len(good), extra={"action": "unit_packed", "unit": record.name})
    return len(good)


def unreadable(record: UnitRecord, read: ReadImage) -> AutoScore:
    """Return the score of an image that no client can read."""
    return AutoScore(
        image_id=read.image.id,
        work_unit=record.name,
        recipe=record.recipe,
        scored_at=datetime.now(UTC),
        found=ImageScore(height_px=0, width_px=0, error=read.trouble),
        version=read.version,
    )
