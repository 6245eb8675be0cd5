"""Pictures with the best chops framed, in a folder where a facility's users look (docs/facility.md)."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from crystal_search.errors import ConfigError, ResultError
from crystal_search.files import write_whole
from crystal_search.result import RESULT_FILE
from crystal_search.result_reader import result_from_json
from crystal_search.server.facility.facility_settings import FacilitySettings
from crystal_search.server.home import Home
from crystal_search.server.imaging.imaging_database import ScoredImage
from crystal_search.server.unit_states import State, is_in, place_of

#: Puts the pictures of scores in their places; returns by image why one could not be put there.
Placing = Callable[[Sequence[ScoredImage]], Mapping[int, str]]
KEPT = (State.ARCHIVED, State.SPOOLED)  #: where a result with its pictures may lie when its score is in the ledger


def placing(home: Home, settings: FacilitySettings) -> Placing:
    """Return what puts pictures where the settings say; nothing is put anywhere where they say nothing.

    Raises
    ------
    ConfigError
        If the setting is no path that tells images apart.
    """
    template = settings.pictures
    if not template:
        return lambda scores: {}
    try:
        first, second = (template.format(plate="P", inspection=1, name=name) for name in "ab")
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        first, second, reason = "", "", f": {error}"
    else:
        reason = ""
    if first == second or not template.startswith("/"):
        raise ConfigError(
            f"pictures in [facility] is {template!r}{reason}; "
            "write a path like /mnt/frames/{plate}/{inspection}/{name}.jpg, with {name}"
        )
    return lambda scores: place_pictures(home, template, scores)


def place_pictures(home: Home, template: str, scores: Sequence[ScoredImage]) -> dict[int, str]:
    """Copy the framed picture of each score, where it has one; return by image why one could not be copied."""
    units: dict[str, list[ScoredImage]] = defaultdict(list)
    for each in scores:
        units[each.score.work_unit].append(each)
    troubles: dict[int, str] = {}
    for unit, scored in units.items():
        pictures = framed(home, unit)
        for each in scored:
            source, target = pictures.get(str(each.image.id)), _target(template, each)
            try:
                if source is not None:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    write_whole(target, source.read_bytes())
            except OSError as error:
                reason = f"{each.image.path}: its score is there, but its picture cannot be put to {target}: "
                troubles[each.image.id] = reason + (error.strerror or str(error))
    return troubles


def framed(home: Home, unit: str) -> dict[str, Path]:
    """Return by image the framed pictures of a work unit; none where its result is here no more, or has none."""
    state = next((state for state in KEPT if is_in(home, unit, state)), None)
    if state is None:
        return {}
    folder = place_of(home, unit, state)
    try:
        result = result_from_json((folder / RESULT_FILE).read_bytes())
    except (OSError, ResultError):
        return {}
    return {image.id: folder / image.overlay.file for image in result.images if image.overlay}


def _target(template: str, scored: ScoredImage) -> Path:
    key, name = scored.image.key, Path(scored.image.path).stem
    plate = key.plate if key.plate.strip(".") else "_"  # a plate called .. must not lead elsewhere
    return Path(template.format(plate=plate, inspection=key.inspection, name=name))
