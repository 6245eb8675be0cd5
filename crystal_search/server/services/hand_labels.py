"""How many labels people gave of each imager's images, counted without reading them one by one."""

from collections import Counter
from dataclasses import dataclass

from crystal_search.server.installation import Installation


@dataclass(frozen=True, slots=True)
class _File:
    """A file as far as its imager is told by it."""

    path: str


def labels_by_imager(site: Installation) -> Counter[tuple[str, str]]:
    """Return how many images of each imager have which outcome as the newest score by hand, in visible light.

    The images of an inspection are looked at one by one only where the first and the last of their paths are of
    different imagers; a robot's session is of one.

    Raises
    ------
    DatabaseError
        If the ledger cannot be read.
    """
    found: Counter[tuple[str, str]] = Counter()
    mixed: set[tuple[str, int, str]] = set()
    for count in site.imaging.hand_counts():
        ends = {site.imagers.of(_File(path)) for path in (count.first_path, count.last_path)}
        if len(ends) == 1:
            found[ends.pop(), count.outcome] += count.images
        else:
            mixed.add((count.plate, count.inspection, count.outcome))
    for plate, inspection in sorted({place[:2] for place in mixed}):
        for drop in site.imaging.drops(plate, inspection=inspection):
            if drop.manual and (plate, inspection, drop.manual.outcome) in mixed:
                found[site.imagers.of(drop.image), drop.manual.outcome] += 1
    return found
