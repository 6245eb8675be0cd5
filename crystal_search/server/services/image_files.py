"""Reading the file of an image, with what tells whether it is still the same later."""

import errno
import hashlib
import os
import stat
from pathlib import Path

from crystal_search.files import unwaiting
from crystal_search.images import SUFFIXES
from crystal_search.server.imaging.stored_images import FileVersion
from crystal_search.server.patience import UnansweredError
from crystal_search.work_unit import MAX_IMAGE_BYTES


class NotNowError(OSError):
    """The file of an image cannot be taken now; the message says why, without its name."""


def read_image(path: str) -> tuple[bytes, FileVersion]:
    """Return what a file holds, and which version of it that is.

    Raises
    ------
    NotNowError
        If it changes meanwhile, is empty, too large, or no file.
    OSError
        If it cannot be read.
    """
    _check_suffix(path)
    with open(path, "rb", opener=unwaiting) as file:
        before = os.fstat(file.fileno())
        if not stat.S_ISREG(before.st_mode):
            raise NotNowError("it is no regular file")
        if before.st_size > MAX_IMAGE_BYTES:
            raise NotNowError(f"its file has more than {MAX_IMAGE_BYTES} bytes")
        data = file.read(MAX_IMAGE_BYTES + 1)
        after = os.fstat(file.fileno())
    if not data:
        raise NotNowError("its file is empty")
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or len(data) != after.st_size:
        raise NotNowError("its file is being written")
    version = FileVersion(sha256=hashlib.sha256(data).hexdigest(), size_bytes=after.st_size, mtime_ns=after.st_mtime_ns)
    return data, version


def _check_suffix(path: str) -> None:
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise NotNowError(f"its suffix {suffix!r} is none of {', '.join(SUFFIXES)}")


def why_not_now(path: str, error: OSError) -> str:
    """Return in a few words, the same for all images with the same trouble, why a file cannot be read."""
    if isinstance(error, NotNowError):
        return str(error)
    if isinstance(error, UnansweredError):
        return f"its share does not answer: {error}"
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return "its file is gone" if folder_is_there(path) else "its folder is gone, or its share is not mounted"
    return f"its file cannot be read: {error.strerror or type(error).__name__}"


def is_of_the_share(error: OSError, path: str) -> bool:
    """Tell whether it is not the file, but what it lies on, that cannot be read."""
    if isinstance(error, NotNowError | UnansweredError):
        return isinstance(error, UnansweredError)
    return not folder_is_there(path)


def folder_is_there(path: str) -> bool:
    """Tell whether the folder of an image can be reached and holds anything.

    A share that is not mounted is no folder, or an empty one.
    """
    try:
        with os.scandir(Path(path).parent) as entries:
            return next(entries, None) is not None
    except OSError:
        return False
