"""Numbering what names leave open: inspections that are only dated, and wells of plates without robot names.

A number that an image has once stays. Known images therefore keep theirs, and new sessions of a plate, or new
files, are counted on from the highest there is, even when a session is older than one that came in before.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from crystal_search.errors import UserError
from crystal_search.name_parts import ReadName, Refused, well_of
from crystal_search.naming import Naming, utc_of
from crystal_search.robot_names import read_name
from crystal_search.server.imaging.imaging_database import Images
from crystal_search.server.imaging.stored_images import NewImage, StoredImage
from crystal_search.wells import PLATE_FORMATS, WellKey

Placed = NewImage | Refused
SAME_INSPECTION = timedelta(hours=3)  #: another channel's session that begins so soon after belongs to a visible one
FORMAT_OF_ANY = 96  #: wells that files without a place fill, where nobody says otherwise


@dataclass(frozen=True, slots=True)
class _Known:
    """What a plate's inspections are known by."""

    numbers: dict[str, int]  #: by session
    began: dict[tuple[str, int], datetime]  #: by channel and number
    times: dict[datetime, int]  #: of images, UTC, and their inspection
    highest: int


def numbered(names: Sequence[tuple[str, ReadName]], imaging: Images, naming: Naming) -> list[NewImage]:
    """Return images with their inspections, plate by plate, for paths and what their names say."""
    by_plate: dict[str, list[tuple[str, ReadName]]] = defaultdict(list)
    for path, name in names:
        by_plate[name.plate].append((path, name))
    images: list[NewImage] = []
    for plate, members in by_plate.items():
        number = _numbers(plate, [name for _, name in members if name.inspection is None], imaging, naming)
        images += [_image(path, name, number(name), naming) for path, name in members]
    return images


def _numbers(plate: str, open_names: Sequence[ReadName], imaging: Images, naming: Naming) -> Callable[[ReadName], int]:
    """Return what tells the inspection of a name of this plate: the known one, else the next, in order of time."""
    if not open_names:
        return lambda name: name.inspection or 1
    known = _known(plate, imaging.plate_images(plate), naming)
    by_session = _session_numbers({name.session: name for name in open_names if name.session}, known)
    highest = max(known.highest, *by_session.values(), 0)
    timed = {_time(name, naming) for name in open_names if not name.session}
    by_time = _numbers_by_time(timed, known.times, highest, timedelta(minutes=naming.gap_minutes))

    def number(name: ReadName) -> int:
        if name.inspection is not None:
            return name.inspection
        return by_session[name.session] if name.session else by_time[_time(name, naming)]

    return number


def _time(name: ReadName, naming: Naming) -> datetime:
    if not isinstance(name.taken, datetime):
        raise TypeError(f"a name without inspection and session has a time, got {name}")
    return utc_of(name.taken, naming.time_zone)


def _known(plate: str, images: Iterable[StoredImage], naming: Naming) -> _Known:
    known = _Known({}, {}, {}, max((image.key.inspection for image in images), default=0))
    for image in images:
        name, number = read_name(image.path, naming), image.key.inspection
        if not isinstance(name, ReadName) or name.plate != plate or name.inspection is not None:
            continue
        if name.session:
            known.numbers.setdefault(name.session, number)
        else:
            known.times[_time(name, naming)] = number
        if name.began:
            known.began[name.channel, number] = name.began
    return known


def _session_numbers(sessions: Mapping[str, ReadName], known: _Known) -> dict[str, int]:
    """Return the inspection of each session, given one of its names."""
    numbers, began, highest = dict(known.numbers), dict(known.began), known.highest
    new = [session for session in sessions if session not in numbers]
    for session in sorted(new, key=lambda each: (each, sessions[each].channel != "visible")):
        name = sessions[session]
        number = _visible_before(name, began)
        if number is None:
            number = highest = highest + 1
        numbers[session] = number
        if name.began:
            began[name.channel, number] = name.began
    return numbers


def _visible_before(name: ReadName, began: Mapping[tuple[str, int], datetime]) -> int | None:
    """Return the inspection that a session in another channel belongs to, if there is one."""
    if name.began is None or name.channel == "visible":
        return None
    waits = {
        number: name.began - start
        for (channel, number), start in began.items()
        if channel == "visible" and (name.channel, number) not in began
    }
    soon = [number for number, wait in waits.items() if timedelta(0) <= wait <= SAME_INSPECTION]
    return min(soon, key=lambda number: waits[number], default=None)


def _numbers_by_time(
    times: Iterable[datetime], known: Mapping[datetime, int], highest: int, gap: timedelta
) -> dict[datetime, int]:
    """Return the inspection of each time: where times follow each other within `gap`, the plate was taken once."""
    numbers: dict[datetime, int] = {}
    for run in _runs(sorted({*times, *known}), gap):
        there = [time for time in run if time in known]
        if not there:
            highest += 1
        for time in run:
            numbers[time] = known[_nearest(there, time)] if there else highest
    return numbers


def _nearest(times: Iterable[datetime], wanted: datetime) -> datetime:
    return min(times, key=lambda time: abs(time - wanted))


def _runs(times: Sequence[datetime], gap: timedelta) -> list[list[datetime]]:
    """Return sorted times in lists in which no two neighbours are further apart than `gap`."""
    runs: list[list[datetime]] = []
    for time in times:
        if runs and time - runs[-1][-1] <= gap:
            runs[-1].append(time)
        else:
            runs.append([time])
    return runs


def _image(path: str, name: ReadName, inspection: int, naming: Naming) -> NewImage:
    key = WellKey(
        plate=name.plate,
        row=name.row,
        column=name.column,
        drop=name.drop,
        inspection=inspection,
        channel=name.channel,
    )
    if name.taken is None or isinstance(name.taken, datetime):
        taken = name.taken and utc_of(name.taken, naming.time_zone)
        return NewImage(key=key, path=path, imaged_at=taken)
    midnight = datetime(name.taken.year, name.taken.month, name.taken.day, tzinfo=UTC)
    return NewImage(key=key, path=path, imaged_at=midnight, day_only=True)


def next_wells(paths: Sequence[str], imaging: Images, naming: Naming) -> dict[str, Placed]:
    """Return new files as the next wells of the plate that `naming` gives, in name order, row by row.

    Raises
    ------
    UserError
        If the plate has wells that the plate format has not.
    """
    plate_format = naming.format_of(naming.plate) or FORMAT_OF_ANY
    rows, columns = PLATE_FORMATS[plate_format]
    last = 0
    for image in imaging.plate_images(naming.plate):
        if image.key.row >= rows or image.key.column >= columns:
            raise UserError(
                f"plate {naming.plate} has well {image.key.well}, a plate of {plate_format} has not; "
                "give the --plate-format that it was imported with"
            )
        last = max(last, image.key.row * columns + image.key.column + 1)
    placed: dict[str, Placed] = {}
    for number, path in enumerate(sorted(paths, key=name_order), start=last + 1):
        well = well_of(number, plate_format)
        if isinstance(well, Refused):
            placed[path] = Refused(f"the {rows * columns} wells of plate {naming.plate} are full; see --plate-format")
        else:
            placed[path] = NewImage(key=WellKey(plate=naming.plate, row=well[0], column=well[1]), path=path)
    return placed


def name_order(path: str) -> list[tuple[int, str]]:
    """Return a key that sorts names as people do: ``well2`` before ``well10``.

    >>> sorted(["well10.jpg", "well2.jpg", "a.jpg"], key=name_order)
    ['a.jpg', 'well2.jpg', 'well10.jpg']
    """
    parts = re.split("([0-9]+)", path)
    return [(len(part.lstrip("0")), part.lstrip("0")) if part.isdigit() else (0, part) for part in parts]
