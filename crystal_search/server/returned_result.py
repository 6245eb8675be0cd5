"""Reading a returned result against the very work unit that it is about: its pictures, and the models that it names."""

from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from crystal_search.card_file import card_from_json
from crystal_search.errors import ConfigError, ResultError
from crystal_search.model import ModelRef, cards_in, default_models_folder
from crystal_search.model_card import ClassifierCard, CrystalCard, DropCard, FirstLookCard, ModelCard
from crystal_search.result import ImageResult, ImageScore, Result
from crystal_search.result_reader import ROUNDED, read_result
from crystal_search.scoring.places import misplaced
from crystal_search.server.home import Home
from crystal_search.server.settings import read_settings
from crystal_search.work_unit import WorkUnit, image_sizes, read_work_unit


def read_returned(path: Path, packed: Path, home: Home) -> Result:
    """Return the result in the file `path`, checked against the work unit in the file `packed`.

    Beside what `read_result` refuses, every image has the size of its picture, as many features as the classifier
    gives, no crystal that the detector does not count, and every chop lies where the models cut chops. Models that are
    not in the home any more say nothing of these.

    Raises
    ------
    WorkUnitError
        If the work unit cannot be read: that is no fault of the result.
    ResultError
        If the result must be refused.
    """
    unit, sizes = _packed(packed, *_identity(packed))
    result = read_result(path, unit)
    cards = cards_of(unit.models, home)
    for image in result.images:
        if trouble := _trouble(image, sizes.get(image.id), cards):
            raise ResultError(f"{unit.name}: image {image.id}: {trouble}")
    return result


def _identity(path: Path) -> tuple[int, ...]:
    """Return what changes when a file does; nothing for one that is not there."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


@lru_cache(maxsize=4)  # BOINC's validator asks about the results of one work unit one after the other
def _packed(path: Path, *identity: int) -> tuple[WorkUnit, dict[str, tuple[int, int]]]:
    """Return the work unit in a file of this identity, and the sizes of its pictures."""
    unit = read_work_unit(path)
    return unit, image_sizes(path, unit)


def _trouble(image: ImageResult, size: tuple[int, int] | None, cards: dict[str, ModelCard]) -> str:
    found = image.score
    if found.error is not None:
        return ""
    if size and size != (found.height_px, found.width_px):
        return f"{found.width_px} x {found.height_px} px, the picture has {size[1]} x {size[0]}"
    if trouble := _too_doubtful(found, cards.get(CrystalCard.role)):
        return trouble
    return _trouble_of_looks(found, cards)


def _trouble_of_looks(found: ImageScore, cards: dict[str, ModelCard]) -> str:
    """Return what those who looked cannot have said: in doubt, of features, of where chops are."""
    first, classifier, drop = (cards.get(kind.role) for kind in (FirstLookCard, ClassifierCard, DropCard))
    if trouble := _too_hasty(found, first):
        return trouble
    features_of = first if found.looks else classifier
    if isinstance(features_of, ClassifierCard) and (trouble := _other_features(found, features_of)):
        return trouble
    counted = first if found.looks == 1 else classifier
    if isinstance(counted, ClassifierCard) and isinstance(drop, DropCard):
        return misplaced(found, counted, drop)
    return ""


def _too_hasty(found: ImageScore, first: ModelCard | None) -> str:
    """Return why a first look's score cannot count: it would have left the image to the classifier."""
    if not isinstance(first, FirstLookCard) or found.looks != 1:
        return ""
    hasty = found.doubt > first.most_doubt + ROUNDED
    return f"{first.name} looked alone, with a doubt of {found.doubt:g}, above {first.most_doubt:g}" if hasty else ""


def _too_doubtful(found: ImageScore, detector: ModelCard | None) -> str:
    """Return which crystal is one that the detector does not count, or not even tell."""
    if not isinstance(detector, CrystalCard):
        return ""
    told = (found.crystals, "counts", detector.counts_in_drops), (found.uncounted, "tells", detector.seen_from)
    for crystals, does, least in told:
        if crystals and (got := crystals[-1].probability) < least - ROUNDED:
            return f"a crystal of {got:g}, {detector.name} {does} them from {least:g}"
    return ""


def _other_features(found: ImageScore, classifier: ClassifierCard) -> str:
    """Return in what a score's features are not those of the classifier."""
    expected = classifier.features.numbers if classifier.features and found.score else 0
    got = 0 if found.features is None else len(found.features)
    return "" if got == expected else f"{got} features, {classifier.name} gives {expected}"


def cards_of(models: Iterable[ModelRef], home: Home) -> dict[str, ModelCard]:
    """Return by role the cards of models that a work unit names, as far as they are still here."""
    folders = [default_models_folder(), home.models]
    with suppress(ConfigError):  # who looks at a result must not depend on what somebody types meanwhile
        if named := read_settings(home.settings).models:
            folders.append(Path(named))
    there = {sha256: path for folder in folders for sha256, path in cards_in(folder).items()}
    named_there = {model.role: there[model.sha256] for model in models if model.sha256 in there}
    return {role: card_from_json(path.read_bytes()) for role, path in named_there.items()}
