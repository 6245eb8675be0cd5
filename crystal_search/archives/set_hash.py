"""Which rendered set a figure was measured on: the SHA-256 of all its pictures and annotations together."""

import hashlib
import re
from pathlib import Path

from crystal_search.errors import UserError
from crystal_search.synthesis.rendered_folder import CHECKSUMS

_LINE = re.compile(r"([0-9a-f]{64})  (.+)")


def set_hash(folder: Path) -> str:
    """Return the SHA-256 of ``checksums.sha256`` in `folder`, once every file was found to be what it says.

    Empty where the folder has none, as one that people annotated.

    Raises
    ------
    UserError
        If a file is not the one that was written, or is missing, or the checksums are none.
    """
    try:
        data = (folder / CHECKSUMS).read_bytes()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise UserError(f"cannot read {folder / CHECKSUMS}: {error.strerror}; render the folder again") from error
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), start=1):
        told = _LINE.fullmatch(line)
        if not told:
            raise UserError(f"{folder / CHECKSUMS} line {number} is no checksum; render the folder again")
        if _sha256(folder / told[2]) != told[1]:
            raise UserError(
                f"{folder / told[2]} is not the file that was rendered ({CHECKSUMS}); render the folder again, or "
                f"delete {CHECKSUMS} if it was changed on purpose"
            )
    return hashlib.sha256(data).hexdigest()


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; render the folder again") from error
