"""The volunteer's program as it is frozen into one file: what BOINC starts in a slot folder.

Without words on the command line it scores ``unit.zip`` of the folder that it is started in, with the models that lie
there, and leaves ``result.json``. With words it is the client of docs/client.md.
"""

import logging
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from crystal_search import __version__
from crystal_search.client.program import attempted
from crystal_search.client.program import main as client_main
from crystal_search.client.slot import Slot, resolved
from crystal_search.exit_codes import FAILED, OK
from crystal_search.files import FULL_DISK
from crystal_search.result import RESULT_FILE

UNIT_FILE, WORK_FOLDER = "unit.zip", "work"
LATER_S = 600  #: after which a program is started again that could not write

log = logging.getLogger(__name__)


def score_in_slot(folder: Path, slot: Slot) -> int:
    """Score the work unit in a slot folder and return the code to finish with.

    Raises
    ------
    OSError
        If a file cannot be read or written, which says nothing about the work unit.
    """
    work = folder / WORK_FOLDER
    code = attempted(resolved(folder / UNIT_FILE), work, [folder], pause=slot.pause)
    if code == OK:
        shutil.copyfile(work / RESULT_FILE, resolved(folder / RESULT_FILE))
    return code


def run_in_slot(folder: Path) -> int:
    """Score the work unit in a slot folder, tell the client how it ended, and return the exit code."""
    slot = Slot(folder)
    try:
        code = score_in_slot(folder, slot)
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        if error.errno in FULL_DISK:
            slot.later(LATER_S, "the disk is full")
            return OK
        code = FAILED
    except Exception:
        log.exception("the program itself failed")
        code = FAILED
    slot.finish(code)
    return code


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program: as BOINC starts it without words, else as the client's command line."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words == ["--version"]:
        sys.stdout.write(f"crystal-search-client {__version__}\n")
        return OK
    if words:
        return client_main(words)
    logging.basicConfig(level=logging.WARNING)
    return run_in_slot(Path.cwd())


if __name__ == "__main__":
    sys.exit(main())
