"""Which drops image files show, as far as their names tell plate and well: what a dispenser can be sent to."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from crystal_search.columns import Cell
from crystal_search.dispensers.crystal_plates import CrystalPlate
from crystal_search.errors import UserError
from crystal_search.name_parts import ReadName, Refused, well_of
from crystal_search.naming import Naming
from crystal_search.robot_names import ROBOTS, detected, read_name
from crystal_search.wells import WellKey

VISIBLE = "visible"


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedDrops:
    """Drops, each by its newest visible image, and why the other images do not count."""

    keys: Mapping[Path, WellKey]  #: by image, in the order of the wells
    untold: Mapping[Path, str] = field(default_factory=dict)  #: images whose name tells no drop, and why
    passed: Mapping[Path, str] = field(default_factory=dict)  #: other images of drops, and why they do not count

    def cells_of(self, path: Path) -> dict[str, Cell]:
        """Return what a table tells of an image."""
        if key := self.keys.get(path):
            return {"plate": key.plate, "well": key.well, "drop": key.drop}
        return {"left_out": self.untold.get(path) or self.passed.get(path)}


def named_drops(paths: Sequence[Path], naming: Naming, plate: CrystalPlate) -> NamedDrops:
    """Return the drops that image files show, by their names.

    Of a drop with several images the newest visible one counts; of two that are as new as each other none does.

    Parameters
    ----------
    naming
        How names are read; by ``auto`` only names that robots give are, for a name that is one by chance would send a
        dispenser into a wrong well.
    plate
        The kind of plate, which has so many wells where names count them.

    Raises
    ------
    UserError
        If not one name can be read.
    """
    naming = _convention_of(paths, naming)
    read = {path: read_name(path.absolute().as_posix(), naming) for path in paths}
    untold = {path: name.reason for path, name in read.items() if isinstance(name, Refused)}
    drops: dict[WellKey, list[tuple[Path, ReadName]]] = defaultdict(list)
    passed: dict[Path, str] = {}
    for path, name in read.items():
        if isinstance(name, Refused):
            continue
        key = _key_of(name, naming, plate)
        if isinstance(key, Refused):
            untold[path] = key.reason
        elif name.channel != VISIBLE:
            passed[path] = f"it is an image in the channel {name.channel}; where to dispense is told by visible ones"
        else:
            drops[key].append((path, name))
    keys: dict[Path, WellKey] = {}
    for key, images in sorted(drops.items()):
        counts, others = _newest(images)
        passed |= others
        keys |= {counts: key} if counts else {}
    if not keys:
        path, reason = next(iter((untold | passed).items()))
        raise UserError(
            f"no image tells a drop to dispense into, as {path}: {reason}; --names or --pattern read others"
        )
    return NamedDrops(keys=keys, untold=untold, passed=passed)


def _convention_of(paths: Sequence[Path], naming: Naming) -> Naming:
    if naming.convention != "auto":
        return naming
    found = detected(path.absolute().as_posix() for path in paths)
    if not found:
        raise UserError(
            f"the names of these images are none of {', '.join(ROBOTS)}, so that nothing tells their wells; "
            "say by --names or --pattern how they do"
        )
    return replace(naming, convention=found)


def _key_of(name: ReadName, naming: Naming, plate: CrystalPlate) -> WellKey | Refused:
    row, column = name.row, name.column
    if name.well_number:
        wells = naming.format_of(name.plate) or plate.wells
        place = well_of(name.well_number, wells) if wells else Refused("it counts wells; say --plate-format WELLS")
        if isinstance(place, Refused):
            return place
        row, column = place
    return WellKey(plate=name.plate, row=row, column=column, drop=name.drop)


def _newest(images: Sequence[tuple[Path, ReadName]]) -> tuple[Path | None, dict[Path, str]]:
    """Return the image of a drop that counts, if one does, and why the others do not."""
    newest = max(_age(name) for _, name in images)
    first, *alike = [path for path, name in images if _age(name) == newest]
    older = {path: f"{first} shows the drop later" for path, name in images if _age(name) < newest}
    if not alike:
        return first, older
    together = f"{len(alike) + 1} images show this drop at the same time, as {first} and {alike[0]}; name one of them"
    return None, older | dict.fromkeys((first, *alike), together)


def _age(name: ReadName) -> tuple[int, str, str]:
    return name.inspection or 0, name.session, name.taken.isoformat() if name.taken else ""
