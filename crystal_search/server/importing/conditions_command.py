"""``crystal-search conditions FILE``: what is in wells, from a screen or a table."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from crystal_search.errors import UserError
from crystal_search.plurals import counted
from crystal_search.server.imaging.imaging_database import ImagingDatabase
from crystal_search.server.imaging.plate_facts import Condition, Noted, Source
from crystal_search.server.importing.condition_table import conditions_of
from crystal_search.server.importing.fact_tables import plate_of
from crystal_search.server.importing.screen_xml import conditions_in
from crystal_search.server.installation import add_home_argument, opened, say
from crystal_search.wells import PLATE_FORMATS, well_name

SHOWN = 20  #: lines and plates that are shown
#: How many columns a plate has by how many conditions its screen has; a screen of 24 is for plates of 24 wells.
COLUMNS_OF = {24: 6} | {wells: columns for wells, (_, columns) in PLATE_FORMATS.items()}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("file", type=Path, help="a screen as Rock Maker exports it (.xml), or a table (.csv)")
    parser.add_argument(
        "--plate",
        action="extend",
        nargs="+",
        default=[],
        metavar="BARCODE",
        help="the plates that were set up with it; a table may name them in a column instead",
    )
    parser.add_argument(
        "--columns",
        type=int,
        help="columns of these plates, which a screen fills row by row (default: by how many conditions it has)",
    )
    parser.add_argument("--dry-run", action="store_true", help="write nothing, show what is in the wells")
    add_home_argument(parser)
    parser.epilog = "See docs/conditions.md for what may stand in the file."


def run(arguments: argparse.Namespace) -> None:
    """Note what is in wells, and tell of it."""
    told = on_plates(conditions_from(arguments.file, arguments.columns), arguments.plate)
    plates = sorted({each.plate for each in told})
    if arguments.dry_run:
        _show(told)
        say(f"nothing was written; it would be {counted(len(told), 'condition')} on {counted(len(plates), 'plate')}")
        return
    with opened(arguments.home, create=False) as site:
        noted = site.imaging.note_conditions(told, source=Source(name=arguments.file.name, by_hand=True))
        say(summary(noted, "well"))
        say_without_images(site.imaging, plates)


def conditions_from(path: Path, columns: int | None) -> list[Condition]:
    """Return the conditions in a file; without plates where it names none.

    Raises
    ------
    UserError
        If it cannot be read, or it is a screen for plates of unknown size.
    """
    if path.suffix.casefold() not in (".xml", ".rmxml"):
        return conditions_of(path)
    screen = conditions_in(path)
    across = columns or COLUMNS_OF.get(len(screen))
    if not across or across < 1:
        known = ", ".join(map(str, sorted(COLUMNS_OF)))
        raise UserError(f"{path} has {len(screen)} conditions, not {known}; say with --columns how many a row takes")
    conditions = []
    for number, ingredients in enumerate(screen):
        row, column = divmod(number, across)
        name = f"{path.stem} {well_name(row, column)}"
        conditions.append(Condition(plate="", row=row, column=column, name=name, ingredients=ingredients))
    return conditions


def on_plates(conditions: Sequence[Condition], plates: Sequence[str]) -> list[Condition]:
    """Return the conditions of every plate.

    Raises
    ------
    UserError
        If the plates are named nowhere, or twice.
    """
    named = [each for each in conditions if each.plate]
    if named and plates:
        raise UserError("the table names plates itself; leave --plate away, or its column plate")
    if named:
        if nameless := [each for each in conditions if not each.plate]:
            raise UserError(f"the table names a plate in some lines, but not in that of well {nameless[0].well}")
        return named
    if not plates:
        raise UserError("say with --plate which plates were set up with it")
    return [replace(each, plate=plate) for plate in dict.fromkeys(map(plate_of, plates)) for each in conditions]


def _show(told: Sequence[Condition]) -> None:
    for each in told[:SHOWN]:
        drop = f" drop {each.drop}" if each.drop else ""
        name = f"{each.name}: " if each.name else ""
        say(f"{each.plate} {each.well}{drop}  {name}{', '.join(part.text for part in each.ingredients)}")
    if len(told) > SHOWN:
        say(f"... and {len(told) - SHOWN} more")


def summary(noted: Noted, noun: str) -> str:
    """Return in words what was noted.

    >>> summary(Noted(new=95, changed=1), "well")
    '96 wells: 95 new, 1 changed, 0 as before'
    """
    number = noted.new + noted.changed + noted.same + noted.held
    return f"{counted(number, noun)}: {noted.new} new, {noted.changed} changed, {noted.same} as before"


def say_without_images(imaging: ImagingDatabase, plates: Sequence[str]) -> None:
    """Tell which plates have no images yet, since a barcode may be mistyped."""
    there = {each.plate for each in imaging.plates()}
    if bare := [plate for plate in plates if plate not in there]:
        more = f" and {len(bare) - SHOWN} more" if len(bare) > SHOWN else ""
        say(f"{counted(len(bare), 'plate')} without images so far: {', '.join(bare[:SHOWN])}{more}")
