"""Going through all drops part by part, on every imaging database: nothing is lost or doubled while scores come."""

import base64
import json
import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crystal_search.server.imaging.imaging_database import AutoScore, DropScores, ImagingDatabase, LedgerEntry
from crystal_search.server.imaging.inspection_list import InspectionQuery
from crystal_search.server.imaging.plate_facts import PlateFacts, Source
from crystal_search.server.imaging.stored_images import Removal
from crystal_search.viewer import drop_walk
from crystal_search.viewer.drop_walk import Bookmark, bookmark_of, part_of
from crystal_search.viewer.reading import Board
from crystal_search.wells import WellKey
from tests.integration.imaging_nouns import NOON, auto, key, manual, new_image, stored

ISPYB = Source(name="ispyb")
#: All examples share one database, so that each goes through a project of its own.
shared = settings(
    max_examples=8, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
places = st.tuples(
    st.sampled_from("AB"), st.integers(1, 4), st.sampled_from(("visible", "uv")), st.integers(0, 2), st.integers(1, 2)
)


def numbers(imaging: ImagingDatabase, query: InspectionQuery) -> list[tuple[str, int]]:
    return [(each.plate, each.number) for each in imaging.list_inspections(query)]


def walked(imaging: ImagingDatabase, query: InspectionQuery, most: int, meanwhile: list[int]) -> list[DropScores]:
    """Return all that a walk meets, while images are scored between its parts."""

    def read(board: Board) -> list[DropScores]:
        return imaging.drops(board[0], inspection=board[1], channel=board[2])

    met: list[DropScores] = []
    begin, coming = None, iter(meanwhile)
    while True:
        part = part_of(imaging, read, query, lambda _: True, begin=begin, most=most)
        assert len(part.drops) <= most
        met += [drop for _, drop in part.drops]
        if (at := next(coming, None)) is not None and met:
            image = met[at % len(met)].image
            imaging.add_auto_scores([auto(image, f"unit-{uuid.uuid4().hex}")])
            imaging.add_manual_score(manual(image, f"person-{at}"))
        if part.bookmark is None:
            return met
        begin = bookmark_of(part.bookmark.text)


@shared
@given(
    wanted=st.lists(places, min_size=1, max_size=14, unique=True),
    most=st.integers(1, 5),
    meanwhile=st.lists(st.integers(0, 20), max_size=10),
)
def test_a_walk_meets_every_drop_once_in_order_while_scores_come(
    imaging: ImagingDatabase,
    monkeypatch: pytest.MonkeyPatch,
    wanted: list[tuple[str, int, str, int, int]],
    most: int,
    meanwhile: list[int],
) -> None:
    monkeypatch.setattr(drop_walk, "INSPECTIONS", 2)
    project = uuid.uuid4().hex
    keys = [
        key(f"{project}{letter}", inspection=number, channel=channel, column=column, drop=drop)
        for letter, number, channel, column, drop in wanted
    ]
    imaging.add_images([new_image(each) for each in keys])
    imaging.note_plates([PlateFacts(plate=f"{project}{each}", project=project) for each in "AB"], source=ISPYB)

    def place(each: WellKey) -> tuple[object, ...]:
        return each.plate, each.inspection, each.row, each.column, each.drop

    met = walked(imaging, InspectionQuery(projects=(project,)), most, meanwhile)
    visible = [each for each in keys if each.channel == "visible"]
    assert [each.image.key for each in met] == sorted(visible, key=place)


@shared
@given(most=st.integers(1, 4), coming=st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=12))
def test_whoever_follows_the_ledger_meets_every_score_once_while_scores_come(
    imaging: ImagingDatabase, most: int, coming: list[tuple[int, bool]]
) -> None:
    plate = uuid.uuid4().hex
    images = [stored(imaging, key(plate, column=column)) for column in range(4)]
    after = last_id(imaging)
    met: list[LedgerEntry] = []
    for number, (which, by_machine) in enumerate(coming):
        if by_machine:
            imaging.add_auto_scores([auto(images[which], f"unit-{number}")])
        else:
            imaging.add_manual_score(manual(images[which], f"person-{number}"))
        part = imaging.ledger_entries(after=after, limit=most)
        met, after = met + part, part[-1].id if part else after
    while part := imaging.ledger_entries(after=after, limit=most):
        met, after = met + part, part[-1].id
    assert [each.id for each in met] == sorted({each.id for each in met})
    expected = [f"unit-{at}" if by_machine else f"person-{at}" for at, (_, by_machine) in enumerate(coming)]
    assert [
        each.score.work_unit if isinstance(each.score, AutoScore) else each.score.person for each in met
    ] == expected


def last_id(imaging: ImagingDatabase) -> int:
    """Return the id of the last score of all."""
    after = 0
    while part := imaging.ledger_entries(after=after, limit=500):
        after = part[-1].id
    return after


def test_inspections_are_listed_by_plate_and_number(imaging: ImagingDatabase) -> None:
    for plate, number in (("P2", 1), ("P1", 10), ("P1", 2), ("p1", 1)):
        stored(imaging, key(plate, inspection=number))
    stored(imaging, key("P3", channel="uv"))
    everything = numbers(imaging, InspectionQuery())
    assert sorted(everything) == [("P1", 2), ("P1", 10), ("P2", 1), ("p1", 1)]
    assert [each for each in everything if each[0] == "P1"] == [("P1", 2), ("P1", 10)]
    assert numbers(imaging, InspectionQuery(channel="uv")) == [("P3", 1)]
    for at, place in enumerate(everything):
        assert numbers(imaging, InspectionQuery(after=place)) == everything[at + 1 :]
        assert numbers(imaging, InspectionQuery(after=place, limit=1)) == everything[at + 1 : at + 2]


def test_inspections_are_chosen_by_plate_project_and_when_their_newest_image_came(imaging: ImagingDatabase) -> None:
    for hours, plate in enumerate(("P1", "P2", "P3")):
        stored(imaging, key(plate), imaged_at=NOON + timedelta(hours=hours))
        stored(imaging, key(plate, row=1), imaged_at=NOON - timedelta(days=9))
    imaging.note_plates([PlateFacts(plate="P1", project="a"), PlateFacts(plate="P2", project="b")], source=ISPYB)

    def plates(query: InspectionQuery) -> str:
        return "".join(plate[-1] for plate, _ in numbers(imaging, query))

    assert plates(InspectionQuery(plate="P2")) == "2"
    assert plates(InspectionQuery(plate="nothing")) == ""
    assert plates(InspectionQuery(projects=("a", "b"))) == "12"
    assert plates(InspectionQuery(projects=())) == ""
    assert plates(InspectionQuery(since=NOON + timedelta(hours=1))) == "23"
    assert plates(InspectionQuery(until=NOON + timedelta(hours=1))) == "1"
    query = InspectionQuery(since=NOON, until=NOON + timedelta(hours=2))
    assert plates(query) == "12"
    assert plates(replace(query, projects=("b",))) == "2"


def test_inspections_without_images_are_not_listed(imaging: ImagingDatabase) -> None:
    image = stored(imaging, key())
    imaging.remove_images([image.id], Removal(person="Ada", what="plate P1", why="", removed_at=NOON))
    assert numbers(imaging, InspectionQuery()) == []


def told(plate: str, inspection: int) -> str:
    text = json.dumps([plate, inspection, 0, 0, 0])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


ODD = ("", "x", "W10", "bnVsbA", "WyJQMSIsMV0", "é", "A" * 2000, "W10=", "WyJQIiwiMSIsMCwwLDBd")
NESTED = base64.urlsafe_b64encode(b"[" * 700).decode().rstrip("=")
UNKEPT = (told("P", 10**30), told("P", True), told("P\0", 1), told("\ud800", 1), NESTED)


@pytest.mark.parametrize("text", [*ODD, *UNKEPT])
def test_what_is_no_bookmark_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        bookmark_of(text)


@given(
    plate=st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=100),
    inspection=st.integers(0, 10**9),
    column=st.integers(-1, 47),
)
def test_a_bookmark_is_read_as_it_was_given_out(plate: str, inspection: int, column: int) -> None:
    given_out = Bookmark(plate, inspection, (0, column, 1))
    assert bookmark_of(given_out.text) == given_out
