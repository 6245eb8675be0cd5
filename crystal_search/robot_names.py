"""From the name that a robot gave an image to the plate, well, drop and inspection it shows (docs/importing.md).

A name is read by one convention for a whole folder; what does not fit is refused with a reason, never guessed.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from crystal_search.errors import UnknownNameError, UserError
from crystal_search.images import SUFFIXES
from crystal_search.wells import CHANNELS

PLATE_FORMATS = {48: (6, 8), 96: (8, 12), 384: (16, 24), 1536: (32, 48)}  #: wells -> rows, columns
MAX_ROWS, MAX_COLUMNS, MAX_DROPS, MAX_INSPECTIONS = 64, 96, 99, 99_999
MAX_BARCODE = 100  #: characters
NOT_UTF8 = "the name is not UTF-8; rename it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """How the names in a folder are to be read.

    Raises
    ------
    UserError
        If the parts do not go together, or the pattern is none.
    """

    convention: str = "auto"  #: ``auto``, ``any`` or a name in CONVENTIONS
    pattern: str = ""  #: regular expression of convention ``pattern``
    plate_format: int = 96  #: wells of a plate, where the name counts wells
    plate: str = ""  #: barcode, where the name has none
    profile: int = 0  #: the only RockImager profile that counts; 0: all

    def __post_init__(self) -> None:
        names = ("auto", "any", *CONVENTIONS)
        if self.convention not in names:
            raise UnknownNameError(f"no convention {self.convention!r}; choose from {', '.join(names)}")
        if self.plate_format not in PLATE_FORMATS:
            formats = ", ".join(map(str, PLATE_FORMATS))
            raise UserError(f"no plate has {self.plate_format} wells; choose from {formats}")
        if bool(self.pattern) != (self.convention == "pattern"):
            raise UserError("a pattern goes with the names 'pattern', and these with a pattern; give both")
        groups = compiled(self.pattern).groupindex if self.pattern else ()
        _check_barcode(self, groups)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadName:
    """What a name says."""

    plate: str
    row: int  #: from 0
    column: int  #: from 0
    drop: int = 1
    channel: str = "visible"
    inspection: int | None = None  #: None: the name tells a session, whose number follows from the others
    session: str = ""  #: sorts as the sessions of a plate follow each other
    imaged_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a name cannot be read."""

    reason: str


Reading = ReadName | Refused

_SUFFIX = f"(?:{'|'.join(re.escape(suffix) for suffix in SUFFIXES)})"


def read_name(path: str, naming: Naming) -> Reading:
    """Return what the name of the file `path` says, by one convention (neither ``auto`` nor ``any``).

    >>> name = read_name("/x/90j8_2018-04-11_RI1000-0081-2drop/90j8_02C_1.jpg", Naming(convention="xchem"))
    >>> name.plate, name.row, name.column, name.session
    ('90j8', 2, 1, '90j8_2018-04-11_RI1000-0081-2drop')
    """
    if not is_utf8(path):
        return Refused(NOT_UTF8)
    reading = CONVENTIONS[naming.convention](path, naming)
    return _bounded(reading) if isinstance(reading, ReadName) else reading


def is_utf8(path: str) -> bool:
    """Tell whether a database can keep a path; names in other encodings come with lone surrogates."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def detected(paths: Iterable[str]) -> str:
    """Return the convention by which most of `paths` can be read; empty when none can."""
    candidates = [Naming(convention=name) for name in CONVENTIONS if name != "pattern"]
    counts = dict.fromkeys((naming.convention for naming in candidates), 0)
    for path in paths:
        for naming in candidates:
            counts[naming.convention] += isinstance(read_name(path, naming), ReadName)
    best = max(counts, key=lambda name: counts[name])
    return best if counts[best] else ""


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


def moment(digits: str) -> datetime | None:
    """Return the time in yymmdd, yyyymmdd, yyyymmddHHMM or yyyymmddHHMMSS, taken as UTC; None when it is none.

    >>> moment("121121")
    datetime.datetime(2012, 11, 21, 0, 0, tzinfo=datetime.timezone.utc)
    """
    formats = {6: "%y%m%d", 8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
    if len(digits) not in formats or not re.fullmatch("[0-9]+", digits):
        return None
    try:
        return datetime.strptime(digits, formats[len(digits)]).replace(tzinfo=UTC)
    except ValueError:
        return None


_RIGAKU = re.compile(
    r"(?:[^_]*_){7}[^_]{4}(?P<plate>[^_]+)_(?P<inspection>[0-9]{1,5})_(?P<date>[0-9]{6})"
    rf"_(?P<column>[0-9]{{1,3}})_(?P<row>[0-9]{{1,3}})_(?P<drop>[0-9]{{1,3}})(?:_[^_]*)*{_SUFFIX}",
    re.IGNORECASE,
)


def rigaku(path: str, naming: Naming) -> Reading:
    """Read a name of Rigaku's Minstrel or CrystalMation: fields between underscores, the barcode in the eighth."""
    if not (found := _RIGAKU.fullmatch(_file(path))):
        return Refused("not like ..._0000BARCODE_INSPECTION_yymmdd_COLUMN_ROW_DROP_....jpg")
    if not (imaged_at := moment(found["date"])):
        return Refused(f"{found['date']} is no date yymmdd")
    return ReadName(
        plate=found["plate"],
        row=int(found["row"]) - 1,
        column=int(found["column"]) - 1,
        drop=int(found["drop"]),
        inspection=int(found["inspection"]),
        imaged_at=imaged_at,
    )


_FORMULATRIX = re.compile(
    r"(?:.*/)?plateID_(?P<plate>[0-9]{1,18})/batchID_(?P<batch>[0-9]{1,18})/wellNum_(?P<well>[0-9]{1,5})"
    rf"/profileID_(?P<profile>[0-9]{{1,18}})/d(?P<drop>[0-9]{{1,3}})_r[0-9]{{1,9}}_(?P<kind>[^/]*){_SUFFIX}",
    re.IGNORECASE | re.DOTALL,
)


def formulatrix(path: str, naming: Naming) -> Reading:
    """Read a path of Formulatrix' RockImager; only extended-focus images count, a batch is an inspection."""
    if not (found := _FORMULATRIX.fullmatch(path)):
        return Refused("not like plateID_N/batchID_N/wellNum_N/profileID_N/dDROP_rREGION_ef.jpg")
    if found["kind"].lower() != "ef":
        return Refused("no extended-focus image (..._ef.jpg)")
    if naming.profile not in (0, int(found["profile"])):
        return Refused(f"of profile {found['profile']}, not {naming.profile}")
    well = well_of(int(found["well"]), naming.plate_format)
    if isinstance(well, Refused):
        return well
    return ReadName(
        plate=found["plate"], row=well[0], column=well[1], drop=int(found["drop"]), session=found["batch"].zfill(18)
    )


_XCHEM = re.compile(
    rf"(?P<plate>[^_]+)_(?P<column>[0-9]{{2}})(?P<row>[A-Z]{{1,2}})_(?P<drop>[0-9]{{1,3}}){_SUFFIX}", re.IGNORECASE
)
_XCHEM_FOLDER = re.compile(r"(?P<plate>[^_]+)_(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})(?:_.*)?", re.DOTALL)


def xchem(path: str, naming: Naming) -> Reading:
    """Read a name of XChem; the date of the inspection is in the name of the folder."""
    if not (found := _XCHEM.fullmatch(_file(path))):
        return Refused("not like PLATE_01A_1.jpg")
    if not (folder := _XCHEM_FOLDER.fullmatch(_folder(path))):
        return Refused(f"the folder {_folder(path)!r} is not like PLATE_yyyy-mm-dd_...")
    if not (imaged_at := moment(folder["date"].replace("-", ""))):
        return Refused(f"{folder['date']} is no date")
    if folder["plate"] != found["plate"]:
        return Refused(f"the folder is of plate {folder['plate']}, the file of plate {found['plate']}")
    return ReadName(
        plate=found["plate"],
        row=row_of(found["row"]),
        column=int(found["column"]) - 1,
        drop=int(found["drop"]),
        session=_folder(path),
        imaged_at=imaged_at,
    )


_HWI_CHANNELS = {"jpg": "visible", "uvt": "uv", "shg": "shg"}
_HWI = re.compile(rf"(?P<plate>[A-Z0-9]{{10}})(?P<well>[0-9]{{4}})(?P<date>[0-9]{{12}}){_SUFFIX}", re.IGNORECASE)
_HWI_FOLDER = re.compile(r"(?P<plate>[A-Z0-9]{10})(?P<date>[0-9]{12})[._-]?(?P<kind>jpg|uvt|shg)", re.IGNORECASE)


def hwi(path: str, naming: Naming) -> Reading:
    """Read a name of the Hauptman-Woodward Institute: plate, well of 1536, time; the folder tells the channel."""
    if not (found := _HWI.fullmatch(_file(path))):
        return Refused("not like PLATE (10 characters) WELL (4 digits) yyyymmddHHMM.jpg")
    if not (folder := _HWI_FOLDER.fullmatch(_folder(path))):
        return Refused(f"the folder {_folder(path)!r} is not like PLATE (10 characters) yyyymmddHHMM jpg|uvt|shg")
    if folder["plate"] != found["plate"]:
        return Refused(f"the folder is of plate {folder['plate']}, the file of plate {found['plate']}")
    imaged_at = moment(found["date"])
    if not imaged_at or not moment(folder["date"]):
        return Refused(f"{folder['date']} or {found['date']} is no time yyyymmddHHMM")
    well = well_of(int(found["well"]), 1536)
    if isinstance(well, Refused):
        return well
    return ReadName(
        plate=found["plate"],
        row=well[0],
        column=well[1],
        channel=_HWI_CHANNELS[folder["kind"].lower()],
        session=folder["date"],
        imaged_at=imaged_at,
    )


PATTERN_GROUPS = ("plate", "row", "column", "drop", "inspection", "channel", "date")
_NUMBER = re.compile("[0-9]{1,9}")
_ROW = re.compile("[A-Za-z]{1,2}")


@lru_cache(maxsize=16)
def compiled(pattern: str) -> re.Pattern[str]:
    """Return a facility's own pattern, compiled.

    Raises
    ------
    UserError
        If it is no regular expression, names a group that nothing reads, or does not tell row and column.
    """
    try:
        expression = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise UserError(f"the pattern {pattern!r} is no regular expression: {error}") from error
    known = ", ".join(PATTERN_GROUPS)
    if unknown := sorted(expression.groupindex.keys() - set(PATTERN_GROUPS)):
        raise UserError(f"the pattern {pattern!r} names the group {', '.join(unknown)}; choose from {known}")
    if missing := [name for name in ("row", "column") if name not in expression.groupindex]:
        raise UserError(f"the pattern {pattern!r} lacks (?P<{missing[0]}>...); groups that are read: {known}")
    return expression


def own_pattern(path: str, naming: Naming) -> Reading:
    """Read the end of a path, from the start of a folder's or the file's name, by a facility's own expression."""
    expression = compiled(naming.pattern)
    starts = [0, *(found.end() for found in re.finditer("/", path))]
    found = next((match for start in reversed(starts) if (match := expression.fullmatch(path[start:]))), None)
    if not found:
        return Refused("does not match the pattern")
    groups = {name: value for name, value in found.groupdict().items() if value is not None}
    for name in {"column", "drop", "inspection"} & groups.keys():
        if not _NUMBER.fullmatch(groups[name]):
            return Refused(f"the {name} {groups[name]!r} is no number")
    row = groups.get("row", "")
    if not _NUMBER.fullmatch(row) and not _ROW.fullmatch(row):
        return Refused(f"the row {row!r} is neither letters nor a number")
    imaged_at = moment(re.sub("[^0-9]", "", groups.get("date", "")))
    if "date" in groups and not imaged_at:
        return Refused(f"{groups['date']!r} is no date; write yyyymmdd, with HHMM where there is a time")
    by_date = imaged_at is not None and "inspection" not in groups
    return ReadName(
        plate=groups.get("plate", naming.plate),
        row=row_of(row) if _ROW.fullmatch(row) else int(row) - 1,
        column=int(groups.get("column", "0")) - 1,
        drop=int(groups.get("drop", "1")),
        channel=groups.get("channel", "visible"),
        inspection=None if by_date else int(groups.get("inspection", "1")),
        session=imaged_at.isoformat() if imaged_at and by_date else "",
        imaged_at=imaged_at,
    )


#: Conventions by name; a name is for good, since re-reading old names must give the same sessions.
CONVENTIONS: dict[str, Callable[[str, Naming], Reading]] = {
    "rigaku": rigaku,
    "formulatrix": formulatrix,
    "xchem": xchem,
    "hwi": hwi,
    "pattern": own_pattern,
}


def _file(path: str) -> str:
    return path.rpartition("/")[2]


def _folder(path: str) -> str:
    return path.rpartition("/")[0].rpartition("/")[2]


def _bounded(name: ReadName) -> Reading:
    """Refuse what no plate has: such a name means something else."""
    if not _is_barcode(name.plate):
        return Refused(f"{name.plate[:MAX_BARCODE]!r} is no barcode")
    if not 0 <= name.row < MAX_ROWS or not 0 <= name.column < MAX_COLUMNS:
        return Refused(f"row {name.row + 1}, column {name.column + 1} is on no plate")
    if not 1 <= name.drop <= MAX_DROPS:
        return Refused(f"drop {name.drop} is none; drops count from 1 to {MAX_DROPS}")
    if name.inspection is not None and not 1 <= name.inspection <= MAX_INSPECTIONS:
        return Refused(f"inspection {name.inspection} is none; inspections count from 1 to {MAX_INSPECTIONS}")
    if name.channel not in CHANNELS:
        return Refused(f"{name.channel!r} is no channel; choose from {', '.join(CHANNELS)}")
    return name


def _is_barcode(text: str) -> bool:
    return 0 < len(text) <= MAX_BARCODE and text.isprintable() and text == text.strip() and "/" not in text


def _check_barcode(naming: Naming, groups: Iterable[str]) -> None:
    named = naming.convention in ("auto", "any") or (naming.convention == "pattern" and "plate" not in groups)
    needed = naming.convention == "any" or (naming.convention == "pattern" and "plate" not in groups)
    if needed and not naming.plate:
        raise UserError("these names do not tell the plate; give its barcode with --plate")
    if naming.plate and not named:
        raise UserError(f"the names {naming.convention} tell the plate themselves; leave --plate out")
    if naming.plate and not _is_barcode(naming.plate):
        raise UserError(f"{naming.plate!r} is no barcode: 1 to {MAX_BARCODE} characters that can be printed, no slash")
