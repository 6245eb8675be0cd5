"""``crystal-search status``: what waits, what runs, what failed, and whether scores keep up with images."""

import argparse
import json
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crystal_search.errors import ModelError
from crystal_search.files import write_whole
from crystal_search.outcomes import GROUPS, NO_DROP, UNREADABLE, UNSURE
from crystal_search.server.engines.attempts import running_fractions
from crystal_search.server.engines.engine_kinds import ENGINES
from crystal_search.server.health.facility_health import facility_line, facility_status
from crystal_search.server.health.pace import Sample, Verdict, add_sample, flow, rates
from crystal_search.server.health.prometheus import as_metrics
from crystal_search.server.health.troubles import clock, report_of, troubles
from crystal_search.server.home import Home
from crystal_search.server.imaging.imaging_database import ImagingDatabase, PlateSummary
from crystal_search.server.installation import Installation, add_home_argument, opened, recipe_of, say
from crystal_search.server.models_in_use import units_waiting
from crystal_search.server.readouts_in_use import idle_if_known, readouts_in_use
from crystal_search.server.services.disagreements import drops_of
from crystal_search.server.services.look_after_imagers import standing
from crystal_search.server.services.readout_offers import offers_if_known
from crystal_search.server.services.reconcile import strays_at
from crystal_search.server.unit_states import State, names_in

SHOWN_FAILURES = 20
NEWEST = 500  #: images whose scores are counted
#: The states of work units that are told of, in the order in which work moves.
TOLD = (State.QUEUED, State.RUNNING, State.RETURNED, State.VALIDATED, State.SPOOLED, State.SET_ASIDE)


def status(site: Installation) -> dict[str, Any]:
    """Return everything there is to tell, as plain values."""
    imaging, plates = site.imaging, site.imaging.plates()
    images, scored = sum(plate.images for plate in plates), sum(plate.scored for plate in plates)
    samples = add_sample(site.home.samples, images, scored)
    pace, oldest = rates(samples), imaging.waits_longest()
    return (
        {
            "engine": site.settings.engine,
            "images": images,
            "scored": scored,
            "open_units": imaging.count_units("open"),
            "oldest_unscored_hours": None if oldest is None else _hours_since(oldest),
            "rates": None if pace is None else asdict(pace),
            "newest": newest_counts(imaging),
            "flow": _flow(site, samples, plates),
            "trouble": _trouble(site.home),
            "free_bytes": shutil.disk_usage(site.home.path).free,
            "stages": stages(site.home),
            "strays": list(map(str, strays_at(site))),
            "running": running_fractions(site.home),
            "postponed": [
                {"reason": each.reason, "images": each.images, "hours": _hours_since(each.since), "first": each.first}
                for each in imaging.postponed()
            ],
            "imagers": standing(imaging, site.home.sentinel),
            "failed_units": imaging.count_units("failed"),
            "failed": [
                {"work_unit": unit.name, "reason": unit.reason} for unit in imaging.units("failed", last=SHOWN_FAILURES)
            ],
        }
        | {"model_trouble": _model_trouble(site)}
        | _readouts(site)
        | {"facility": facility_status(site, datetime.now(UTC))}
        | _reports(site)
    )


def _readouts(site: Installation) -> dict[str, Any]:
    """Return which readouts are in use and which would be worth a fit, or what keeps that from being known."""
    offered = [each.said for each in offers_if_known(site)]
    try:
        there = readouts_in_use(site.home)
    except ModelError as error:
        return {"readouts": [], "offers": offered, "readout_trouble": str(error)}
    idle = {each.used.imager: each.said for each in idle_if_known(site)}
    used = [asdict(each) | {"idle": idle.get(each.imager, "")} for each in there.values()]
    return {"readouts": used, "offers": offered, "readout_trouble": ""}


def _model_trouble(site: Installation) -> str:
    """Return what keeps the models in use from being read; nothing when nothing does."""
    try:
        recipe_of(site)
    except ModelError as error:
        return str(error)
    return ""


def newest_counts(imaging: ImagingDatabase) -> dict[str, int]:
    """Return how many of the newest scored images are of each group, are unsure, show no drop or cannot be read."""
    images = imaging.images_read(limit=NEWEST)
    ids = {image.id for image in images}
    scores = [drop.current for drop in drops_of(imaging, images) if drop.image.id in ids]
    counts = Counter(score.found.counted_as for score in scores if score)
    return {name: counts[name] for name in (*map(str, GROUPS), UNSURE, NO_DROP, UNREADABLE)}


def _flow(site: Installation, samples: Sequence[Sample], plates: Sequence[PlateSummary]) -> dict[str, Any]:
    """Return whether scores keep up; images that were put off wait for something else."""
    last = max((plate.last_scored_at for plate in plates if plate.last_scored_at), default=None)
    found = flow(samples, waits_since=site.imaging.waits_longest(put_off=False), last_score=last)
    return asdict(found) | {"still_since": found.still_since and found.still_since.isoformat(timespec="seconds")}


def _trouble(home: Home) -> str:
    """Return in a line what kept `watch` from scoring at its last pass; nothing when nothing did."""
    try:
        return home.trouble.read_text(encoding="utf-8", errors="replace").strip().partition("\n")[0]
    except OSError:
        return ""


def stages(home: Home) -> dict[str, int]:
    """Return how many work units are in each state, and how many CSV files wait for set-autoscore.

    A work unit that is queued may be running, too, or returned: its file stays until its result is in the spool.
    """
    counts = {state.replace(" ", "_"): len(names_in(home, state)) for state in TOLD}
    return counts | {"csv_files": len(list(home.finalized.glob("*.csv")))}


def _hours_since(moment: datetime) -> float:
    return max(0.0, (datetime.now(UTC) - moment).total_seconds() / 3600)


def _reports(site: Installation) -> dict[str, Any]:
    """Return by the names of all engines that tell something what the one in use tells, and None for the others."""
    told, used = units_waiting(site), site.settings.engine
    return {name: asdict(kind.report(told)) if name == used else None for name, kind in ENGINES.items() if kind.report}


def as_text(found: dict[str, Any]) -> str:
    """Return the status for people: one screen."""
    lines = [f"{found['scored']} of {found['images']} images are scored; {found['open_units']} work units are open"]
    if found["oldest_unscored_hours"] is not None:
        lines.append(f"the image that waits longest for its score came {found['oldest_unscored_hours']:.1f} hours ago")
    if pace := found["rates"]:
        lines.append(
            f"{pace['images_per_hour']:.0f} images an hour come in, {pace['scores_per_hour']:.0f} are scored "
            f"(over {pace['over_hours']:.1f} hours)"
        )
    newest = {name: count for name, count in found["newest"].items() if count}
    if newest:
        told = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in newest.items())
        lines.append(f"of the newest {sum(newest.values())} scores: {told}")
    lines.append(_verdict(found["flow"], which="that can be scored now" if found["postponed"] else "for its score"))
    lines += [f"  {name.replace('_', ' '):10} {count:6}" for name, count in found["stages"].items()]
    kind = ENGINES[found["engine"]]
    if load := report_of(found).get("load"):
        lines.append(f"{kind.title}:")
        lines += [f"  {name.replace('_', ' '):22} {count:6}" for name, count in load.items()]
    if kind.clients_here:
        lines += [f"  {name}: {fraction:.0%} done" for name, fraction in sorted(found["running"].items())]
    for waiting in found["postponed"]:
        which = f"{waiting['images']} not scored yet, for {waiting['hours']:.1f} hours, first {waiting['first']}"
        lines.append(f"{which}: {waiting['reason']}")
    if failed := found["failed"]:
        lines.append(f"{found['failed_units']} work units have images that a person left out, the last of them:")
        lines += [f"  {unit['work_unit']}: {unit['reason'].partition(chr(10))[0]}" for unit in failed]
    working = (used for used in found["readouts"] if not used["idle"])
    lines += [f"readout {used['name']} scores images of imager {used['imager']!r}" for used in working]
    lines += [f"worth trying: {line}" for line in found["offers"]]
    if found["facility"] and not found["facility"]["trouble"]:
        lines.append(facility_line(found["facility"]))
    lines += [f"! {line}" for line in troubles(found)]
    return "\n".join(lines)


def _verdict(found: dict[str, Any], *, which: str) -> str:
    """Return whether scores keep up as a sentence, which says what kind of image there is none of where none waits."""
    said: dict[Verdict, str] = {
        "nothing waits": f"no image waits {which}",
        "keeps up": "it keeps up with its imagers",
        "falls behind": "it does not keep up with its imagers",
        "not known yet": "images wait; whether it keeps up is known in some minutes",
    }
    verdict = found["verdict"]
    return f"it stands still since {clock(found['still_since'])}" if verdict == "stands still" else said[verdict]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    add_home_argument(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="for programs")
    form.add_argument("--metrics", action="store_true", help="for Prometheus")
    parser.add_argument("--out", type=Path, help="write into this file, whole, instead of to the screen")
    parser.set_defaults(writes=("out",))


def run(arguments: argparse.Namespace) -> None:
    """Print the status."""
    with opened(arguments.home, create=False) as site:
        found = status(site)
    text = as_metrics(found) if arguments.metrics else json.dumps(found, indent=1) if arguments.json else as_text(found)
    if arguments.out:
        write_whole(arguments.out, text.rstrip("\n") + "\n")
        arguments.out.chmod(0o644)
    else:
        say(text.rstrip("\n"))
