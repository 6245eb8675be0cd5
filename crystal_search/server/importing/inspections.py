"""Numbering what names leave open: inspections that are only dated, and wells of plates without robot names.

A number that an image has once stays. Known images therefore keep theirs, and new sessions of a plate, or new
files, are counted on from the highest there is, even when a session is older than one that came in before.
"""

import re
from collections import defaultdict
from collections.abc import Sequence

from crystal_search.errors import UserError
from crystal_search.robot_names import PLATE_FORMATS, Naming, ReadName, Refused, read_name, well_of
from crystal_search.server.imaging.imaging_database import Images, NewImage
from crystal_search.wells import WellKey

Placed = NewImage | Refused


def numbered(names: Sequence[tuple[str, ReadName]], imaging: Images, naming: Naming) -> list[NewImage]:
    """Return images with their inspections, plate by plate, for paths and what their names say."""
    by_plate: dict[str, list[tuple[str, ReadName]]] = defaultdict(list)
    for path, name in names:
        by_plate[name.plate].append((path, name))
    images: list[NewImage] = []
    for plate, members in by_plate.items():
        dated = {name.session for _, name in members if name.inspection is None}
        numbers = _session_numbers(plate, dated, imaging, naming) if dated else {}
        images += [_image(path, name, numbers.get(name.session, 1)) for path, name in members]
    return images


def _session_numbers(plate: str, sessions: set[str], imaging: Images, naming: Naming) -> dict[str, int]:
    """Return the inspection of each session of a plate: the known one, else the next, in the sessions' order."""
    numbers: dict[str, int] = {}
    highest = 0
    for image in imaging.plate_images(plate):
        name = read_name(image.path, naming)
        if isinstance(name, ReadName) and name.plate == plate and name.session:
            numbers.setdefault(name.session, image.key.inspection)
        highest = max(highest, image.key.inspection)
    for number, session in enumerate(sorted(sessions - numbers.keys()), start=highest + 1):
        numbers[session] = number
    return numbers


def _image(path: str, name: ReadName, dated_inspection: int) -> NewImage:
    key = WellKey(
        plate=name.plate,
        row=name.row,
        column=name.column,
        drop=name.drop,
        inspection=dated_inspection if name.inspection is None else name.inspection,
        channel=name.channel,
    )
    return NewImage(key=key, path=path, imaged_at=name.imaged_at)


def next_wells(paths: Sequence[str], imaging: Images, naming: Naming) -> dict[str, Placed]:
    """Return new files as the next wells of the plate that `naming` gives, in name order, row by row.

    Raises
    ------
    UserError
        If the plate has wells that the plate format has not.
    """
    rows, columns = PLATE_FORMATS[naming.plate_format]
    last = 0
    for image in imaging.plate_images(naming.plate):
        if image.key.row >= rows or image.key.column >= columns:
            raise UserError(
                f"plate {naming.plate} has well {image.key.well}, a plate of {naming.plate_format} has not; "
                "give the --plate-format that it was imported with"
            )
        last = max(last, image.key.row * columns + image.key.column + 1)
    placed: dict[str, Placed] = {}
    for number, path in enumerate(sorted(paths, key=name_order), start=last + 1):
        well = well_of(number, naming.plate_format)
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
