"""What people read of pulls and pushes."""

from datetime import UTC, datetime

from crystal_search.server.imaging.facility_records import FacilityState, PushedScore
from crystal_search.server.services.facility_reports import state_lines

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)


def refusal(*, why: str, tries: int) -> PushedScore:
    return PushedScore(
        score_id=1, path="/a.jpg", outcome="no_drop", pushed_at=AT, refused=why, tries=tries, next_at=None
    )


def test_a_refusal_names_its_image_once() -> None:
    known, unknown = refusal(why="/a.jpg: no such path", tries=1), refusal(why="the disk is full", tries=3)
    assert state_lines("ispyb db/i", FacilityState(refused=2), [known, unknown])[1:] == [
        "  /a.jpg: no_drop, tried 1 time, again never: no such path",
        "  /a.jpg: no_drop, tried 3 times, again never: the disk is full",
    ]
