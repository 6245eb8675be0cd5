"""``crystal-search validate``: checks what clients returned.

A client may be a stranger's: nothing in its folder is taken for granted, and only what the result names is kept.
A result that breaks the rules costs the work unit an attempt. A fault of our own never does: the result stays
where it is and is checked again by the next run.
"""

import argparse
import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

from crystal_search.errors import ResultError, WorkUnitError
from crystal_search.result import RESULT_FILE, Result
from crystal_search.server.engines.attempts import add_failure
from crystal_search.server.home import Home
from crystal_search.server.installation import add_home_argument, say
from crystal_search.server.locks import only_service
from crystal_search.server.returned_result import read_returned
from crystal_search.server.unit_states import CANONICAL, State, is_in, move, names_in, place_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Validated:
    """What one run checked."""

    valid: int
    invalid: int


def validate(home: Home) -> Validated:
    """Check every returned result; move the valid ones on, send the work of the others out again."""
    valid = invalid = 0
    for name in names_in(home, State.RETURNED):
        try:
            valid += validate_one(home, name)
        except ResultError as error:
            invalid += 1
            log.warning("%s: refused: %s", name, error, extra={"action": "result_refused"})
            add_failure(home, name, f"the result was refused: {error}")
            move(home, name, State.RETURNED, State.GONE)
        except Exception:
            log.exception("%s: the validator itself failed; the result is checked again later", name)
    return Validated(valid=valid, invalid=invalid)


def validate_one(home: Home, name: str) -> bool:
    """Check one result and move it on; return whether it is the canonical one.

    A result that nobody waits for is discarded; a work unit that is damaged is discarded too, and packed again.

    Raises
    ------
    ResultError
        If the result must be refused.
    """
    folder = place_of(home, name, State.RETURNED)
    if is_in(home, name, *CANONICAL) or not is_in(home, name, State.QUEUED):
        move(home, name, State.RETURNED, State.GONE)
        return False
    try:
        result = read_returned(folder / RESULT_FILE, place_of(home, name, State.QUEUED), home)
    except WorkUnitError as error:
        log.warning("%s is packed again: %s", name, error)
        move(home, name, State.QUEUED, State.GONE)
        return False
    drop_strangers(folder, result)
    return move(home, name, State.RETURNED, State.VALIDATED)


def drop_strangers(folder: Path, result: Result) -> None:
    """Delete every file in `folder` that is neither the result nor an overlay it names."""
    kept = {RESULT_FILE} | {image.overlay.file for image in result.images if image.overlay}
    parents = {str(Path(name).parent) for name in kept} - {"."}
    for path in [*folder.iterdir(), *(each for parent in parents for each in (folder / parent).iterdir())]:
        name = str(path.relative_to(folder))
        if name in kept or name in parents:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


add_arguments = add_home_argument


def run(arguments: argparse.Namespace) -> None:
    """Check what was returned and say how it went."""
    home = Home.at(arguments.home).made()
    with only_service(home):
        found = validate(home)
    say(f"{found.valid} results are valid, {found.invalid} were refused")
