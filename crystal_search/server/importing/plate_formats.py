"""Which format a plate has whose wells are only counted, and where its wells are then.

A place that an image has once stays, so nothing is guessed: people say the format, or images that are known tell it,
or the highest well does.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from crystal_search.name_parts import ReadName, Refused, well_of
from crystal_search.naming import Naming
from crystal_search.robot_names import read_name
from crystal_search.server.imaging.imaging_database import Images
from crystal_search.wells import PLATE_FORMATS

Names = Sequence[tuple[str, ReadName]]  #: paths and what their names say
Wells = dict[int, tuple[int, int]]  #: number -> row and column
SMALLEST = min(PLATE_FORMATS)


def highest_wells(names: Names) -> dict[str, int]:
    """Return the highest well of each plate whose wells are counted."""
    highest: dict[str, int] = {}
    for _, name in names:
        if name.well_number:
            highest[name.plate] = max(highest.get(name.plate, 0), name.well_number)
    return highest


def formats_of(
    highest: Mapping[str, int], imaging: Images, naming: Naming, *, rising: Collection[str] = ()
) -> dict[str, int | Refused]:
    """Return the format of each plate, in wells, or why it cannot be known.

    Plates that are `rising`, whose highest well does not tell anything yet, are missing unless something else does.
    """
    formats: dict[str, int | Refused] = {}
    for plate, number in highest.items():
        known = _known_wells(plate, imaging, naming)
        if (found := _format_told(plate, known, naming)) or plate not in rising:
            formats[plate] = found or _format_by(max(number, *known, 0), plate, known)
    return formats


def at_their_wells(names: Names, formats: Mapping[str, int | Refused]) -> tuple[list[tuple[str, ReadName]], list[str]]:
    """Return names with row and column, and a sentence for each that has none."""
    wells = [(path, name, _well(name, formats)) for path, name in names]
    found = [(path, name, well) for path, name, well in wells if not isinstance(well, Refused)]
    placed = [(path, replace(name, row=row, column=column)) for path, name, (row, column) in found]
    return placed, [f"{path}: {well.reason}" for path, _, well in wells if isinstance(well, Refused)]


def _well(name: ReadName, formats: Mapping[str, int | Refused]) -> tuple[int, int] | Refused:
    if not name.well_number:
        return name.row, name.column
    found = formats[name.plate]
    if isinstance(found, Refused):
        return found
    well = well_of(name.well_number, found)
    if isinstance(well, Refused):
        reason = f"plate {name.plate} has {found} wells, well {name.well_number} is none of them"
        return Refused(f"{reason}; {_way_back(name.plate)}")
    return well


def _way_back(plate: str) -> str:
    return (
        f"if it has more, take it back with `crystal-search remove --plate {plate}` "
        f"and import it with --plate-format {plate}=WELLS"
    )


def _format_told(plate: str, known: Wells, naming: Naming) -> int | Refused | None:
    """Return the format that people or known images tell, None where neither do."""
    fitting = _fitting(known)
    if said := naming.format_of(plate):
        return said if said in fitting else _came_in_otherwise(plate, said)
    return fitting[0] if len(fitting) == 1 else None


def _format_by(highest: int, plate: str, known: Wells) -> int | Refused:
    """Return the format that the highest well tells."""
    found = next(each for each in sorted(PLATE_FORMATS) if each >= highest)
    if found == SMALLEST:
        every = ", ".join(map(str, PLATE_FORMATS))
        return Refused(
            f"plate {plate} has wells up to {highest}, so it may be of {every} wells; "
            f"say which with --plate-format {plate}=WELLS, or --plate-format WELLS for all plates"
        )
    return found if found in _fitting(known) else _came_in_otherwise(plate, found)


def _fitting(known: Wells) -> list[int]:
    """Return the formats on which known wells lie where they were put."""
    return [each for each in PLATE_FORMATS if all(well_of(number, each) == well for number, well in known.items())]


def _came_in_otherwise(plate: str, wells: int) -> Refused:
    return Refused(f"plate {plate} came in with another format than {wells} wells; {_way_back(plate)}")


def _known_wells(plate: str, imaging: Images, naming: Naming) -> Wells:
    """Return the numbers of wells in known names of a plate, and where these wells were put."""
    wells: Wells = {}
    for image in imaging.plate_images(plate):
        name = read_name(image.path, naming)
        if isinstance(name, ReadName) and name.well_number and name.plate == plate:
            wells[name.well_number] = (image.key.row, image.key.column)
    return wells
