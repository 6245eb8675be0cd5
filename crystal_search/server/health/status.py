"""``crystal-search status`` and ``health``: what waits, what runs, what failed, and whether all is well."""

import argparse
import json
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crystal_search.files import write_whole
from crystal_search.server.engines.attempts import running_fractions
from crystal_search.server.engines.engine import Waiting
from crystal_search.server.engines.engine_kinds import ENGINES
from crystal_search.server.home import Home
from crystal_search.server.installation import Installation, add_home_argument, opened, say
from crystal_search.server.services.reconcile import STRAY, strays_at
from crystal_search.server.unit_states import WITH_RESULT, State, is_in, names_in

MAX_AGE_HOURS = 24.0  #: of an image without a score
MAX_POSTPONED_HOURS = 0.25  #: of an image that was put off; what takes longer needs somebody
LEAST_FREE_BYTES = 2_000_000_000
SHOWN_FAILURES = 20
HOUR_S = 3_600.0
EVERY_S = 300.0  #: between two samples of the counts
KEPT_S = 7 * 86_400.0
RATE_S = 3_600.0  #: over which rates are told, at least where there are samples that old
#: The states of work units that are told of, in the order in which work moves.
TOLD = (State.QUEUED, State.RUNNING, State.RETURNED, State.VALIDATED, State.SPOOLED, State.SET_ASIDE)


@dataclass(frozen=True, slots=True)
class Sample:
    """What was counted at one time."""

    at: float  #: s since 1970
    images: int
    scored: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """How fast images come in and are scored."""

    images_per_hour: float
    scores_per_hour: float
    over_hours: float  #: on which this rests


def read_samples(path: Path) -> list[Sample]:
    """Return the samples in a file, oldest first; lines that cannot be read are left out."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        with suppress(ValueError, TypeError):
            found.append(Sample(**json.loads(line)))
    return sorted(found, key=lambda sample: sample.at)


def add_sample(path: Path, images: int, scored: int, *, now: float | None = None) -> list[Sample]:
    """Return the samples with what is counted now; it is written down when the last is old enough.

    A clock that was set back takes later samples away, since no rate can follow from them.
    """
    current = Sample(time.time() if now is None else now, images, scored)
    known = [each for each in read_samples(path) if current.at - KEPT_S < each.at <= current.at]
    if not known or current.at - known[-1].at >= EVERY_S:
        with suppress(OSError):  # whoever only looks may have no right to write
            write_whole(path, "".join(json.dumps(asdict(each)) + "\n" for each in (*known, current)))
    return [*known, current]


def rates(samples: Sequence[Sample]) -> Rates | None:
    """Return how fast counts grow between now and an hour ago; None where nothing is known of before.

    >>> samples = [Sample(0, 0, 0), Sample(1800, 100, 50), Sample(7200, 1000, 500)]
    >>> rates(samples)
    Rates(images_per_hour=600.0, scores_per_hour=300.0, over_hours=1.5)
    """
    if len(samples) < 2:
        return None
    last = samples[-1]
    before = [each for each in samples if last.at - each.at >= RATE_S]
    first = before[-1] if before else samples[0]
    hours = (last.at - first.at) / HOUR_S
    if hours <= 0:
        return None
    return Rates(
        images_per_hour=(last.images - first.images) / hours,
        scores_per_hour=(last.scored - first.scored) / hours,
        over_hours=hours,
    )


def status(site: Installation) -> dict[str, Any]:
    """Return everything there is to tell, as plain values."""
    plates = site.imaging.plates()
    images, scored = sum(plate.images for plate in plates), sum(plate.scored for plate in plates)
    pace = rates(add_sample(site.home.samples, images, scored))
    oldest = site.imaging.waits_longest()
    return {
        "engine": site.settings.engine,
        "images": images,
        "scored": scored,
        "open_units": len(site.imaging.units("open")),
        "oldest_unscored_hours": None if oldest is None else _hours_since(oldest),
        "rates": None if pace is None else asdict(pace),
        "keeps_up": None if pace is None else scored >= images or pace.scores_per_hour >= pace.images_per_hour,
        "free_bytes": shutil.disk_usage(site.home.path).free,
        "stages": stages(site.home),
        "strays": list(map(str, strays_at(site))),
        "running": running_fractions(site.home),
        "postponed": [
            {"reason": each.reason, "images": each.images, "hours": _hours_since(each.since), "first": each.first}
            for each in site.imaging.postponed()
        ],
        "failed": [{"work_unit": unit.name, "reason": unit.reason} for unit in site.imaging.units("failed")],
    } | _reports(site)


def stages(home: Home) -> dict[str, int]:
    """Return how many work units are in each state, and how many CSV files wait for set-autoscore.

    A work unit that is queued may be running, too, or returned: its file stays until its result is in the spool.
    """
    counts = {state.replace(" ", "_"): len(names_in(home, state)) for state in TOLD}
    return counts | {"csv_files": len(list(home.finalized.glob("*.csv")))}


def _hours_since(moment: datetime) -> float:
    return max(0.0, (datetime.now(UTC) - moment).total_seconds() / HOUR_S)


def _reports(site: Installation) -> dict[str, Any]:
    """Return by the names of all engines that tell something what the one in use tells, and None for the others."""
    used = site.settings.engine
    units = Counter(
        unit.recipe.models for unit in site.imaging.units("open") if not is_in(site.home, unit.name, *WITH_RESULT)
    )
    waiting = Waiting(settings=site.settings, models=(site.models, site.home.models), units=units)
    return {
        name: asdict(kind.report(waiting)) if name == used else None for name, kind in ENGINES.items() if kind.report
    }


def troubles(found: dict[str, Any], *, max_age_hours: float = MAX_AGE_HOURS) -> list[str]:
    """Return what somebody should look after, a sentence each; nothing when all is well."""
    said = []
    age = found["oldest_unscored_hours"]
    if age is not None and age > max_age_hours:
        said.append(f"an image has waited {age:.1f} hours for its score; at most {max_age_hours:g} are wanted")
        if found["keeps_up"] is False:
            said.append("more images come in than are scored: lend more computers, or larger queues")
    for waiting in found["postponed"]:
        if waiting["hours"] > MAX_POSTPONED_HOURS:
            which = f"{waiting['images']} images are not scored yet, first {waiting['first']}"
            said.append(f"{which}: {waiting['reason']}; `retry` tries them now")
    if found["free_bytes"] < LEAST_FREE_BYTES:
        said.append(f"the disk of the home folder has {found['free_bytes'] / 1e9:.1f} GB left")
    if found["stages"]["set_aside"]:
        said.append(
            f"{found['stages']['set_aside']} work units are set aside; create-work tries their images one by one"
        )
    said += [f"{path} {STRAY}" for path in found["strays"]]
    return [*said, *_report(found).get("complaints", ())]


def _report(found: dict[str, Any]) -> dict[str, Any]:
    """Return what the engine in use tells; nothing where it tells nothing."""
    return found.get(found["engine"]) or {}


def as_text(found: dict[str, Any]) -> str:
    """Return the status for people: one screen."""
    lines = [f"{found['scored']} of {found['images']} images are scored; {found['open_units']} work units are open"]
    if found["oldest_unscored_hours"] is not None:
        lines.append(f"the image that waits longest for its score came {found['oldest_unscored_hours']:.1f} hours ago")
    if pace := found["rates"]:
        verdict = "keeps up" if found["keeps_up"] else "does not keep up"
        lines.append(
            f"{pace['images_per_hour']:.0f} images an hour come in, {pace['scores_per_hour']:.0f} are scored "
            f"(over {pace['over_hours']:.1f} hours): it {verdict} with its imagers"
        )
    lines += [f"  {name.replace('_', ' '):10} {count:6}" for name, count in found["stages"].items()]
    kind = ENGINES[found["engine"]]
    if load := _report(found).get("load"):
        lines.append(f"{kind.title}:")
        lines += [f"  {name.replace('_', ' '):20} {count:6}" for name, count in load.items()]
    if kind.clients_here:
        lines += [f"  {name}: {fraction:.0%} done" for name, fraction in sorted(found["running"].items())]
    for waiting in found["postponed"]:
        which = f"{waiting['images']} not scored yet, for {waiting['hours']:.1f} hours, first {waiting['first']}"
        lines.append(f"{which}: {waiting['reason']}")
    if failed := found["failed"]:
        lines.append(f"{len(failed)} work units failed, the last of them:")
        lines += [f"  {unit['work_unit']}: {unit['reason'].partition(chr(10))[0]}" for unit in failed[-SHOWN_FAILURES:]]
    lines += [f"! {line}" for line in troubles(found)]
    return "\n".join(lines)


def as_metrics(found: dict[str, Any]) -> str:
    """Return the status in Prometheus' text format, version 0.0.4."""
    engine, report = found["engine"], _report(found)
    pace = found["rates"] or {}
    values: dict[str, tuple[str, float | None]] = {
        "images": ("images that are known", found["images"]),
        "images_scored": ("images with an automatic score", found["scored"]),
        "work_units_open": ("work units without scores in the ledger", found["open_units"]),
        "images_postponed": ("images that were put off", sum(each["images"] for each in found["postponed"])),
        "work_units_failed": ("work units that were given up", len(found["failed"])),
        "oldest_unscored_seconds": ("age of the image that has waited longest", _seconds(found)),
        "images_per_hour": ("images that come in", pace.get("images_per_hour")),
        "scores_per_hour": ("images that are scored", pace.get("scores_per_hour")),
        "free_bytes": ("room on the disk of the home folder", found["free_bytes"]),
        f"{engine}_dead_daemons": ("daemons that do not run", len(report["dead_daemons"]) if report else None),
        "time_seconds": ("when this was told", time.time()),
    }
    lines = []
    for name, (told, value) in values.items():
        if value is not None:
            lines += _metric(name, told, {"": value})
    lines += _metric("stage", "work units, or files, in each place", found["stages"], "place")
    if load := report.get("load"):
        lines += _metric(engine, f"what {ENGINES[engine].title} counts", load, "what")
    return "\n".join([*lines, ""])


def _seconds(found: dict[str, Any]) -> float | None:
    hours = found["oldest_unscored_hours"]
    return None if hours is None else float(hours) * HOUR_S


def _metric(name: str, told: str, values: dict[str, float], label: str = "") -> list[str]:
    full = f"crystal_search_{name}"
    lines = [f"# HELP {full} {told}", f"# TYPE {full} gauge"]
    for key, value in values.items():
        where = f'{{{label}="{key}"}}' if label else ""
        lines.append(f"{full}{where} {value!r}")
    return lines


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    add_home_argument(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="for programs")
    form.add_argument("--metrics", action="store_true", help="for Prometheus")
    parser.add_argument("--out", type=Path, help="write into this file, whole, instead of to the screen")


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
