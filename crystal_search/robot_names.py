"""From the name that a robot gave an image to the plate, well, drop and inspection it shows (docs/importing.md).

A name is read by one convention for a whole folder; what does not fit is refused with a reason, never guessed.
"""

from collections.abc import Iterable, Sequence
from unicodedata import normalize

from crystal_search.known_names import unknown_name
from crystal_search.name_parts import Reading, ReadName, Refused
from crystal_search.naming import CONVENTION_NAMES, MAX_BARCODE, MISTAKEABLE, Naming, is_barcode
from crystal_search.robot_conventions import CONVENTIONS
from crystal_search.wells import CHANNELS

MAX_ROWS, MAX_COLUMNS, MAX_DROPS, MAX_INSPECTIONS = 64, 96, 99, 99_999
NOT_UTF8 = "the name is not UTF-8; rename it"

#: Conventions that no other files follow by chance, and all that need not be told.
ROBOTS = tuple(name for name in CONVENTION_NAMES if name not in ("pattern", *MISTAKEABLE))
DETECTABLE = (*ROBOTS, *MISTAKEABLE)


def read_name(path: str, naming: Naming) -> Reading:
    """Return what the name of the file `path` says, by one convention (neither ``auto`` nor ``any``).

    >>> name = read_name("/x/90j8_2018-04-11_RI1000-0081-2drop/90j8_02C_1.jpg", Naming(convention="xchem"))
    >>> name.plate, name.row, name.column, name.session
    ('90j8', 2, 1, '90j8_2018-04-11_RI1000-0081-2drop')
    """
    if not is_utf8(path):
        return Refused(NOT_UTF8)
    reading = CONVENTIONS[naming.convention](normalize("NFC", path), naming)
    return _bounded(reading) if isinstance(reading, ReadName) else reading


def is_utf8(path: str) -> bool:
    """Tell whether a database can keep a path; names in other encodings come with lone surrogates."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def detected(paths: Iterable[str], *, among: Sequence[str] = ROBOTS) -> str:
    """Return the convention by which most of `paths` can be read; empty when none can.

    Parameters
    ----------
    paths
        Files, each with the folders it is in.
    among
        Conventions that may be found, the first where several read as many.
    """
    candidates = [Naming(convention=name) for name in among]
    counts = dict.fromkeys(among, 0)
    for path in paths:
        for naming in candidates:
            counts[naming.convention] += isinstance(read_name(path, naming), ReadName)
    best = max(counts, key=lambda name: counts[name])
    return best if counts[best] else ""


def _bounded(name: ReadName) -> Reading:
    """Refuse what no plate has: such a name means something else."""
    if not is_barcode(name.plate):
        return Refused(f"{name.plate[:MAX_BARCODE]!r} is no barcode")
    if not 0 <= name.row < MAX_ROWS or not 0 <= name.column < MAX_COLUMNS:
        return Refused(f"row {name.row + 1}, column {name.column + 1} is on no plate")
    if not 1 <= name.drop <= MAX_DROPS:
        return Refused(f"drop {name.drop} is none; drops count from 1 to {MAX_DROPS}")
    if name.inspection is not None and not 1 <= name.inspection <= MAX_INSPECTIONS:
        return Refused(f"inspection {name.inspection} is none; inspections count from 1 to {MAX_INSPECTIONS}")
    if name.channel not in CHANNELS:
        return Refused(str(unknown_name(CHANNELS, name.channel, "channel")))
    return name
