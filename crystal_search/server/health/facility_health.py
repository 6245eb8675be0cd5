"""Whether a facility's own database is looked at and takes our scores: read from what we keep of it, never from it."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from crystal_search.errors import ConfigError, UnknownNameError
from crystal_search.server.facility.facility_kinds import facility_kind, facility_name
from crystal_search.server.facility.facility_settings import read_facility_settings
from crystal_search.server.installation import Installation

MAX_SILENT_HOURS = 1.0  #: since the last pull, or since the last push while scores wait
MAX_REFUSED_TRIES = 3  #: of a score; one that is refused more often needs somebody


def facility_status(site: Installation, now: datetime) -> dict[str, Any] | None:
    """Return how far a facility's database was looked at, and what waits for it; None where the settings name none."""
    try:
        settings = read_facility_settings(site.home.settings)
        if not settings.kind:
            return None
        name, pushes = facility_name(settings), settings.push and facility_kind(settings).takes_scores
    except (ConfigError, UnknownNameError) as error:
        return {"name": "", "trouble": str(error)}
    state = site.imaging.facility_state(name)
    waiting = site.imaging.scores_to_push(name, now=now, limit=1).scores if pushes else ()
    refused = site.imaging.pushes(name, refused=True)
    return {
        "name": name,
        "trouble": "",
        "pulled_hours": _hours(state.pulled_at, now),
        "pushed_hours": _hours(state.pushed_at, now),
        "waits_hours": _hours(waiting[0].score.scored_at, now) if waiting else None,
        "refused": state.refused,
        "refused_often": next((each.refused for each in refused if each.tries > MAX_REFUSED_TRIES), ""),
    }


def _hours(moment: datetime | None, now: datetime) -> float | None:
    return None if moment is None else max(0.0, (now - moment).total_seconds() / 3600)


def facility_line(found: dict[str, Any]) -> str:
    """Return what `status` says of a facility.

    >>> told = {"name": "ispyb db/ispyb", "trouble": "", "pulled_hours": 0.5, "pushed_hours": None, "refused": 2}
    >>> facility_line(told)
    'ispyb db/ispyb: pulled 0.5 hours ago, pushed never, 2 scores refused and given again'
    """
    pulled, pushed = (
        "never" if found[key] is None else f"{found[key]:.1f} hours ago" for key in ("pulled_hours", "pushed_hours")
    )
    return f"{found['name']}: pulled {pulled}, pushed {pushed}, {found['refused']} scores refused and given again"


def facility_troubles(found: dict[str, Any] | None) -> Iterator[str]:
    """Yield what somebody should look after, given what `facility_status` told."""
    if found is None:
        return
    if found["trouble"]:
        yield f"the facility's settings: {found['trouble']}"
        return
    name = found["name"]
    if found["pulled_hours"] is None or found["pulled_hours"] > MAX_SILENT_HOURS:
        since = "was never" if found["pulled_hours"] is None else f"was last {found['pulled_hours']:.1f} hours ago"
        yield f"{name} {since} looked at: `facility pull` tells why"
    silent = found["pushed_hours"] is None or found["pushed_hours"] > MAX_SILENT_HOURS
    if silent and (found["waits_hours"] or 0) > MAX_SILENT_HOURS:
        yield f"scores wait {found['waits_hours']:.1f} hours to be given to {name}: `facility push` tells why"
    if found["refused_often"]:
        count = f"{name} refuses scores ({found['refused']} now)"
        yield f"{count}, one because: {found['refused_often']}; see `facility report`"
