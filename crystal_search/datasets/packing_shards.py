"""Writing a packed dataset's shards, each with its table."""

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, fields
from itertools import accumulate
from pathlib import Path
from typing import Any, Self

from crystal_search.columns import csv_text
from crystal_search.datasets.packed import (
    CHOPS,
    IMAGES,
    ROW,
    ChopRow,
    Part,
    SampleRow,
    ShardFile,
    WellRow,
    parts_text,
    table_of,
)

ROWS: dict[str, type[SampleRow]] = {CHOPS: ChopRow, IMAGES: WellRow}  #: of tables, by the kind of samples
MAX_SHARD_BYTES = 256 * 2**20
SHARDS_WANTED = 8  #: so that several workers each have their own
FEWEST_SAMPLES = 200  #: in a shard, before there are as many as are wanted
HEADS = 2048  #: bytes that a sample takes beside its main file, about


def shard_numbers(sizes: Sequence[int]) -> list[int]:
    """Return in which shard each sample of `sizes` bytes goes, so that shards are about equally large.

    >>> shard_numbers([100] * 400)[199:201]
    [0, 1]
    """
    ends = list(accumulate(size + HEADS for size in sizes))
    total = ends[-1] if ends else 0
    count = max(-(-total // MAX_SHARD_BYTES), min(SHARDS_WANTED, len(sizes) // FEWEST_SAMPLES), 1)
    return [(end - 1) * count // total for end in ends]


class Shard:
    """One shard that is being written; the same samples give the same bytes."""

    def __init__(self, folder: Path, kind: str, split: str, number: int) -> None:
        """Begin the shard ``KIND-SPLIT-NUMBER.tar`` of `folder`."""
        self._path = folder / f"{kind}-{split}-{number:05d}.tar"
        self._kind, self._split = kind, split
        self._stream = self._path.open("wb")
        self._tar = tarfile.TarFile(fileobj=self._stream, mode="w", format=tarfile.USTAR_FORMAT)
        self._rows: list[SampleRow] = []

    def write(self, known: Mapping[str, Any], parts: Mapping[str, bytes]) -> None:
        """Write one sample.

        Parameters
        ----------
        known
            Its row of the table, but for where it lies.
        parts
            Its parts by name; the row is one more.
        """
        text = (json.dumps(known, ensure_ascii=False) + "\n").encode()
        placed = {
            name: self._add(f"{known['key']}.{name}", data) for name, data in sorted({**parts, ROW: text}.items())
        }
        del placed[ROW]
        self._rows.append(ROWS[self._kind](**known, shard=self._path.name, parts=parts_text(placed)))

    def _add(self, name: str, data: bytes) -> Part:
        head = tarfile.TarInfo(name)  # its time and owner are 0
        head.size = len(data)
        self._tar.addfile(head, io.BytesIO(data))
        return Part(self._tar.offset - -(-len(data) // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE, len(data))

    def close(self) -> ShardFile:
        """Finish the shard and its table, and return what is there."""
        self._tar.close()
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._stream.close()
        write_table(self._path.with_name(table_of(self._path.name)), ROWS[self._kind], self._rows)
        with self._path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = self._path.stat().st_size
        return ShardFile(file=self._path.name, kind=self._kind, split=self._split, bytes=size, sha256=digest)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # of a shard that is not finished, what cannot be written is not needed
            self._stream.close()


class ShardWriter:
    """Writes the samples of one kind and split to one shard after another."""

    def __init__(self, folder: Path, kind: str, split: str, sizes: Sequence[int]) -> None:
        """Plan shards, about equally large, for samples of `sizes` bytes in this order."""
        self.shards: list[ShardFile] = []
        self._series = folder, kind, split
        self._plan = iter(shard_numbers(sizes))
        self._open: Shard | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._close()
        elif self._open:
            self._open.__exit__()

    def write(self, known: Mapping[str, Any], parts: Mapping[str, bytes]) -> None:
        """Write one sample, as `Shard.write` does."""
        if next(self._plan) != len(self.shards):
            self._close()
        if self._open is None:
            self._open = Shard(*self._series, len(self.shards))
        self._open.write(known, parts)

    def _close(self) -> None:
        if self._open:
            self.shards.append(self._open.close())
            self._open = None


def write_table(path: Path, kind: type[Any], rows: Sequence[Any]) -> None:
    """Write rows, all of the dataclass `kind`, as a CSV file."""
    path.write_text(csv_text([field.name for field in fields(kind)], map(asdict, rows)), encoding="utf-8", newline="")


class Spool:
    """Patches that wait on the disk until it is known which split they belong to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("w+b")
        self._end = 0

    def add(self, data: bytes) -> Part:
        """Keep `data`; return where it lies."""
        place = Part(self._end, len(data))
        self._file.write(data)
        self._end += len(data)
        return place

    def read(self, place: Part) -> bytes:
        """Return what was kept."""
        self._file.seek(place.offset)
        return self._file.read(place.size)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # what cannot be written any more is not needed any more
            self._file.close()
        self._path.unlink(missing_ok=True)
