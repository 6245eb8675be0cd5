"""Pictures for browsers, made once for each image file and kept in the home folder.

A picture's file name holds the image's id and what its source file was like (path, time, size): a source that
changes gets a new picture, and the old one goes.
"""

import hashlib
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import simplejpeg
from PIL import Image as Pillow

from crystal_search.errors import ImageError
from crystal_search.files import clear_parts, unwaiting, write_whole
from crystal_search.formats.picture import JPEG_MAGIC, MAX_BYTES, PNG_MAGIC
from crystal_search.images import Colour, decode
from crystal_search.server.imaging.stored_images import StoredImage
from crystal_search.viewer.versions import MISSING, Versions, version_of, version_text

log = logging.getLogger(__name__)

THUMBNAIL_WIDTH_PX = 320
THUMBNAIL_QUALITY, FULL_QUALITY = 82, 92
PNG_DEPTH_AT = 24  #: byte of the bit depth, in the IHDR chunk that every PNG begins with
IMAGES_PER_FOLDER = 1000


@dataclass(frozen=True, slots=True)
class Picture:
    """What browsers can show."""

    content: Path | bytes  #: a file, or what could not be kept as one
    media_type: str


class Thumbnails:
    """The cache of pictures in one folder; several processes may share it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._versions = Versions()
        self._complained = False
        self._touched: dict[int, str] = {}  #: by image the version of a file that was touched, not changed

    def version(self, image: StoredImage) -> str:
        """Return the version of an image's file: the one that was read last, whose scores are shown beside it.

        Of a file that was not read yet it is that of now, without waiting long for it.
        """
        return self.versions([image])[image.id]

    def versions(self, images: Sequence[StoredImage]) -> dict[int, str]:
        """Return by image such versions of several files, for all of which together nobody waits long."""
        unread = [each for each in images if each.version is None]
        found = zip(unread, self._versions.get_all([each.path for each in unread]), strict=True)
        noted = {
            each.id: version_text(each.version.mtime_ns, each.version.size_bytes) for each in images if each.version
        }
        return noted | {each.id: version for each, version in found}

    def close(self) -> None:
        """Look at no more files."""
        self._versions.close()

    def thumbnail(self, image: StoredImage) -> Picture:
        """Return a small JPEG of the image.

        Raises
        ------
        ImageError
            If the file is missing or no image.
        """
        return self._kept("small", image, small_jpeg)

    def full(self, image: StoredImage) -> Picture:
        """Return the image as stored, or as a JPEG of the same size where browsers cannot show its format.

        Raises
        ------
        ImageError
            If the file is missing or no image.
        """
        self._check_same(image)
        try:
            with open(image.path, "rb", opener=unwaiting) as file:
                head = file.read(PNG_DEPTH_AT + 1)
        except (OSError, ValueError) as error:
            raise _unreadable(image, error) from error
        media_type = shown_as(head)
        return Picture(Path(image.path), media_type) if media_type else self._kept("full", image, full_jpeg)

    def _kept(self, kind: str, image: StoredImage, make: Callable[[bytes], bytes]) -> Picture:
        version = version_of(image.path)
        folder = self._folder / str(image.id // IMAGES_PER_FOLDER)
        source = hashlib.sha256(image.path.encode(errors="surrogateescape")).hexdigest()[:8]
        path = folder / f"{kind}-{image.id}-{source}-{version}.jpg"
        if version == MISSING or not os.path.isfile(path):
            self._check_same(image)
            picture = make(_content(image))
            try:
                self._keep(path, picture)
                clear_parts(folder)
                for old in folder.glob(f"{kind}-{image.id}-*.jpg"):
                    if old != path:
                        old.unlink(missing_ok=True)
            except OSError as error:
                self._complain(error)
                return Picture(picture, "image/jpeg")
        return Picture(path, "image/jpeg")

    def _check_same(self, image: StoredImage) -> None:
        """Raise an ImageError if a file holds another picture than the one whose scores are shown.

        That lasts until the change is noted and the image is scored anew. A file that was only touched is the same.
        """
        version = version_of(image.path)
        if image.version is None or version in (MISSING, self.version(image), self._touched.get(image.id)):
            return
        if hashlib.sha256(_content(image)).hexdigest() != image.version.sha256:
            raise ImageError(
                f"image {image.id} holds another picture than the one that was scored, or none; it is scored anew"
            )
        self._touched[image.id] = version

    def _keep(self, path: Path, picture: bytes) -> None:
        """Write a picture into the cache, which is made anew when it was deleted; the home above it is not."""
        for folder in (self._folder, path.parent):
            folder.mkdir(exist_ok=True)
        write_whole(path, picture)

    def _complain(self, error: OSError) -> None:
        if not self._complained:
            log.warning("pictures cannot be kept in %s (%s): each is made anew", self._folder, error.strerror)
            self._complained = True


def _unreadable(image: StoredImage, error: Exception) -> ImageError:
    return ImageError(f"image {image.id} cannot be read: {getattr(error, 'strerror', None) or error}")


def _content(image: StoredImage) -> bytes:
    try:
        with open(image.path, "rb", opener=unwaiting) as file:
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise _unreadable(image, error) from error


def shown_as(head: bytes) -> str:
    """Return as what browsers show a file that begins with `head`; empty where they cannot.

    >>> shown_as(JPEG_MAGIC), shown_as(b"BM")
    ('image/jpeg', '')
    """
    if head.startswith(JPEG_MAGIC):
        return "image/jpeg"
    return "image/png" if head.startswith(PNG_MAGIC) and head[PNG_DEPTH_AT : PNG_DEPTH_AT + 1] <= b"\x08" else ""


def small_jpeg(data: bytes) -> bytes:
    """Return the image in `data` as a JPEG of THUMBNAIL_WIDTH_PX, its proportions kept."""
    colour = decode(data, at_least_width_px=THUMBNAIL_WIDTH_PX).colour
    height, width = colour.shape[:2]
    if width > THUMBNAIL_WIDTH_PX:
        size = (THUMBNAIL_WIDTH_PX, max(1, round(height * THUMBNAIL_WIDTH_PX / width)))
        colour = np.asarray(Pillow.fromarray(colour).resize(size, Pillow.Resampling.LANCZOS, reducing_gap=2))
    return _jpeg(colour, THUMBNAIL_QUALITY)


def full_jpeg(data: bytes) -> bytes:
    """Return the image in `data` as a JPEG of its own size."""
    return _jpeg(decode(data).colour, FULL_QUALITY)


def _jpeg(colour: Colour, quality: int) -> bytes:
    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(colour), quality=quality, colorsubsampling="420"))
