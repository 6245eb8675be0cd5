"""What becomes of work units whose jobs fail: only a program that failed at one says anything about its images."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crystal_search.exit_codes import BAD_MODEL, BAD_WORK_UNIT, FAILED, USAGE
from crystal_search.server.engines.attempts import failures
from crystal_search.server.engines.boinc.boinc_failures import (
    CLIENT_ERROR,
    EXITS,
    MASKS,
    OUTCOMES,
    FailedCopy,
    given_up_because,
)
from crystal_search.server.engines.boinc.following_up import NEXT_AFTER_S
from crystal_search.server.folders import unit_files
from crystal_search.server.services.retry import retry
from crystal_search.server.services.validate import validate
from tests.boinc_site import BoincSite, boinc_site, come_back, step
from tests.service_site import add_images, auto_scores

SAYS_NOTHING = {
    "download": -186,
    "not found": -224,
    "damaged": -119,
    "signature": -120,
    "no such file": -161,
    "upload": -187,
    "wrong size": -221,
    "any other of BOINC's client": -244,
    "models": BAD_MODEL,
    "program too old": BAD_WORK_UNIT,
    "usage": USAGE,
    "aborted by the client": 194,
    "disk": 196,
    "time": 197,
    "memory": 198,
    "begun too late": 200,
    "cancelled": 202,
    "aborted by its user": 203,
    "done too late": 209,
    "killed": 137,
    "an illegal instruction": 132,
    "unpacking": 255,
    "a missing library": 127,
}


def sole_unit(place: BoincSite) -> str:
    """Return the one queued work unit."""
    (path,) = unit_files(place.site.home.queue)
    return path.stem


def later(place: BoincSite) -> None:
    """Have all pauses between attempts pass."""
    for note in place.site.home.submitted.glob("*.attempt"):
        os.utime(note, (1e9, 1e9))


@pytest.mark.parametrize("code", SAYS_NOTHING.values(), ids=SAYS_NOTHING)
def test_what_is_no_fault_of_the_program_says_nothing(code: int) -> None:
    assert not FailedCopy(name="a_a1_0", host_id=3, outcome=CLIENT_ERROR, exit_status=code).end.is_attempt


@pytest.mark.parametrize("code", [SAYS_NOTHING["download"], SAYS_NOTHING["memory"]])
def test_what_says_nothing_is_no_attempt(tmp_path: Path, code: int) -> None:
    place = boinc_site(tmp_path, images=4)
    step(place)
    unit = sole_unit(place)
    for attempt in (1, 2, 3):
        place.server.fail(f"{unit}_a{attempt}", code, code, code)
        later(place)
        step(place)
        assert place.server.created[-1] == f"{unit}_a{attempt + 1}"
    assert failures(place.site.home, unit) == []
    come_back(place, tmp_path, attempt=4)
    step(place)
    assert validate(place.site.home).valid == 1


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_copies_that_brought_no_result_to_look_at_are_no_attempts(tmp_path: Path, outcome: int) -> None:
    place = boinc_site(tmp_path, images=4)
    step(place)
    (job,) = place.server.created
    place.server.fail(job, FAILED, FAILED, FAILED)
    place.server.failed[1] = [replace(copy, outcome=outcome) for copy in place.server.failed[1]]
    step(place)
    assert place.server.created[-1] == f"{sole_unit(place)}_a2"
    assert failures(place.site.home, sole_unit(place)) == []


@pytest.mark.parametrize("mask", MASKS)
def test_why_boinc_gave_a_job_up_says_nothing_about_images(tmp_path: Path, mask: int) -> None:
    place = boinc_site(tmp_path, images=4)
    step(place)
    place.server.fail(place.server.created[0], error_mask=mask)
    step(place)
    assert place.server.created[-1] == f"{sole_unit(place)}_a2"


@pytest.mark.parametrize("code", [FAILED, 139, 193, -1073741819])
def test_a_program_that_fails_is_an_attempt(tmp_path: Path, code: int) -> None:
    place = boinc_site(tmp_path, images=2)
    step(place)
    unit = sole_unit(place)
    place.server.fail(f"{unit}_a1", -186, code, -186)
    for _ in range(2):  # a second time, as after being killed in between
        with place.engine as engine:
            engine.submit(unit_files(place.site.home.queue))
            engine.step()
        assert len(failures(place.site.home, unit)) == 1
        (place.site.home.submitted / f"{unit}.attempt").write_text("1")
    (place.site.home.submitted / f"{unit}.attempt").write_text("2")
    place.server.fail(f"{unit}_a2", -224, code)
    step(place)
    assert [path.stem for path in unit_files(place.site.home.failed)] == [unit]
    step(place)
    assert len(unit_files(place.site.home.queue)) == 2  # its images, one by one


def test_a_unit_that_fails_is_split_and_a_single_image_put_off_with_the_reason(tmp_path: Path) -> None:
    place = boinc_site(tmp_path, images=2)
    step(place)
    place.server.fail(place.server.created[0], FAILED, FAILED)
    step(place)
    step(place)
    single = place.server.created[1:]
    assert len(single) == 2
    place.server.fail(single[0], FAILED, FAILED)
    step(place)
    step(place)
    assert not any(auto_scores(place.site).values())
    assert [(each.images, each.reason) for each in place.site.imaging.postponed()] == [
        (1, "clients could not score it: a copy ended with exit code 1")
    ]


def test_an_image_that_was_put_off_goes_to_volunteers_again_and_its_former_jobs_do_not_count(tmp_path: Path) -> None:
    """The server knows its jobs for a month."""
    place = boinc_site(tmp_path, images=1)
    step(place)
    unit = sole_unit(place)
    for time_in_the_queue, attempt in ((1, 1), (2, 2), (3, 3)):
        assert place.server.created == [f"{unit}_a{number}" for number in range(1, attempt + 1)]
        place.server.fail(f"{unit}_a{attempt}", FAILED, FAILED, FAILED)
        step(place)
        step(place)
        assert [each.images for each in place.site.imaging.postponed()] == [1]
        assert retry(place.site).postponed == 1
        step(place)
        assert place.site.imaging.postponed() == [], time_in_the_queue
    assert place.server.created[-1] == f"{unit}_a4"
    for attempt in (4, 5, 6):  # as many as at the first time, and as quickly
        place.server.fail(f"{unit}_a{attempt}", -186, -186, -186)
        later(place)
        step(place)
    assert place.server.created[-1] == f"{unit}_a7"
    come_back(place, tmp_path, attempt=7)
    step(place)
    assert validate(place.site.home).valid == 1


def test_an_image_that_takes_every_host_down_has_them_a_bounded_number_of_times(tmp_path: Path) -> None:
    place = boinc_site(tmp_path, images=1)
    step(place)
    unit = sole_unit(place)
    while unit_files(place.site.home.queue):
        place.server.fail(place.server.created[-1], 194, 194, 194, error_mask=8)
        later(place)
        with place.engine as engine:
            engine.submit(unit_files(place.site.home.queue))
            engine.step()
    assert len(place.server.created) == 1 + len(NEXT_AFTER_S)
    step(place)
    (waiting,) = place.site.imaging.postponed()
    assert waiting.reason == (
        "clients could not score it: jobs came to nothing again and again: too many copies came to nothing"
    )
    assert not any(auto_scores(place.site).values())
    assert not place.site.home.submitted.joinpath(f"{unit}.attempt").exists()


def test_attempts_that_fail_quickly_are_made_later_and_later(tmp_path: Path) -> None:
    place = boinc_site(tmp_path, images=4)
    step(place)
    unit = sole_unit(place)
    for attempt in (1, 2):
        place.server.fail(f"{unit}_a{attempt}", -224, -224, -224)
        step(place)
    place.server.fail(f"{unit}_a3", -224, -224, -224)
    step(place)
    assert place.server.created[-1] == f"{unit}_a3"
    note = place.site.home.submitted / f"{unit}.attempt"
    os.utime(note, (note.stat().st_atime, note.stat().st_mtime - NEXT_AFTER_S[2]))
    step(place)
    assert place.server.created[-1] == f"{unit}_a4"


def test_a_clock_that_was_set_back_holds_no_attempt_up(tmp_path: Path) -> None:
    place = boinc_site(tmp_path, images=4)
    step(place)
    unit = sole_unit(place)
    (place.site.home.submitted / f"{unit}.attempt").write_text("4")
    place.server.changed[f"{unit}_a4"] = replace(place.server.jobs([f"{unit}_a1"])[f"{unit}_a1"], assimilated=True)
    os.utime(place.site.home.submitted / f"{unit}.attempt", (4e9, 4e9))
    step(place)
    assert place.server.created[-1] == f"{unit}_a5"


@pytest.mark.parametrize("lost", ["{}.zip", "{}.zip.md5"])
def test_a_file_that_the_server_lost_is_put_back(tmp_path: Path, lost: str) -> None:
    place = boinc_site(tmp_path, images=4)
    step(place)
    (job,) = place.server.created
    staged = place.server.project.place_of(f"{job}.zip")
    before = staged.read_bytes()
    staged.with_name(lost.format(job)).unlink()
    step(place)
    assert staged.read_bytes() == before
    assert staged.with_name(f"{job}.zip.md5").exists()
    assert place.server.created == [job]


def test_a_job_that_every_host_has_had_is_followed_by_another(tmp_path: Path) -> None:
    place = boinc_site(tmp_path, images=4)
    step(place)
    (job,) = place.server.created
    place.server.nobody_left = [job]
    step(place)
    assert [call["words"] for call in place.server.calls if call["tool"] == "cancel_jobs"] == [["--name", job]]
    place.server.change(job, assimilated=True, error_mask=16)
    step(place)
    assert place.server.created == [job, job.replace("_a1", "_a2")]


def test_files_of_jobs_are_not_looked_for_all_the_time(tmp_path: Path) -> None:
    place = boinc_site(tmp_path, images=4)
    step(place)
    (job,) = place.server.created
    staged = place.server.project.place_of(f"{job}.zip")
    with place.engine as engine:
        engine.submit(unit_files(place.site.home.queue))
        engine.step()
        staged.unlink()
        engine.step()
        assert not staged.exists()
    place.server.change(job, assimilated=True, error_mask=16)
    step(place)
    assert not staged.exists()  # nor for what is over


def waiting(place: BoincSite, *, minutes: float, **what: int) -> None:
    """Have a volunteer who has the one job been silent for so long."""
    place.server.change(place.server.created[-1], in_progress=1, silent_s=round(60 * minutes), **what)
    step(place)


def test_an_image_of_today_that_waits_for_one_host_goes_to_a_few_more(tmp_path: Path) -> None:
    place = boinc_site(tmp_path, images=4)
    step(place)
    (job,) = place.server.created
    waiting(place, minutes=9)
    assert place.server.hurried == []
    waiting(place, minutes=11)
    assert place.server.hurried == [job]
    step(place)
    assert place.server.hurried == [job]  # as long as nobody has that one
    for extra in (1, 2, 3):
        waiting(place, minutes=11, unsent=0, extra=extra)
    assert place.server.hurried == [job, job]


def test_nothing_is_hurried_that_nobody_has_or_that_is_over_or_about_to_change(tmp_path: Path) -> None:
    place = boinc_site(tmp_path, images=4)
    step(place)
    (job,) = place.server.created
    waiting(place, minutes=11, unsent=1)
    waiting(place, minutes=11, unsent=0, error_mask=16)
    waiting(place, minutes=11, error_mask=0, to_validate=True)
    waiting(place, minutes=11, to_validate=False, to_transition=True)
    place.server.change(job, in_progress=0, silent_s=0)
    step(place)
    assert place.server.hurried == []


def test_an_archive_has_its_own_deadline_and_is_not_hurried(tmp_path: Path) -> None:
    place = boinc_site(tmp_path, images=1)
    add_images(place.site, tmp_path / "images", 4, plate="old", imaged_at=datetime.now(UTC) - timedelta(days=400))
    step(place)
    deadlines = {call["words"][-2]: call["text"].split()[1].partition("-")[0] for call in place.server.calls}
    assert deadlines == {"7200": "90j8", "259200": "old"}
    for job in place.server.created:
        place.server.change(job, in_progress=1, silent_s=600_000)
    step(place)
    assert [job.partition("-")[0] for job in place.server.hurried] == ["90j8"]


def test_how_copies_ended_is_told_without_names_first() -> None:
    copy = FailedCopy(name="a_a1_0", host_id=3, outcome=CLIENT_ERROR, exit_status=139, stderr="core dumped\n")
    assert str(copy) == "a copy ended with exit code 139\na_a1_0 on host 3; it said:\ncore dumped"
    assert str(replace(copy, exit_status=-150, stderr="")) == (
        "a copy was hindered: error -150 of BOINC's client\na_a1_0 on host 3"
    )
    assert given_up_because(0) == "its result was lost on its way here"


def test_every_way_to_end_can_be_told() -> None:
    for end in (*EXITS.values(), *OUTCOMES.values()):
        assert end.said.format(code=7)
    assert [code for code, end in EXITS.items() if end.is_attempt] == [193]
