"""Bringing a robot's folder into the imaging database (docs/importing.md)."""

import getpass
import logging
import os
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

from crystal_search.errors import UserError
from crystal_search.name_parts import ReadName, Refused
from crystal_search.naming import TELL_NO_PLATE, Naming
from crystal_search.robot_names import DETECTABLE, NOT_UTF8, ROBOTS, detected, is_utf8, read_name
from crystal_search.server.imaging.imaging_database import Images, ImagingDatabase
from crystal_search.server.imaging.stored_images import NewImage
from crystal_search.server.importing.folder_walk import Look, image_files, looks_at
from crystal_search.server.importing.inspections import next_wells, numbered
from crystal_search.server.importing.plate_formats import at_their_wells, formats_of, highest_wells
from crystal_search.server.importing.rm_export_report import dated
from crystal_search.server.patience import Patience

log = logging.getLogger(__name__)

LIKE_A_WELL = re.compile(r"(?:^|[^a-z0-9])(?:[a-p]\d{1,2}|\d{1,2}[a-p])(?:[^a-z0-9]|$)", re.IGNORECASE)
IMAGES_AT_ONCE = 5000  #: a transaction takes whole plates up to about so many
SETTLED_S = 1.5  #: a file that looks the same at two looks so far apart is complete
TELL_NO_DROP = "; these names tell no drop: where wells have several, import RockImager's own folders instead"
AUTO = Naming()

Names = list[tuple[str, ReadName]]
Session = tuple[str, int, str]  #: plate, inspection, channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """What would come in from a folder now."""

    convention: str  #: how the names were read; empty when no convention fits
    images: tuple[NewImage, ...]  #: plate by plate
    left_out: tuple[str, ...]  #: files that cannot come in now, each as ``path: reason``
    waiting: int  #: empty files, and files that are still being written
    formats: Mapping[str, int]  #: wells of plates whose names only count them


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import found and did."""

    convention: str  #: how the names were read; empty when no convention fits
    added: int
    known: int  #: in the database already
    conflicts: tuple[str, ...] = ()  #: files whose place another one has, one sentence each
    unmatched: tuple[str, ...] = ()  #: files that were left out, each as ``path: reason``
    waiting: int = 0  #: empty files, and files that are still being written
    removed: int = 0  #: files that were taken back, and stay away
    sessions: Mapping[Session, int] = field(default_factory=dict)  #: images that were added to each


@dataclass(slots=True)
class Remembered:
    """What one import tells the next one of the same folder with the same naming, to save it work."""

    convention: str = ""
    known: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)  #: that were taken back, and stay away
    refused: dict[str, str] = field(default_factory=dict)  #: path -> reason
    conflicts: dict[str, str] = field(default_factory=dict)  #: path -> sentence
    files: Patience = field(default_factory=Patience)  #: how the file system is asked
    looks: dict[str, Look] = field(default_factory=dict)  #: path -> how it looked, of files that may still change
    import_id: int = 0  #: of what comes in; 0 before the first image does
    closed: dict[str, str] = field(default_factory=dict)  #: path -> why it could not be read when it was looked at last
    highest: dict[str, tuple[int, float]] = field(default_factory=dict)  #: plate -> its highest well, and since when

    def knows(self, path: str) -> bool:
        """Tell whether nothing is to be done for a file any more."""
        return any(path in told for told in (self.known, self.removed, self.refused, self.conflicts))


def import_folder(
    folder: Path,
    imaging: ImagingDatabase,
    naming: Naming = AUTO,
    *,
    settled_seconds: float = 0.0,
    quiet_seconds: float = 0.0,
    remembered: Remembered | None = None,
    leave_out: Sequence[Path] = (),
    again: bool = False,
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
    quiet_seconds
        A plate's highest well tells its format when no higher one came for so long.
    remembered
        What imports of this folder found out before; pass the same object each time.
    leave_out
        Folders that are not searched.
    again
        Whether images come in that were taken back.

    Raises
    ------
    UserError
        If there is no such folder, or the names and `naming` do not go together.
    """
    memory = Remembered() if remembered is None else remembered
    left_out: list[str] = []
    walk = image_files(folder, files=memory.files, leave_out=leave_out, exclude=naming.exclude, left_out=left_out)
    paths = list(walk)
    found = proposed(
        paths, imaging, naming, memory, settled_seconds=settled_seconds, quiet_seconds=quiet_seconds, again=again
    )
    if found.images and not memory.import_id:
        memory.import_id = imaging.begin_import(as_text(str(folder.absolute())), account())
    added = _add(found.images, imaging, memory)
    reasons = memory.refused | memory.closed
    refused = [f"{path}: {reasons[path]}" for path in paths if path in reasons]
    return ImportReport(
        convention=memory.convention,
        added=sum(added.values()),
        known=sum(path in memory.known for path in paths) - sum(added.values()),
        conflicts=tuple(memory.conflicts[path] for path in paths if path in memory.conflicts),
        unmatched=(*left_out, *found.left_out, *refused),
        waiting=found.waiting,
        removed=sum(path in memory.removed for path in paths),
        sessions=added,
    )


def import_settled(
    folder: Path,
    imaging: ImagingDatabase,
    naming: Naming = AUTO,
    *,
    leave_out: Sequence[Path] = (),
    again: bool = False,
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
        return import_folder(
            folder,
            imaging,
            naming,
            settled_seconds=SETTLED_S,
            remembered=memory,
            leave_out=leave_out,
            again=again,
        )

    report = look()
    if memory.looks:
        time.sleep(SETTLED_S)
        report = look()
    return report


def proposed(
    paths: Sequence[str],
    imaging: Images,
    naming: Naming,
    memory: Remembered,
    *,
    settled_seconds: float = 0.0,
    quiet_seconds: float = 0.0,
    again: bool = False,
) -> Proposed:
    """Return what would come in now of these files; nothing is written.

    Refusals that are for good go to `memory`.

    Raises
    ------
    UserError
        If the names and `naming` do not go together.
    """
    fresh = sorted(path for path in paths if not memory.knows(path))
    if not memory.convention and fresh:
        memory.convention = _convention(paths, naming)
    naming = replace(naming, convention=memory.convention) if memory.convention else naming
    names = _readable(fresh, naming, memory)
    unknown = _unknown(list(names), imaging, memory, again=again)
    settled = _settled(unknown, settled_seconds, memory)
    waiting = len(unknown) - len(settled) - len(memory.closed)
    if naming.convention == "any":
        return _as_next_wells(settled, waiting, imaging, naming)
    told = _told(settled, names)
    highest = highest_wells(_told(unknown, names))
    rising = _rising(highest, quiet_seconds, memory)
    formats = formats_of(highest, imaging, naming, rising=rising)
    ready = [(path, name) for path, name in told if not name.well_number or name.plate in formats]
    placed, without = at_their_wells(dated(ready) if naming.convention == "rm-export" else ready, formats)
    wait = [_wait(plate, quiet_seconds) for plate in sorted(rising - formats.keys())]
    return Proposed(
        convention=memory.convention,
        images=tuple(numbered(placed, imaging, naming)),
        left_out=(*without, *wait),
        waiting=waiting + len(told) - len(ready),
        formats={plate: wells for plate, wells in formats.items() if isinstance(wells, int)},
    )


def _unknown(paths: Sequence[str], imaging: Images, memory: Remembered, *, again: bool) -> list[str]:
    """Return the files that may come in: those that the database neither knows nor, unless `again`, has taken back."""
    if not paths:
        return []
    memory.known |= imaging.known_paths(paths)
    if not again:
        memory.removed |= imaging.removed_paths(paths) - memory.known
    return [path for path in paths if not memory.knows(path)]


def _told(paths: Sequence[str], names: Mapping[str, ReadName | None]) -> Names:
    return [(path, name) for path in paths if (name := names[path])]


def _as_next_wells(paths: Sequence[str], waiting: int, imaging: Images, naming: Naming) -> Proposed:
    wells = next_wells(paths, imaging, naming) if paths else {}
    return Proposed(
        convention=naming.convention,
        images=tuple(well for well in wells.values() if isinstance(well, NewImage)),
        left_out=tuple(f"{path}: {well.reason}" for path, well in wells.items() if isinstance(well, Refused)),
        waiting=waiting,
        formats={},
    )


def _rising(highest: Mapping[str, int], seconds: float, memory: Remembered) -> set[str]:
    """Return the plates whose highest well rose within the last `seconds`, as far as this program has seen."""
    now = time.monotonic()
    for plate, well in highest.items():
        if memory.highest.get(plate, (0, now))[0] < well:
            memory.highest[plate] = (well, now)
    return {plate for plate in highest if now - memory.highest[plate][1] < seconds}


def _wait(plate: str, seconds: float) -> str:
    return (
        f"plate {plate}: waits until no higher well came for {seconds / 60:g} minutes, which tells its format; "
        f"--plate-format {plate}=WELLS takes it at once"
    )


def _convention(paths: Sequence[str], naming: Naming) -> str:
    """Return the convention to use; empty when none fits."""
    if naming.convention != "auto":
        return naming.convention
    found = detected(paths, among=DETECTABLE if naming.by_chance else ROBOTS)
    if not naming.plate or found in TELL_NO_PLATE:
        return found
    if found:
        raise UserError(
            f"the names follow the convention {found}, which tells the plate; leave --plate out, "
            "or say --names any to make every file the next well"
        )
    if like := next((path for path in sorted(paths) if LIKE_A_WELL.search(Path(path).name)), ""):
        raise UserError(
            f"{like} looks as if its name told the well; say how with --pattern, "
            "or say --names any to make every file the next well"
        )
    return "any"


def _readable(paths: Sequence[str], naming: Naming, memory: Remembered) -> dict[str, ReadName | None]:
    """Return what the names say, None for each under ``any``; refusals go to `memory`, as they are for good."""
    if naming.convention == "any":
        memory.refused.update((path, NOT_UTF8) for path in paths if not is_utf8(path))
        return dict.fromkeys(path for path in paths if is_utf8(path))
    if naming.convention == "auto":
        reason = f"follows none of {', '.join(DETECTABLE if naming.by_chance else ROBOTS)}"
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
    """Return the files that have content and looked the same at two looks, so many seconds apart.

    Looks at many files take time: each counts from when this one was looked at, not from the end of them all.
    """
    settled: list[str] = []
    waiting: dict[str, Look] = {}
    memory.closed = {}
    for path, look in looks_at(paths, memory.files):
        if isinstance(look, str):
            memory.closed[path] = look
            continue
        before = memory.looks.get(path)
        first = before if before and before.is_like(look) else look
        if look.since - first.since >= seconds:
            settled.append(path)
        else:
            waiting[path] = first
    memory.looks = waiting
    return settled


def _add(images: Sequence[NewImage], imaging: Images, memory: Remembered) -> Counter[Session]:
    """Add images plate by plate, so that the inspections of a plate come in together or not at all."""
    added: Counter[Session] = Counter()
    for batch in _whole_plates(images):
        answer = imaging.add_images(batch, import_id=memory.import_id)
        paths = [image.path for image in batch]
        there = imaging.known_paths(paths) if answer.conflicts else set(paths)
        added.update(session_of(image) for image in batch if image.path in there)
        memory.known |= there
        without = [image for image in batch if image.path not in there]
        for image, trouble in zip(without, answer.conflicts, strict=False):
            memory.conflicts[image.path] = trouble + _advice(image, imaging, memory.convention)
        log.info("added %d images", answer.added, extra={"action": "images_added"})
    return added


def account() -> str:
    """Return the name of the account that runs this program, or its number where it has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def as_text(text: str) -> str:
    """Return text that can be printed, whatever bytes names are made of."""
    return text.encode(errors="backslashreplace").decode()


def session_of(image: NewImage) -> Session:
    """Return which images it belongs to: those of its plate at its inspection in its channel."""
    return image.key.plate, image.key.inspection, image.key.channel


def _advice(image: NewImage, imaging: Images, convention: str) -> str:
    """Return what can be done about an image whose place has another file: if that is gone, or names tell no drop."""
    known = next((each.path for each in imaging.plate_images(image.key.plate) if each.key == image.key), image.path)
    if os.path.exists(known):
        return TELL_NO_DROP if convention == "rm-export" else ""
    old, new = os.path.dirname(known), os.path.dirname(image.path)
    return f"; that file is gone: if its folder has moved, say `crystal-search moved {old} {new}`"


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
