"""``crystal-search assimilate``: takes valid results over into the spool, with the record of their work unit.

From here on a result stands by itself: the record beside it says which images and which recipe it is about. The
work unit stays open in the imaging database until its scores are in the ledger.
"""

import argparse
import json
import logging
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from crystal_search.errors import DatabaseError, ResultError
from crystal_search.files import written_whole
from crystal_search.hostile_json import Reader, loads
from crystal_search.model import models_named
from crystal_search.result import RESULT_FILE
from crystal_search.result_reader import result_from_json
from crystal_search.server.folders import discard
from crystal_search.server.home import Home
from crystal_search.server.imaging.imaging_database import AutoScore, Recipe, UnitRecord
from crystal_search.server.imaging.stored_images import FileVersion
from crystal_search.server.installation import Installation, add_home_argument, opened, say
from crystal_search.server.locks import only_service
from crystal_search.server.services.packing import NOT_WHOLE
from crystal_search.server.services.postponing import Reason, put_off
from crystal_search.server.unit_states import State, is_in, move, names_in, place_of

log = logging.getLogger(__name__)

RECORD_FILE = "unit.json"


class UnreadNowError(DatabaseError):
    """A file cannot be read at the moment, which says nothing about what it holds."""


def assimilate(site: Installation) -> int:
    """Move every valid result into the spool; return how many."""
    home, count = site.home, 0
    names = names_in(home, State.VALIDATED)
    open_units = {unit.name: unit for unit in site.imaging.units("open")} if names else {}
    records = {}
    for name in names:
        folder = place_of(home, name, State.VALIDATED)
        if name in open_units:
            records[folder / RECORD_FILE] = record_to_json(open_units[name])
        elif (folder / RECORD_FILE).exists():  # a run was killed that had closed it
            count += move(home, name, State.VALIDATED, State.SPOOLED)
        else:
            log.info("the imaging database does not wait for %s; it is left alone", folder)
    for record in written_whole(records):
        name = record.parent.name
        _put_off_unread(site, open_units[name], record.parent)
        count += move(home, name, State.VALIDATED, State.SPOOLED)
    _clear_queue(home)
    return count


def _put_off_unread(site: Installation, unit: UnitRecord, folder: Path) -> None:
    """Put off the images that the client could not read; whether they can be read is for this server to say."""
    try:
        result = result_from_json((folder / RESULT_FILE).read_bytes())
    except (OSError, ResultError) as error:
        log.error("%s cannot be read any more: %s", folder, error)  # finalize moves it out of the way
        return
    versions = dict(zip(unit.image_ids, unit.versions, strict=False))
    reasons = {
        int(image.id): Reason(f"{NOT_WHOLE}: {image.score.error}", sha256=version.sha256 if version else "")
        for image in result.images
        if image.score.error and image.id.isdecimal()
        for version in [versions.get(int(image.id))]
    }
    if not reasons:
        return
    put_off(site, reasons)
    if len(reasons) == len(result.images):
        site.imaging.close_unit(unit.name, "done", "a client could read none of its images")


def _clear_queue(home: Home) -> None:
    """Take away the work unit files, and what was said of failures, of units that have their result."""
    for name in names_in(home, State.QUEUED):
        if is_in(home, name, State.SPOOLED, State.ARCHIVED):
            move(home, name, State.QUEUED, State.GONE)
            discard(home, home.failures / name)


def record_to_json(unit: UnitRecord) -> str:
    """Return the text of the record that stands beside a result."""
    now = datetime.now(UTC).isoformat()
    content = {"work_unit": unit.name, "recipe": asdict(unit.recipe), "image_ids": unit.image_ids, "scored_at": now}
    content["versions"] = {str(i): asdict(v) for i, v in zip(unit.image_ids, unit.versions, strict=False) if v}
    return json.dumps(content) + "\n"


def assimilated_scores(folder: Path) -> list[AutoScore]:
    """Return the scores of an assimilated result, in the order of its images; none for those that were not read.

    Raises
    ------
    DatabaseError
        If the files are missing, damaged, or do not belong together; `UnreadNowError` if they cannot be read now.
    """
    try:
        read = Reader(loads((folder / RECORD_FILE).read_bytes(), DatabaseError), RECORD_FILE, DatabaseError)
        result = result_from_json((folder / RESULT_FILE).read_bytes())
        scored_at = datetime.fromisoformat(read.text("scored_at"))
        strangers = {int(image.id) for image in result.images} - set(read.take("image_ids"))
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError, ResultError) as error:
        raise DatabaseError(f"{folder} holds no assimilated result: {error}") from error
    except OSError as error:
        raise UnreadNowError(f"{folder} cannot be read now: {error}") from error
    if strangers or not read.text("work_unit") == result.work_unit == folder.name:
        raise DatabaseError(f"{folder} holds the result of another work unit, {result.work_unit}")
    recipe = _recipe(Reader(read.take("recipe"), "recipe", DatabaseError))
    versions = read.take("versions") if read.has("versions") else {}
    score = partial(AutoScore, work_unit=result.work_unit, recipe=recipe, scored_at=scored_at)
    return [
        score(image_id=int(image.id), found=image.score, version=_version(versions.get(image.id)))
        for image in result.images
        if not image.score.error
    ]


def _version(told: dict[str, Any] | None) -> FileVersion | None:
    """Return which file an image was packed of; None in a record of earlier times."""
    return FileVersion(**told | {"remarks": tuple(told["remarks"])}) if told else None


def _recipe(read: Reader) -> Recipe:
    models = models_named(read, 2 if read.has("models") else 1)  # a record of version 1 may wait in the spool
    return Recipe(models=models, threshold=read.number("threshold", 0, 1))


add_arguments = add_home_argument


def run(arguments: argparse.Namespace) -> None:
    """Take over what is valid and say how much it was."""
    with opened(arguments.home) as site, only_service(site.home):
        count = assimilate(site)
        left = names_in(site.home, State.VALIDATED)
    say(f"assimilated {count} results")
    if left:
        say(f"{len(left)} are left, as the imaging database does not wait for them: {', '.join(left)}")
