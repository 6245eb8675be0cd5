"""Images as the imaging database knows them: their files, why they wait, who brought them and took them back."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from crystal_search.wells import WellKey


@dataclass(frozen=True, slots=True, kw_only=True)
class NewImage:
    """An image that a robot made, before the database knows it."""

    key: WellKey
    path: str  #: absolute path of the file
    imaged_at: datetime | None = None  #: UTC, time-zone aware
    day_only: bool = False  #: only the day is known, by the robot's clock; `imaged_at` is its midnight in UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class FileVersion:
    """Which bytes an image's file held when it was read: what a score was made from."""

    sha256: str  #: of the whole file
    size_bytes: int
    mtime_ns: int  #: when it was changed, as its file system says, in ns since 1970
    remarks: tuple[str, ...] = ()  #: what was overlooked or chosen when it was decoded, for people

    def is_like(self, size_bytes: int, mtime_ns: int) -> bool:
        """Tell whether a file of this size and time need not be read to know that it holds the same."""
        return (self.size_bytes, self.mtime_ns) == (size_bytes, mtime_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredImage:
    """An image that the database knows."""

    id: int
    key: WellKey
    path: str
    imaged_at: datetime | None
    day_only: bool = False  #: only the day is known, by the robot's clock; `imaged_at` is its midnight in UTC
    version: FileVersion | None = None  #: of the file when it was read last; None until it is packed
    scores_before: int = 0  #: scores up to this one speak of it no more
    arrived_at: datetime | None = None  #: when it was taken, or else when it came in; the newest is scored first

    @property
    def sha256(self) -> str:
        """The hash of the file that it shows now; empty where it is not known."""
        return self.version.sha256 if self.version else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """When an image was taken."""

    at: datetime  #: UTC, time-zone aware
    day_only: bool  #: only the day is known, by the robot's clock; `at` is its midnight in UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class Postponement:
    """Why an image has no score yet, and when it is tried again."""

    image_id: int
    reason: str  #: one sentence
    tries: int  #: how often it was tried in vain, from 1
    since: datetime  #: of the first of them; UTC, time-zone aware
    next_at: datetime  #: not before; UTC, time-zone aware
    sha256: str = ""  #: of the file that could not be decoded; empty when it was not read, or is not to blame


@dataclass(frozen=True, slots=True, kw_only=True)
class Postponed:
    """How many images wait for one reason."""

    reason: str
    images: int
    since: datetime  #: of the one that waits longest
    next_at: datetime  #: when the first of them is tried again
    first: str = ""  #: the first of their paths


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What `add_images` did."""

    added: int
    known: int  #: there already, with the same key and path
    conflicts: tuple[str, ...]  #: path or key is taken by another image; one sentence each, nothing changed


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRecord:
    """An import that brought images."""

    id: int
    folder: str
    person: str  #: who ran it
    began_at: datetime  #: UTC, time-zone aware
    images: int  #: that it brought and that are still there


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """That images were taken back."""

    person: str
    what: str  #: ``plate P1``, ``import 7``
    why: str
    removed_at: datetime  #: UTC, time-zone aware
    images: int = 0  #: how many
    id: int = 0  #: 0 before it is recorded


class Imports(Protocol):
    """Which import brought an image; taking images back; following files that moved."""

    def begin_import(self, folder: str, person: str) -> int:
        """Record that an import of a folder begins, and return its number."""

    def imports(self) -> list[ImportRecord]:
        """Return every import that brought images which are still there, the last first."""

    def imported(self, import_id: int) -> list[StoredImage]:
        """Return the images that an import brought and that are still there."""

    def scored_by_hand(self, image_ids: Collection[int]) -> set[int]:
        """Return those of these images that a person has scored."""

    def remove_images(self, image_ids: Collection[int], removal: Removal) -> int:
        """Take images back, and return the number of the removal; their scores stay in the ledger, unseen."""

    def removals(self) -> list[Removal]:
        """Return what was taken back, by whom, the last first."""

    def images_below(self, folder: str) -> list[StoredImage]:
        """Return the images whose files lie in a folder or in those inside it."""

    def move_images(self, paths: Mapping[int, str]) -> None:
        """Note where the files of images are now."""

    def move_removed(self, old: str, new: str) -> int:
        """Note of all images below the folder `old` that were taken back that their files are below `new` now.

        Return how many they are.
        """


class Waiting(Protocol):
    """The images that have no score yet, and why."""

    def postpone(self, postponements: Collection[Postponement]) -> None:
        """Put images off, in place of what was said of them before."""

    def take_up(self, image_ids: Collection[int]) -> None:
        """Put images off no longer."""

    def postponements(self, image_ids: Collection[int]) -> dict[int, Postponement]:
        """Return by image why each of these images waits that was put off."""

    def postponed(self, *, plate: str | None = None) -> list[Postponed]:
        """Return how many images wait for each reason, of one plate or of all; most images first."""

    def postponed_images(self) -> list[StoredImage]:
        """Return every image that was put off, by id."""

    def unreadable_images(self) -> list[StoredImage]:
        """Return every image whose last automatic score says that it is unreadable, by id."""
