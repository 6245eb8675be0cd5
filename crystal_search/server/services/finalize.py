"""``crystal-search finalize``: writes all spooled results into one CSV file, for people to look at.

The order makes it safe to be killed. First a list of the work units, then the whole CSV under the name ``.ready``;
then the results move to the archive; then the CSV gets its name. A ``.ready`` file that a killed run left is
brought to its end by the next one, so that no result comes into two files.
"""

import argparse
import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from crystal_search.columns import csv_text
from crystal_search.errors import DatabaseError
from crystal_search.files import clear_parts, write_whole
from crystal_search.server.home import Home
from crystal_search.server.imaging.imaging_database import AutoScore
from crystal_search.server.installation import Installation, add_home_argument, opened, say
from crystal_search.server.locks import only_service
from crystal_search.server.services.assimilate import UnreadNowError, assimilated_scores
from crystal_search.server.services.score_csv import (
    AGAIN,
    COLUMNS,
    Cells,
    cells_of,
    contents,
    contents_file,
    read_csv,
    summary,
)
from crystal_search.server.services.set_autoscore import report, set_autoscores
from crystal_search.server.unit_states import State, is_in, move, names_in, place_of

log = logging.getLogger(__name__)

READY_SUFFIX = ".ready"


def finalize(site: Installation, *, again: bool = False) -> Path | None:
    """Write the spooled results into a new CSV file and return its path, or None when there are none.

    With `again`, results are written once more that are archived, but neither in the ledger nor in any CSV file.
    Those of a CSV file that set-autoscore refused are written once more in any case, but only once: who spoils
    that file too must ask for the next one.
    """
    home = site.home
    _sweep(home)
    for ready in _files(home, f"*.csv{READY_SUFFIX}"):
        _publish(home, ready)
    spooled = names_in(home, State.SPOOLED)
    known = site.imaging.known_units(spooled)  # another installation's results are about other images
    units = {name: State.SPOOLED for name in spooled if name in known}
    spoiled = _refused(home, again=again)
    wanted = {name for path in spoiled for name in contents(home, path.name)}
    units |= {name: State.ARCHIVED for name in lost_units(site) if again or name in wanted}
    scores: dict[str, list[AutoScore]] = {}
    waiting: set[str] = set()
    for name, state in units.items():
        try:
            scores[name] = assimilated_scores(place_of(home, name, state))
        except UnreadNowError as error:
            log.error("%s; it waits for the next run", error)
            waiting.add(name)
        except DatabaseError as error:
            log.error("%s; it is moved to %s, and its images are scored again", error, home.refused)
            move(home, name, state, State.REFUSED)
    rows = _rows(site, scores)
    path = _write(home, rows, AGAIN if wanted & rows.keys() else "") if rows else None
    for csv in spoiled:
        if waiting.isdisjoint(contents(home, csv.name)):
            contents_file(home, csv.name).unlink(missing_ok=True)
    return path


def _rows(site: Installation, scores: Mapping[str, Sequence[AutoScore]]) -> dict[str, list[Cells]]:
    """Return the rows of each work unit's scores."""
    images = site.imaging.images({score.image_id for each in scores.values() for score in each})
    return {name: [cells_of(score, images.get(score.image_id)) for score in each] for name, each in scores.items()}


def lost_units(site: Installation) -> Iterator[str]:
    """Yield the archived work units whose scores are on no way to the ledger: their CSV file is gone."""
    pending = {name for path in _files(site.home, "*.csv") for name in contents(site.home, path.name)}
    for name in site.imaging.unit_recipes("open"):
        if name not in pending and is_in(site.home, name, State.ARCHIVED):
            yield name


def _refused(home: Home, *, again: bool) -> list[Path]:
    """Return the refused CSV files of ours whose results wait; with `again` also those that were a second try."""
    listed = [path.name[1:].removesuffix(".units") for path in home.finalized.glob(".*.csv.units")]
    refused = [home.refused / name for name in listed if not (home.finalized / name).exists()]
    return [path for path in refused if path.exists() and (again or not path.stem.endswith(AGAIN))]


def _files(home: Home, pattern: str) -> list[Path]:
    """Return the files in ``finalized/`` that fit a pattern; a folder of such a name is nobody's."""
    return sorted(path for path in home.finalized.glob(pattern) if path.is_file())


def _sweep(home: Home) -> None:
    """Take away what a killed run left of a CSV file that never came to be ready."""
    clear_parts(home.finalized, older_than_s=0)
    for path in _files(home, ".*.csv.units"):
        name = path.name[1:].removesuffix(".units")
        ready = (home.finalized / f"{name}{READY_SUFFIX}").exists()
        if not ready and any(is_in(home, unit, State.SPOOLED) for unit in contents(home, name)):
            path.unlink()


def _write(home: Home, rows: dict[str, list[Cells]], mark: str = "") -> Path:
    now = datetime.now(UTC)
    digest = hashlib.sha256(" ".join([now.isoformat(), *rows]).encode()).hexdigest()[:8]
    name = f"scores-{now:%Y%m%dT%H%M%SZ}-{digest}{mark}.csv"
    write_whole(contents_file(home, name), "\n".join([*rows, ""]))
    ready = home.finalized / f"{name}{READY_SUFFIX}"
    write_whole(ready, csv_text(COLUMNS, (cells for unit in rows.values() for cells in unit)))
    return _publish(home, ready)


def _publish(home: Home, ready: Path) -> Path:
    """Archive the results in a CSV file that is ready, then give it its name."""
    path = ready.with_suffix("")
    for name in contents(home, path.name):
        move(home, name, State.SPOOLED, State.ARCHIVED)
    ready.rename(path)
    return path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    add_home_argument(parser)
    parser.add_argument("--automatic", action="store_true", help="set the scores at once, without a look at the file")
    parser.add_argument("--again", action="store_true", help="write results once more whose CSV file was deleted")


def run(arguments: argparse.Namespace) -> None:
    """Write the CSV file and say where it is."""
    with opened(arguments.home) as site, only_service(site.home):
        path = finalize(site, again=arguments.again)
        say(f"wrote {path}: {summary(read_csv(path))}" if path else "no results wait for a CSV file")
        if arguments.automatic:
            report(set_autoscores(site))
