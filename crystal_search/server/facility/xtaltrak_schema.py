"""XtalTrak's tables, as far as we read and write them, and what a site may say of its own.

Nobody outside a site sees its schema, so every name is a setting, and ``facility check`` says which is not there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sqlalchemy import DateTime, Integer, String, Table

from crystal_search.errors import ConfigError
from crystal_search.server.facility.facility_options import ZONE, channels_of, options_of, outcomes_of
from crystal_search.server.facility.facility_settings import FacilitySettings
from crystal_search.server.facility.site_tables import Wanted, identifier, site_tables

TEXTS = {"sequence", "scored_by", "image_path", ZONE}  #: options that are taken as they are
OPTIONS = (*sorted(TEXTS), "margin_hours", "owner")
MOST_HOURS = 8760.0  #: a year
OWNER = "CRYSTAL"  #: the schema that holds the tables, unless a site says otherwise

WANTED: Wanted = {
    "I_INSPECTIONS": {
        "INSPECTID": Integer(),
        "BARCODEID": String(40),
        "INSPECTNUMBER": Integer(),
        "INSPECTDATE": DateTime(),
        "COL": Integer(),
        "I_ROW": Integer(),
        "SUBWELL": Integer(),
    },
    "I_IMAGES": {"INSPECTID": Integer(), "IMAGENAME": String(255)},
    "I_SCORES": {
        "SCOREID": Integer(),
        "INSPECTID": Integer(),
        "SCORE": Integer(),
        "SCOREDATE": DateTime(),
        "IMAGENAME": String(255),
        "SCOREDBY": String(100),
    },
    "I_PLATE_INSPECTIONS": {"BARCODEID": String(40), "INSPECTNUMBER": Integer(), "DROPSCORECOUNT": Integer()},
    "PLATES": {"PLATE_ID": Integer(), "BARCODE": String(40), "PROJECT_ID": Integer(), "OWNER": String(100)},
    "PROJECTS": {"PROJECT_ID": Integer(), "NAME": String(255)},
    "PLATE_DROPS": {"FK_PLATE_ID": Integer(), "FK_SAMPLE_ID": Integer()},
    "SAMPLES": {"SAMPLE_ID": Integer(), "SAMPLE_NAME": String(255)},
}
MAY_LACK = ("I_PLATE_INSPECTIONS", "PLATES", "PROJECTS", "PLATE_DROPS", "SAMPLES", "PLATES.OWNER")
USUALLY_LACKED = {"PLATES.OWNER": "none"}  #: where a site names it, we read whose a plate is


@dataclass(frozen=True, slots=True)
class XtalTrakTables:
    """The tables that a site has; columns have their usual names in small letters as keys."""

    inspections: Table  #: a drop at an inspection
    images: Table
    scores: Table  #: people's and ours
    counts: Table | None = None  #: inspections of plates, with how many of their drops have a score
    plates: Table | None = None
    projects: Table | None = None
    drops: Table | None = None  #: which sample is in which plate
    samples: Table | None = None

    @property
    def all(self) -> tuple[Table, ...]:
        """Those that there are."""
        found = (getattr(self, name) for name in self.__slots__)
        return tuple(table for table in found if table is not None)


def xtaltrak_tables(names: Mapping[str, str], *, owner: str = OWNER) -> XtalTrakTables:
    """Return the tables by the names that a site gives them.

    Raises
    ------
    ConfigError
        If a name is none, or nothing is called so.
    """
    found = site_tables(WANTED, USUALLY_LACKED | dict(names), owner=owner, may_lack=MAY_LACK)
    return XtalTrakTables(
        found["I_INSPECTIONS"], found["I_IMAGES"], found["I_SCORES"], *(found.get(name) for name in MAY_LACK[:5])
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class XtalTrakSite:
    """What differs from one site with XtalTrak to the next, besides names."""

    sequence: str = ""  #: that gives numbers to scores, in the owner's schema; empty: one more than the highest
    scored_by: str = "ARTscore"  #: whose our scores are there: a name that no person has
    image_path: str = "/images/{barcode}/{inspection}/{name}"  #: of a file, as the database's machine calls it
    channels: Mapping[str, str] = field(default_factory=lambda: {"*": "visible"})  #: pattern of names -> channel
    outcomes: Mapping[int, str] = field(default_factory=dict)  #: score numbers of the site's own -> outcome
    margin_hours: float = 24.0  #: by so much our scores are dated before the inspection, since clocks differ
    time_zone: str = ""  #: IANA name of the zone of the database's dates; empty: this machine's


def xtaltrak_site(settings: FacilitySettings) -> XtalTrakSite:
    """Return what the settings say of a site.

    Raises
    ------
    ConfigError
        If they say what nothing asks for, or what cannot be.
    """
    options = options_of(settings, OPTIONS)
    site = XtalTrakSite(**{key: options[key] for key in TEXTS & options.keys()})  # type: ignore[arg-type]
    if "margin_hours" in options:
        site = replace(site, margin_hours=_hours(options["margin_hours"]))
    if settings.channels:
        site = replace(site, channels=channels_of(settings))
    if site.sequence:
        identifier(site.sequence, "the sequence")
    _check_path(site.image_path)
    return replace(site, outcomes={_number(name): outcome for name, outcome in outcomes_of(settings).items()})


def _hours(text: str) -> float:
    try:
        hours = float(text)
    except ValueError:
        hours = -1
    if not 0 <= hours <= MOST_HOURS:
        raise ConfigError(f"[facility.options]: margin_hours must be from 0 to {MOST_HOURS:g}, got {text!r}")
    return hours


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise ConfigError(f"[facility.outcomes]: XtalTrak scores by numbers, got {text!r}")
    return int(text)


def _check_path(path: str) -> None:
    try:
        path.format(barcode="", inspection=1, name="")
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        raise ConfigError(
            f"[facility.options]: image_path is {path!r}; it may name {{barcode}}, {{inspection}} and {{name}}"
        ) from error
