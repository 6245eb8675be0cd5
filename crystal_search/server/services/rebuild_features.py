"""``crystal-search rebuild-features``: keep the features of archived results that are not kept (docs/feature-store.md).

For a store that was damaged and moved away, or features that were deleted: the results in the archive have all of them.
"""

import argparse
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from crystal_search.errors import DatabaseError
from crystal_search.files import write_whole
from crystal_search.server.home import Home
from crystal_search.server.imaging.adding_rules import batches
from crystal_search.server.imaging.imaging_database import AutoScore
from crystal_search.server.installation import Installation, add_home_argument, opened, say
from crystal_search.server.locks import only_service
from crystal_search.server.services.assimilate import assimilated_scores
from crystal_search.server.services.keeping_features import keep_features
from crystal_search.server.unit_states import State, names_in, place_of

log = logging.getLogger(__name__)

AT_A_TIME = 50  #: results, between which other steps take their turns
LAST = "rebuilt-up-to"  #: file in the folder of features: the last result that was done, while some are left


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What was done with some of the archived results."""

    results: int
    new: int  #: rows
    unread: tuple[str, ...]  #: results that could not be read, each with the reason


def rebuild_features(site: Installation, *, at_a_time: int = AT_A_TIME) -> Iterator[Rebuilt]:
    """Keep the features of all archived results, some at a time; one that was interrupted goes on.

    Only what the ledger has a score of that counts gets a row, as if it had been set now. What is kept already is not
    kept again, so that any of it may be repeated.

    Raises
    ------
    DatabaseError
        If the ledger cannot be read, or the features cannot be written.
    """
    mark = site.home.features / LAST
    last = _last(site.home)
    left = sorted(name for name in names_in(site.home, State.ARCHIVED) if name > last)
    for names in batches(left, at_a_time):
        with only_service(site.home):
            done = _rebuilt(site, names)
            write_whole(mark, names[-1])
        yield done
    mark.unlink(missing_ok=True)


def _last(home: Home) -> str:
    try:
        return (home.features / LAST).read_text(encoding="utf-8")
    except OSError:
        return ""


def _rebuilt(site: Installation, names: Sequence[str]) -> Rebuilt:
    scores: list[AutoScore] = []
    unread = []
    for name in names:
        try:
            scores += _in_ledger(site, assimilated_scores(place_of(site.home, name, State.ARCHIVED)))
        except DatabaseError as error:
            log.error("%s", error)
            unread.append(str(error))
    return Rebuilt(results=len(names), new=keep_features(site.home, scores), unread=tuple(unread))


def _in_ledger(site: Installation, scores: Sequence[AutoScore]) -> list[AutoScore]:
    """Return those of a result's scores that the ledger has, and that are of what their images show now."""
    if not scores:
        return []
    there = site.imaging.scored({score.image_id for score in scores}, scores[0].recipe)
    images = site.imaging.images(there)
    return [
        score
        for score in scores
        if score.image_id in images
        and (not score.version or not (shown := images[score.image_id].version) or score.version.sha256 == shown.sha256)
    ]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    add_home_argument(parser)


def run(arguments: argparse.Namespace) -> None:
    """Keep the features of archived results, and say how many there were.

    Raises
    ------
    UserError
        If there is no installation.
    DatabaseError
        If some results could not be read.
    """
    results = new = 0
    unread: list[str] = []
    with opened(arguments.home, create=False) as site:
        for each in rebuild_features(site):
            results, new = results + each.results, new + each.new
            unread += each.unread
    say(f"looked at {results} archived results; the features of {new} images are kept now that were not")
    if unread:
        raise DatabaseError(f"{len(unread)} results could not be read, the first: {unread[0]}")
