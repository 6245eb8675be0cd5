"""``crystal-search status``: what waits, what runs, what failed."""

import argparse
import json
from dataclasses import asdict
from typing import Any

from crystal_search.server.engine import running_fractions
from crystal_search.server.installation import Installation, add_home_argument, opened, say
from crystal_search.server.progress import stages


def status(site: Installation) -> dict[str, Any]:
    """Return everything there is to tell, as plain values."""
    plates = site.imaging.plates()
    return {
        "images": sum(plate.images for plate in plates),
        "scored": sum(plate.scored for plate in plates),
        "open_units": len(site.imaging.units("open")),
        "stages": asdict(stages(site.home)),
        "running": running_fractions(site.home),
        "failed": [{"work_unit": unit.name, "reason": unit.reason} for unit in site.imaging.units("failed")],
    }


def as_text(found: dict[str, Any]) -> str:
    """Return the status for people."""
    lines = [f"{found['scored']} of {found['images']} images are scored; {found['open_units']} work units are open"]
    lines += [f"  {name.replace('_', ' '):10} {count:6}" for name, count in found["stages"].items()]
    lines += [f"  {name}: {fraction:.0%} done" for name, fraction in sorted(found["running"].items())]
    if found["failed"]:
        lines.append(f"{len(found['failed'])} work units failed:")
        lines += [f"  {unit['work_unit']}: {unit['reason'].partition(chr(10))[0]}" for unit in found["failed"]]
    return "\n".join(lines)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    add_home_argument(parser)
    parser.add_argument("--json", action="store_true", help="for programs")


def run(arguments: argparse.Namespace) -> None:
    """Print the status."""
    with opened(arguments.home, create=False) as site:
        found = status(site)
    say(json.dumps(found, indent=1) if arguments.json else as_text(found))
