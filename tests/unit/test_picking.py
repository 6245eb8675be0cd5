"""Files of ticked drops: what they hold, and what is refused."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crystal_search.crystal import Crystal
from crystal_search.dispensers.crystal_plates import CRYSTAL_PLATES
from crystal_search.errors import UserError
from crystal_search.geometry import Box, Point
from crystal_search.result import ImageScore
from crystal_search.server.home import Home
from crystal_search.server.imagers import Imagers
from crystal_search.server.imaging.imaging_database import DropScores
from crystal_search.server.imaging.marks import DISPENSE, FAVOURITE, PICK, Mark
from crystal_search.server.imaging.plate_facts import Condition, Ingredient, PlateFacts
from crystal_search.server.imaging.stored_images import StoredImage
from crystal_search.server.installation import Installation
from crystal_search.server.settings import Settings
from crystal_search.viewer.about_plates import AboutPlate
from crystal_search.viewer.app import viewer_app
from crystal_search.viewer.picking.pick_formats import PICK_FORMATS, TO_HARVEST, PickOptions
from crystal_search.viewer.picking.picks import MOST_PICKS, Pick, position_in
from crystal_search.wells import WellKey
from tests.memory_imaging import MemoryImaging
from tests.viewer_site import CRYSTALS, NOON, Client, add_plate, auto_score, crystal_score, hand_score, score_plate

GOLD = Path(__file__).parents[1] / "data" / "picks"
OPTIONS = PickOptions(plate_kind="swissci-3", um_per_px=2.5, volume_nl=25, source_plate="DMSO", source_well="A1")


def pick(
    number: int,
    *,
    plate: str = "P1",
    drop: int = 1,
    column: int = 0,
    scored: bool = True,
    crystals: tuple[Crystal, ...] | None = (),
    marks: Sequence[Mark] = (),
    **when: Any,
) -> Pick:
    """Return a drop as the viewer's database would tell it."""
    key = WellKey(plate=plate, row=2, column=column, drop=drop, **when)
    image = StoredImage(id=number, key=key, path=f"/{number}.jpg", imaged_at=NOON)
    auto = crystal_score(number, crystals) if scored else None
    part = Ingredient(name="PEG 3350", concentration=20, unit="% w/v")
    well = Condition(plate=plate, row=2, column=column, name="JCSG+ C1", ingredients=(part,))
    about = AboutPlate(facts=PlateFacts(plate=plate, project="mx1", owner="=Ada"), conditions={(2, column, 0): well})
    people = (hand_score(number, "crystal_bad_form", person="Ben"),) if scored else ()
    return Pick(drop=DropScores(image=image, auto=auto, people=people, marks=tuple(marks)), about=about)


def mark(kind: str, place: Point | Box, *, number: int = 2) -> Mark:
    return Mark(image_id=number, person="Zoë", marked_at=NOON, kind=kind, place=place)


def text_of(name: str, picks: Sequence[Pick], options: PickOptions) -> str:
    return PICK_FORMATS[name].file(picks, options).text


MARKS = [mark(PICK, Point(60, 200)), mark(PICK, Box(100, 200, 120, 240)), mark(DISPENSE, Point(180, 80))]
PICKS = [pick(1), pick(2, drop=2, marks=MARKS), pick(3, drop=3, column=10)]


@pytest.mark.parametrize("name", PICK_FORMATS)
def test_every_format_is_as_it_was(name: str) -> None:
    text = text_of(name, PICKS, OPTIONS)
    assert text == (GOLD / f"{name}.csv").read_text(encoding="utf-8")


def test_a_drop_without_a_score_has_no_position_in_our_table() -> None:
    header, line = text_of("harvest", [pick(4, scored=False)], OPTIONS).splitlines()
    row = dict(zip(header.split(","), line.split(","), strict=True))
    assert (row["plate"], row["well"], row["x_px"], row["position_from"]) == ("P1", "C01", "", "")


def test_without_a_scale_our_table_has_pixels_only() -> None:
    header, line = text_of("harvest", [pick(1)], PickOptions()).splitlines()
    row = dict(zip(header.split(","), line.split(","), strict=True))
    assert (row["x_px"], row["y_px"], row["x_um"], row["offset_up_um"]) == ("120.0", "100.0", "", "")


def test_a_position_is_the_best_chop_or_else_the_drop() -> None:
    found = auto_score(1, "clear").found
    chop, drop = position_in(found), position_in(replace(found, best_chops=()))
    assert chop
    assert drop
    assert (chop.origin, drop.origin) == ("best chop", "drop")
    assert (drop.row_px, drop.column_px) == (120.0, 160.0)
    assert position_in(ImageScore(height_px=9, width_px=9)) is None


def test_marks_come_before_the_machine_those_for_the_purpose_first() -> None:
    assert [each.origin for each in pick(2, marks=MARKS).positions(TO_HARVEST)] == ["pick mark", "pick mark"]
    assert [each.origin for each in pick(2, marks=MARKS[2:]).positions(TO_HARVEST)] == ["dispense mark"]
    favourite = Mark(image_id=2, person="Zoë", marked_at=NOON, kind=FAVOURITE)
    assert [each.origin for each in pick(2, marks=[favourite]).positions(TO_HARVEST)] == ["best chop"]


def with_crystals(number: int, *, marks: Sequence[Mark] = (), um_per_px: float | None = None) -> Pick:
    return replace(pick(number, marks=marks, crystals=CRYSTALS), um_per_px=um_per_px)


def harvest(*picks: Pick) -> list[dict[str, str]]:
    return list(csv.DictReader(text_of("harvest", picks, PickOptions()).splitlines()))


def test_without_marks_each_crystal_that_the_machine_found_is_a_row() -> None:
    rows = harvest(with_crystals(2, um_per_px=2.5))
    assert [(row["position_from"], row["crystal"], row["x_px"], row["y_px"]) for row in rows] == [
        ("crystal", "1", "140.0", "100.0"),
        ("crystal", "2", "160.0", "100.0"),
        ("crystal", "3", "12.0", "150.0"),
    ]
    assert [(row["long_um"], row["short_um"], row["cut_off"]) for row in rows] == [
        ("200.0", "50.0", "no"),
        ("30.0", "20.0", "no"),
        ("60.0", "40.0", "yes"),
    ]
    assert {row["marked_by"] for row in rows} == {""}


def test_a_mark_on_a_crystal_has_its_size_and_one_beside_it_has_none() -> None:
    rows = harvest(with_crystals(2, marks=[mark(PICK, Point(95, 110)), mark(PICK, Point(200, 300))]))
    assert [(row["position_from"], row["crystal"], row["long_px"]) for row in rows] == [
        ("pick mark", "1", "80"),
        ("pick mark", "", ""),
    ]


def test_a_mark_where_crystals_lie_on_each_other_is_of_the_smallest() -> None:
    (row,) = harvest(with_crystals(2, marks=[mark(PICK, Point(100, 160))]))
    assert (row["crystal"], row["long_px"]) == ("2", "12")


def test_a_drop_in_which_no_crystal_was_found_is_gone_to_by_its_best_chop() -> None:
    assert [each.origin for each in pick(2).positions(TO_HARVEST)] == ["best chop"]


def test_a_volume_goes_to_one_place_that_the_machine_finds_and_to_every_mark() -> None:
    marks = [mark(DISPENSE, Point(60, 200)), mark(DISPENSE, Point(80, 200))]
    for picked, lines in ((with_crystals(2), 1), (with_crystals(2, marks=marks), 2)):
        text = text_of("echo", [picked], replace(OPTIONS, plate_kind="one-drop"))
        assert len(text.splitlines()) == 1 + lines


@pytest.mark.parametrize("place", [Point(90000, 90000), Point(240, 10), Point(10, 320), Box(200, 10, 300, 20)])
def test_a_mark_outside_the_image_counts_for_nothing(place: Point | Box) -> None:
    off = mark(DISPENSE, place)
    marked = [pick(2, marks=marks).positions(TO_HARVEST) for marks in ([off], [off, *MARKS[:2]], [off, MARKS[2]])]
    assert [[each.origin for each in positions] for positions in marked] == [
        ["best chop"],
        2 * ["pick mark"],
        ["dispense mark"],
    ]
    assert [each.column_px for each in marked[2]] == [80.5]
    for name in ("echo", "soakdb"):
        assert text_of(name, [pick(2, marks=[off])], OPTIONS) == text_of(name, [pick(2)], OPTIONS)


def test_a_mark_on_an_image_that_nobody_scored_has_pixels_but_no_offset() -> None:
    marked = pick(2, scored=False, marks=MARKS)
    header, *lines = text_of("harvest", [marked], OPTIONS).splitlines()
    rows = [dict(zip(header.split(","), line.split(","), strict=True)) for line in lines]
    assert [(row["x_px"], row["y_px"], row["offset_up_um"]) for row in rows] == [
        ("200.5", "60.5", ""),
        ("220.0", "110.0", ""),
    ]
    with pytest.raises(UserError, match="its size is not known"):
        text_of("echo", [marked], OPTIONS)


@pytest.mark.parametrize("name", PICK_FORMATS)
def test_a_drop_ticked_at_several_inspections_is_in_a_file_once_by_the_newest(name: str) -> None:
    newest = pick(4, inspection=3, marks=[mark(PICK, Point(60, 200), number=4), mark(DISPENSE, Point(60, 200))])
    ticked = [pick(1), newest, pick(5, inspection=3, channel="uv"), pick(6, inspection=2)]
    assert text_of(name, ticked, OPTIONS) == text_of(name, [newest], OPTIONS)


@pytest.mark.parametrize(
    ("name", "changed", "picks", "message"),
    [
        ("echo", {"um_per_px": None}, PICKS, "um_per_px="),
        ("echo", {"volume_nl": None}, PICKS, "multiple of 2.5 nl"),
        ("echo", {"volume_nl": 26.0}, PICKS, "multiple of 2.5 nl"),
        ("echo", {"source_well": ""}, PICKS, "source_well="),
        ("echo", {"plate_kind": ""}, PICKS, "which kind of plate"),
        ("echo", {"plate_kind": "plate"}, PICKS, "no kind of plate 'plate'; choose from swissci-3"),
        ("echo", {"plate_kind": "mrc-2"}, PICKS, "P1 C11 has a drop 3"),
        ("echo", {}, [pick(4, scored=False)], "P1 C01 drop 1: nothing scored it"),
        ("soakdb", {"um_per_px": None}, PICKS, "um_per_px="),
        ("soakdb", {}, [pick(1), pick(2, plate="P2")], "one plate; ask once for each of P1, P2"),
        ("shifter", {}, [pick(1), pick(2, plate="P2")], "one plate; ask once for each of P1, P2"),
        ("shifter", {"plate_kind": "one-drop"}, [pick(1)], "is not known; take the CSV table"),
        ("shifter", {"plate_kind": "mrc-2"}, PICKS, "P1 C11 has a drop 3"),
    ],
)
def test_what_cannot_be_told_is_refused(name: str, changed: dict[str, Any], picks: list[Pick], message: str) -> None:
    with pytest.raises(UserError) as refused:
        text_of(name, picks, replace(OPTIONS, **changed))
    assert message in str(refused.value)


@pytest.mark.parametrize("kind", CRYSTAL_PLATES.values(), ids=CRYSTAL_PLATES)
def test_no_two_drops_of_a_kind_of_plate_are_one_place(kind: Any) -> None:
    assert len(set(kind.places)) == len(kind.places)
    assert len(kind.letters) in (0, len(kind.places))
    assert all(row < kind.grid[0] and column < kind.grid[1] for row, column in kind.places)


@pytest.fixture
def shown(tmp_path: Path) -> tuple[Client, Callable[[str], list[int]]]:
    """A viewer with two plates, and what tells the images of one."""
    imaging = MemoryImaging()
    for plate in ("P1", "P2"):
        score_plate(imaging, add_plate(imaging, tmp_path, plate=plate), ["crystal_harvestable"] * 5)
        drops = imaging.drops(plate, inspection=1)[:2]
        imaging.add_auto_scores([crystal_score(drop.image.id, (), minute=1) for drop in drops])

    def ids(plate: str) -> list[int]:
        return [drop.image.id for drop in imaging.drops(plate, inspection=1)]

    return Client(viewer_app(imaging, tmp_path / "thumbnails")), ids


def test_the_name_of_a_file_says_how_many_drops_are_in_it(shown: tuple[Client, Callable[[str], list[int]]]) -> None:
    client, ids = shown
    options = "plate=one-drop&um_per_px=2.5"
    for count, part in ((2, ""), (3, "-2-of-3")):
        listed = ",".join(map(str, ids("P1")[:count]))
        answer = client.get(f"/picks/soakdb.csv?ids={listed}&{options}")
        assert len(answer.text.splitlines()) == 2
        assert answer.headers["content-disposition"] == f'attachment; filename="picks-soakdb-P1{part}.csv"'
    assert client.get(f"/picks?ids={listed}").text.count("never searched for crystals") == 1


def test_a_list_goes_over_plates_in_their_order(shown: tuple[Client, Callable[[str], list[int]]]) -> None:
    client, ids = shown
    listed = [ids("P2")[0], ids("P1")[3], ids("P1")[1]]
    answer = client.get(f"/picks/harvest.csv?ids={','.join(map(str, listed))}")
    rows = [line.split(",")[:2] for line in answer.text.splitlines()[1:]]
    assert rows == [["P1", "A02"], ["P1", "B01"], ["P2", "A01"]]
    assert answer.headers["content-disposition"] == 'attachment; filename="picks-harvest-2-plates.csv"'
    page = client.get(f"/picks?ids={','.join(map(str, listed))}")
    assert page.status_code == 200
    assert "3 drops on 2 plates" in page.text


def test_the_page_counts_a_drop_once_and_says_which_image_is_in_no_file(tmp_path: Path) -> None:
    imaging = MemoryImaging()
    inspections = [add_plate(imaging, tmp_path, rows=1, inspection=number) for number in (1, 2)]
    ids = ",".join(str(drops[0].image.id) for drops in inspections)
    text = Client(viewer_app(imaging, tmp_path / "thumbnails")).get(f"/picks?ids={ids}").text
    assert "Pick list: 1 drop on 1 plate" in text
    older, newer = text.split('<ul class="picked">')[1].split("<li>")[1:]
    assert ("not in the files" in older, "not in the files" in newer) == (True, False)


def test_the_scale_that_the_settings_say_comes_before_one_that_a_person_says(tmp_path: Path) -> None:
    imaging = MemoryImaging()
    drops = add_plate(imaging, tmp_path, rows=1)
    imaging.add_auto_scores([crystal_score(drops[0].image.id, ())])
    home = Home(tmp_path / "home").made()
    imager = Imagers().of(drops[0].image)
    site = Installation(home=home, settings=Settings(micrometres_per_pixel={imager: 4.0}), imaging=imaging)
    client = Client(viewer_app(imaging, home.thumbnails, site=site))
    for said in ("", "&um_per_px=2"):
        answer = client.get(f"/picks/soakdb.csv?ids={drops[0].image.id}&plate=one-drop{said}")
        assert answer.text == "A01,-82,-2\n"
    assert "Micrometres a pixel" not in client.get(f"/picks?ids={drops[0].image.id}").text


@pytest.mark.parametrize(
    ("address", "status", "message"),
    [
        ("/picks/harvest.csv", 400, "name images by ids="),
        ("/picks/harvest.csv?ids=one", 400, "ids must be 1 to 500 numbers of images with commas between, got 'one'"),
        (f"/picks/harvest.csv?ids={','.join(map(str, range(1, MOST_PICKS + 2)))}", 400, "ids must be 1 to 500 numbers"),
        ("/picks/harvest.csv?ids=999", 404, "there is no image 999"),
        ("/picks/xlsx.csv?ids=1", 404, "no format 'xlsx'; choose from harvest, dispense, echo"),
        ("/picks/echo.csv?ids=1&um_per_px=-1", 400, "um_per_px must be a number above 0"),
        ("/picks/echo.csv?ids=1&um_per_px=nan", 400, "um_per_px must be a number above 0"),
        (
            "/picks/echo.csv?ids=1&volume_nl=25&source_plate=" + 101 * "S",
            400,
            "source_plate must be at most 100",
        ),
        ("/picks/echo.csv?ids=1&plate=tray", 400, "plate must be one of swissci-3, mrc-2, one-drop"),
        ("/picks/echo.csv?ids=1&plate=swissci-3", 400, "volume_nl="),
        ("/picks/echo.csv?ids=1&plate=one-drop&volume_nl=100002.5", 400, "at most 100000"),
        (
            "/picks/echo.csv?ids=1&plate=one-drop&volume_nl=25&source_plate=D&source_well=ZZ99",
            400,
            "say by source_well= one as A1",
        ),
    ],
)
def test_bad_addresses_are_told_what_is_wrong(
    shown: tuple[Client, Callable[[str], list[int]]], address: str, status: int, message: str
) -> None:
    answer = shown[0].get(address)
    assert answer.status_code == status
    assert message in answer.json()["error"]
