"""``crystal-search health``: silent and 0 when all is well, else what is the matter and 1; for cron."""

import argparse

from crystal_search.errors import EngineError
from crystal_search.server.health.status import MAX_AGE_HOURS, status, troubles
from crystal_search.server.installation import add_home_argument, opened


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    add_home_argument(parser)
    parser.add_argument(
        "--max-age", type=float, default=MAX_AGE_HOURS, metavar="HOURS", help="of an unscored image (default: 24)"
    )


def run(arguments: argparse.Namespace) -> None:
    """Look after everything.

    Raises
    ------
    EngineError
        If anything needs looking after.
    """
    with opened(arguments.home, create=False) as site:
        said = troubles(status(site), max_age_hours=arguments.max_age)
    if said:
        raise EngineError("; ".join(said))
