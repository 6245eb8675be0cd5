"""A real BOINC server, named by ``CRYSTAL_SEARCH_BOINC_PROJECT``: from images to scores, with volunteers of all kinds.

The project must run, with nobody else attached, and the tests as its user; they install into it. Volunteers are played;
the program that good ones run is the client itself, frozen where it was frozen.
"""

import json
from collections.abc import Callable
from copy import copy
from dataclasses import asdict, replace
from time import sleep
from typing import Any

import pytest

from crystal_search.server.engines.boinc.boinc_database import BoincDatabase
from tests.boinc_place import Place
from tests.fake_volunteer import Answer, Task, Volunteer

pytestmark = pytest.mark.slow


def test_images_are_scored_by_two_hosts_that_agree(place: Place) -> None:
    images = place.add(6)
    served = place.until_scored(images)
    assert {len(place.scores(image)) for image in images} == {1}
    units = {name.rsplit("_a1_", 1)[0] for name in served}
    assert len(units) == 2
    assert all(sum(name.startswith(unit) for name in served) >= 2 for unit in units)
    place.one_pass()
    assert list(place.site.home.submitted.iterdir()) == []


def garbage(_: Task) -> bytes:
    return bytes(range(256)) * 30


def nothing(_: Task) -> bytes:
    return b""


def crash(_: Task) -> int:
    return 193


def deep(_: Task) -> bytes:
    return b"[" * 100_000


@pytest.mark.parametrize("fault", [garbage, nothing, crash, deep], ids=lambda fault: fault.__name__)
def test_a_bad_volunteer_s_answer_is_refused_and_the_work_goes_on(place: Place, fault: Answer) -> None:
    (image,) = place.add(1)
    served = place.until_scored([image], fault)
    assert len(served) >= 3
    assert len(place.scores(image)) == 1
    assert place.scores(image)[0].outcome != "unreadable"


def wrong_numbers(score: dict[str, Any]) -> None:
    score["class_probabilities"] = [1.0] + [0.0] * 12
    score["group_peaks"] = [1.0, 0.0, 0.0, 0.0]
    score["score"] = {"outcome": "crystal_harvestable", "probability": 1.0, "above_threshold": True}
    for chop in score["best_chops"]:
        chop |= {"outcome": "crystal_harvestable", "probability": 1.0}


def fewer_frames(score: dict[str, Any]) -> None:
    del score["best_chops"][1:]


def another_outline(score: dict[str, Any]) -> None:
    top, left, bottom, right = score["drop"]["box"]
    score["drop"]["outline"] = [[top, left], [top, right], [bottom, right]]


@pytest.mark.parametrize("lie", [wrong_numbers, fewer_frames, another_outline], ids=lambda lie: lie.__name__)
def test_what_could_be_right_and_is_not_is_outvoted(place: Place, lie: Callable[[dict[str, Any]], None]) -> None:
    """A result that is a good one in every respect but one: only another host's tells."""
    told = []

    def liar(task: Task) -> bytes | int:
        data = place.good(task)
        assert isinstance(data, bytes)
        result = json.loads(data)
        for each in result["images"]:
            lie(each["score"])
            told.append(each["score"])
        return json.dumps(result).encode()

    (image,) = place.add(1)
    served = place.until_scored([image], liar)
    assert len(served) >= 3
    (score,) = place.scores(image)
    found = json.loads(json.dumps(asdict(score.found), default=str))
    assert (found["best_chops"], found["drop"]["outline"]) != (told[0]["best_chops"], told[0]["drop"]["outline"])


def test_an_account_confirms_itself_only_where_it_is_said_to_be_shared(place: Place) -> None:
    everybody = place.volunteers
    owner, of_the_same = copy(everybody[0]), copy(everybody[1])
    of_the_same.key, of_the_same.name, of_the_same.host = owner.key, f"{owner.name}b", 0
    place.volunteers = [owner, of_the_same]
    try:
        (image,) = place.add(1)
        served: list[str] = []

        def work() -> bool:
            served.extend(name for volunteer in place.volunteers for name in volunteer.work(place.good))
            return bool(served)

        place.until(work)
        for _ in range(10):
            work()
            place.one_pass()
            sleep(0.5)
        assert (len(served), place.scores(image)) == (1, [])
        place.change(boinc_shared_account=True)
        assert len(place.until_scored([image])) == 1
    finally:
        place.volunteers = everybody
        place.change(boinc_shared_account=False)


def test_only_what_was_asked_for_is_taken(place: Place) -> None:
    images = place.add(1)
    ((volunteer, task),) = place.handed_out(1)
    with pytest.raises(ConnectionError, match="signature"):
        volunteer.upload(replace(task, upload_name=f"{task.upload_name}9"), b"{}")
    with pytest.raises(ConnectionError, match="exceeds limit"):
        volunteer.upload(task, b" " * (int(float(task.upload_limit)) + 1))
    volunteer.finish([task], place.good)
    place.until_scored(images)


def test_nobody_joins_who_was_not_invited(place: Place) -> None:
    with pytest.raises(ConnectionError, match="no account"):
        Volunteer(place.project.master_url, "stranger")


def test_a_failed_work_unit_is_told_and_its_images_are_tried_one_by_one(place: Place) -> None:
    images = place.add(2)
    place.until_scored(images, *[crash] * 3)
    assert {len(place.scores(image)) for image in images} == {1}


def test_load_is_told(place: Place) -> None:
    load = BoincDatabase(place.project).load()
    assert load["hosts"] >= 3
    assert load["successes_last_day"] > 0
    assert load["errors_last_day"] > 0
