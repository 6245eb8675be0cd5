"""Which images of an imager were strange, and which ones it was learnt from: a file for each imager, written whole."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from crystal_search.files import write_whole
from crystal_search.server.imaging.imaging_database import ImagingDatabase
from crystal_search.server.imaging.stored_images import StoredImage
from crystal_search.server.services.imager_records import LEARNT, kept_in, record_file

VERSION = 1
FOLDER = "strange"  #: in that of the sentinel
HISTORY = LEARNT  #: images with features from which it is learnt what is ordinary
OF_LATE = 5000  #: images that were compared last
KEPT = 600  #: strange images, the last ones


@dataclass(frozen=True, slots=True, kw_only=True)
class StrangeImage:
    """An image that is out of the ordinary for its imager."""

    image_id: int
    picture: str  #: SHA-256 of its file; empty where it is not known
    at: str  #: when it was taken, ISO 8601
    p_value: float  #: share of ordinary images that are at least as far away
    beyond: float  #: distance, for 1 of the farthest of the history
    number: int  #: among the images that were compared, from 1


@dataclass(frozen=True, slots=True, kw_only=True)
class StrangeRecord:
    """What is known of an imager's images in feature space."""

    name: str
    store: str = ""  #: folder of the features that were compared: those of one classifier and one drop locator
    learnt_ids: tuple[int, ...] = ()  #: of the images that tell what is ordinary
    learnt_places: tuple[int, ...] = ()  #: of their rows in the store, from 0
    compared: int = 0  #: images after these
    last_id: int = 0  #: of the images that were looked at
    strange: tuple[StrangeImage, ...] = ()
    missed: tuple[int, ...] = ()  #: ids of images that could not be compared yet, `KEPT` at the most
    trouble: str = ""  #: why; empty where all is well

    @property
    def is_learning(self) -> bool:
        """Whether it is not yet known what is ordinary."""
        return len(self.learnt_ids) < HISTORY


def read_strange(folder: Path, imager: str) -> StrangeRecord:
    """Return what is known of an imager's images; a file that this program did not write counts as none."""
    return kept_in(_file(folder, imager), VERSION, _record_of) or StrangeRecord(name=imager)


def read_all_strange(folder: Path) -> list[StrangeRecord]:
    """Return what is known of the images of each imager, by name."""
    found = (kept_in(path, VERSION, _record_of) for path in sorted((folder / FOLDER).glob("*.json")))
    return [each for each in found if each is not None]


def write_strange(folder: Path, record: StrangeRecord) -> None:
    """Keep what is known of an imager's images, whole or not at all."""
    file = _file(folder, record.name)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, json.dumps({"version": VERSION, **asdict(record)}, ensure_ascii=False) + "\n")


def forget_strange(folder: Path, imager: str) -> None:
    """Begin to learn anew what is ordinary for an imager."""
    _file(folder, imager).unlink(missing_ok=True)


def still_shown(imaging: ImagingDatabase, strange: Iterable[StrangeImage]) -> list[tuple[StrangeImage, StoredImage]]:
    """Return those that were not taken back and show the same picture, as the imaging database has them."""
    strange = list(strange)
    images = imaging.images([each.image_id for each in strange])
    found = [(each, images[each.image_id]) for each in strange if each.image_id in images]
    return [(each, image) for each, image in found if each.picture == image.sha256]


def strangest_of_late(imaging: ImagingDatabase, record: StrangeRecord) -> list[tuple[StrangeImage, StoredImage]]:
    """Return the strange images among those compared last that are still shown, the farthest first."""
    lately = [each for each in record.strange if each.number > record.compared - OF_LATE]
    return sorted(still_shown(imaging, lately), key=lambda pair: -pair[0].beyond)


def _file(folder: Path, imager: str) -> Path:
    return record_file(folder / FOLDER, imager)


def _record_of(plain: dict[str, Any]) -> StrangeRecord:
    told = {name: tuple(plain.get(name, ())) for name in ("learnt_ids", "learnt_places", "missed")}
    return StrangeRecord(**{**plain, **told, "strange": tuple(StrangeImage(**each) for each in plain["strange"])})
