"""The status in Prometheus' text format, version 0.0.4; docs/services.md tells what each metric means."""

import time
from typing import Any

from crystal_search.server.engines.engine_kinds import ENGINES
from crystal_search.server.health.troubles import report_of, troubles


def as_metrics(found: dict[str, Any]) -> str:
    """Return what `status` tells as metrics; what is not known is left out."""
    engine, report = found["engine"], report_of(found)
    pace = found["rates"] or {}
    values: dict[str, tuple[str, float | None]] = {
        "images": ("images that are known", found["images"]),
        "images_scored": ("images with an automatic score", found["scored"]),
        "work_units_open": ("work units without scores in the ledger", found["open_units"]),
        "images_postponed": ("images that were put off", sum(each["images"] for each in found["postponed"])),
        "work_units_failed": ("work units of which a person left images out", found["failed_units"]),
        "oldest_unscored_seconds": ("how long an image has waited", _times(found["oldest_unscored_hours"], 3600)),
        "still_seconds": ("since the last score, while images wait", _times(found["flow"]["still_minutes"], 60)),
        "images_per_hour": ("images that come in", pace.get("images_per_hour")),
        "scores_per_hour": ("images that are scored", pace.get("scores_per_hour")),
        "free_bytes": ("room on the disk of the home folder", found["free_bytes"]),
        "troubles": ("what health complains of", len(troubles(found))),
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


def _times(value: float | None, seconds: float) -> float | None:
    return None if value is None else float(value) * seconds


def _metric(name: str, told: str, values: dict[str, float], label: str = "") -> list[str]:
    full = f"crystal_search_{name}"
    lines = [f"# HELP {full} {told}", f"# TYPE {full} gauge"]
    for key, value in values.items():
        where = f'{{{label}="{key}"}}' if label else ""
        lines.append(f"{full}{where} {value!r}")
    return lines
