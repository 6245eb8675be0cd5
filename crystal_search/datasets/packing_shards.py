"""Writing a packed dataset: shards and tables in a folder that is there whole or not at all."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from itertools import accumulate
from pathlib import Path
from typing import Any, Self

from crystal_search.columns import csv_text
from crystal_search.datasets.packed import ShardFile

MAX_SHARD_BYTES = 256 * 2**20
SHARDS_WANTED = 8  #: so that several workers each have their own
FEWEST_SAMPLES = 200  #: in a shard, before there are as many as are wanted
HEADS = 2048  #: bytes that a sample takes beside its main file, about
BLOCK = 512  #: bytes; a tar file has a head of one block before each file, and fills the last one up


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a file of a sample lies."""

    shard: str
    offset: int
    size: int


def shard_numbers(sizes: Sequence[int]) -> list[int]:
    """Return in which shard each sample of `sizes` bytes goes, so that shards are about equally large.

    >>> shard_numbers([100] * 400)[199:201]
    [0, 1]
    """
    ends = list(accumulate(size + HEADS for size in sizes))
    total = ends[-1] if ends else 0
    count = max(-(-total // MAX_SHARD_BYTES), min(SHARDS_WANTED, len(sizes) // FEWEST_SAMPLES), 1)
    return [(end - 1) * count // total for end in ends]


class ShardWriter:
    """Writes samples to one tar file after another."""

    def __init__(self, folder: Path, kind: str, sizes: Sequence[int]) -> None:
        """Plan shards ``KIND-00000.tar`` and on, about equally large, for samples of `sizes` bytes in this order."""
        self.shards: list[ShardFile] = []
        self._folder, self._kind = folder, kind
        self._plan = iter(shard_numbers(sizes))
        self._number = 0
        self._open: _Shard | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        elif self._open:
            self._open.abandon()

    def write(self, key: str, files: Mapping[str, bytes]) -> dict[str, Placed]:
        """Write one sample; return where each of its files lies, by their suffix."""
        if (number := next(self._plan)) != self._number:
            self.close()
            self._number = number
        if self._open is None:
            self._open = _Shard(self._folder / f"{self._kind}-{len(self.shards):05d}.tar")
        return self._open.write(key, files)

    def close(self) -> None:
        """Finish the last shard."""
        if self._open:
            self.shards.append(self._open.close())
            self._open = None


class _Shard:
    """One tar file that is being written."""

    def __init__(self, path: Path) -> None:
        from webdataset.writer import TarWriter

        self.filled = 0
        self._path = path
        self._stream = path.open("wb")
        # With a fixed time and owner, the same samples give the same file.
        self._tar: Any = TarWriter(self._stream, encoder=False, mtime=0, user="", group="")

    def write(self, key: str, files: Mapping[str, bytes]) -> dict[str, Placed]:
        self._tar.write({"__key__": key, **files})
        placed: dict[str, Placed] = {}
        for suffix in sorted(files):  # the order in which TarWriter writes them
            placed[suffix] = Placed(self._path.name, self.filled + BLOCK, len(files[suffix]))
            self.filled += _blocks(files[suffix])
        return placed

    def abandon(self) -> None:
        with suppress(OSError):
            self._tar.close()
        with suppress(OSError):
            self._stream.close()

    def close(self) -> ShardFile:
        self._tar.close()
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._stream.close()
        with self._path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return ShardFile(file=self._path.name, bytes=self._path.stat().st_size, sha256=digest)


def _blocks(data: bytes) -> int:
    """Return the bytes that a file takes in a tar file."""
    return BLOCK + -(-len(data) // BLOCK) * BLOCK


def row_json(row: Mapping[str, Any]) -> bytes:
    """Return a sample's row as it lies beside the sample."""
    return (json.dumps(row, ensure_ascii=False) + "\n").encode()


def write_table(path: Path, kind: type[Any], rows: Iterable[Any]) -> None:
    """Write rows, all of the dataclass `kind`, as a CSV file."""
    path.write_text(csv_text([field.name for field in fields(kind)], map(asdict, rows)), encoding="utf-8", newline="")


class Spool:
    """Patches that wait on the disk until it is known which split they belong to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("w+b")
        self._end = 0

    def add(self, data: bytes) -> int:
        """Keep `data`; return where it lies."""
        place = self._end
        self._file.write(data)
        self._end += len(data)
        return place

    def read(self, place: int, size: int) -> bytes:
        """Return what was kept."""
        self._file.seek(place)
        return self._file.read(size)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # what cannot be written any more is not needed any more
            self._file.close()
        self._path.unlink(missing_ok=True)
