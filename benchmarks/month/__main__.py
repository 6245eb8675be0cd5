"""``python -m benchmarks.month``: play a month of the paper's archive, and tell what became of its images.

A hundredth of the paper's 15,666,284 images is played, in a database that holds 15,666,284 more with their scores. Each
stands for a hundred: it takes a host a hundred times as long, so that machines, days and deadlines are those of the
whole archive. ``--database FILE`` keeps what was generated; the next run plays new images in it.
"""

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from math import ceil
from pathlib import Path

from benchmarks.month.archive import fill
from benchmarks.month.clock import Clock
from benchmarks.month.lab import ARCHIVE, Lab, Stage, staged
from benchmarks.month.play import audited, play
from benchmarks.table import Row, table
from crystal_search.model import default_models, default_models_folder, references
from crystal_search.server.health.status import status
from crystal_search.server.imaging.imaging_database import Recipe
from crystal_search.server.services.create_work import create_work
from crystal_search.server.settings import Settings, sqlite_url

MONTH_DAYS, PAPER_MACHINES = 30, 216
S_PER_IMAGE = 0.275  #: of a processor: 0.15 s measured (docs/speed.md), and a 64th of the 8 s that a work unit takes
MOST_MINUTES = 30.0


def questions(stage: Stage) -> list[Row]:
    """Measure what services and viewer ask of a database of this size, none of it twice."""
    imaging, recipe = stage.site.imaging, stage.recipe
    asked: dict[str, tuple[Callable[[], object], float]] = {
        "the list of plates, as the viewer's first page": (imaging.plates, 5.0),
        "`status`": (lambda: status(stage.site), 5.0),
        "how many images are left, as `watch` says": (lambda: imaging.count_to_score(recipe), 1.0),
        "the next 2000 images for create-work": (lambda: imaging.images_without_score(recipe, limit=2000), 1.0),
        "create-work, from an empty queue to a full one": (lambda: create_work(stage.site, recipe), 60.0),
    }
    rows = []
    for what, (ask, most_s) in asked.items():
        began = time.perf_counter()
        ask()
        took_s = time.perf_counter() - began
        rows.append(Row(what, f"{took_s:.2f} s", f"{most_s:g} s", took_s <= most_s))
    return rows


def month(stage: Stage, database: Path | None) -> list[Row]:
    """Play, and look at every image afterwards."""
    played, server, lab = play(stage), stage.server, stage.lab
    books, minutes = audited(stage), played.took_s / 60
    capacity = lab.processors * lab.on_share
    needed = ceil(lab.machines * played.days / MONTH_DAYS)
    size = database.stat().st_size / 1e9 if database else 0.0
    return [
        Row("images scored", f"{books.scored}"),
        Row("lost", f"{books.lost}", "0", books.lost == 0),
        Row("doubled", f"{books.doubled}", "0", books.doubled == 0),
        Row("given up wrongly", f"{books.given_up}", "0", books.given_up == 0),
        Row("with a liar's score", f"{books.false}", "0", books.false == 0),
        Row("called unreadable, rightly", f"{books.unreadable}"),
        Row("copies sent; jobs that BOINC gave up", f"{server.copies_sent}; {server.given_up}"),
        Row(f"days that {lab.machines} machines took", f"{played.days:.1f}"),
        Row("such machines needed for 30 days", f"{needed}", f"{PAPER_MACHINES}", needed <= PAPER_MACHINES),
        Row("machines of 8 processors, on 40 % of the time", f"{ceil(needed * capacity / (8 * 0.4))}"),
        *(Row(f"peak disk: {name}", f"{count / 1e6:.0f} MB") for name, count in sorted(played.peaks.items())),
        Row("disk: database", f"{size:.1f} GB"),
        Row("passes; the longest", f"{played.passes}; {played.longest_pass_s:.1f} s"),
        Row("processor time of the services", f"{1000 * played.services_cpu_s / lab.images:.2f} ms/image"),
        Row("processor time of what is played", f"{1000 * played.play_cpu_s / lab.images:.2f} ms/image"),
        Row("real time", f"{minutes:.1f} min", f"{MOST_MINUTES:g} min", minutes <= MOST_MINUTES),
    ]


def default_recipe() -> Recipe:
    """Return what an installation without settings scores with."""
    return Recipe(models=references(default_models(default_models_folder())), threshold=Settings().threshold)


def run(arguments: argparse.Namespace, folder: Path) -> list[Row]:
    """Make what is missing, ask, play."""
    database = arguments.database or folder / "imaging.sqlite"
    url = arguments.url or sqlite_url(database.absolute()).render_as_string(hide_password=False)
    if arguments.rows and (arguments.url or not database.exists()):
        began = time.perf_counter()
        count = fill(url, arguments.rows, default_recipe(), scored=not arguments.unscored)
        print(f"generated {count} images in {(time.perf_counter() - began) / 60:.1f} min", flush=True)
    lab = Lab(
        images=ceil(ARCHIVE / arguments.scale),
        s_per_image=S_PER_IMAGE * arguments.scale,
        max_queue=arguments.max_queue,
        seed=arguments.seed,
    )
    if arguments.unscored:
        lab = replace(lab, images=2 * lab.max_queue * lab.images_per_unit)
    stage = staged(lab, folder, url, Clock(time.time()))
    found = questions(stage)
    print(table(found), flush=True)
    return found if arguments.unscored else month(stage, None if arguments.url else database)


def main() -> None:
    """Read the command line, generate, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--scale", type=float, default=100, help="one image in so many is played (default: %(default)g)"
    )
    parser.add_argument(
        "--rows", type=int, default=ARCHIVE, help="images in the database before (default: %(default)d)"
    )
    parser.add_argument(
        "--max-queue", type=int, default=Lab(images=1).max_queue, help="work units out at a time (default: %(default)d)"
    )
    parser.add_argument("--unscored", action="store_true", help="these have no scores; only ask, and pack one queue")
    parser.add_argument("--database", type=Path, help="SQLite file, made if it is not there, and kept")
    parser.add_argument("--url", help="an empty PostgreSQL or MariaDB database instead")
    parser.add_argument("--folder", type=Path, help="where there is room for pictures and home")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    logging.disable(logging.ERROR)  # of thousands of volunteers' faults, each would be told
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        found = run(arguments, Path(name))
    print(table(found))
    sys.exit(any(row.reached is False for row in found))


if __name__ == "__main__":
    main()
