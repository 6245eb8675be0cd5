"""A packed dataset: chops and whole images in shards, and tables of what is in them.

A dataset is a folder (docs/dataset.md) with

* ``dataset.json``: what it is, and its shards with their sizes; what it does not list is not there;
* ``chops-SPLIT-00000.tar`` and ``images-SPLIT-00000.tar``: shards, tar files whose samples are made of parts
  ``KEY.PART``;
* beside each shard a table ``.csv`` with a row for each sample and where in the shard its parts lie.

Splits are ``train``, ``validation`` and ``test``; no well is in two of them. A dataset that is still being rendered
grows shard by shard.
"""

import csv
import io
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeVar

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image as Pillow

from crystal_search.archives.seen_objects import SeenObject, objects_in
from crystal_search.class_schemes import Scheme, scheme_named
from crystal_search.columns import plain
from crystal_search.errors import UserError
from crystal_search.geometry import Box
from crystal_search.images import IN_COLOUR
from crystal_search.outcomes import NO_DROP
from crystal_search.wells import SPLITS

ABOUT, DATASET_FORMAT, DATASET_VERSION = "dataset.json", "crystal-search dataset", 2
CHOPS, IMAGES = "chops", "images"  #: kinds of samples
#: Parts of samples: a chop's pixels and its row; of a whole image the file as it was and the drop's mask; the grey
#: view at working width, the outcome map and the drop's coverage, as arrays that can be mapped; its objects.
JPEG, ROW = "jpg", "json"
IMAGE, MASK, GREY, OUTCOMES, DROPS, OBJECTS = (
    "image", "mask.png", "grey.npy", "outcomes.npy", "drops.npy", "objects.json"
)  # fmt: skip
AGAIN = "build the dataset again (crystal-search dataset build)"
Pixels = NDArray[np.uint8]  #: (rows, columns), or (rows, columns, 3) in colour
Row = TypeVar("Row", "ChopRow", "WellRow")
Each = TypeVar("Each")
RENDERED = "rendered wells"  #: the source of a dataset that `dataset render` makes
SAMPLE_SEED = 0  #: whoever takes a sample of a split sees the same one


class Part(NamedTuple):
    """Where a part of a sample lies in its shard, in bytes."""

    offset: int
    size: int


def parts_text(parts: Mapping[str, Part]) -> str:
    """Return what a table says of a sample's parts.

    >>> parts_text({"image": Part(512, 20311), "mask.png": Part(21504, 900)})
    'image:512:20311 mask.png:21504:900'
    """
    return " ".join(f"{name}:{part.offset}:{part.size}" for name, part in parts.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardFile:
    """One shard as it was written."""

    file: str
    kind: str  #: ``chops`` or ``images``
    split: str
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
    shards: tuple[ShardFile, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRow:
    """One sample in a table."""

    key: str  #: unique in its split and kind
    outcome: str  #: one of the 13, or ``no_drop``
    image: str  #: name of the archive image that it shows, or was cut from
    well: str
    plate: str
    shard: str
    parts: str  #: where each part lies, see `parts_text`

    def part(self, name: str) -> Part | None:
        """Return where a part lies in the shard; None where the sample has no such part."""
        for each in self.parts.split():
            found, offset, size = each.split(":")
            if found == name:
                return Part(int(offset), int(size))
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChopRow(SampleRow):
    """One chop in a dataset's table."""

    top: int  #: of the chop within its view, working pixels
    left: int
    chop_top: int  #: of the chop within its patch
    chop_left: int
    contours: float  #: how much the chop shows, see `chopper.contours`


@dataclass(frozen=True, slots=True, kw_only=True)
class WellRow(SampleRow):
    """One whole image in a dataset's table."""

    @property
    def knows_drop(self) -> bool:
        """Whether it is known where the drop is."""
        return self.outcome != NO_DROP and (self.part(MASK) or self.part(DROPS)) is not None


class PackedDataset:
    """A dataset opened for reading; samples are read one by one, in any order."""

    def __init__(self, folder: Path, about: About) -> None:
        self.folder = folder
        self.about = about
        self._tables: dict[tuple[str, str, int], tuple[Any, ...]] = {}

    @property
    def scheme(self) -> Scheme:
        """The finest classes that all its labels have."""
        return scheme_named(self.about.scheme)

    @property
    def in_colour(self) -> bool:
        """Whether chops have three channels."""
        return self.about.normalisation in IN_COLOUR

    @property
    def rendered(self) -> bool:
        """Whether its wells were rendered straight into it; then it may be growing."""
        return self.about.sources == (RENDERED,)

    def shards(self, kind: str, split: str) -> tuple[ShardFile, ...]:
        """Return the shards of a split, in the order in which they were written."""
        return tuple(shard for shard in self.about.shards if (shard.kind, shard.split) == (kind, split))

    def refresh(self) -> None:
        """Take up the shards that were written since.

        Raises
        ------
        UserError
            If one of them is missing or cut off.
        """
        about = _about(self.folder)
        _check_there(self.folder, [shard for shard in about.shards if shard not in self.about.shards])
        self.about = about

    def chops(self, split: str) -> Sequence[ChopRow]:
        """Return the rows of all chops of a split."""
        return self._rows(ChopRow, CHOPS, split)

    def wells(self, split: str) -> Sequence[WellRow]:
        """Return the rows of all whole images of a split."""
        return self._rows(WellRow, IMAGES, split)

    def _rows(self, row: type[Row], kind: str, split: str) -> Sequence[Row]:
        shards = self.shards(kind, split)
        if (key := (kind, split, len(shards))) not in self._tables:
            self._tables[key] = tuple(each for shard in shards for each in self.table(row, shard))
        return self._tables[key]

    def table(self, row: type[Row], shard: ShardFile) -> tuple[Row, ...]:
        """Return the rows of one shard.

        Raises
        ------
        UserError
            If its table cannot be read.
        """
        path = self.folder / table_of(shard.file)
        try:
            with path.open(encoding="utf-8", newline="") as file:
                return tuple(_rows_in(csv.DictReader(file), row))
        except (OSError, KeyError, ValueError, TypeError) as error:
            raise UserError(f"{path} cannot be read: {error}; {AGAIN}") from error

    def patch(self, row: ChopRow) -> Pixels:
        """Return a chop with its surroundings, grey or RGB as the dataset's normalisation reads it.

        Raises
        ------
        UserError
            If its shard is damaged.
        """
        data = self.part(row, JPEG)
        try:
            pixels: Pixels = simplejpeg.decode_jpeg(data, "RGB" if self.in_colour else "GRAY")
        except ValueError as error:
            raise UserError(f"{self.folder / row.shard}: chop {row.key} does not decode: {error}; {AGAIN}") from error
        return pixels if self.in_colour else pixels[:, :, 0]

    def box(self, row: ChopRow) -> Box:
        """Return where in its patch a chop is."""
        side = self.about.side_px
        return Box(row.chop_top, row.chop_left, row.chop_top + side, row.chop_left + side)

    def image(self, row: WellRow) -> bytes:
        """Return a whole image as its archive had it; where it was never a file, its grey view as PNG."""
        if row.part(IMAGE):
            return self.part(row, IMAGE)
        buffer = io.BytesIO()
        Pillow.fromarray(np.asarray(self.array(row, GREY))).save(buffer, "PNG")
        return buffer.getvalue()

    def mask(self, row: WellRow) -> bytes | None:
        """Return the PNG of a drop's mask, None where there is none."""
        return self.part(row, MASK) if row.part(MASK) else None

    def objects(self, row: WellRow) -> tuple[SeenObject, ...] | None:
        """Return the crystals that are known in a whole image, None where nobody says which there are."""
        return objects_in(self.part(row, OBJECTS)) if row.part(OBJECTS) else None

    def array(self, row: WellRow, name: str) -> NDArray[np.uint8]:
        """Return the array in a part ``NAME.npy``, mapped into memory and not yet read.

        Raises
        ------
        UserError
            If the sample has no such part, or the shard is damaged.
        """
        path, (offset, _) = self._place(row, name)
        try:
            with path.open("rb") as file:
                file.seek(offset)
                np.lib.format.read_magic(file)
                shape, _, dtype = np.lib.format.read_array_header_1_0(file)
                return np.memmap(file, dtype, "r", file.tell(), shape)
        except (OSError, ValueError) as error:
            raise UserError(f"{path}: {row.key}.{name} cannot be read: {error}; {AGAIN}") from error

    def part(self, row: SampleRow, name: str) -> bytes:
        """Return the bytes of a part.

        Raises
        ------
        UserError
            If the sample has no such part, or the shard is damaged.
        """
        path, (offset, size) = self._place(row, name)
        try:
            with path.open("rb") as file:
                file.seek(offset)
                data = file.read(size)
        except OSError as error:
            raise UserError(f"cannot read {path}: {error.strerror}; {AGAIN}") from error
        if len(data) < size:
            raise UserError(f"{path} ends within the sample at {offset}; {AGAIN}")
        return data

    def _place(self, row: SampleRow, name: str) -> tuple[Path, Part]:
        if (part := row.part(name)) is None:
            raise UserError(f"{row.image} has no {name} in {self.folder}; build it of an archive that has")
        return self.folder / row.shard, part


@dataclass
class ShardsInUse(ABC):
    """The shards of a split that batches are drawn from; more are taken up while they are rendered."""

    kind: ClassVar[str] = IMAGES
    dataset: PackedDataset
    split: str = field(default="train", kw_only=True)
    shards: list[ShardFile] = field(default_factory=list, kw_only=True)

    def names(self) -> list[str]:
        """Return the shards in use, by their hashes: shards of all datasets have the same names."""
        return [shard.sha256 for shard in self.shards]

    def refresh(self) -> None:
        """Take up the shards that were written since."""
        self.dataset.refresh()
        self._take_up_all(self.dataset.shards(self.kind, self.split))

    def use(self, names: list[str]) -> None:
        """Draw from the shards `names`, which start with those in use already, from now on.

        Raises
        ------
        UserError
            If the dataset does not begin with exactly these shards.
        """
        self.dataset.refresh()
        wanted = self.dataset.shards(self.kind, self.split)[: len(names)]
        if [shard.sha256 for shard in wanted] != names or self.names() != names[: len(self.shards)]:
            raise UserError(f"{self.dataset.folder} is not the dataset that the training began with; name that one")
        self._take_up_all(wanted)

    def _take_up_all(self, shards: Sequence[ShardFile]) -> None:
        for shard in shards[len(self.shards) :]:
            self._take_up(shard)
            self.shards.append(shard)

    @abstractmethod
    def _take_up(self, shard: ShardFile) -> None:
        """Note what can be drawn from a shard."""


def open_dataset(folder: Path) -> PackedDataset:
    """Return the dataset in `folder`, every shard there and of its size.

    Raises
    ------
    UserError
        If there is none, it was built by another version, or a shard is missing or cut off.
    """
    about = _about(folder)
    _check_there(folder, about.shards)
    return PackedDataset(folder, about)


def _check_there(folder: Path, shards: Iterable[ShardFile]) -> None:
    for shard in shards:
        found = (folder / shard.file).stat().st_size if (folder / shard.file).is_file() else 0
        if found != shard.bytes:
            raise UserError(
                f"{folder / shard.file} has {found} bytes, expected {shard.bytes}; copy it again, or {AGAIN}"
            )


def _about(folder: Path) -> About:
    path = folder / ABOUT
    try:
        read: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            f"no dataset in {folder}: {path.name}: {error.strerror}; "
            "name a folder that `crystal-search dataset build` or `dataset render` made"
        ) from error
    except ValueError as error:
        raise UserError(f"{path} is no JSON: {error}; {AGAIN}") from error
    if not isinstance(read, dict) or (read.get("format"), read.get("version")) != (DATASET_FORMAT, DATASET_VERSION):
        raise UserError(f"{path} is no {DATASET_FORMAT} of version {DATASET_VERSION}; {AGAIN}")
    try:
        known = {each.name: read[each.name] for each in fields(About)}
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


def table_of(shard: str) -> str:
    """Return the name of a shard's table."""
    return f"{shard.removesuffix('.tar')}.csv"


def _rows_in(reader: Iterable[Mapping[str, str]], kind: type[Row]) -> Iterator[Row]:
    convert: dict[str, type] = {each.name: each.type for each in fields(kind)}  # type: ignore[misc]
    for line in reader:
        yield kind(**{name: to(plain(line[name])) for name, to in convert.items()})
