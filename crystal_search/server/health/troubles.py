"""What somebody should look after, and what to do about it."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from crystal_search.server.engines.engine_kinds import ENGINES
from crystal_search.server.health.facility_health import facility_troubles
from crystal_search.server.health.pace import STILL_MINUTES
from crystal_search.server.services.reconcile import STRAY

MAX_AGE_HOURS = 24.0  #: of an image without a score
MAX_POSTPONED_HOURS = 0.25  #: of an image that was put off; what takes longer needs somebody
LEAST_FREE_BYTES = 2_000_000_000

#: Where work may lie when nothing moves, the last place first, and who takes it on from there.
NEXT_STEPS = {
    "csv_files": "{count} CSV files wait for set-autoscore",
    "spooled": "{count} results wait for finalize",
    "validated": "{count} results wait for assimilate",
    "returned": "{count} results wait for validate",
}


def troubles(
    found: dict[str, Any], *, max_age_hours: float = MAX_AGE_HOURS, max_still_minutes: float = STILL_MINUTES
) -> list[str]:
    """Return what somebody should look after in what `status` tells, a sentence each; nothing when all is well."""
    return [
        *_waiting(found, max_age_hours),
        *_still(found, max_still_minutes),
        *_put_off(found),
        *_here(found),
        *(f"an imager looks other than usual: {each}; see /imagers in the viewer" for each in found["imagers"]),
        *facility_troubles(found["facility"]),
        *report_of(found).get("complaints", ()),
    ]


def report_of(found: dict[str, Any]) -> dict[str, Any]:
    """Return what the engine in use tells; nothing where it tells nothing."""
    return found.get(found["engine"]) or {}


def clock(since: str) -> str:
    """Return a time as people here read it; the day too where it is another one.

    >>> clock("2026-01-31T12:00:00+00:00")[:10]
    '2026-01-31'
    """
    at = datetime.fromisoformat(since).astimezone()
    return f"{at:%H:%M}" if at.date() == datetime.now().astimezone().date() else f"{at:%Y-%m-%d %H:%M}"


def _waiting(found: dict[str, Any], max_age_hours: float) -> Iterator[str]:
    age = found["oldest_unscored_hours"]
    if age is None or age <= max_age_hours:
        return
    yield f"an image has waited {age:.1f} hours for its score; at most {max_age_hours:g} are wanted: see `status`"
    if found["flow"]["verdict"] == "falls behind":
        yield "more images come in than are scored: lend more computers, or larger queues"


def _still(found: dict[str, Any], max_still_minutes: float) -> Iterator[str]:
    moved = found["flow"]
    if moved["still_minutes"] is None or moved["still_minutes"] < max_still_minutes:
        return
    stages = found["stages"]
    steps = (said.format(count=stages[place]) for place, said in NEXT_STEPS.items() if stages[place])
    what = found["trouble"] or next(steps, ENGINES[found["engine"]].when_still)
    yield f"images wait, and nothing was scored since {clock(moved['still_since'])}: {what}"


def _put_off(found: dict[str, Any]) -> Iterator[str]:
    for waiting in found["postponed"]:
        if waiting["hours"] > MAX_POSTPONED_HOURS:
            which = f"{waiting['images']} images are not scored yet, first {waiting['first']}"
            yield f"{which}: {waiting['reason']}; `retry` tries them now"


def _here(found: dict[str, Any]) -> Iterator[str]:
    """Yield what is the matter in the home folder."""
    if found["free_bytes"] < LEAST_FREE_BYTES:
        free = f"{found['free_bytes'] / 1e9:.1f} GB"
        yield f"the disk of the home folder has {free} left: make room, or move archive/ to another disk"
    if count := found["stages"]["set_aside"]:
        yield f"{count} work units are set aside; create-work, which `watch` runs too, tries their images one by one"
    yield from (f"{path} {STRAY}" for path in found["strays"])
    if found["model_trouble"]:
        yield f"no image can be scored: {found['model_trouble']}"
    if found["readout_trouble"]:
        yield f"shipped scores are shown, for it is not known which readouts are in use: {found['readout_trouble']}"
    yield from (used["idle"] for used in found["readouts"] if used["idle"])
