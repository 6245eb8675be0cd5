"""Pulling from a facility's database and pushing to it, with one in memory and an imaging database in memory."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from crystal_search.errors import DatabaseError
from crystal_search.main import main
from crystal_search.server.facility import facility_kinds
from crystal_search.server.facility.facility_database import Refusal
from crystal_search.server.facility.facility_kinds import FacilityKind
from crystal_search.server.facility.facility_settings import FacilitySettings
from crystal_search.server.imaging.facility_records import PulledScore, Push
from crystal_search.server.imaging.imaging_database import ScoredImage
from crystal_search.server.imaging.plate_facts import Condition, PlateFacts
from crystal_search.server.services import facility_exchange, facility_rounds
from crystal_search.server.services.facility_exchange import pull, push
from crystal_search.server.services.facility_rounds import FacilityRounds
from tests.integration.imaging_nouns import NOON, auto, key, new_image
from tests.memory_facility import MemoryFacility
from tests.memory_imaging import MemoryImaging
from tests.service_site import site_at

LAB = "memory host/lab"
SETTINGS = FacilitySettings(kind="memory", url="sqlite://host/lab", poll_seconds=60)


@pytest.fixture
def facility(monkeypatch: pytest.MonkeyPatch) -> MemoryFacility:
    """A facility with three images, as the kind ``memory``."""
    made = MemoryFacility()
    made.images = [new_image(key(row=row)) for row in range(3)]
    made.newest = (__file__,)
    kind = FacilityKind(title="memory", open=lambda settings, password: made)
    monkeypatch.setitem(facility_kinds.FACILITIES, "memory", kind)
    return made


def score_all(imaging: MemoryImaging, unit: str = "unit-1") -> None:
    imaging.add_auto_scores([auto(image, unit) for image in imaging.plate_images("P1")])


def test_images_come_once_however_small_the_looks(facility: MemoryFacility, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facility_exchange, "PULL_ROWS", 2)
    imaging = MemoryImaging()
    first = pull(imaging, facility, LAB)
    assert (first.images, first.known) == (3, 0)
    facility.images.append(new_image(key(row=7)))
    second = pull(imaging, facility, LAB)
    assert (second.images, second.known) == (1, 0)
    assert len(imaging.plate_images("P1")) == 4


def test_what_contradicts_is_named_and_the_rest_comes(facility: MemoryFacility) -> None:
    facility.images.append(replace(facility.images[0], path="/copy.jpg"))
    report = pull(MemoryImaging(), facility, LAB)
    assert report.images == 3
    assert "/copy.jpg would be plate P1 well A01" in report.left_out[0]


def test_a_pull_that_was_killed_before_its_mark_brings_nothing_twice(facility: MemoryFacility) -> None:
    imaging = MemoryImaging()
    facility.by_people = [PulledScore(path=facility.images[0].path, person="Zoë", outcome="clear", scored_at=NOON)]
    pull(imaging, facility, LAB)
    imaging.note_pulled(LAB, "", now=NOON)
    report = pull(imaging, facility, LAB)
    assert (report.images, report.known, report.scores) == (0, 3, 0)


def test_what_was_passed_over_comes_when_everything_is_looked_at_again(facility: MemoryFacility) -> None:
    imaging, known = MemoryImaging(), facility.images
    facility.images = [*known[:1], *known[:1], *known[2:]]  # in a folder, say, of which nothing was said
    pull(imaging, facility, LAB)
    facility.images = known
    assert pull(imaging, facility, LAB).images == 0
    assert pull(imaging, facility, LAB, again=True).images == 1


def test_owners_and_conditions_come_along(facility: MemoryFacility) -> None:
    imaging = MemoryImaging()
    facility.facts = [PlateFacts(plate="P1", owner="Zoë")]
    facility.conditions = [Condition(plate="P1", row=0, column=0, name="JCSG+ A1")]
    report = pull(imaging, facility, LAB)
    assert (report.plates, report.wells) == (1, 1)
    assert imaging.plate_facts(["P1"])["P1"].source == "memory"
    assert [each.name for each in imaging.conditions("P1")] == ["JCSG+ A1"]


def test_every_score_is_given_once(facility: MemoryFacility, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facility_exchange, "PUSH_SCORES", 2)
    imaging = MemoryImaging()
    pull(imaging, facility, LAB)
    score_all(imaging)
    assert push(imaging, facility, LAB).taken == 3
    assert push(imaging, facility, LAB).taken == 0
    assert facility.given.keys() == {image.path for image in facility.images}
    score_all(imaging, "unit-2")
    assert push(imaging, facility, LAB).taken == 3


def test_a_facility_that_goes_away_in_the_middle_gets_the_rest_later(
    facility: MemoryFacility, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facility_exchange, "PUSH_SCORES", 1)
    imaging = MemoryImaging()
    pull(imaging, facility, LAB)
    score_all(imaging)
    whole = facility.push

    def breaks_after_two(scores: tuple[ScoredImage, ...]) -> tuple[Refusal, ...]:
        if len(facility.given) == 2:
            facility.away = "the server is gone"
        return whole(scores)

    monkeypatch.setattr(facility, "push", breaks_after_two)
    with pytest.raises(DatabaseError, match="the server is gone"):
        push(imaging, facility, LAB)
    facility.away = ""
    monkeypatch.setattr(facility, "push", whole)
    assert push(imaging, facility, LAB).taken == 1
    assert len(facility.given) == 3


def test_what_is_refused_holds_up_no_other_and_is_given_again(facility: MemoryFacility) -> None:
    imaging = MemoryImaging()
    pull(imaging, facility, LAB)
    score_all(imaging)
    gone = facility.images.pop(1)
    report = push(imaging, facility, LAB)
    assert (report.taken, report.refused) == (2, (f"{gone.path}: no image has this path",))
    facility.images.append(gone)
    due = imaging.pushes(LAB, refused=True)[0].next_at
    assert due is not None
    to_push = imaging.scores_to_push(LAB, now=due + timedelta(seconds=1), limit=10)
    assert [each.image.path for each in to_push.scores] == [gone.path]


def test_what_was_refused_is_given_at_once_when_somebody_says_so(facility: MemoryFacility) -> None:
    imaging = MemoryImaging()
    pull(imaging, facility, LAB)
    score_all(imaging)
    gone = [facility.images.pop() for _ in range(2)]
    assert len(push(imaging, facility, LAB).refused) == 2
    assert push(imaging, facility, LAB) == push(imaging, facility, LAB, again=False)
    facility.images.append(gone[0])
    report = push(imaging, facility, LAB, again=True)
    assert (report.taken, len(report.refused)) == (1, 1)
    assert facility.given.keys() == {image.path for image in facility.images}


def rounds_at(folder: Path, *, clock: Callable[[], float] = lambda: 0.0) -> tuple[FacilityRounds, MemoryImaging]:
    imaging = MemoryImaging()
    return FacilityRounds(site_at(folder, imaging=imaging), SETTINGS, clock=clock), imaging


def test_watch_pulls_and_pushes(facility: MemoryFacility, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    rounds, imaging = rounds_at(tmp_path, clock=lambda: now[0])
    for _ in range(2):
        assert rounds.look() == ""
        rounds.wait()
        score_all(imaging)
    assert facility.given == {}  # the second look was too early
    now[0] = 61.0
    rounds.look()
    rounds.wait()
    assert len(facility.given) == 3
    told = capsys.readouterr().out
    assert "pulled 3 images (0 known before), 0 scores of people" in told
    assert "pushed 3 scores, 0 refused" in told


def test_scores_go_while_an_archive_comes(
    facility: MemoryFacility, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facility_exchange, "PULL_ROWS", 1)
    monkeypatch.setattr(facility_rounds, "LOOKS", 2)
    rounds, imaging = rounds_at(tmp_path)
    rounds.look()
    rounds.wait()
    assert len(imaging.plate_images("P1")) == 2
    score_all(imaging)
    rounds.look()  # at once, though the clock stands still: there is more
    rounds.wait()
    assert (len(imaging.plate_images("P1")), len(facility.given)) == (3, 2)
    facility.images.append(new_image(key(row=7)))
    rounds.look()
    rounds.wait()
    assert len(imaging.plate_images("P1")) == 3  # the next look is when it is time


def test_trouble_is_told_until_it_is_over_and_stops_nothing(facility: MemoryFacility, tmp_path: Path) -> None:
    now = [0.0]
    rounds, imaging = rounds_at(tmp_path, clock=lambda: now[0])
    facility.away = "the server is gone"
    rounds.look()
    rounds.wait()
    assert rounds.look() == "the server is gone"
    facility.away, now[0] = "", 61.0
    rounds.look()
    rounds.wait()
    assert rounds.look() == ""
    assert len(imaging.plate_images("P1")) == 3


def test_a_facility_that_is_silent_holds_up_nothing(
    facility: MemoryFacility, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = threading.Event()
    whole = facility.pull

    def silent(mark: str, *, limit: int) -> object:
        answer.wait()
        return whole(mark, limit=limit)

    monkeypatch.setattr(facility, "pull", silent)
    rounds, imaging = rounds_at(tmp_path)
    assert [rounds.look() for _ in range(3)] == ["", "", ""]
    assert imaging.plates() == []
    answer.set()
    rounds.wait()
    assert len(imaging.plate_images("P1")) == 3


def test_what_is_left_out_is_said_once(
    facility: MemoryFacility, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    rounds, imaging = rounds_at(tmp_path, clock=lambda: now[0])
    imaging.note_pulled = lambda *_, **__: None  # type: ignore[method-assign]
    facility.images += [replace(facility.images[0], path=f"/copy-{number}.jpg") for number in range(7)]
    for time in (0.0, 61.0):
        now[0] = time
        rounds.look()
        rounds.wait()
    told = capsys.readouterr().out
    assert told.count("left out: /copy") == 5
    assert told.count("2 more; crystal-search facility report") == 1


def test_the_commands(facility: MemoryFacility, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = ["--home", str(tmp_path)]
    (tmp_path / "settings.toml").write_text('[facility]\nkind = "memory"\nurl = "sqlite://host/lab"\n')
    for command, said in (
        ("check", "3 images"),
        ("pull", "pulled 3 images (0 known before)"),
        ("push", "pushed 0 scores, 0 refused"),
        ("report", "memory host/lab: pulled 2"),
    ):
        assert main(["facility", command, *home]) == 0
        assert said in capsys.readouterr().out
    facility.away = "the server is gone"
    assert main(["facility", "pull", *home]) == 1
    assert "facility: the server is gone" in capsys.readouterr().err
    (tmp_path / "settings.toml").write_text('[facility]\nkind = "memory"\nurl = "sqlite://host/lab"\npush = false\n')
    assert main(["facility", "push", *home]) == 2
    assert "push = false" in capsys.readouterr().err


def test_nothing_is_pulled_by_folders_that_are_not_here(
    facility: MemoryFacility, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = ["--home", str(tmp_path)]
    (tmp_path / "settings.toml").write_text('[facility]\nkind = "memory"\nurl = "sqlite://host/lab"\n')
    facility.newest = ("/mnt/none/1.jpg",)
    assert main(["facility", "pull", *home]) == 1
    assert (
        "none of the newest 1 files of memory host/lab is on this machine, as /mnt/none/1.jpg"
        in capsys.readouterr().err
    )
    rounds, imaging = rounds_at(tmp_path / "site")
    rounds.look()
    rounds.wait()
    assert "correct [facility.folders]" in rounds.look()
    assert imaging.plate_images("P1") == []
    facility.newest = (__file__,)
    assert main(["facility", "pull", *home]) == 0
    facility.newest = ("/mnt/none/1.jpg",)  # a share that is away later holds up no pull, but one of everything
    assert main(["facility", "pull", *home]) == 0
    assert main(["facility", "pull", "--again", *home]) == 1


def test_a_kind_that_is_only_read_gets_nothing(
    facility: MemoryFacility, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kind = FacilityKind(title="Old Maker", open=lambda settings, password: facility, takes_scores=False)
    monkeypatch.setitem(facility_kinds.FACILITIES, "memory", kind)
    (tmp_path / "settings.toml").write_text('[facility]\nkind = "memory"\nurl = "sqlite://host/lab"\n')
    assert main(["facility", "push", "--home", str(tmp_path)]) == 2
    assert "Old Maker is only read, by design" in capsys.readouterr().err
    rounds, imaging = rounds_at(tmp_path / "site")
    rounds.look()
    rounds.wait()
    score_all(imaging)
    rounds.look()
    rounds.wait()
    assert facility.given == {}


def test_all_that_was_refused_is_given_when_somebody_says_so_however_many_these_are(
    facility: MemoryFacility, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facility_exchange, "PUSH_SCORES", 2)
    imaging = MemoryImaging()
    pull(imaging, facility, LAB)
    score_all(imaging)
    known, facility.images = facility.images, []
    assert len(push(imaging, facility, LAB).refused) == 3
    for _ in range(8):  # the last waits far longer than the others will after one try
        last = imaging.pushes(LAB, refused=True, last=1)[0]
        noted = Push(score_id=last.score_id, image_id=last.score_id, refused="no", tries=last.tries + 1)
        imaging.note_pushed(LAB, [noted], now=last.pushed_at)
    facility.images = known[2:]
    report = push(imaging, facility, LAB, again=True)
    assert (report.taken, len(report.refused)) == (1, 2)
