"""How the files of a folder are called: what people say of it, checked before the first name is read."""

import re
import zoneinfo
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from unicodedata import normalize

from crystal_search.errors import UserError
from crystal_search.known_names import check_among
from crystal_search.wells import CHANNELS, PLATE_FORMATS, channel_named

#: Names of conventions, robots' first. A name is for good, since re-reading old names must give the same sessions.
CONVENTION_NAMES = ("rigaku", "formulatrix", "rm-export", "xchem", "hwi", "plate-well", "well", "pattern")
MISTAKEABLE = ("plate-well", "well")  #: other files may be called so by chance
TELL_NO_PLATE = ("well", "any")  #: a barcode that is given counts for these
FIRST_PROFILES = ("1", "imagerdefaults")  #: RockImager's, by number and by name
MAX_BARCODE = 100  #: characters
PATTERN_GROUPS = ("plate", "row", "column", "drop", "inspection", "channel", "date")


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """How the names in a folder are to be read.

    Raises
    ------
    UserError
        If the parts do not go together, or the pattern is none.
    """

    convention: str = "auto"  #: ``auto``, ``any`` or one of CONVENTION_NAMES
    pattern: str = ""  #: regular expression of convention ``pattern``
    plate_format: int | None = None  #: wells of a plate, where the name counts wells; None: it follows from the names
    plate_formats: tuple[tuple[str, int], ...] = ()  #: barcode and wells of plates with a format of their own
    plate: str = ""  #: barcode, where the name has none
    channel: str = ""  #: of names that tell none; empty: visible
    profiles: tuple[tuple[str, str], ...] = ()  #: RockImager profile, by number or name, and its channel
    drops: str = "acd"  #: letters of drops 1, 2, 3 and so on, where names have letters
    gap_minutes: float = 30.0  #: images with times so far apart are of two inspections
    time_zone: str = ""  #: IANA name of the zone of the robot's clock; empty: this machine's
    by_chance: bool = True  #: whether ``auto`` may find a convention that other files follow by chance, too
    exclude: tuple[str, ...] = ()  #: patterns of files and folders that are passed over, as a shell's

    def __post_init__(self) -> None:
        check_among(("auto", "any", *CONVENTION_NAMES), self.convention, "convention")
        for wells in (self.plate_format, *dict(self.plate_formats).values()):
            if wells is not None and wells not in PLATE_FORMATS:
                formats = ", ".join(map(str, PLATE_FORMATS))
                raise UserError(f"no plate has {wells} wells; choose from {formats}")
        for channel in (self.channel, *dict(self.profiles).values()):
            if channel:
                check_among(CHANNELS, channel, "channel")
        if bool(self.pattern) != (self.convention == "pattern"):
            raise UserError("a pattern goes with the names 'pattern', and these with a pattern; give both")
        if not re.fullmatch("[a-z]+", self.drops) or len(set(self.drops)) < len(self.drops):
            raise UserError(f"drops are letters, each once, as in 'acd', got {self.drops!r}")
        if self.gap_minutes <= 0:
            raise UserError(f"the gap between two inspections is above 0 minutes, got {self.gap_minutes:g}")
        zone_named(self.time_zone)
        _check_barcode(self, compiled(self.pattern).groupindex if self.pattern else ())

    def format_of(self, plate: str) -> int | None:
        """Return the wells of a plate, where people have said."""
        return dict(self.plate_formats).get(plate, self.plate_format)

    def profile_channel(self, profile: str) -> str:
        """Return the channel of a RockImager profile, empty where nobody has said.

        RockImager's first profile is visible light as long as no other one is said to be.
        """
        channels = dict(self.profiles)
        if "visible" not in channels.values():
            channels = dict.fromkeys(FIRST_PROFILES, "visible") | channels
        return channels.get(profile.casefold(), "")


@lru_cache(maxsize=16)
def compiled(pattern: str) -> re.Pattern[str]:
    """Return a facility's own pattern, compiled.

    Raises
    ------
    UserError
        If it is no regular expression, names a group that nothing reads, or does not tell row and column.
    """
    try:
        expression = re.compile(normalize("NFC", pattern))
    except (re.error, RecursionError, OverflowError) as error:
        raise UserError(f"the pattern {pattern!r} is no regular expression: {error}") from error
    known = ", ".join(PATTERN_GROUPS)
    if unknown := sorted(expression.groupindex.keys() - set(PATTERN_GROUPS)):
        raise UserError(f"the pattern {pattern!r} names the group {', '.join(unknown)}; choose from {known}")
    if missing := [name for name in ("row", "column") if name not in expression.groupindex]:
        raise UserError(f"the pattern {pattern!r} lacks (?P<{missing[0]}>...); groups that are read: {known}")
    return expression


@lru_cache(maxsize=16)
def zone_named(name: str) -> tzinfo | None:
    """Return a time zone by its IANA name; None, this machine's, for the empty name.

    Raises
    ------
    UserError
        If there is none of that name.
    """
    if not name:
        return None
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UserError(f"no time zone {name!r}; write one like Europe/Zurich, or UTC") from error


def utc_of(time: datetime, zone: str) -> datetime:
    """Return in UTC a time that clocks in a zone showed.

    >>> utc_of(datetime(2020, 4, 1, 11, 36), "America/New_York").isoformat()
    '2020-04-01T15:36:00+00:00'
    """
    return time.replace(tzinfo=zone_named(zone)).astimezone(UTC)


def shown_in(time: datetime, zone: str) -> datetime:
    """Return a time as clocks in a zone show it, with the zone's distance from UTC."""
    return time.astimezone(zone_named(zone))


def barcode_of(text: str) -> str:
    """Return a barcode in the one form in which plates are compared, whatever a file system makes of its accents."""
    return normalize("NFC", text)


def is_barcode(text: str) -> bool:
    """Tell whether a plate may be called so."""
    return 0 < len(text) <= MAX_BARCODE and text.isprintable() and text == text.strip() and "/" not in text


def plate_format_of(text: str) -> tuple[str, int]:
    """Return barcode and wells in ``BARCODE=WELLS``; the barcode is empty in ``WELLS``, which is said of all plates.

    Raises
    ------
    UserError
        If the wells are no number.

    >>> plate_format_of("384"), plate_format_of("LCP-7=48")
    (('', 384), ('LCP-7', 48))
    """
    plate, _, wells = text.rpartition("=")
    if not re.fullmatch("[0-9]{1,5}", wells):
        raise UserError(f"a plate format is WELLS or BARCODE=WELLS, got {text!r}")
    return barcode_of(plate), int(wells)


def profile_of(text: str) -> tuple[str, str]:
    """Return profile and channel in ``PROFILE=CHANNEL``; the profile is empty in ``CHANNEL``.

    Raises
    ------
    UnknownNameError
        If there is no such channel.

    >>> profile_of("2=UV"), profile_of("shg")
    (('2', 'uv'), ('', 'shg'))
    """
    profile, _, channel = text.rpartition("=")
    return profile.casefold(), channel_named(channel)


def _check_barcode(naming: Naming, groups: Iterable[str]) -> None:
    untold = naming.convention == "pattern" and "plate" not in groups
    if (naming.convention == "any" or untold) and not naming.plate:
        raise UserError("these names do not tell the plate; give its barcode with --plate")
    if naming.plate and not untold and naming.convention not in ("auto", *TELL_NO_PLATE):
        raise UserError(f"the names {naming.convention} tell the plate themselves; leave --plate out")
    if naming.plate and not is_barcode(naming.plate):
        raise UserError(f"{naming.plate!r} is no barcode: 1 to {MAX_BARCODE} characters that can be printed, no slash")
