"""What an import would do, before it does it: these files become these plates, drawn for people and as JSON."""

import re
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from crystal_search.naming import MISTAKEABLE, Naming
from crystal_search.plurals import counted
from crystal_search.server.imaging.adding_rules import conflict
from crystal_search.server.imaging.imaging_database import Images
from crystal_search.server.imaging.stored_images import NewImage
from crystal_search.server.importing.folder_walk import image_files
from crystal_search.server.importing.import_images import Remembered, Session, as_text, proposed, session_of
from crystal_search.wells import PLATE_FORMATS, WellKey, well_name

PLAN_VERSION = 1
DRAWN = 6  #: inspections that are drawn when nobody asks for all


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedInspection:
    """The images of one plate at one inspection in one channel that would come in."""

    plate: str
    inspection: int
    channel: str
    taken: str  #: the first day, or days, by the robot's clock; empty when unknown
    format: int  #: wells of the plate where names only count wells, else 0
    drops: Mapping[str, tuple[int, ...]]  #: by the well's name, in the order of a plate

    rows: int  #: of that plate, or of the smallest that holds these wells
    columns: int

    @property
    def images(self) -> int:
        """How many images would come in."""
        return sum(map(len, self.drops.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an import of a folder would do now."""

    folder: str
    naming: Naming
    made_at: float  #: seconds since 1970
    convention: str  #: how the names are read; empty when no convention fits
    inspections: tuple[PlannedInspection, ...]
    known: int  #: files that are in the database already
    empty: int  #: files without content
    removed: int  #: files that were taken back, and stay away
    again: bool  #: whether such files come in all the same
    left_out: tuple[str, ...]  #: files that cannot come in, each as ``path: reason``
    conflicts: tuple[str, ...]  #: files whose place another one has, one sentence each

    @property
    def images(self) -> int:
        """How many images would come in."""
        return sum(each.images for each in self.inspections)

    @property
    def can_be_mistaken(self) -> bool:
        """Whether other files than a robot's may be called so by chance."""
        return self.convention in MISTAKEABLE


def planned(
    folder: Path, imaging: Images, naming: Naming, *, leave_out: Sequence[Path] = (), again: bool = False
) -> Plan:
    """Return what an import of `folder` would do now, with files that were taken back or not; nothing is written.

    Raises
    ------
    UserError
        If there is no such folder, or the names and `naming` do not go together.
    """
    memory, left_out = Remembered(), list[str]()
    paths = list(
        image_files(folder, files=memory.files, leave_out=leave_out, exclude=naming.exclude, left_out=left_out)
    )
    found = proposed(paths, imaging, naming, memory, again=again)
    images, conflicts = _without_conflicts(found.images, imaging)
    refused = [f"{path}: {reason}" for path, reason in sorted((memory.refused | memory.closed).items())]
    return Plan(
        folder=as_text(str(folder.absolute())),
        naming=naming,
        made_at=time.time(),
        convention=memory.convention,
        inspections=tuple(_inspections(images, found.formats)),
        known=len(memory.known),
        empty=found.waiting,
        removed=len(memory.removed),
        again=again,
        left_out=tuple(map(as_text, (*left_out, *found.left_out, *refused))),
        conflicts=tuple(map(as_text, conflicts)),
    )


def _without_conflicts(images: Iterable[NewImage], imaging: Images) -> tuple[list[NewImage], list[str]]:
    """Return the images that can come in, and a sentence for each whose place is taken."""
    there: dict[str, dict[WellKey, str]] = {}
    fine, conflicts = [], []
    for image in images:
        plate = image.key.plate
        if plate not in there:
            there[plate] = {known.key: known.path for known in imaging.plate_images(plate)}
        if trouble := conflict(image, None, there[plate].get(image.key)):
            conflicts.append(trouble)
        else:
            there[plate][image.key] = image.path
            fine.append(image)
    return fine, conflicts


def _inspections(images: Iterable[NewImage], formats: Mapping[str, int]) -> list[PlannedInspection]:
    by_session: dict[Session, list[NewImage]] = defaultdict(list)
    for image in images:
        by_session[session_of(image)].append(image)
    return [_inspection(session, by_session[session], formats) for session in sorted(by_session)]


def _inspection(session: Session, images: Sequence[NewImage], formats: Mapping[str, int]) -> PlannedInspection:
    plate, inspection, channel = session
    drops: dict[tuple[int, int], list[int]] = defaultdict(list)
    for image in images:
        drops[image.key.row, image.key.column].append(image.key.drop)
    days = sorted({image.imaged_at.date().isoformat() for image in images if image.imaged_at})
    last_row, last_column = (max(place[side] for place in drops) for side in (0, 1))
    fitting = (shape for shape in PLATE_FORMATS.values() if last_row < shape[0] and last_column < shape[1])
    known = formats.get(plate, 0)
    rows, columns = PLATE_FORMATS[known] if known else next(fitting, (last_row + 1, last_column + 1))
    return PlannedInspection(
        plate=plate,
        inspection=inspection,
        channel=channel,
        taken=" to ".join(days[:: max(1, len(days) - 1)]),
        format=known,
        rows=rows,
        columns=columns,
        drops={well_name(*place): tuple(sorted(drops[place])) for place in sorted(drops)},
    )


def as_json(plan: Plan) -> dict[str, Any]:
    """Return a plan as plain values (docs/importing.md)."""
    inspections = [asdict(each) | {"images": each.images} for each in plan.inspections]
    told = asdict(replace(plan, inspections=()))
    return {"format_version": PLAN_VERSION} | told | {"images": plan.images, "inspections": inspections}


def as_lines(plan: Plan, *, limit: int | None) -> list[str]:
    """Return a plan as people read it, with at most `limit` lines of each kind, and few plates drawn."""
    plates = len({each.plate for each in plan.inspections})
    names = plan.convention or "no convention fits; try --names pattern, or --plate BARCODE for one plate"
    lines = [f"{counted(plan.images, 'image')} of {counted(plates, 'plate')} would be added (names: {names})."]
    if plan.known or plan.empty:
        lines.append(f"{counted(plan.known, 'file')} known already, {plan.empty} without content.")
    lines += [stay_away(plan.removed)] if plan.removed else []
    drawn = plan.inspections if limit is None else plan.inspections[:DRAWN]
    for each in drawn:
        lines += ["", *_drawing(each)]
    if more := len(plan.inspections) - len(drawn):
        lines += ["", f"and {counted(more, 'inspection')} more:"]
        lines += [f"  {_title(each)}" for each in plan.inspections[len(drawn) :][:limit]]
    for title, entries in (("fit nothing", plan.left_out), ("would be in conflict", plan.conflicts)):
        lines += ["", *_grouped(title, entries, limit)] if entries else []
    return lines


def stay_away(files: int) -> str:
    """Return what is said of files that were taken back.

    >>> stay_away(1)
    '1 file was taken back, and stays away unless you say --again.'
    """
    were, stay = ("was", "stays") if files == 1 else ("were", "stay")
    return f"{counted(files, 'file')} {were} taken back, and {stay} away unless you say --again."


def _title(each: PlannedInspection) -> str:
    wells = f" ({each.format} wells)" if each.format else ""
    days = f", {each.taken}" if each.taken else ""
    images = counted(each.images, "image")
    return f"plate {each.plate}{wells}, inspection {each.inspection}, {each.channel}{days}: {images}"


def _drawing(each: PlannedInspection) -> list[str]:
    """Return a plate with the number of drops in each well; a dot is a well without."""
    lines = [_title(each)]
    for row in range(each.rows):
        cells = [str(len(each.drops.get(well_name(row, column), ())) or ".") for column in range(each.columns)]
        lines.append(f"  {re.sub('[0-9]', '', well_name(row, 0)):>2} {' '.join(cells)}")
    return lines


def _grouped(title: str, entries: Sequence[str], limit: int | None) -> list[str]:
    """Return what is said of files, each reason once, with at most `limit` of its files."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for entry in sorted(entries):
        path, _, reason = entry.partition(": ")
        by_reason[reason].append(path)
    lines = [f"{counted(len(entries), 'file')} {title}:"]
    for reason, paths in sorted(by_reason.items(), key=lambda item: -len(item[1]))[:limit]:
        lines += [f"  {counted(len(paths), 'file')}: {reason}" if reason else f"  {len(paths)}:"]
        lines += [f"    {path}" for path in paths[:limit]]
        lines += [f"    and {len(paths) - limit} more; --verbose lists all"] if limit and len(paths) > limit else []
    return lines


def naming_in(plan: Mapping[str, Any]) -> Naming:
    """Return how names are read in a plan that `as_json` made plain."""
    lists = {
        name: tuple(map(_tuple, value)) for name, value in plan["naming"].items() if isinstance(value, list | tuple)
    }
    return Naming(**plan["naming"] | lists | {"convention": plan["convention"]})


def _tuple(value: Any) -> Any:
    return tuple(map(_tuple, value)) if isinstance(value, list) else value
