"""``crystal-search health``: silent and 0 when all is well, else what is the matter and 1; for cron."""

import argparse

from crystal_search.errors import EngineError
from crystal_search.server.health.pace import STILL_MINUTES
from crystal_search.server.health.status import status
from crystal_search.server.health.troubles import MAX_AGE_HOURS, troubles
from crystal_search.server.installation import add_home_argument, opened


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    add_home_argument(parser)
    parser.add_argument(
        "--max-age", type=float, default=MAX_AGE_HOURS, metavar="HOURS", help="of an unscored image (default: 24)"
    )
    parser.add_argument(
        "--max-still",
        type=float,
        default=STILL_MINUTES,
        metavar="MINUTES",
        help="without a score while images wait (default: 30)",
    )


def run(arguments: argparse.Namespace) -> None:
    """Look after everything.

    Raises
    ------
    EngineError
        If anything needs looking after.
    """
    with opened(arguments.home, create=False) as site:
        said = troubles(status(site), max_age_hours=arguments.max_age, max_still_minutes=arguments.max_still)
    if said:
        raise EngineError("; ".join(said))
