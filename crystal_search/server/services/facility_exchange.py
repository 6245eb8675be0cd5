"""What comes from a facility's own database, and what goes to it: one pass of each.

Both may be killed at any moment and begun again: what came is known by its path, what went is noted after the
facility has it, and giving it once more changes nothing.
"""

import logging
import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from crystal_search.errors import DatabaseError
from crystal_search.server.facility.facility_database import FacilityDatabase, Pulled
from crystal_search.server.imaging.facility_records import Push
from crystal_search.server.imaging.imaging_database import ALL, ImagingDatabase, ScoredImage
from crystal_search.server.imaging.plate_facts import Source
from crystal_search.server.imaging.push_rules import LONGEST_REST
from crystal_search.server.services.facility_pictures import Placing

log = logging.getLogger(__name__)

PULL_ROWS = 5000  #: that one look asks for
PUSH_SCORES = 1000  #: that one transaction of the facility's gets


@dataclass(frozen=True, slots=True, kw_only=True)
class PullReport:
    """What came from a facility."""

    images: int = 0  #: that were new
    known: int = 0
    plates: int = 0  #: of which something was noted, or noted otherwise
    wells: int = 0  #: of whose conditions something was
    scores: int = 0  #: of people, that were new
    left_out: tuple[str, ...] = ()  #: a sentence each
    more: bool = False  #: whether there is more than was looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class PushReport:
    """What went to a facility."""

    taken: int = 0
    refused: tuple[str, ...] = ()  #: a sentence each


def check_folders(imaging: ImagingDatabase, facility: FacilityDatabase, name: str, *, again: bool = False) -> None:
    """Refuse to take over a facility's images by paths that are none, before the first pull or one of everything.

    An archive's old files may be gone; of the newest at least one must be here.

    Raises
    ------
    DatabaseError
        If none of them is: folders are mounted nowhere, or elsewhere than the settings say.
    """
    if imaging.facility_state(name).pull_mark and not again:
        return
    paths = facility.newest_files()
    if paths and not any(map(os.path.isfile, paths)):
        raise DatabaseError(
            f"none of the newest {len(paths)} files of {name} is on this machine, as {paths[0]}, so nothing is pulled; "
            "mount the folder, or correct [facility.folders] in the settings"
        )


def pull(
    imaging: ImagingDatabase, facility: FacilityDatabase, name: str, *, again: bool = False, looks: int = ALL
) -> PullReport:
    """Take over everything that is new at a facility, or what so many looks find.

    All that it has is looked at when it is looked at `again`.

    Raises
    ------
    DatabaseError
        If it cannot be reached; what came before is kept.
    """
    report, mark, more = PullReport(), "" if again else imaging.facility_state(name).pull_mark, True
    while more and looks > 0:
        found = facility.pull(mark, limit=PULL_ROWS)
        report = _taken_over(imaging, found, name, report)
        more, mark, looks = found.more and found.mark != mark, found.mark, looks - 1
        imaging.note_pulled(name, mark, now=datetime.now(UTC))
    return replace(report, more=more)


def _taken_over(imaging: ImagingDatabase, found: Pulled, name: str, report: PullReport) -> PullReport:
    source = Source(name=name.split(maxsplit=1)[0])
    added = imaging.add_images(found.images)
    plates = imaging.note_plates(found.facts, source=source)
    wells = imaging.note_conditions(found.conditions, source=source)
    scores = imaging.add_pulled_scores(name, found.scores)
    return PullReport(
        images=report.images + added.added,
        known=report.known + added.known,
        plates=report.plates + plates.new + plates.changed,
        wells=report.wells + wells.new + wells.changed,
        scores=report.scores + scores.added,
        left_out=(*report.left_out, *found.left_out, *added.conflicts),
    )


def push(
    imaging: ImagingDatabase,
    facility: FacilityDatabase,
    name: str,
    *,
    pictures: Placing = lambda scores: {},
    again: bool = False,
) -> PushReport:
    """Give a facility every score that it was not given yet, and put their pictures in their places.

    Those that it refused are given when their time has come, or all of them once `again`.

    Raises
    ------
    DatabaseError
        If it cannot be reached; what it took before is noted, the rest waits for the next time.
    """
    taken, tried, began = 0, set[int](), datetime.now(UTC)
    refused: list[str] = []
    while True:
        now = datetime.now(UTC)
        until = now + 2 * LONGEST_REST if again else now
        found = imaging.scores_to_push(name, now=until, limit=PUSH_SCORES, before=began)
        scores = [each for each in found.scores if each.score_id not in tried]
        passed_over = [each for each in found.passed_over if each.score_id not in tried]
        if not (scores or passed_over):
            imaging.note_pushed(name, [], now=now, looked_to=found.looked_to)
            return PushReport(taken=taken, refused=tuple(refused))
        reasons = {each.image_id: each.why for each in facility.push(scores)} if scores else {}
        reasons |= pictures([each for each in scores if each.image.id not in reasons])
        given = [_noted(each, reasons.get(each.image.id, "")) for each in scores]
        imaging.note_pushed(name, [*passed_over, *given], now=now)
        tried |= {each.score_id for each in (*passed_over, *given)}
        taken += len(given) - len(reasons)
        refused += reasons.values()
        log.info("pushed %d scores, %d refused", len(given), len(reasons), extra={"action": "scores_pushed"})


def _noted(scored: ScoredImage, refused: str) -> Push:
    return Push(score_id=scored.score_id, image_id=scored.image.id, refused=refused, tries=scored.tries + 1)
