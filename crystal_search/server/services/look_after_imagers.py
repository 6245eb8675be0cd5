"""``crystal-search sentinel``: looks at every new image for what is the matter with its imager (docs/sentinel.md)."""

import argparse
import logging
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from crystal_search.errors import ImageError
from crystal_search.files import write_whole
from crystal_search.images import decode, to_grey
from crystal_search.known_names import among
from crystal_search.outcomes import BY_NAME, GROUPS, NO_DROP, group_of
from crystal_search.sentinel.imager_faults import ImagerWatch
from crystal_search.sentinel.usual import Look, learnt
from crystal_search.sentinel.vitals import WIDTH_PX, vitals_of
from crystal_search.server.imaging.imaging_database import DropScores, ImagingDatabase
from crystal_search.server.installation import Installation, add_home_argument, opened, say
from crystal_search.server.locks import FileLock
from crystal_search.server.services.disagreements import drops_of
from crystal_search.server.services.imager_records import (
    LEARNT,
    RECENT,
    STANDING,
    ImagerRecord,
    Noticed,
    SeenImage,
    read_record,
    read_records,
    read_seen,
    record_file,
    with_days,
    write_record,
    write_seen,
)
from crystal_search.server.services.strange_lookout import compare, noticed_strange
from crystal_search.server.services.strange_records import (
    HISTORY,
    StrangeRecord,
    forget_strange,
    read_all_strange,
)

log = logging.getLogger(__name__)

PASS = 300  #: images that one pass looks at, at most
BACK = 3000  #: images before the newest that a pass may still look at
IN_A_ROUND, ROUND_S = 64, 15.0  #: images, and seconds between two looks, while `watch` scores
LAST, LOCK, PATIENCE_S = "last-image", ".lock", 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    add_home_argument(parser)
    parser.add_argument(
        "--learn-anew", metavar="IMAGER", help="forget what is usual for an imager, after it was repaired"
    )


def run(arguments: argparse.Namespace) -> None:
    """Look at all that is new, and say how each imager is.

    Raises
    ------
    UserError
        If there is no installation, or no such imager.
    """
    with opened(arguments.home, create=False) as site:
        folder = site.home.sentinel
        if arguments.learn_anew:
            with _alone(folder):
                _forget(folder, arguments.learn_anew)
        while look_after_imagers(site):
            log.info("looked at images up to %d", _last(folder))
        for record in read_records(folder):
            for line in said_of(record):
                say(line)
        for strange in read_all_strange(folder):
            say(strange_said(site.imaging, strange))


def said_of(record: ImagerRecord) -> list[str]:
    """Return how an imager is, a sentence each."""
    if record.is_learning:
        return [f"{record.name}: {record.images} images; what is usual is known after {LEARNT}"]
    if not record.standing:
        return [f"{record.name}: all is as usual, after {record.images} images"]
    return [f"{record.name}: {fault_said(each)}" for each in record.standing]


def strange_said(imaging: ImagingDatabase, record: StrangeRecord) -> str:
    """Return how strange an imager's images are, as a sentence."""
    if record.trouble:
        return f"{record.name}: its last {len(record.missed)} images are not compared: {record.trouble}"
    if record.is_learning:
        learnt_from = f"{len(record.learnt_ids)} images with features"
        return f"{record.name}: {learnt_from}; what is out of the ordinary is known after {HISTORY}"
    for each in noticed_strange(imaging, record):
        return f"{record.name}: {fault_said(each)}"
    return f"{record.name}: no more images are out of the ordinary than chance explains, of {record.compared}"


def standing(imaging: ImagingDatabase, folder: Path) -> list[str]:
    """Return the faults of all imagers that last, a sentence each."""
    faults = [line for record in read_records(folder) if record.standing for line in said_of(record)]
    return [
        *faults,
        *(
            strange_said(imaging, each)
            for each in read_all_strange(folder)
            if each.trouble or noticed_strange(imaging, each)
        ),
    ]


def fault_said(fault: Noticed) -> str:
    """Return a fault as people read it.

    >>> fault_said(Noticed(kind="defocus", what="", image_id=9, at="", since_image_id=7, since="2026-01-31T12:00:00"))
    'defocus since 2026-01-31 12:00 (image 7)'
    """
    what = f" ({fault.what})" if fault.what else ""
    return f"{fault.kind}{what} since {fault.since[:16].replace('T', ' ')} (image {fault.since_image_id})"


def look_after_imagers(site: Installation, at_most: int = PASS) -> bool:
    """Look at the next images that were scored, and keep what was noticed; tell whether there were any.

    Images are looked at in the order in which they came. One that waits for its score holds up those behind it, until
    it is `BACK` images old.
    """
    with _alone(site.home.sentinel):
        return _looked_on(site, at_most)


def _alone(folder: Path) -> FileLock:
    """Let one process at a time change what is known of imagers."""
    return FileLock(folder / LOCK, "another look at the imagers", patience_s=PATIENCE_S)


def _looked_on(site: Installation, at_most: int) -> bool:
    folder = site.home.sentinel
    last = _last(folder)
    if all(image.id <= last for image in site.imaging.images_read(limit=1)):
        return False
    images, reached = _next(site, last, at_most)
    compare(site, images)
    by_imager: defaultdict[str, list[SeenImage]] = defaultdict(list)
    for drop in images:
        if (found := _seen(site, drop)) is not None:
            by_imager[site.imagers.of(drop.image)].append(found)
    for imager, seen in by_imager.items():
        _go_on(folder, imager, seen)
    folder.mkdir(exist_ok=True)
    write_whole(folder / LAST, str(reached))
    return reached > last


def _last(folder: Path) -> int:
    try:
        text = (folder / LAST).read_text(encoding="utf-8")
    except OSError:
        return 0
    return int(text) if text.isascii() and text.isdecimal() else 0


def _next(site: Installation, last: int, at_most: int) -> tuple[list[DropScores], int]:
    """Return the scored images after image `last`, in order, and up to which image that is."""
    newest = [image for image in site.imaging.images_read(limit=BACK) if image.id > last]
    scores = {drop.image.id: drop for drop in drops_of(site.imaging, newest)}
    found: list[DropScores] = []
    for image in reversed(newest):
        drop = scores.get(image.id)
        if len(found) == at_most or (drop is not None and drop.current is None and drop.postponed is None):
            break
        last = image.id
        if drop is not None and drop.current is not None:
            found.append(drop)
    return found, last


def _seen(site: Installation, drop: DropScores) -> SeenImage | None:
    """Return an image as the sentinel sees it; None where it cannot be seen."""
    outcome, path = drop.current.outcome if drop.current else "", drop.image.path
    if outcome not in (*BY_NAME, NO_DROP):
        return None
    try:
        data = site.files.ask(path, partial(Path(path).read_bytes))
        vitals = vitals_of(to_grey(decode(data, at_least_width_px=WIDTH_PX).colour))
    except (OSError, ImageError) as error:
        log.info("%s is not looked at: %s", path, error)
        return None
    group = group_of(outcome)
    taken = drop.image.imaged_at or drop.image.arrived_at or datetime.now(UTC)
    return SeenImage(
        image_id=drop.image.id,
        taken=taken,
        look=Look(vitals=vitals, group=None if group is None else GROUPS.index(group), plate=drop.image.key.plate),
    )


def _go_on(folder: Path, imager: str, new: Sequence[SeenImage]) -> None:
    """Keep what is seen of an imager, and what is noticed by it."""
    seen = read_seen(folder, imager)
    known = {each.image_id for each in seen}
    new = [each for each in new if each.image_id not in known]  # again, after this program was killed
    seen = [*seen, *new]
    record = with_days(read_record(folder, imager), new)
    if len(seen) > LEARNT + RECENT:
        seen = [*seen[:LEARNT], *seen[-RECENT // 2 :]]
    write_seen(folder, imager, seen)
    if len(seen) > LEARNT:
        found = noticed(seen)
        ids = {each.image_id for each in new}
        fresh = [each for each in found if each.image_id in ids]
        lately = {each.image_id for each in seen[-STANDING:]}
        standing = {(each.kind, each.what): each for each in reversed(found) if each.image_id in lately}
        record = replace(record, alarms=(*record.alarms, *fresh), standing=tuple(standing.values()))
    write_record(folder, record)


def noticed(seen: Sequence[SeenImage]) -> list[Noticed]:
    """Return what is noticed in the images after those that were learnt from, in order."""
    usual, later = learnt([each.look for each in seen[:LEARNT]]), seen[LEARNT:]
    watch, found = ImagerWatch(usual), []
    for each in later:
        for alarm in watch.look(each.look):
            began = later[min(alarm.since, len(later) - 1)]
            found.append(
                Noticed(
                    kind=alarm.kind,
                    what=alarm.what,
                    image_id=each.image_id,
                    at=each.taken.isoformat(timespec="minutes"),
                    since_image_id=began.image_id,
                    since=began.taken.isoformat(timespec="minutes"),
                )
            )
    return found


def _forget(folder: Path, imager: str) -> None:
    """Begin to learn an imager anew; what its days were like stays.

    Raises
    ------
    UserError
        If there is no such imager.
    """
    known = {record.name: record for record in read_records(folder)}
    record = among(known, imager, "imager")
    record_file(folder, imager).with_suffix(".npz").unlink(missing_ok=True)
    forget_strange(folder, imager)
    write_record(folder, replace(record, images=0, standing=()))


class Rounds:
    """Looks after imagers now and then, a few images at a time, so that scores come first."""

    def __init__(self, site: Installation) -> None:
        self._site = site
        self._next_at = 0.0
        self._said: list[str] = []

    def look(self) -> list[str]:
        """Look, if it is time; return the faults that stand, a sentence each."""
        if time.monotonic() >= self._next_at:
            look_after_imagers(self._site, IN_A_ROUND)
            self._next_at = time.monotonic() + ROUND_S
            self._said = standing(self._site.imaging, self._site.home.sentinel)
        return self._said
