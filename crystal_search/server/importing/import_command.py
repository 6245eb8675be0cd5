"""``crystal-search import``: bring a robot's folder into the imaging database, and tell what came in."""

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from crystal_search.errors import ImageError, UserError
from crystal_search.files import write_whole
from crystal_search.images import SUFFIXES
from crystal_search.naming import Naming
from crystal_search.naming_arguments import add_names, names_of
from crystal_search.plurals import counted
from crystal_search.server.home import Home
from crystal_search.server.imaging.imaging_database import Images
from crystal_search.server.importing.import_images import (
    LIKE_A_WELL,
    ImportReport,
    Session,
    as_text,
    import_settled,
)
from crystal_search.server.importing.plan import Plan, as_json, as_lines, planned, stay_away
from crystal_search.server.installation import Installation, add_home_argument, agrees, opened, say
from crystal_search.wells import PLATE_FORMATS

SHOWN = 20  #: lines of each kind that are shown without --verbose


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    formats = ", ".join(map(str, PLATE_FORMATS))
    parser.add_argument("folder", type=Path, help="a robot's folder; folders inside it are searched too")
    add_naming_arguments(parser)
    add_home_argument(parser)
    parser.add_argument(
        "--dry-run", action="store_true", help="write nothing, tell what would come in and draw the plates"
    )
    parser.add_argument("--again", action="store_true", help="bring in also what was taken back with remove")
    parser.add_argument("--json", action="store_true", help="with --dry-run: as JSON, for programs")
    parser.epilog = f"Plate formats: {formats}. See docs/importing.md for the names that each convention reads."


def add_naming_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how the names in a folder are read, and which are passed over."""
    add_names(parser, more=("any",))
    gap = "between two inspections, where each image has its time (default: %(default)g)"
    parser.add_argument("--gap-minutes", type=float, default=30.0, metavar="MINUTES", help=gap)
    exclude = "files and folders that are passed over"
    parser.add_argument("--exclude", action="append", default=[], metavar="GLOB", help=exclude)


def naming_of(arguments: argparse.Namespace) -> Naming:
    """Return what the options of `add_naming_arguments` say.

    Raises
    ------
    UserError
        If they do not go together.
    """
    return replace(names_of(arguments), gap_minutes=arguments.gap_minutes, exclude=tuple(arguments.exclude))


def naming_at(site: Installation, naming: Naming) -> Naming:
    """Return how names are read at a site, whose settings know where its robots' clocks are."""
    return replace(naming, time_zone=site.settings.time_zone)


def run(arguments: argparse.Namespace) -> None:
    """Import a folder and tell what was done.

    Raises
    ------
    UserError
        If there is no such folder, the options do not go together, or names that may be chance are not agreed to.
    ImageError
        If there are files, and none of them is in the database afterwards.
    """
    naming = naming_of(arguments)
    if not arguments.folder.is_dir():
        raise UserError(f"there is no folder {arguments.folder}")
    if arguments.json and not arguments.dry_run:
        raise UserError("--json is for --dry-run; say both, or neither")
    with _site(arguments) as site:
        naming, home = naming_at(site, naming), [site.home.path]
        if arguments.dry_run:
            plan = planned(arguments.folder, site.imaging, naming, leave_out=home, again=arguments.again)
            keep_plan(site, plan)
            say(json.dumps(as_json(plan), indent=1) if arguments.json else told(plan, verbose=arguments.verbose))
            return
        report = import_settled(arguments.folder, site.imaging, naming, leave_out=home, again=arguments.again)
    say(summary(report, limit=None if arguments.verbose else SHOWN))
    if report.convention == "any" and (named := _named_like_a_well(arguments.folder)):
        say(f"{named} looks as if its name told the well, but each file was taken for the next well; see --pattern")
    if (report.unmatched or report.conflicts) and not (report.added or report.known or report.waiting):
        raise ImageError("nothing came in: every file was left out or is in conflict; see above")


def agreed(site: Installation, folder: Path, naming: Naming, *, yes: bool) -> Naming:
    """Tell what would come in of a folder, and return how its names are to be read from now on.

    Raises
    ------
    UserError
        If other files than a robot's may be called so, and nobody agrees.
    """
    naming = naming_at(site, naming)
    plan = planned(folder, site.imaging, naming, leave_out=[site.home.path])
    if plan.inspections:
        keep_plan(site, plan)
        say(told(plan, verbose=False))
    if yes or naming.convention != "auto":
        return naming
    if not plan.can_be_mistaken:
        return replace(naming, by_chance=False)
    if plan.inspections and not agrees("Import these, and go on?"):
        raise UserError(
            "nothing was imported: other files than a robot's may be called so; look at the plates, "
            f"then say --names {plan.convention} or --yes"
        )
    return replace(naming, convention=plan.convention)


@contextmanager
def _site(arguments: argparse.Namespace) -> Iterator[Installation]:
    """Open the installation; a dry run where there is none makes none that stays."""
    if not arguments.dry_run or Home.at(arguments.home).queue.is_dir():
        with opened(arguments.home) as site:
            yield site
    else:
        with TemporaryDirectory() as folder, opened(Path(folder)) as site:
            yield site


def told(plan: Plan, *, verbose: bool) -> str:
    """Return a plan as people read it."""
    return as_text("\n".join(as_lines(plan, limit=None if verbose else SHOWN)))


def keep_plan(site: Installation, plan: Plan) -> None:
    """Keep a plan where the viewer shows it: the last one counts."""
    write_whole(site.home.import_plan, json.dumps(as_json(plan)))


def _named_like_a_well(folder: Path) -> str:
    names = (path.name for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES)
    return next((name for name in names if LIKE_A_WELL.search(name)), "")


def summary(report: ImportReport, *, limit: int | None = SHOWN) -> str:
    """Return a report as people read it, with at most `limit` lines of each kind.

    >>> print(summary(ImportReport(convention="xchem", added=2, known=1, unmatched=("/x/notes.png: no",))))
    2 images added, 1 known before (names: xchem).
    1 file left out:
      /x/notes.png: no
    """
    names = report.convention or "no convention fits; try --names pattern, or --plate BARCODE for one plate"
    lines = [f"{counted(report.added, 'image')} added, {report.known} known before (names: {names})."]
    if report.waiting:
        lines.append(f"{counted(report.waiting, 'file')} empty or still being written.")
    if report.removed:
        lines.append(stay_away(report.removed))
    for title, entries in (("left out", report.unmatched), ("in conflict", report.conflicts)):
        if entries:
            shown = sorted(entries)[:limit]
            lines += [f"{counted(len(entries), 'file')} {title}:", *(f"  {entry}" for entry in shown)]
            if len(shown) < len(entries):
                lines.append(f"  and {len(entries) - len(shown)} more; --verbose lists all")
    return as_text("\n".join(lines))


def progress(added: Mapping[Session, int], imaging: Images) -> list[str]:
    """Return a line for each inspection that got images: how many it has, of how many in the plate's largest one."""
    lines = []
    for plate in sorted({plate for plate, _, _ in added}):
        there = Counter((image.key.inspection, image.key.channel) for image in imaging.plate_images(plate))
        for _, inspection, channel in sorted(each for each in added if each[0] == plate):
            images = there[inspection, channel]
            most = max(count for (_, light), count in there.items() if light == channel)
            light = "" if channel == "visible" else f", {channel}"
            lines.append(as_text(f"plate {plate}, inspection {inspection}{light}: {images} of {most} images"))
    return lines
