"""A work unit, version 2: a zip of images with a manifest that says how to score them.

The format is described in docs/work-unit.md; version 1 is read as well. Members are stored, never compressed, so that
a small file cannot unpack to a large one; and the same images, models and parameters give the same bytes.
"""

import json
import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from crystal_search.errors import CrystalSearchError, ImageError, WorkUnitError
from crystal_search.files import whole_file
from crystal_search.formats.picture_reading import stored_size
from crystal_search.hostile_json import Reader, read_whole
from crystal_search.model import ModelRef, models_named, sha256_of
from crystal_search.model_card import CrystalCard
from crystal_search.outcomes import THRESHOLD

UNIT_FORMAT, UNIT_VERSION = "crystal-search work unit", 2
MANIFEST = "manifest.json"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
IMAGE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
MEMBER = re.compile(r"images/[0-9]{4}\.(jpg|jpeg|png|tif|tiff|bmp)")
MAX_IMAGES = 1000
MAX_IMAGE_BYTES = 256 * 1024 * 1024
MAX_UNIT_BYTES = 2 * 1024 * 1024 * 1024
MAX_MANIFEST_BYTES = 10_000_000
HEAD_BYTES, LONG_HEAD_BYTES = 4_096, 65_536  #: of a picture, in which its size mostly stands; nearly always
SCORINGS = ("dense", "windowed")
CRYSTALS_FROM = 0.6  #: probability of the crystal group, from which crystals are searched for and count
NO_DROP_RULES = ("stop", "whole_image")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """How images are to be scored."""

    threshold: float = THRESHOLD  #: in (0, 1]
    best_chops: int = 5  #: how many chops are kept and framed
    scoring: Literal["dense", "windowed"] = "dense"
    overlays: bool = True  #: write a picture with frames beside the result
    no_drop: Literal["stop", "whole_image"] = "stop"  #: what to do where no drop was found
    crystals_from: float = CRYSTALS_FROM  #: in [0, 1]; counts where a model searches for crystals


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkUnitImage:
    """One image in a work unit."""

    id: str  #: the server's name for it, handed back in the result
    member: str  #: the zip member, ``images/NNNN.suffix``
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkUnit:
    """What a work unit says: its manifest."""

    name: str
    models: tuple[ModelRef, ...]  #: by role
    parameters: Parameters
    images: tuple[WorkUnitImage, ...]

    def asks(self, role: str) -> bool:
        """Tell whether a model of the role is to be used."""
        return any(model.role == role for model in self.models)


def write_work_unit(
    path: Path,
    *,
    name: str,
    models: tuple[ModelRef, ...],
    parameters: Parameters,
    images: Sequence[tuple[str, str, bytes]],
) -> WorkUnit:
    """Write a work unit to `path`, whole or not at all.

    Parameters
    ----------
    path
        The zip file; a part file beside it is renamed to it at the end.
    name
        Letters, digits, ``_`` and ``-``; at most 100.
    models
        The model of each role, in the order of their names.
    parameters
        How to score.
    images
        For each its id, its file suffix (``.jpg``) and the bytes of its file; 1 to 1000.

    Raises
    ------
    WorkUnitError
        If `read_work_unit` would refuse the file.
    """
    unit = WorkUnit(
        name=name,
        models=models,
        parameters=parameters,
        images=tuple(
            WorkUnitImage(
                id=image_id,
                member=f"images/{number:04d}{suffix.lower()}",
                sha256=sha256_of(data),
                size_bytes=len(data),
            )
            for number, (image_id, suffix, data) in enumerate(images)
        ),
    )
    manifest = manifest_to_json(unit).encode()
    manifest_from_json(manifest)
    members = zip((image.member for image in unit.images), (data for _, _, data in images), strict=True)
    _write_zip(path, [(MANIFEST, manifest), *members])
    return unit


def _write_zip(path: Path, members: Sequence[tuple[str, bytes]]) -> None:
    """Write a zip whole or not at all; on a full disk nothing of it stays, which would keep the disk full."""
    with whole_file(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data)


def manifest_to_json(unit: WorkUnit) -> str:
    """Return the manifest as text."""
    told = asdict(unit)
    if not unit.asks(CrystalCard.role):
        del told["parameters"]["crystals_from"]  # programs that know no such model refuse it
    return json.dumps({"format": UNIT_FORMAT, "version": UNIT_VERSION} | told, indent=1) + "\n"


def manifest_from_json(text: bytes) -> WorkUnit:
    """Return the work unit that a manifest describes.

    Raises
    ------
    WorkUnitError
        If the text is no manifest of version 2 or 1.
    """
    unit = read_whole(text, "manifest", WorkUnitError, _unit)
    if not unit.images:
        raise WorkUnitError(f"{unit.name}: a work unit has at least one image")
    for field in ("id", "member"):
        if len({getattr(image, field) for image in unit.images}) != len(unit.images):
            raise WorkUnitError(f"{unit.name}: two images have the same {field}")
    return unit


def _unit(read: Reader) -> WorkUnit:
    version = read.format(UNIT_FORMAT, UNIT_VERSION)
    models = models_named(read, version)
    searches = any(model.role == CrystalCard.role for model in models)
    return WorkUnit(
        name=read.text("name", pattern=NAME),
        models=models,
        parameters=read.object("parameters", partial(_parameters, searches=searches)),
        images=read.objects("images", _image, limit=MAX_IMAGES),
    )


def _parameters(read: Reader, searches: bool) -> Parameters:
    return Parameters(
        threshold=read.number("threshold", 0.01, 1),
        best_chops=read.integer("best_chops", 0, 100),
        scoring=read.choice("scoring", SCORINGS),  # type: ignore[arg-type]
        overlays=read.boolean("overlays"),
        no_drop=read.choice("no_drop", NO_DROP_RULES),  # type: ignore[arg-type]
        crystals_from=read.number("crystals_from", 0, 1) if searches else CRYSTALS_FROM,
    )


def _image(read: Reader) -> WorkUnitImage:
    return WorkUnitImage(
        id=read.text("id", pattern=IMAGE_ID),
        member=read.text("member", pattern=MEMBER),
        sha256=read.sha256("sha256"),
        size_bytes=read.integer("size_bytes", 0, MAX_IMAGE_BYTES),
    )


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip file; whatever is wrong with it is a WorkUnitError."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except FileNotFoundError as error:
        raise WorkUnitError(f"{path}: there is no such file") from error
    except (CrystalSearchError, MemoryError):
        raise
    except Exception as error:  # a library may stumble over a stranger's file in any way
        raise WorkUnitError(f"{path}: not a readable zip file: {error}") from error


def read_work_unit(path: Path) -> WorkUnit:
    """Return what the work unit at `path` says, its members checked by name, size and kind.

    The images' hashes are checked when `image_bytes` reads them.

    Raises
    ------
    WorkUnitError
        If the file breaks the format: no zip, cut off, members missing, extra, twice, compressed,
        of another size, or too large.
    """
    with _opened(path) as archive:
        members = archive.infolist()
        _check_members(path, members)
        unit = manifest_from_json(archive.read(MANIFEST))
        sizes = {member.filename: member.file_size for member in members if member.filename != MANIFEST}
        if sizes != {image.member: image.size_bytes for image in unit.images}:
            raise WorkUnitError(f"{path}: the members are not the images that the manifest lists")
        return unit


def _check_members(path: Path, members: list[zipfile.ZipInfo]) -> None:
    names = [member.filename for member in members]
    if len(members) > MAX_IMAGES + 1 or len(set(names)) != len(names) or MANIFEST not in names:
        raise WorkUnitError(f"{path}: expected one {MANIFEST} and at most {MAX_IMAGES} images, each once")
    for member in members:
        if member.filename != MANIFEST and not MEMBER.fullmatch(member.filename):
            raise WorkUnitError(f"{path}: a member is named {member.filename[:80]!r}")
        if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
            raise WorkUnitError(f"{path}: {member.filename} is compressed; members are stored")
        if member.flag_bits & 0x1:
            raise WorkUnitError(f"{path}: {member.filename} is encrypted")
        if member.file_size > (MAX_MANIFEST_BYTES if member.filename == MANIFEST else MAX_IMAGE_BYTES):
            raise WorkUnitError(f"{path}: {member.filename} has {member.file_size} bytes")
    if sum(member.file_size for member in members) > MAX_UNIT_BYTES:
        raise WorkUnitError(f"{path}: more than {MAX_UNIT_BYTES} bytes")


def image_sizes(path: Path, unit: WorkUnit) -> dict[str, tuple[int, int]]:
    """Return by id height and width, px as stored, of the pictures in the work unit at `path`; nothing is decoded.

    A picture whose header cannot be read is left out.

    Raises
    ------
    WorkUnitError
        If a member cannot be read.
    """
    found = {}
    with _opened(path) as archive:
        for image in unit.images:
            with suppress(ImageError):
                found[image.id] = _size_in(archive, image.member)
    return found


def _size_in(archive: zipfile.ZipFile, member: str) -> tuple[int, int]:
    with archive.open(member) as file:
        head = file.read(HEAD_BYTES)
        for more in (LONG_HEAD_BYTES, -1):  # a TIFF may have its header at the end
            with suppress(ImageError):
                return stored_size(head)
            head += file.read(more)
        return stored_size(head)


def image_bytes(path: Path, image: WorkUnitImage) -> bytes:
    """Return the file of one image in the work unit at `path`, its hash checked.

    Raises
    ------
    WorkUnitError
        If the member cannot be read or is another file than the manifest says.
    """
    with _opened(path) as archive:
        try:
            data = archive.read(image.member)
        except KeyError as error:
            raise WorkUnitError(f"{path}: {image.member} is missing") from error
    if (digest := sha256_of(data)) != image.sha256:
        raise WorkUnitError(f"{path}: {image.member} has sha256 {digest}, the manifest says {image.sha256}")
    return data
