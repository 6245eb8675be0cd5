"""What a kind of facility asks of ``[facility.options]``, ``[facility.channels]`` and ``[facility.outcomes]``."""

from collections.abc import Collection, Mapping

from crystal_search.errors import ConfigError
from crystal_search.naming import zone_named
from crystal_search.outcomes import IMAGE_OUTCOMES, NO_DROP
from crystal_search.server.facility.facility_settings import FacilitySettings
from crystal_search.wells import CHANNELS

ZONE = "time_zone"  #: the option that says the zone of a database's dates; every kind has it


def options_of(settings: FacilitySettings, known: Collection[str]) -> dict[str, str]:
    """Return the options of a facility, all of them `known`.

    Raises
    ------
    ConfigError
        If one is not, or a zone is none.
    """
    if unknown := sorted(settings.options.keys() - set(known)):
        choices = ", ".join(sorted(known))
        raise ConfigError(f"[facility.options]: {settings.kind} knows no {', '.join(unknown)}; choose from {choices}")
    zone_named(settings.options.get(ZONE, ""))
    return dict(settings.options)


def channels_of(settings: FacilitySettings) -> Mapping[str, str]:
    """Return the channels that a site says.

    Raises
    ------
    ConfigError
        If one is none.
    """
    return _checked("channels", settings.channels, CHANNELS)


def outcomes_of(settings: FacilitySettings) -> Mapping[str, str]:
    """Return which outcomes the classes or numbers of a site are.

    Raises
    ------
    ConfigError
        If one is none.
    """
    return _checked("outcomes", settings.outcomes, (*IMAGE_OUTCOMES, NO_DROP))


def _checked(table: str, given: Mapping[str, str], known: Collection[str]) -> Mapping[str, str]:
    for name, value in given.items():
        if value not in known:
            raise ConfigError(f"[facility.{table}]: {name!r} is {value!r}; choose from {', '.join(known)}")
    return given
