"""The kinds of facility databases that there are. Nothing outside this room knows any of them by name."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import make_url

from crystal_search.errors import ConfigError
from crystal_search.known_names import among
from crystal_search.server.facility.facility_database import FacilityDatabase
from crystal_search.server.facility.facility_settings import FacilitySettings, password_of
from crystal_search.server.facility.ispyb_database import open_ispyb
from crystal_search.server.facility.rockmaker_database import open_rockmaker
from crystal_search.server.facility.xtaltrak_database import open_xtaltrak


@dataclass(frozen=True, slots=True, kw_only=True)
class FacilityKind:
    """What a kind of facility database declares of itself."""

    title: str  #: as people call it
    open: Callable[[FacilitySettings, str], FacilityDatabase]  #: of settings and password; connects when first asked
    takes_scores: bool = True  #: whether scores are given to it; one that is read only never gets any


FACILITIES: dict[str, FacilityKind] = {
    "ispyb": FacilityKind(title="ISPyB", open=open_ispyb),
    "rockmaker": FacilityKind(title="Rock Maker", open=open_rockmaker, takes_scores=False),
    "xtaltrak": FacilityKind(title="XtalTrak", open=open_xtaltrak),
}


def facility_kind(settings: FacilitySettings) -> FacilityKind:
    """Return the kind of facility database that the settings name.

    Raises
    ------
    ConfigError
        If they name none.
    UnknownNameError
        If there is no such kind.
    """
    if not settings.kind:
        known = ", ".join(FACILITIES)
        raise ConfigError(f"the settings name no facility; write a table [facility] with kind ({known}) and url")
    return among(FACILITIES, settings.kind, "kind", where="[facility]")


def open_facility(settings: FacilitySettings) -> FacilityDatabase:
    """Return the facility's database that the settings name; it connects when it is first asked something.

    Raises
    ------
    ConfigError
        If they name none, or the password cannot be had.
    """
    return facility_kind(settings).open(settings, password_of(settings))


def facility_name(settings: FacilitySettings) -> str:
    """Return what our records call a facility: its kind and where its database is, without the account.

    >>> facility_name(FacilitySettings(kind="ispyb", url="mariadb://crystal@db.lab:3306/ispyb"))
    'ispyb db.lab:3306/ispyb'
    """
    url = make_url(settings.url)
    port = f":{url.port}" if url.port else ""
    return f"{settings.kind} {url.host or ''}{port}/{url.database or ''}"
