"""Whose plates are and what is in their wells, as every imaging database keeps it."""

import uuid
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from crystal_search.server.imaging.imaging_database import ImagingDatabase
from crystal_search.server.imaging.plate_facts import Condition, Ingredient, Noted, PlateFacts, Source
from crystal_search.viewer.about_plates import about
from crystal_search.wells import WellKey
from tests.integration.imaging_nouns import key, new_image
from tests.integration.test_imaging_laws import shared

ISPYB, XTALTRAK = Source(name="ispyb"), Source(name="xtaltrak")
ZOE = Source(name="owners.csv", by_hand=True)
FACTS = PlateFacts(
    plate="P1",
    project="mx-1 'Größe'",
    protein="lysozyme %(x)s",
    owner="Zoë",
    people=("Ann", "O'Neill"),
    plate_type="SWISSCI 3 Drop",
)
PEG = Ingredient(name="PEG 3350", concentration=25.0, unit="% w/v", role="precipitant")
HEPES = Ingredient(name="HEPES", concentration=0.1, unit="M", ph=7.5, role="buffer")
WELL = Condition(plate="P1", row=2, column=6, name="JCSG+ C7", ingredients=(PEG, HEPES))


def test_facts_come_back_as_they_were_noted(imaging: ImagingDatabase) -> None:
    bare = PlateFacts(plate="P2", project="mx-1")
    assert imaging.note_plates([FACTS, bare], source=ISPYB) == Noted(new=2)
    found = imaging.plate_facts(["P1", "P2", "P3", "p1"])
    assert found == {"P1": FACTS, "P2": bare}
    assert (found["P1"].source, found["P2"].source) == ("ispyb", "ispyb")
    assert imaging.note_plates([bare, FACTS], source=ISPYB) == Noted(same=2)
    assert imaging.plate_facts([]) == {}


def test_plates_need_no_images_and_are_not_listed_before_they_have_some(imaging: ImagingDatabase) -> None:
    imaging.note_plates([FACTS], source=ISPYB)
    imaging.note_conditions([WELL], source=ISPYB)
    assert imaging.plates() == []
    imaging.add_images([new_image(key("P1"))])
    assert [each.plate for each in imaging.plates()] == ["P1"]
    assert imaging.plate_facts(["P1"]) == {"P1": FACTS}


def test_what_a_facility_says_last_counts(imaging: ImagingDatabase) -> None:
    imaging.note_plates([FACTS], source=ISPYB)
    other = PlateFacts(plate="P1", project="mx-2", protein="")
    assert imaging.note_plates([other], source=XTALTRAK) == Noted(changed=1)
    assert imaging.plate_facts(["P1"])["P1"] == replace(FACTS, project="mx-2")  # what it does not say stays
    assert imaging.plate_facts(["P1"])["P1"].source == "xtaltrak, ispyb"
    assert imaging.note_plates([replace(FACTS, owner="", people=())], source=ISPYB) == Noted(changed=1)
    assert imaging.plate_facts(["P1"])["P1"] == replace(FACTS, owner="", people=())  # its own words it takes back


def test_no_facility_replaces_what_a_person_says(imaging: ImagingDatabase) -> None:
    imaging.note_plates([FACTS], source=ISPYB)
    assert imaging.note_plates([PlateFacts(plate="P1", owner="Ann")], source=ZOE) == Noted(changed=1)
    assert imaging.note_plates([FACTS], source=ISPYB) == Noted(held=1)
    assert imaging.note_plates([replace(FACTS, owner="")], source=ISPYB) == Noted(same=1)
    assert imaging.note_plates([replace(FACTS, project="mx-3")], source=ISPYB) == Noted(changed=1)
    assert imaging.plate_facts(["P1"])["P1"] == replace(FACTS, owner="Ann", project="mx-3")
    assert imaging.note_plates([PlateFacts(plate="P1", owner="Zoë")], source=ZOE) == Noted(changed=1)
    assert imaging.note_plates([PlateFacts(plate="P1", protein=FACTS.protein)], source=ZOE) == Noted(changed=1)
    assert imaging.note_plates([replace(FACTS, protein="insulin", project="mx-3")], source=ISPYB) == Noted(held=1)
    assert imaging.plate_facts(["P1"])["P1"] == replace(FACTS, project="mx-3")


def test_one_plate_told_twice_in_one_call_is_as_told_last(imaging: ImagingDatabase) -> None:
    imaging.note_plates([FACTS, replace(FACTS, owner="Ann")], source=ISPYB)
    assert imaging.plate_facts(["P1"]) == {"P1": replace(FACTS, owner="Ann")}


def test_letters_that_a_database_refuses_are_spaces(imaging: ImagingDatabase) -> None:
    odd = "a\x00b\udcffc\nd "
    people = (odd, "", "Ann", "Ann")
    imaging.note_plates([PlateFacts(plate="P1", owner=odd, people=people)], source=ISPYB)
    assert imaging.plate_facts(["P1"]) == {"P1": PlateFacts(plate="P1", owner="a b c d", people=("a b c d", "Ann"))}
    wells = [replace(WELL, name=odd, ingredients=(Ingredient(name=odd), Ingredient(name=" ")))]
    imaging.note_conditions(wells, source=ISPYB)
    assert imaging.conditions("P1") == [replace(WELL, name="a b c d", ingredients=(Ingredient(name="a b c d"),))]


def test_conditions_come_back_as_they_were_noted(imaging: ImagingDatabase) -> None:
    other = replace(
        WELL, row=0, column=11, drop=2, name="", ingredients=(Ingredient(name="0.2M Li2SO4, «as written»"),)
    )
    bare = replace(WELL, row=7, ingredients=())
    assert imaging.note_conditions([bare, WELL, other], source=ISPYB) == Noted(new=3)
    assert imaging.conditions("P1") == [other, WELL, bare]
    assert [each.text for each in imaging.conditions("P1")] == [
        "0.2M Li2SO4, «as written»",
        "25 % w/v PEG 3350, 0.1 M HEPES pH 7.5",
        "JCSG+ C7",
    ]
    assert {each.source for each in imaging.conditions("P1")} == {"ispyb"}
    assert imaging.conditions("P2") == []
    assert imaging.note_conditions([bare, WELL, other], source=ISPYB) == Noted(same=3)


def test_one_screen_is_in_many_plates(imaging: ImagingDatabase) -> None:
    wells = [replace(WELL, plate=f"P{number}", row=number % 8) for number in range(501)]
    assert imaging.note_conditions(wells, source=ISPYB) == Noted(new=501)
    assert imaging.conditions("P500") == [wells[-1]]
    assert imaging.note_conditions(wells, source=XTALTRAK) == Noted(same=501)


def test_a_condition_follows_its_facility_but_not_against_a_person(imaging: ImagingDatabase) -> None:
    nothing = replace(WELL, name="", ingredients=())
    assert imaging.note_conditions([nothing], source=ISPYB) == Noted(same=1)
    imaging.note_conditions([WELL], source=ISPYB)
    assert imaging.note_conditions([nothing], source=XTALTRAK) == Noted(same=1)
    assert imaging.note_conditions([nothing], source=ISPYB) == Noted(changed=1)
    assert imaging.note_conditions([nothing], source=ISPYB) == Noted(same=1)
    assert imaging.conditions("P1") == []
    assert imaging.note_conditions([WELL], source=XTALTRAK) == Noted(changed=1)
    mine = replace(WELL, name="mine")
    assert imaging.note_conditions([mine], source=ZOE) == Noted(changed=1)
    assert imaging.note_conditions([WELL], source=XTALTRAK) == Noted(held=1)
    assert imaging.conditions("P1") == [mine]
    assert imaging.conditions("P1")[0].source == "owners.csv"


def test_a_drop_has_its_own_condition_or_that_of_its_well(imaging: ImagingDatabase) -> None:
    own = replace(WELL, drop=2, name="seeded")
    imaging.note_conditions([own, WELL], source=ISPYB)
    plate = about(imaging, "P1")
    keys = [WellKey(plate="P1", row=2, column=6, drop=drop) for drop in (1, 2, 3)]
    assert list(map(plate.condition, keys)) == [WELL, own, WELL]
    assert plate.condition(WellKey(plate="P1", row=2, column=7)) is None
    mine = replace(WELL, name="mine")
    imaging.note_conditions([mine], source=ZOE)
    assert imaging.conditions("P1") == [mine]  # of all drops
    imaging.note_conditions([own], source=ZOE)
    assert imaging.conditions("P1") == [mine, own]


texts = st.sampled_from(["", "a", "b"])
said = st.lists(st.tuples(texts, texts, st.sampled_from([ISPYB, XTALTRAK, ZOE])), max_size=5)


@shared
@given(said=said)
def test_repeating_what_was_said_last_changes_nothing_and_a_person_is_never_contradicted(
    imaging: ImagingDatabase, said: list[tuple[str, str, Source]]
) -> None:
    plate, by_hand = uuid.uuid4().hex, dict[str, str]()
    for owner, project, source in said:
        told = PlateFacts(plate=plate, owner=owner, project=project)
        well = Condition(plate=plate, row=0, column=0, name=owner)
        imaging.note_plates([told], source=source)
        imaging.note_conditions([well], source=source)
        if source.by_hand:
            by_hand |= {name: word for name, word in (("owner", owner), ("project", project)) if word}
        facts, conditions = imaging.plate_facts([plate]), imaging.conditions(plate)
        assert imaging.note_plates([told], source=source).changed == 0
        assert imaging.note_conditions([well], source=source).changed == 0
        assert (imaging.plate_facts([plate]), imaging.conditions(plate)) == (facts, conditions)
        known = facts.get(plate, PlateFacts(plate=plate))
        assert all(getattr(known, name) == word for name, word in by_hand.items())
        if "owner" in by_hand:
            assert [each.name for each in conditions] == [by_hand["owner"]]
