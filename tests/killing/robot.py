"""A robot's folder, and all that happens to files in it: each act is a generator that yields how long it rests."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.killing.pictures import Picture, broken, drawn, place

WELLS = 12  #: pictures of a plate
PIECES = 5  #: of a copy that grows

Act = Iterator[float]  #: yields seconds until it goes on


class Robot:
    """Writes pictures, and knows what lies where in the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.truth: dict[Path, Picture] = {}  #: what each file holds, once all acts have ended
        self.shown: dict[str, Picture] = {}  #: every good picture there ever was, by SHA-256
        self._numbers = 0
        self._in_use: set[Path] = set()  #: files that an act is about
        folder.mkdir(parents=True, exist_ok=True)

    def copied(self, count: int) -> Act:
        """New pictures, each written at once."""
        for _ in range(count):
            path, picture = self._new()
            path.write_bytes(picture.data)
            yield 0.05

    def stalled(self, seconds: float) -> Act:
        """A copy that stops half way, and goes on."""
        path, picture = self._new()
        with self._using(path), path.open("wb", buffering=0) as file:
            middle = len(picture.data) // 2
            file.write(picture.data[:middle])
            yield seconds
            file.write(picture.data[middle:])

    def preallocated(self, seconds: float) -> Act:
        """A copy that has its full length from the start, zeros where nothing is written yet."""
        path, picture = self._new()
        with self._using(path), path.open("wb", buffering=0) as file:
            file.truncate(len(picture.data))
            middle = len(picture.data) // 2
            file.write(picture.data[:middle])
            yield seconds
            file.write(picture.data[middle:])

    def growing(self, seconds: float) -> Act:
        """A copy that comes in pieces."""
        path, picture = self._new()
        step = len(picture.data) // PIECES + 1
        with self._using(path), path.open("wb", buffering=0) as file:
            for begin in range(0, len(picture.data), step):
                file.write(picture.data[begin : begin + step])
                yield seconds / PIECES

    def broken(self) -> Act:
        """A file that will never be a picture."""
        path, picture = self._new(whole=False)
        path.write_bytes(picture.data)
        yield 0.0

    def replaced(self, where: float, count: int) -> Act:
        """Other pictures in place of some that are there: written over them, or renamed to them."""
        for number in range(count):
            if path := self._idle((where + number / count) % 1):
                self.truth[path] = picture = self._drawn()
                written = path.with_suffix(".new") if number % 2 else path
                written.write_bytes(picture.data)
                written.rename(path)
                yield 0.05

    def away(self, where: float, seconds: float) -> Act:
        """A file that is called otherwise for a while."""
        if path := self._idle(where):
            with self._using(path):
                aside = path.with_suffix(".away")
                path.rename(aside)
                yield seconds
                aside.rename(path)

    def unmounted(self, where: float, seconds: float) -> Act:
        """A folder that is not there for a while, as a share is."""
        if (path := self._idle(where)) and not any(each.parent == path.parent for each in self._in_use):
            members = [each for each in self.truth if each.parent == path.parent]
            with self._using(*members):
                aside = path.parent.with_name(f".{path.parent.name}")
                path.parent.rename(aside)
                yield seconds
                aside.rename(path.parent)

    def piped(self, where: float, seconds: float) -> Act:
        """A pipe in place of a file, into which nobody writes."""
        if path := self._idle(where):
            with self._using(path):
                aside = path.with_suffix(".away")
                path.rename(aside)
                os.mkfifo(path)
                yield seconds
                aside.rename(path)

    def _new(self, *, whole: bool = True) -> tuple[Path, Picture]:
        """Return where the next picture goes, and which one it is; not into a folder that is away."""
        plate, well = divmod(len(self.truth), WELLS)
        path = place(self.folder, plate, well)
        while path.parent.with_name(f".{path.parent.name}").exists():
            plate += 1000
            path = place(self.folder, plate, well)
        path.parent.mkdir(exist_ok=True)
        self.truth[path] = picture = self._drawn() if whole else broken(self._next())
        return path, picture

    def _drawn(self) -> Picture:
        picture = drawn(self._next())
        self.shown[picture.sha256] = picture
        return picture

    def _next(self) -> int:
        self._numbers += 1
        return self._numbers

    def _idle(self, where: float) -> Path | None:
        """Return a good picture that no act is about."""
        idle = [path for path, picture in self.truth.items() if picture.whole and path not in self._in_use]
        return idle[int(where * len(idle))] if idle else None

    @contextmanager
    def _using(self, *paths: Path) -> Iterator[None]:
        self._in_use.update(paths)
        yield
        self._in_use.difference_update(paths)
