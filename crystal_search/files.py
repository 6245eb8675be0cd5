"""Writing files whole or not at all."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

PART = ".part"  #: suffix of a file that is not whole yet


def write_whole(path: Path, content: bytes | str) -> None:
    """Write `content` to `path`, whole or not at all; once this returns, not even a power cut takes it away.

    It goes to a hidden part file beside it, down to the disk, and the part file is renamed. What was written of it
    before an error is removed, so that a full disk is not fuller.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PART}")
    try:
        with part.open("xb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    _settle(path.parent)


def _settle(folder: Path) -> None:
    """Have the names in `folder` on the disk, where the file system does such a thing."""
    with suppress(OSError):  # some network file systems, and Windows, do not
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
