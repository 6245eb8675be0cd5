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

from crystal_search.errors import DatabaseError, ResultError
from crystal_search.files import write_whole
from crystal_search.hostile_json import Reader, loads
from crystal_search.model import models_named
from crystal_search.result import RESULT_FILE
from crystal_search.result_reader import result_from_json
from crystal_search.server.folders import discard
from crystal_search.server.home import Home
from crystal_search.server.imaging.imaging_database import AutoScore, Recipe, UnitRecord
from crystal_search.server.installation import Installation, add_home_argument, opened, say
from crystal_search.server.locks import only_service
from crystal_search.server.unit_states import State, is_in, move, names_in, place_of

log = logging.getLogger(__name__)

RECORD_FILE = "unit.json"


def assimilate(site: Installation) -> int:
    """Move every valid result into the spool; return how many."""
    home, count = site.home, 0
    open_units = {unit.name: unit for unit in site.imaging.units("open")}
    for name in names_in(home, State.VALIDATED):
        folder = place_of(home, name, State.VALIDATED)
        if name not in open_units:
            log.info("the imaging database does not wait for %s; it is left alone", folder)
            continue
        write_whole(folder / RECORD_FILE, record_to_json(open_units[name]))
        count += move(home, name, State.VALIDATED, State.SPOOLED)
    _clear_queue(home)
    return count


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
    return json.dumps(content, indent=1) + "\n"


def assimilated_scores(folder: Path) -> list[AutoScore]:
    """Return the scores of an assimilated result, in the order of its images.

    Raises
    ------
    DatabaseError
        If the files are missing, damaged, or do not belong together.
    """
    try:
        read = Reader(loads((folder / RECORD_FILE).read_bytes(), DatabaseError), RECORD_FILE, DatabaseError)
        result = result_from_json((folder / RESULT_FILE).read_bytes())
        scored_at = datetime.fromisoformat(read.text("scored_at"))
        strangers = {int(image.id) for image in result.images} - set(read.take("image_ids"))
    except (OSError, ValueError, TypeError, ResultError) as error:
        raise DatabaseError(f"{folder} holds no assimilated result: {error}") from error
    if strangers or not read.text("work_unit") == result.work_unit == folder.name:
        raise DatabaseError(f"{folder} holds the result of another work unit, {result.work_unit}")
    recipe = _recipe(Reader(read.take("recipe"), "recipe", DatabaseError))
    score = partial(AutoScore, work_unit=result.work_unit, recipe=recipe, scored_at=scored_at)
    return [score(image_id=int(image.id), found=image.score) for image in result.images]


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
