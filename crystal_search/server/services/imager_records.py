"""What the sentinel knows of each imager: files in the home folder, each written whole.

``NAME.json`` says what was noticed and what days were like; ``NAME.npz`` holds the last images, from which it goes on.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from crystal_search.files import write_whole
from crystal_search.outcomes import GROUPS
from crystal_search.sentinel.usual import Look
from crystal_search.sentinel.vitals import Vitals
from crystal_search.server.imagers import file_name_of

VERSION = 1
LEARNT = 576  #: images of which an imager is learnt: twelve plates of 48 wells, or six of 96
RECENT = 600  #: images after these that are kept at most
STANDING = 200  #: images in which a fault is noticed again while it lasts
SHADE_STEPS = 40  #: of a stored number, for 1 of a logarithm
NO_GROUP = -1
Kept = TypeVar("Kept")


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed:
    """A fault that was noticed."""

    kind: str
    what: str  #: which class, or where
    image_id: int  #: by which it was noticed
    at: str  #: when that image was taken, ISO 8601
    since_image_id: int  #: with which it seems to have begun
    since: str  #: when that one was taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """Sums over the images of one day."""

    images: int = 0
    brightness: float = 0.0
    sharpness: float = 0.0
    empty: int = 0
    groups: tuple[int, ...] = (0,) * len(GROUPS)

    def with_look(self, look: Look) -> "Day":
        """Return the day with one image more."""
        return Day(
            images=self.images + 1,
            brightness=self.brightness + look.vitals.brightness,
            sharpness=self.sharpness + look.vitals.sharpness,
            empty=self.empty + (look.group is None),
            groups=tuple(count + (look.group == at) for at, count in enumerate(self.groups)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagerRecord:
    """What was noticed of one imager, and what its days were like."""

    name: str
    images: int = 0  #: that were looked at
    alarms: tuple[Noticed, ...] = ()
    standing: tuple[Noticed, ...] = ()  #: those that were noticed again lately
    days: dict[str, Day] = field(default_factory=dict)  #: by ISO date

    @property
    def is_learning(self) -> bool:
        """Whether it is not yet known what is usual."""
        return self.images < LEARNT


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SeenImage:
    """An image as the sentinel saw it."""

    image_id: int
    taken: datetime
    look: Look


def record_file(folder: Path, imager: str) -> Path:
    """Return where the record of an imager is."""
    return folder / f"{file_name_of(imager)}.json"


def read_records(folder: Path) -> list[ImagerRecord]:
    """Return what is known of each imager, by name; a file that this program did not write counts as none."""
    found = (kept_in(path, VERSION, _record_of) for path in sorted(folder.glob("*.json")))
    return [each for each in found if each is not None]


def read_record(folder: Path, imager: str) -> ImagerRecord:
    """Return what is known of an imager, which may be nothing."""
    return kept_in(record_file(folder, imager), VERSION, _record_of) or ImagerRecord(name=imager)


def kept_in(path: Path, version: int, record_of: Callable[[dict[str, Any]], Kept]) -> Kept | None:
    """Return the record that a file holds; None where there is none, or one that this program did not write."""
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        return record_of(plain) if plain.pop("version") == version else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _record_of(plain: dict[str, Any]) -> ImagerRecord:
    return ImagerRecord(
        name=plain["name"],
        images=plain["images"],
        alarms=tuple(Noticed(**each) for each in plain["alarms"]),
        standing=tuple(Noticed(**each) for each in plain["standing"]),
        days={day: Day(**{**each, "groups": tuple(each["groups"])}) for day, each in plain["days"].items()},
    )


def write_record(folder: Path, record: ImagerRecord) -> None:
    """Write the record of an imager, whole or not at all."""
    folder.mkdir(exist_ok=True)
    text = json.dumps({"version": VERSION, **asdict(record)}, ensure_ascii=False, indent=1)
    write_whole(record_file(folder, record.name), text + "\n")


def with_days(record: ImagerRecord, seen: Iterable[SeenImage]) -> ImagerRecord:
    """Return a record with more images in its days."""
    days, count = dict(record.days), record.images
    for each in seen:
        day = each.taken.date().isoformat()
        days[day] = days.get(day, Day()).with_look(each.look)
        count += 1
    return replace(record, days=dict(sorted(days.items())), images=count)


def read_seen(folder: Path, imager: str) -> list[SeenImage]:
    """Return the images from which the sentinel goes on: those that it learnt from, then the last."""
    try:
        with np.load(record_file(folder, imager).with_suffix(".npz"), allow_pickle=False) as arrays:
            return [_seen(arrays, shade, at) for at, shade in enumerate(arrays["shade"])]
    except (OSError, ValueError, KeyError, EOFError):
        return []


def _seen(arrays: Any, shade: NDArray[np.int8], at: int) -> SeenImage:
    group = int(arrays["group"][at])
    vitals = Vitals(
        brightness=float(arrays["brightness"][at]),
        sharpness=float(arrays["sharpness"][at]),
        coarse_sharpness=float(arrays["coarse_sharpness"][at]),
        shade=(shade / SHADE_STEPS).astype(np.float16),
    )
    look = Look(vitals=vitals, group=None if group == NO_GROUP else group, plate=str(arrays["plate"][at]))
    return SeenImage(
        image_id=int(arrays["image_id"][at]), taken=datetime.fromtimestamp(float(arrays["taken"][at]), UTC), look=look
    )


def write_seen(folder: Path, imager: str, seen: Sequence[SeenImage]) -> None:
    """Keep images, whole or not at all; pictures of another format than most have no shade map that counts."""
    shapes = Counter(each.look.vitals.shade.shape for each in seen)
    shape = shapes.most_common(1)[0][0] if shapes else (0, 0)
    shades = [_shade(each.look.vitals.shade, shape) for each in seen]
    data = BytesIO()
    np.savez(
        data,
        image_id=np.array([each.image_id for each in seen], np.int64),
        taken=np.array([each.taken.timestamp() for each in seen]),
        plate=np.array([each.look.plate for each in seen], np.str_),
        group=np.array([NO_GROUP if each.look.group is None else each.look.group for each in seen], np.int8),
        brightness=np.array([each.look.vitals.brightness for each in seen], np.float32),
        sharpness=np.array([each.look.vitals.sharpness for each in seen], np.float32),
        coarse_sharpness=np.array([each.look.vitals.coarse_sharpness for each in seen], np.float32),
        shade=np.array(shades, np.int8).reshape(-1, *shape),
    )
    folder.mkdir(exist_ok=True)
    write_whole(record_file(folder, imager).with_suffix(".npz"), data.getvalue())


def _shade(shade: NDArray[np.float16], shape: tuple[int, ...]) -> NDArray[np.int8]:
    if shade.shape != shape:
        return np.zeros(shape, np.int8)
    return np.clip(np.rint(shade.astype(np.float32) * SHADE_STEPS), -127, 127).astype(np.int8)
