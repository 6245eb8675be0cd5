"""``crystal-search owners FILE``: whose plates are, from a table."""

import argparse
import re
from collections.abc import Mapping
from pathlib import Path

from crystal_search.errors import UserError
from crystal_search.plurals import counted
from crystal_search.server.imaging.fact_rules import FACTS
from crystal_search.server.imaging.plate_facts import PlateFacts, Source
from crystal_search.server.importing.conditions_command import SHOWN, say_without_images, summary
from crystal_search.server.importing.fact_tables import Trouble, plate_of, rows_of
from crystal_search.server.installation import add_home_argument, opened, say

COLUMNS = ("plate", *FACTS)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("file", type=Path, help=f"a table with the columns {', '.join(COLUMNS)}, or some of them")
    parser.add_argument("--dry-run", action="store_true", help="write nothing, show what the table says")
    add_home_argument(parser)
    parser.epilog = "Several people stand in one cell, with semicolons between. See docs/conditions.md."


def run(arguments: argparse.Namespace) -> None:
    """Note whose plates are, and tell of it."""
    told = owners_in(arguments.file)
    if arguments.dry_run:
        for each in told[:SHOWN]:
            words = {name: getattr(each, name) for name in FACTS} | {"people": ", ".join(each.people)}
            say(f"{each.plate}  {'; '.join(f'{name}: {word}' for name, word in words.items() if word)}")
        say(f"nothing was written; the table tells of {counted(len(told), 'plate')}")
        return
    with opened(arguments.home, create=False) as site:
        noted = site.imaging.note_plates(told, source=Source(name=arguments.file.name, by_hand=True))
        say(summary(noted, "plate"))
        say_without_images(site.imaging, [each.plate for each in told])


def owners_in(path: Path) -> list[PlateFacts]:
    """Return what a table says of plates.

    Raises
    ------
    UserError
        If it cannot be read or names a plate twice; every line that is wrong is named.
    """
    trouble = Trouble(path)
    found: dict[str, PlateFacts] = {}
    for line, row in rows_of(path, frozenset(COLUMNS), trouble):
        with trouble.told(line):
            facts = _facts(row)
            if facts.plate in found:
                raise UserError(f"plate {facts.plate} stands in a line before")
            found[facts.plate] = facts
    trouble.end()
    if not found:
        raise UserError(f"{path} has no plates: it needs the column plate, and one of {', '.join(FACTS)}")
    return list(found.values())


def _facts(row: Mapping[str, str]) -> PlateFacts:
    people = tuple(each.strip() for each in re.split("[;\n]", row.get("people", "")) if each.strip())
    texts = {name: row.get(name, "") for name in FACTS if name != "people"}
    return PlateFacts(plate=plate_of(row.get("plate", "")), people=people, **texts)
