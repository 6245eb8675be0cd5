"""Bringing a robot's folder into the imaging database (docs/importing.md)."""

import argparse
import logging
import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

from crystal_search.errors import UserError
from crystal_search.images import SUFFIXES
from crystal_search.robot_names import (
    CONVENTIONS,
    NOT_UTF8,
    PLATE_FORMATS,
    Naming,
    ReadName,
    Refused,
    detected,
    is_utf8,
    read_name,
)
from crystal_search.server.imaging.imaging_database import Images, NewImage
from crystal_search.server.importing.inspections import next_wells, numbered
from crystal_search.server.installation import add_home_argument, opened, say

log = logging.getLogger(__name__)

LIKE_A_WELL = re.compile(r"(?:^|[^a-z0-9])(?:[a-p]\d{1,2}|\d{1,2}[a-p])(?:[^a-z0-9]|$)", re.IGNORECASE)
IMAGES_AT_ONCE = 5000  #: a transaction takes whole plates up to about so many
SHOWN = 20  #: lines of each kind that are shown without --verbose
SETTLED_S = 1.5  #: a file that looks the same at two looks so far apart is complete
AUTO = Naming()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import found and did."""

    convention: str  #: how the names were read; empty when no convention fits
    added: int
    known: int  #: in the database already
    conflicts: tuple[str, ...] = ()  #: files whose place another one has, one sentence each
    unmatched: tuple[str, ...] = ()  #: files that were left out, each as ``path: reason``
    waiting: int = 0  #: empty files, and files that are still being written


@dataclass(frozen=True, slots=True)
class Look:
    """How a file looked, and since when."""

    size_bytes: int
    mtime_ns: int
    since: float  #: `time.monotonic` of the first look that found it so

    def is_like(self, other: "Look") -> bool:
        """Tell whether a file has not changed between two looks."""
        return (self.size_bytes, self.mtime_ns) == (other.size_bytes, other.mtime_ns)


@dataclass(slots=True)
class Remembered:
    """What one import tells the next one of the same folder with the same naming, to save it work."""

    convention: str = ""
    known: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)  #: path -> reason
    conflicts: dict[str, str] = field(default_factory=dict)  #: path -> sentence
    looks: dict[str, Look] = field(default_factory=dict)  #: path -> how it looked, of files that may still change

    def knows(self, path: str) -> bool:
        """Tell whether nothing is to be done for a file any more."""
        return path in self.known or path in self.refused or path in self.conflicts


def import_folder(
    folder: Path,
    imaging: Images,
    naming: Naming = AUTO,
    *,
    settled_seconds: float = 0.0,
    remembered: Remembered | None = None,
    leave_out: Sequence[Path] = (),
) -> ImportReport:
    """Add the images in `folder` that the database does not know.

    Parameters
    ----------
    folder
        A robot's folder; those inside it are searched too, hidden ones and links to folders are not.
    imaging
        The imaging database.
    naming
        How names are read.
    settled_seconds
        Files are left for a later import until two looks so far apart found them the same; 0 takes them at once.
        Only this machine's own clock is asked, and only for the time between looks: a file server's may be wrong.
    remembered
        What imports of this folder found out before; pass the same object each time.
    leave_out
        Folders that are not searched.

    Raises
    ------
    UserError
        If there is no such folder, or the names and `naming` do not go together.
    """
    memory = Remembered() if remembered is None else remembered
    left_out: list[str] = []
    paths = list(image_files(folder, leave_out=leave_out, unreadable=left_out))
    fresh = sorted(path for path in paths if not memory.knows(path))
    if not memory.convention and fresh:
        memory.convention = _convention(paths, naming)
    naming = replace(naming, convention=memory.convention) if memory.convention else naming
    names = _readable(fresh, naming, memory)
    known = imaging.known_paths(list(names)) if names else set()
    memory.known |= known
    unknown = [path for path in names if path not in known]
    settled = _settled(unknown, settled_seconds, memory)
    images = _placed(settled, names, imaging, naming, left_out)
    added = _add(images, imaging, memory)
    refused = [f"{path}: {memory.refused[path]}" for path in paths if path in memory.refused]
    return ImportReport(
        convention=memory.convention,
        added=added,
        known=sum(path in memory.known for path in paths) - added,
        conflicts=tuple(memory.conflicts[path] for path in paths if path in memory.conflicts),
        unmatched=(*left_out, *refused),
        waiting=len(unknown) - len(settled),
    )


def import_settled(
    folder: Path, imaging: Images, naming: Naming = AUTO, *, leave_out: Sequence[Path] = ()
) -> ImportReport:
    """Add the images in `folder` that the database does not know, after a second look at those that are new.

    Takes `SETTLED_S` longer than `import_folder` when there is anything new.

    Raises
    ------
    UserError
        If there is no such folder, or the names and `naming` do not go together.
    """
    memory = Remembered()

    def look() -> ImportReport:
        return import_folder(folder, imaging, naming, settled_seconds=SETTLED_S, remembered=memory, leave_out=leave_out)

    report = look()
    if memory.looks:
        time.sleep(SETTLED_S)
        report = look()
    return report


def image_files(folder: Path, *, leave_out: Sequence[Path], unreadable: list[str]) -> Iterator[str]:
    """Walk through `folder` and return the absolute paths of image files, in no order.

    Hidden files and folders are passed over, links to folders are not followed; folders that cannot be read
    are added to `unreadable`.

    Raises
    ------
    UserError
        If there is no such folder.
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}")
    closed = {os.path.abspath(each) for each in leave_out}
    waiting = [os.path.abspath(folder)]
    while waiting:
        here = waiting.pop()
        try:
            with os.scandir(here) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if entry.name.lower().endswith(SUFFIXES) and entry.is_file():
                        yield entry.path
                    elif entry.is_dir(follow_symlinks=False) and entry.path not in closed:
                        waiting.append(entry.path)
        except FileNotFoundError:  # removed since its parent was read
            log.info("%s is gone", here)
        except OSError as error:
            unreadable.append(f"{here}: cannot be read: {error.strerror}")


def _convention(paths: Sequence[str], naming: Naming) -> str:
    """Return the convention to use; empty when none fits."""
    if naming.convention != "auto":
        return naming.convention
    found = detected(paths)
    if found and naming.plate:
        raise UserError(
            f"the names follow the convention {found}, which tells the plate; leave --plate out, "
            "or say --names any to make every file the next well"
        )
    return "any" if naming.plate else found


def _readable(paths: Sequence[str], naming: Naming, memory: Remembered) -> dict[str, ReadName | None]:
    """Return what the names say, None for each under ``any``; refusals go to `memory`, as they are for good."""
    if naming.convention == "any":
        memory.refused.update((path, NOT_UTF8) for path in paths if not is_utf8(path))
        return dict.fromkeys(path for path in paths if is_utf8(path))
    if naming.convention == "auto":
        reason = f"follows none of {', '.join(name for name in CONVENTIONS if name != 'pattern')}"
        memory.refused.update(dict.fromkeys(paths, reason))
        return {}
    names: dict[str, ReadName | None] = {}
    for path in paths:
        name = read_name(path, naming)
        if isinstance(name, Refused):
            memory.refused[path] = name.reason
        else:
            names[path] = name
    return names


def _settled(paths: Sequence[str], seconds: float, memory: Remembered) -> list[str]:
    """Return the files that have content and have not changed for some seconds, as far as this program has seen."""
    looks: dict[str, Look] = {}
    for path in paths:
        if (look := _look_at(path)) is not None:
            before = memory.looks.get(path)
            looks[path] = before if before and before.is_like(look) else look
    now = time.monotonic()
    settled = [path for path, look in looks.items() if now - look.since >= seconds]
    memory.looks = {path: look for path, look in looks.items() if now - look.since < seconds}
    return settled


def _look_at(path: str) -> Look | None:
    """Return how a file looks; None without content.

    It is opened, since only then a network file system asks its server; else it may answer from memory.
    """
    try:
        with Path(path).open("rb") as file:
            status = os.fstat(file.fileno())
    except OSError:  # removed since its folder was read, or not ours to read: the next import will see
        return None
    return Look(status.st_size, status.st_mtime_ns, time.monotonic()) if status.st_size else None


def _placed(
    paths: Sequence[str],
    names: dict[str, ReadName | None],
    imaging: Images,
    naming: Naming,
    left_out: list[str],
) -> list[NewImage]:
    """Return the images of `paths`, plate by plate; those without a place are added to `left_out`."""
    if naming.convention != "any":
        return numbered([(path, name) for path in paths if (name := names[path])], imaging, naming)
    if not paths:
        return []
    wells = next_wells(paths, imaging, naming)
    left_out += [f"{path}: {well.reason}" for path, well in wells.items() if isinstance(well, Refused)]
    return [well for well in wells.values() if isinstance(well, NewImage)]


def _add(images: Sequence[NewImage], imaging: Images, memory: Remembered) -> int:
    """Add images plate by plate, so that the inspections of a plate come in together or not at all."""
    added = 0
    for batch in _whole_plates(images):
        answer = imaging.add_images(batch)
        paths = [image.path for image in batch]
        there = imaging.known_paths(paths) if answer.conflicts else set(paths)
        memory.known |= there
        memory.conflicts |= zip((path for path in paths if path not in there), answer.conflicts, strict=False)
        log.info("added %d images", answer.added, extra={"action": "images_added"})
        added += answer.added
    return added


def _whole_plates(images: Sequence[NewImage]) -> Iterator[list[NewImage]]:
    """Return images in lists of whole plates, each list just above IMAGES_AT_ONCE; the last may be shorter."""
    batch: list[NewImage] = []
    for _, members in groupby(images, key=lambda image: image.key.plate):
        batch += members
        if len(batch) >= IMAGES_AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    formats = ", ".join(map(str, PLATE_FORMATS))
    parser.add_argument("folder", type=Path, help="a robot's folder; folders inside it are searched too")
    add_naming_arguments(parser)
    add_home_argument(parser)
    parser.epilog = f"Plate formats: {formats}. See docs/importing.md for the names that each convention reads."


def add_naming_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how names are read."""
    names = ("auto", *CONVENTIONS, "any")
    parser.add_argument("--names", choices=names, help="how names are read (default: auto, or pattern with --pattern)")
    parser.add_argument("--pattern", default="", metavar="REGEX", help="your own names, with (?P<row>...) and so on")
    parser.add_argument("--plate-format", type=int, default=96, metavar="WELLS", help="for names that count wells")
    parser.add_argument("--profile", type=int, default=0, metavar="N", help="the only RockImager profile that counts")
    parser.add_argument("--plate", default="", metavar="BARCODE", help="the plate, where names do not tell it")


def naming_of(arguments: argparse.Namespace) -> Naming:
    """Return what the options of `add_naming_arguments` say.

    Raises
    ------
    UserError
        If they do not go together.
    """
    return Naming(
        convention=arguments.names or ("pattern" if arguments.pattern else "auto"),
        pattern=arguments.pattern,
        plate_format=arguments.plate_format,
        plate=arguments.plate,
        profile=arguments.profile,
    )


def run(arguments: argparse.Namespace) -> None:
    """Import a folder and tell what was done."""
    naming = naming_of(arguments)
    if not arguments.folder.is_dir():
        raise UserError(f"there is no folder {arguments.folder}")
    with opened(arguments.home) as site:
        report = import_settled(arguments.folder, site.imaging, naming, leave_out=[site.home.path])
    say(summary(report, limit=None if arguments.verbose else SHOWN))
    if report.convention == "any" and (named := _named_like_a_well(arguments.folder)):
        say(f"{named} looks as if its name told the well, but each file was taken for the next well; see --pattern")


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
    lines = [f"{_count(report.added, 'image')} added, {report.known} known before (names: {names})."]
    if report.waiting:
        lines.append(f"{_count(report.waiting, 'file')} empty or still being written.")
    for title, entries in (("left out", report.unmatched), ("in conflict", report.conflicts)):
        if entries:
            shown = sorted(entries)[:limit]
            lines += [f"{_count(len(entries), 'file')} {title}:", *(f"  {entry}" for entry in shown)]
            if len(shown) < len(entries):
                lines.append(f"  and {len(entries) - len(shown)} more; --verbose lists all")
    return "\n".join(lines).encode(errors="backslashreplace").decode()


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
