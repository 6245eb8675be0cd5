"""The conventions by which robots and people call image files (docs/importing.md), one function each.

What does not fit is refused with a reason, never guessed.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime

from crystal_search.errors import UnknownNameError
from crystal_search.images import SUFFIXES
from crystal_search.matching import MATCH_MIB, MATCH_S, Match, first_match
from crystal_search.name_parts import Reading, ReadName, Refused, drop_of, moment, row_of, well_of
from crystal_search.naming import Naming, compiled
from crystal_search.wells import PLATE_FORMATS, channel_named, channels_in

_SUFFIX = f"(?:{'|'.join(re.escape(suffix) for suffix in SUFFIXES)})"
FIELDS_BEFORE_BARCODE = 7  #: of Rigaku's names, at least: what people write into them may have underscores, too

_RIGAKU = re.compile(
    r"(?=_[^_]{4}(?P<plate>[^_]+)_(?P<inspection>[0-9]{1,5})_(?P<date>[0-9]{6})"
    r"_(?P<column>[0-9]{1,3})_(?P<row>[0-9]{1,3})_(?P<drop>[0-9]{1,3})[_.])"
)


def rigaku(path: str, naming: Naming) -> Reading:
    """Read a name of Rigaku's Minstrel or CrystalMation: fields between underscores, counted from the barcode."""
    name = _file(path)
    fits = [each for each in _RIGAKU.finditer(name) if name.count("_", 0, each.start()) >= FIELDS_BEFORE_BARCODE - 1]
    if not fits or not _is_picture(name):
        return Refused("not like ..._0000BARCODE_INSPECTION_yymmdd_COLUMN_ROW_DROP_....jpg")
    dated = [(each, taken) for each in fits if (taken := moment(each["date"]))]
    if not dated:
        return Refused(f"{fits[0]['date']} is no date yymmdd")
    if len(dated) > 1:
        plates = " or ".join(each["plate"] for each, _ in dated)
        return Refused(f"the barcode may be {plates}; write no underscores into the fields before it")
    found, taken = dated[0]
    channel = _channel(f"{name[found.end('drop') :]}/{_light_folder(path)}", naming)
    if isinstance(channel, Refused):
        return channel
    return ReadName(
        plate=found["plate"],
        row=int(found["row"]) - 1,
        column=int(found["column"]) - 1,
        drop=int(found["drop"]),
        channel=channel,
        inspection=int(found["inspection"]),
        taken=taken,
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
    if not (channel := naming.profile_channel(found["profile"])):
        return _no_channel(found["profile"])
    number = int(found["well"])
    if not 1 <= number <= max(PLATE_FORMATS):
        return Refused(f"well {number} is on no plate; wells count from 1 to {max(PLATE_FORMATS)}")
    return ReadName(
        plate=found["plate"],
        well_number=number,
        drop=int(found["drop"]),
        channel=channel,
        session=found["batch"].zfill(18),
    )


_RM_EXPORT = re.compile(rf"(?P<front>.+)_[^_]{{0,3}}_(?P<batch>[0-9]{{1,18}}){_SUFFIX}", re.IGNORECASE | re.DOTALL)
_RM_WELL = re.compile("_(?P<row>[A-Z]{1,2})(?P<column>[0-9]{1,2})_(?=[^_]*[A-Z])", re.IGNORECASE)


def rm_export(path: str, naming: Naming) -> Reading:
    """Read a name of Formulatrix' RM_Image_export: barcode, well, profile, key of the score, batch; it has no drop."""
    name = _RM_EXPORT.fullmatch(_file(path))
    wells = list(_RM_WELL.finditer(name["front"])) if name else []
    if not name or not wells or not wells[0].start():
        return Refused("not like BARCODE_A1_PROFILE_KEY_BATCH.jpg")
    found = wells[0]
    plate, profile = name["front"][: found.start()], name["front"][found.end() :]
    told = channels_in(profile)
    channel = naming.profile_channel(profile) or (told.pop() if len(told) == 1 else "")
    if not channel:
        return _no_channel(profile)
    return ReadName(
        plate=plate,
        row=row_of(found["row"]),
        column=int(found["column"]) - 1,
        channel=channel,
        session=name["batch"].zfill(18),
    )


_XCHEM = re.compile(
    rf"(?P<plate>[^_]+)_(?P<column>[0-9]{{2}})(?P<row>[A-Z]{{1,2}})_(?P<drop>[0-9]{{1,3}}){_SUFFIX}", re.IGNORECASE
)
_XCHEM_FOLDER = re.compile(r"(?P<plate>[^_]+)_(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})(?P<rest>(?:_.*)?)", re.DOTALL)


def xchem(path: str, naming: Naming) -> Reading:
    """Read a name of XChem; the date of the inspection is in the name of the folder."""
    if not (found := _XCHEM.fullmatch(_file(path))):
        return Refused("not like PLATE_01A_1.jpg")
    if not (folder := _XCHEM_FOLDER.fullmatch(_folder(path))):
        return Refused(f"the folder {_folder(path)!r} is not like PLATE_yyyy-mm-dd_...")
    if not (taken := moment(folder["date"].replace("-", ""))):
        return Refused(f"{folder['date']} is no date")
    if folder["plate"] != found["plate"]:
        return Refused(f"the folder is of plate {folder['plate']}, the file of plate {found['plate']}")
    channel = _channel(folder["rest"], naming)
    if isinstance(channel, Refused):
        return channel
    return ReadName(
        plate=found["plate"],
        row=row_of(found["row"]),
        column=int(found["column"]) - 1,
        drop=int(found["drop"]),
        channel=channel,
        session=_folder(path),
        taken=taken,
    )


def xchem_barcode(path: str) -> str:
    """Return the barcode in a file's name that is like those of XChem, whatever folder it lies in; else nothing.

    >>> xchem_barcode("flat/90j8_02C_1.jpg"), xchem_barcode("flat/image 7.jpg")
    ('90j8', '')
    """
    found = _XCHEM.fullmatch(_file(path))
    return found["plate"] if found else ""


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
    taken, began = moment(found["date"]), moment(folder["date"])
    if not taken or not isinstance(began, datetime):
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
        began=began,
        taken=taken,
    )


_WELL = (
    r"(?P<row>[A-Z]{1,2})(?P<column>[0-9]{1,2})"
    r"(?:(?:[._-]?d(?:rop)?|[._-])(?P<drop>[0-9]{1,2})|[._-]?(?P<letter>[a-z]))?"
    rf"(?:[ ._-](?P<channel>[a-z][a-z-]+))?{_SUFFIX}"
)
_A_WELL = re.compile(_WELL, re.IGNORECASE)
_PLATE_AND_WELL = re.compile(rf"(?P<plate>.+)[_-]{_WELL}", re.IGNORECASE | re.DOTALL)
_DAY = re.compile(
    r"(?:19|20)[0-9]{2}[-_.]?[0-9]{2}[-_.]?[0-9]{2}(?:[-_T ]?[0-9]{2}[-_.:]?[0-9]{2}(?:[-_.:]?[0-9]{2})?)?"
)
_LIGHT_OF_PLATE = re.compile(r"(?P<plate>.+)[ ._-](?P<channel>[A-Za-z-]+)", re.DOTALL)


def plate_well(path: str, naming: Naming) -> Reading:
    """Read a name that is barcode and well: ``PLATE_A01.jpg``, with drop and channel where it has them."""
    if not (found := _PLATE_AND_WELL.fullmatch(_file(path))):
        return Refused("not like PLATE_A01.jpg, with _DROP or _CHANNEL behind it")
    plate, light = _plate_and_light(found["plate"])
    return _well_read(found, plate, f"{light}/{_light_folder(path)}", None, naming)


def well(path: str, naming: Naming) -> Reading:
    """Read a name that is a well: ``PLATE/A1.jpg``; folders between plate and file may tell a date and a channel."""
    if not (found := _A_WELL.fullmatch(_file(path))):
        return Refused("not like A1.jpg, with _DROP or _CHANNEL behind it")
    taken: date | datetime | None = None
    folders = plate = ""
    for folder in _folders(path):
        if _DAY.fullmatch(folder) and not taken and (day := moment(re.sub("[^0-9]", "", folder))):
            taken = day
        elif _is_channel(folder):
            folders += f"/{folder}"
        else:
            plate, light = _plate_and_light(folder)
            folders += f"/{light}"
            break
    return _well_read(found, naming.plate or plate, folders, taken, naming)


def _plate_and_light(text: str) -> tuple[str, str]:
    """Return a barcode without the channel that stands behind it, and that channel; nothing where there is none."""
    ending = _LIGHT_OF_PLATE.fullmatch(text)
    return (ending["plate"], ending["channel"]) if ending and _is_channel(ending["channel"]) else (text, "")


def _well_read(
    found: re.Match[str], plate: str, folders: str, taken: date | datetime | None, naming: Naming
) -> Reading:
    """Return what the name of a well says, with what the folders around it say."""
    if found["channel"] and not _is_channel(found["channel"]):
        return Refused(f"{found['channel']!r} is neither a drop nor a channel")
    drop = drop_of(found["drop"] or found["letter"] or "1", naming.drops)
    if isinstance(drop, Refused):
        return drop
    channel = _channel(f"{folders}/{found['channel'] or ''}", naming)
    if isinstance(channel, Refused):
        return channel
    inspection, session = _inspection(taken)
    return ReadName(
        plate=plate,
        row=row_of(found["row"]),
        column=int(found["column"]) - 1,
        drop=drop,
        channel=channel,
        inspection=inspection,
        session=session,
        taken=taken,
    )


_NUMBER = re.compile("[0-9]{1,9}")
_ROW = re.compile("[A-Za-z]{1,2}")
_ENDLESS = (
    f"the pattern takes more than {MATCH_S} s or {MATCH_MIB} MB over it; "
    "write it without what can match the same characters in many ways, as ([a-z]+)+, (a|aa)+ or .*.*.*"
)


def own_pattern(path: str, naming: Naming) -> Reading:
    """Read the end of a path, from the start of a folder's or the file's name, by a facility's own expression."""
    found = _own_match(path, compiled(naming.pattern).pattern)
    if isinstance(found, Refused):
        return found
    groups = {name: value for name, value in found.groups.items() if value is not None}
    if trouble := _not_a_place(groups):
        return trouble
    taken = moment(re.sub("[^0-9]", "", groups.get("date", "")))
    if "date" in groups and not taken:
        return Refused(f"{groups['date']!r} is no date; write yyyymmdd, with HHMM where there is a time")
    plate = groups.get("plate", naming.plate)
    drop = drop_of(groups.get("drop", "1"), naming.drops)
    channel = _channel(found.text.replace(plate or "/", "/"), naming, told=groups.get("channel"))
    if isinstance(drop, Refused):
        return drop
    if isinstance(channel, Refused):
        return channel
    inspection, session = _inspection(taken, groups.get("inspection"))
    return ReadName(
        plate=plate,
        row=row_of(groups["row"]) if _ROW.fullmatch(groups["row"]) else int(groups["row"]) - 1,
        column=int(groups["column"]) - 1,
        drop=drop,
        channel=channel,
        inspection=inspection,
        session=session,
        taken=taken,
    )


def _own_match(path: str, pattern: str) -> Match | Refused:
    starts = [0, *(found.end() for found in re.finditer("/", path))]
    try:
        found = first_match(pattern, tuple(path[start:] for start in reversed(starts)))
    except TimeoutError:
        return Refused(_ENDLESS)
    return found or Refused("does not match the pattern")


def _not_a_place(groups: Mapping[str, str]) -> Refused | None:
    """Return what is wrong with what a pattern found for row, column and inspection; None when nothing is."""
    for name in ("column", "inspection"):
        if not _NUMBER.fullmatch(groups.get(name, "1" if name == "inspection" else "")):
            return Refused(f"the {name} {groups.get(name, '')!r} is no number")
    row = groups.get("row", "")
    if not _NUMBER.fullmatch(row) and not _ROW.fullmatch(row):
        return Refused(f"the row {row!r} is neither letters nor a number")
    return None


CONVENTIONS: dict[str, Callable[[str, Naming], Reading]] = {
    "rigaku": rigaku,
    "formulatrix": formulatrix,
    "rm-export": rm_export,
    "xchem": xchem,
    "hwi": hwi,
    "plate-well": plate_well,
    "well": well,
    "pattern": own_pattern,
}


def _file(path: str) -> str:
    return path.rpartition("/")[2]


def _folder(path: str) -> str:
    return next(_folders(path), "")


def _folders(path: str) -> Iterator[str]:
    """Return the names of the folders that a file is in, the innermost first."""
    return reversed(path.split("/")[:-1])


def _light_folder(path: str) -> str:
    """Return the folder of a file if it is called by a channel; else nothing."""
    return _folder(path) if _is_channel(_folder(path)) else ""


def _is_picture(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def _inspection(taken: date | datetime | None, number: str | None = None) -> tuple[int | None, str]:
    """Return number and session of an inspection: its number, its day, or neither where images have their times."""
    if number is not None:
        return int(number), ""
    if taken is None:
        return 1, ""
    return None, "" if isinstance(taken, datetime) else taken.isoformat()


def _is_channel(word: str) -> bool:
    try:
        channel_named(word)
    except UnknownNameError:
        return False
    return True


def _channel(text: str, naming: Naming, *, told: str | None = None) -> str | Refused:
    """Return the channel that a name tells, or else the words in `text`, or else `naming`."""
    if told is not None:
        try:
            return channel_named(told)
        except UnknownNameError as error:
            return Refused(str(error))
    words = channels_in(text)
    if len(words) > 1:
        return Refused(f"it may be {' or '.join(sorted(words))}; a name tells one channel")
    return words.pop() if words else naming.channel or "visible"


def _no_channel(profile: str) -> Refused:
    return Refused(f"nobody has said what light profile {profile} is; say --channel {profile}=visible, or =uv ...")
