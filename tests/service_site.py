"""An installation to test services on: a home folder, an imaging database, small images, a client that obeys."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from crystal_search.server.engines.attempts import attempt_folder
from crystal_search.server.engines.local_engine import LocalEngine, good_picture
from crystal_search.server.folders import unit_files
from crystal_search.server.home import Home
from crystal_search.server.imaging.imaging_database import AutoScore, ImagingDatabase
from crystal_search.server.imaging.stored_images import NewImage
from crystal_search.server.installation import Installation
from crystal_search.server.services.create_work import Order
from crystal_search.server.services.cycle import is_finished, publish_scores, score_images
from crystal_search.server.settings import Settings
from crystal_search.server.unit_states import WITH_RESULT, State, is_in, move
from crystal_search.wells import WellKey
from tests.fake_client import Plan, score
from tests.memory_imaging import MemoryImaging
from tests.recipes import made_by

FAKE_CLIENT = Path(__file__).parent / "fake_client.py"
RECIPE = made_by("fake-1")
#: Nothing here waits for a time to pass: these are for machines that have much else to do.
PATIENCE_S = 120.0
SETTINGS = Settings(workers=2, images_per_unit=4, seconds_per_image=PATIENCE_S, attempts=2)
PICTURE = good_picture()


def site_at(
    folder: Path, *, images: int = 0, settings: Settings = SETTINGS, imaging: ImagingDatabase | None = None
) -> Installation:
    """Return an installation in `folder`, with so many images of one plate."""
    site = Installation(home=Home(folder / "home").made(), settings=settings, imaging=imaging or MemoryImaging())
    add_images(site, folder / "images", images)
    return site


def add_images(
    site: Installation,
    folder: Path,
    count: int,
    *,
    plate: str = "90j8",
    inspection: int = 1,
    imaged_at: datetime | None = None,
) -> None:
    """Write `count` images and make them known."""
    folder.mkdir(exist_ok=True)
    new = []
    for number in range(count):
        path = folder / f"{quote(plate, safe='')}_{inspection}_{number:03d}.jpg"
        path.write_bytes(PICTURE)
        key = WellKey(plate=plate, row=number // 12, column=number % 12, inspection=inspection)
        new.append(NewImage(key=key, path=str(path), imaged_at=imaged_at))
    site.imaging.add_images(new)


def client(**plan: Any) -> tuple[str, ...]:
    """Return the command of a client that follows a plan."""
    return (sys.executable, str(FAKE_CLIENT), json.dumps(plan))


@contextmanager
def engine_of(site: Installation, *, clock: Callable[[], float] = time.monotonic, **plan: Any) -> Iterator[LocalEngine]:
    """Run an engine whose clients follow a plan."""
    command = client(**plan)
    with LocalEngine(site.home, site.settings, Path("models"), client_command=command, clock=clock) as engine:
        yield engine


def return_results(site: Installation, **plan: Any) -> None:
    """Score what is queued in this process, without an engine."""
    for path in unit_files(site.home.queue):
        if not is_in(site.home, path.stem, *WITH_RESULT):
            folder = attempt_folder(site.home, path.stem)
            score(path, folder, Plan(**plan))
            move(site.home, path.stem, State.RUNNING, State.RETURNED, at=folder)


def score_everything(site: Installation, engine: LocalEngine, *, patience_s: float = PATIENCE_S) -> None:
    """Repeat the services until nothing is left to do, then set the scores."""
    deadline = time.monotonic() + patience_s
    while not is_finished(site, score_images(site, RECIPE, engine, Order())):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not finished after {patience_s} s")
        time.sleep(0.01)
    publish_scores(site)


def auto_scores(site: Installation) -> dict[int, list[AutoScore]]:
    """Return every automatic score in the ledger by image."""
    image_id, found = 1, {}
    while image := site.imaging.images([image_id]).get(image_id):
        ledger = site.imaging.ledger(image.id)
        found[image.id] = [score for score in ledger if isinstance(score, AutoScore)]
        image_id += 1
    return found


def pass_time(site: Installation, *, seconds: float) -> None:
    """Have every image that was put off be so much longer ago."""
    images = [image.id for image in site.imaging.postponed_images()]
    passed = timedelta(seconds=seconds)
    known = site.imaging.postponements(images).values()
    site.imaging.postpone([replace(each, since=each.since - passed, next_at=each.next_at - passed) for each in known])


def with_settings(site: Installation, **changes: Any) -> Installation:
    """Return the installation with other settings."""
    return replace(site, settings=replace(site.settings, **changes))
