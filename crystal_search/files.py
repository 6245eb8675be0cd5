"""Writing files whole or not at all."""

import os
from pathlib import Path

PART = ".part"  #: suffix of a file that is not whole yet


def write_whole(path: Path, content: bytes | str) -> None:
    """Write `content` to `path`: afterwards the file is there whole, whatever stops the program or the machine.

    The content goes to a part file beside it, down to the disk, and the part file is renamed.
    """
    part = path.with_name(path.name + PART)
    with part.open("wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
