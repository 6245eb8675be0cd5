"""MARCO's images as they are published: TFRecord files ``train-00001-of-00407`` and ``test-...`` (docs/archives.md).

Sources: Bruno et al. (2018), https://doi.org/10.1371/journal.pone.0198883, for the four classes; the manual of the
program that packed the files, https://github.com/ubccr/terf, for their names, features and label numbers.
"""

import re
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath

from crystal_search.archives.archive import Archive, ArchiveImage, ArchiveOptions, Items, LeftOut, naming
from crystal_search.archives.image_places import Place, Places, drop_name, split_in_name, unknown_place
from crystal_search.archives.label_names import Labels
from crystal_search.archives.tfrecord import Record, read_examples
from crystal_search.class_schemes import scheme_named
from crystal_search.errors import UserError

DEFAULT_SCHEME = "groups-4"
ENCODED, TEXT, LABEL = "image/encoded", "image/class/text", "image/class/label"
FILE_NAME, IDENTIFIER = "image/filename", "image/id"
CLASS_NUMBERS = {0: "Clear", 1: "Crystals", 2: "Other", 3: "Precipitate"}  #: of ``image/class/label``
_SHARD = re.compile(r"(?P<series>.*)-[0-9]{5}-of-(?P<total>[0-9]{5})")
_ROCKMAKER = re.compile(
    r"(?P<plate>[^_]+)_(?P<row>[A-Z]{1,2})(?P<column>[0-9]{1,2})_ImagerDefaults_[0-9]+\.[a-z]+", re.I
)
_HWI_STEM = re.compile(r"(?P<plate>[A-Z0-9]{10})[0-9]{4}(?P<time>[0-9]{12})\.[a-z]+", re.I)


def _images(shards: tuple[Path, ...], labels: Labels) -> Items:
    """Yield the images of files of records, file after file."""
    yield from incomplete_series(shards)
    seen: set[str] = set()
    for shard in shards:
        for record in read_examples(shard):
            image = _image(record, shard, labels)
            yield LeftOut(image.name, "packed again", shard.name) if image.name in seen else image
            seen.add(image.name)


def _image(record: Record, shard: Path, labels: Labels) -> ArchiveImage | LeftOut:
    features = record.features
    file = PurePosixPath(features.text(FILE_NAME).replace("\\", "/")).name
    identifier = features.number(IDENTIFIER)
    name = f"{identifier} {file}".strip() if identifier is not None else f"{shard.name}/{record.number} {file}"
    if not (data := features.data(ENCODED)):
        return LeftOut(name, "a record without an image", shard.name)
    place = place_of(file) if file else Place(name, is_known=False)
    with naming(f"{shard}, record {record.number}"):
        outcome = labels.outcome(label_of(record))
    split = split_in_name(shard.name)
    return ArchiveImage(
        name=name,
        content=data,
        outcome=outcome,
        well=place.well,
        plate=place.plate,
        is_drop_known=place.is_known,
        split=split,
    )


def label_of(record: Record) -> str:
    """Return the class of an image: its text, else what its number stands for.

    Raises
    ------
    UserError
        If it has neither, or a number that stands for none.
    """
    if text := record.features.text(TEXT):
        return text
    number = record.features.number(LABEL)
    if number is None:
        raise UserError(f"an image without {TEXT} and {LABEL}; these are no files of MARCO")
    if number not in CLASS_NUMBERS:
        known = ", ".join(f"{each} {name}" for each, name in CLASS_NUMBERS.items())
        raise UserError(f"no class has the number {number}; MARCO's are {known}")
    return CLASS_NUMBERS[number]


def place_of(file: str) -> Place:
    """Return plate and drop by the names that MARCO's sources gave their files; else the stem is the drop.

    >>> place_of("03c3_G6_ImagerDefaults_6.jpg").well, place_of("X0000056450155200509052032.png").well
    ('03c3 G06.1', 'X000005645 D11.1')
    """
    if found := _ROCKMAKER.fullmatch(file):
        well = f"{found['row'].upper()}{found['column'].zfill(2)}"
        return Place(drop_name(found["plate"], well), found["plate"])
    if found := _HWI_STEM.fullmatch(file):
        path = f"{found['plate']}{found['time']}jpg/{file}"  # the folder in which that robot keeps such a file
        return Places([path]).of(path)
    return unknown_place(file)


def incomplete_series(shards: tuple[Path, ...]) -> Iterator[LeftOut]:
    """Yield which series of files are not all there; what is there can be used."""
    found = Counter((match["series"], match["total"]) for each in shards if (match := _SHARD.fullmatch(each.name)))
    for (series, total), count in found.items():
        if count < int(total):
            yield LeftOut(f"{series}-...-of-{total}", "some files of a series are missing", f"{count} are here")


def open_marco(path: Path, options: ArchiveOptions) -> Archive:
    """Return the archive of the records in the file `path` or in the folder `path`, at any depth.

    Raises
    ------
    UserError
        If there are none.
    """
    labels = Labels(scheme_named(options.scheme or DEFAULT_SCHEME))
    if not path.exists():
        raise UserError(f"there is no file or folder {path}; name the folder of MARCO's files")
    below = sorted(each for each in path.rglob("*") if is_shard(each.name) and each.is_file())
    shards = (path,) if path.is_file() else tuple(below)
    if not shards:
        raise UserError(
            f"{path} has no TFRecord files, expected names like train-00001-of-00407 or ending in .tfrecord; "
            f"unpack the downloaded archive and name its folder"
        )
    return Archive(name="MARCO", scheme=labels.scheme, images=partial(_images, shards, labels))


def is_shard(name: str) -> bool:
    """Tell whether a file is one of TFRecords by its name."""
    return bool(_SHARD.fullmatch(name)) or name.lower().endswith((".tfrecord", ".tfrecords"))
