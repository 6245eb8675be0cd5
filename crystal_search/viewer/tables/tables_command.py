"""``crystal-search tables scores FILE``: what an installation knows, as CSV or Parquet."""

import argparse
from pathlib import Path

from crystal_search.server.installation import add_home_argument, opened, say
from crystal_search.viewer.tables.table_files import write_table
from crystal_search.viewer.tables.whole_tables import WHOLE_TABLES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    meanings = "; ".join(f"{name}: {table.meaning}" for name, table in WHOLE_TABLES.items())
    parser.add_argument("table", choices=list(WHOLE_TABLES), help=meanings)
    parser.add_argument("file", type=Path, help="what to write: CSV if its name ends in .csv, Parquet if in .parquet")
    add_home_argument(parser)
    parser.epilog = "See docs/columns.md for the columns."
    parser.set_defaults(writes=("file",))


def run(arguments: argparse.Namespace) -> None:
    """Write a table, and tell how long it is."""
    table = WHOLE_TABLES[arguments.table]
    with opened(arguments.home, create=False) as site:
        rows = write_table(arguments.file, table.columns, table.rows(site))
        say(f"{arguments.file}: {rows} rows")
