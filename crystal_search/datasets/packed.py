"""A packed dataset: chops to train on and whole wells to measure on, in shards, and a table of what is in them.

A dataset is a folder with

* ``dataset.json``: what it is, its shards with their sizes, and how many chops of each outcome each split has;
* ``chops-SPLIT-00000.tar``: WebDataset shards (docs/dataset.md); a sample is ``KEY.jpg``, the chop with some of
  its surroundings at working width, and ``KEY.json``, its row of the table;
* ``wells-SPLIT-00000.tar``: samples ``KEY.image`` (the file as it was), ``KEY.json``, ``KEY.mask.png`` where a
  mask of the drop is known;
* ``chops-SPLIT.csv`` and ``wells-SPLIT.csv``: one row for each sample, with where in its shard it lies.

Splits are ``train``, ``validation`` and ``test``; no well is in two of them.
"""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from crystal_search.class_schemes import Scheme, scheme_named
from crystal_search.columns import plain
from crystal_search.errors import UserError
from crystal_search.geometry import Box
from crystal_search.images import IN_COLOUR
from crystal_search.wells import SPLITS

ABOUT, DATASET_FORMAT, DATASET_VERSION = "dataset.json", "crystal-search dataset", 1
AGAIN = "build the dataset again (crystal-search dataset build)"
Pixels = NDArray[np.uint8]  #: (rows, columns), or (rows, columns, 3) in colour
Row = TypeVar("Row", "ChopRow", "WellRow")
Each = TypeVar("Each")
SAMPLE_SEED = 0  #: whoever takes a sample of a split sees the same one


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardFile:
    """One shard as it was written."""

    file: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a dataset is."""

    scheme: str  #: of `class_schemes.SCHEMES`; the coarsest of its archives decides
    side_px: int  #: of a chop
    margin_px: int  #: of its surroundings, less where the image ends
    working_width_px: int  #: width of the view that the chops were cut from
    normalisation: str  #: of `images.NORMALISATIONS`; whether it is `IN_COLOUR` decides what the chops hold
    sources: tuple[str, ...]  #: the archives, in words
    command: str  #: that built it
    shards: tuple[ShardFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChopRow:
    """One chop in a dataset's table."""

    key: str  #: unique in the dataset
    outcome: str  #: one of the 13
    image: str  #: name of the archive image it was cut from
    well: str
    plate: str
    top: int  #: of the chop within its view, working pixels
    left: int
    chop_top: int  #: of the chop within its patch
    chop_left: int
    contours: float  #: how much the chop shows, see `chopper.contours`
    shard: str
    offset: int  #: of the patch's file in the shard, bytes
    size: int  #: of the patch's file, bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class WellRow:
    """One whole image in a dataset's table."""

    key: str
    outcome: str  #: one of the 13, or ``no_drop``
    image: str
    well: str
    plate: str
    shard: str
    offset: int  #: of the image's file in the shard, bytes
    size: int
    mask_offset: int  #: of the mask's file; 0 where there is none
    mask_size: int


class PackedDataset:
    """A dataset opened for reading; chops are read one by one, in any order."""

    def __init__(self, folder: Path, about: About) -> None:
        self.folder = folder
        self.about = about

    @property
    def scheme(self) -> Scheme:
        """The finest classes that all its labels have."""
        return scheme_named(self.about.scheme)

    @cached_property
    def _chops(self) -> dict[str, tuple[ChopRow, ...]]:
        return {split: _table(self.folder / f"chops-{split}.csv", ChopRow) for split in SPLITS}

    @cached_property
    def _wells(self) -> dict[str, tuple[WellRow, ...]]:
        return {split: _table(self.folder / f"wells-{split}.csv", WellRow) for split in SPLITS}

    def chops(self, split: str) -> Sequence[ChopRow]:
        """Return the rows of all chops of a split."""
        return self._chops[split]

    def wells(self, split: str) -> Sequence[WellRow]:
        """Return the rows of all whole images of a split."""
        return self._wells[split]

    def patch(self, row: ChopRow) -> Pixels:
        """Return a chop with its surroundings, grey or RGB as the dataset's normalisation reads it.

        Raises
        ------
        UserError
            If its shard is damaged.
        """
        data = self._part(row.shard, row.offset, row.size)
        try:
            kind = "RGB" if self.in_colour else "GRAY"
            pixels: Pixels = simplejpeg.decode_jpeg(data, kind)
        except ValueError as error:
            raise UserError(f"{self.folder / row.shard}: chop {row.key} does not decode: {error}; {AGAIN}") from error
        return pixels if self.in_colour else pixels[:, :, 0]

    @property
    def in_colour(self) -> bool:
        """Whether chops have three channels."""
        return self.about.normalisation in IN_COLOUR

    def box(self, row: ChopRow) -> Box:
        """Return where in its patch a chop is."""
        side = self.about.side_px
        return Box(row.chop_top, row.chop_left, row.chop_top + side, row.chop_left + side)

    def image(self, row: WellRow) -> bytes:
        """Return a whole image as its archive had it."""
        return self._part(row.shard, row.offset, row.size)

    def mask(self, row: WellRow) -> bytes | None:
        """Return the PNG of a drop's mask, None where there is none."""
        return self._part(row.shard, row.mask_offset, row.mask_size) if row.mask_size else None

    def _part(self, shard: str, offset: int, size: int) -> bytes:
        try:
            with (self.folder / shard).open("rb") as file:
                file.seek(offset)
                data = file.read(size)
        except OSError as error:
            raise UserError(f"cannot read {self.folder / shard}: {error.strerror}; {AGAIN}") from error
        if len(data) < size:
            raise UserError(f"{self.folder / shard} ends within the sample at {offset}; {AGAIN}")
        return data


class ShardsOfDataset:
    """What every source of batches from a dataset has: shards that stay the same for the whole training."""

    dataset: PackedDataset

    def names(self) -> list[str]:
        """Return the dataset's shards, by their hashes: shards of all datasets have the same names."""
        return [shard.sha256 for shard in self.dataset.about.shards]

    def refresh(self) -> None:
        """Do nothing: a dataset does not grow."""

    def use(self, names: list[str]) -> None:
        """Refuse to go on with another dataset than the training began with.

        Raises
        ------
        UserError
            If the dataset is not made of exactly these shards.
        """
        if names != self.names():
            raise UserError(f"{self.dataset.folder} is not the dataset that the training began with; name that one")


def open_dataset(folder: Path) -> PackedDataset:
    """Return the dataset in `folder`, every shard there and of its size.

    Raises
    ------
    UserError
        If there is none, it was built by another version, or a shard is missing or cut off.
    """
    path = folder / ABOUT
    try:
        fields_read: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            f"no dataset in {folder}: {path.name}: {error.strerror}; "
            "name a folder that `crystal-search dataset build` made"
        ) from error
    except ValueError as error:
        raise UserError(f"{path} is no JSON: {error}; {AGAIN}") from error
    about = _about(path, fields_read)
    for shard in about.shards:
        found = (folder / shard.file).stat().st_size if (folder / shard.file).is_file() else 0
        if found != shard.bytes:
            raise UserError(
                f"{folder / shard.file} has {found} bytes, expected {shard.bytes}; copy it again, or {AGAIN}"
            )
    return PackedDataset(folder, about)


def _about(path: Path, read: Any) -> About:
    if not isinstance(read, dict) or (read.get("format"), read.get("version")) != (DATASET_FORMAT, DATASET_VERSION):
        raise UserError(f"{path} is no {DATASET_FORMAT} of version {DATASET_VERSION}; {AGAIN}")
    try:
        known = {field.name: read[field.name] for field in fields(About)}
        known["shards"] = tuple(ShardFile(**each) for each in known["shards"])
        known["sources"] = tuple(known["sources"])
        return About(**known)
    except (KeyError, TypeError) as error:
        raise UserError(f"{path} lacks or misnames {error}; {AGAIN}") from error


def splits_of_wells(dataset: PackedDataset) -> dict[str, str]:
    """Return the split of every well of a dataset."""
    chops = {row.well: split for split in SPLITS for row in dataset.chops(split)}
    return chops | {row.well: split for split in SPLITS for row in dataset.wells(split)}


def sampled(rows: Sequence[Each], count: int | None) -> Sequence[Each]:
    """Return at most `count` of `rows`, in their order, always the same ones.

    >>> sampled([1, 2, 3], None), len(sampled([1, 2, 3], 2))
    ([1, 2, 3], 2)
    """
    if count is None or len(rows) <= count:
        return rows
    chosen = np.random.default_rng(SAMPLE_SEED).choice(len(rows), count, replace=False)
    return [rows[index] for index in sorted(chosen.tolist())]


def about_json(about: About) -> str:
    """Return the text of ``dataset.json``."""
    return json.dumps({"format": DATASET_FORMAT, "version": DATASET_VERSION} | asdict(about), indent=1) + "\n"


def _table(path: Path, kind: type[Row]) -> tuple[Row, ...]:
    if not path.exists():
        return ()
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return tuple(_rows(csv.DictReader(file), kind))
    except (KeyError, ValueError, TypeError) as error:
        raise UserError(f"{path} cannot be read: {error}; {AGAIN}") from error


def _rows(reader: Iterable[Mapping[str, str]], kind: type[Row]) -> Iterator[Row]:
    convert: dict[str, type] = {field.name: field.type for field in fields(kind)}  # type: ignore[misc]
    for line in reader:
        yield kind(**{name: to(plain(line[name])) for name, to in convert.items()})
