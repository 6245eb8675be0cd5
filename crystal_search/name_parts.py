"""What a robot's name says, and how its parts are read: rows, wells, drops, times."""

import re
from dataclasses import dataclass
from datetime import date, datetime

from crystal_search.wells import PLATE_FORMATS

FORMATS_OF_TIMES = {6: "%y%m%d", 8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}  #: by the number of digits
WITH_A_CLOCK = 12  #: so many digits or more say more than the day


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadName:
    """What a name says.

    An inspection is told by its number; else by a session, whose number follows from the others of the plate; else
    by the image's own time.
    """

    plate: str
    row: int = 0  #: from 0
    column: int = 0  #: from 0
    well_number: int = 0  #: what the name has instead of these two: wells counted row by row, from 1
    drop: int = 1
    channel: str = "visible"
    inspection: int | None = None
    session: str = ""  #: sorts as the sessions of a plate follow each other
    began: datetime | None = None  #: by the robot's clock; a session in another channel soon after belongs to this one
    taken: date | datetime | None = None  #: by the robot's clock; a date where the name has no time


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a name cannot be read."""

    reason: str


Reading = ReadName | Refused


def row_of(letters: str) -> int:
    """Return the row that `letters` name, from 0; rows after Z go on with AA.

    >>> row_of("A"), row_of("H"), row_of("AF")
    (0, 7, 31)
    """
    row = 0
    for letter in letters.upper():
        row = row * 26 + ord(letter) - ord("A") + 1
    return row - 1


def well_of(number: int, plate_format: int) -> tuple[int, int] | Refused:
    """Return row and column, from 0, of a well that is counted row by row from 1.

    >>> well_of(13, 96)
    (1, 0)
    """
    rows, columns = PLATE_FORMATS[plate_format]
    if not 1 <= number <= rows * columns:
        return Refused(f"well {number} is not on a plate of {plate_format}; see --plate-format")
    return divmod(number - 1, columns)


def drop_of(text: str, letters: str) -> int | Refused:
    """Return the number of a drop that has a number or one of the `letters`, which are those of drops 1, 2, 3 ...

    >>> drop_of("2", "acd"), drop_of("d", "acd")
    (2, 3)
    """
    if re.fullmatch("[0-9]{1,9}", text):
        return int(text)
    if len(text) == 1 and text.lower() in letters:
        return letters.index(text.lower()) + 1
    if not re.fullmatch("[A-Za-z]", text):
        return Refused(f"the drop {text!r} is no number")
    known = ", ".join(letters)
    return Refused(f"the drop {text!r} is none of {known}; name the letters of this plate's drops with --drops")


def moment(digits: str) -> date | datetime | None:
    """Return the time in yymmdd, yyyymmdd, yyyymmddHHMM or yyyymmddHHMMSS, by the robot's clock; None when it is none.

    >>> moment("121121"), moment("202601311530")
    (datetime.date(2012, 11, 21), datetime.datetime(2026, 1, 31, 15, 30))
    """
    if len(digits) not in FORMATS_OF_TIMES or not re.fullmatch("[0-9]+", digits):
        return None
    try:
        found = datetime.strptime(digits, FORMATS_OF_TIMES[len(digits)])
    except ValueError:
        return None
    return found if len(digits) >= WITH_A_CLOCK else found.date()
