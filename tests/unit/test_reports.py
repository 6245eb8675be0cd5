"""Reports of plates and projects: what they tell, and their slides."""

import io
import re
import sys
from html import unescape
from pathlib import Path
from urllib.parse import quote

import pytest
from pptx import Presentation

from crystal_search.server.imaging.comments import Comment
from crystal_search.server.imaging.plate_facts import Condition, Ingredient, PlateFacts, Source
from crystal_search.viewer.app import viewer_app
from crystal_search.viewer.reading import PlateReader
from crystal_search.viewer.reports import plate_report as reports
from crystal_search.viewer.reports.plate_report import crystals_first, plate_report, plates_of
from tests.memory_imaging import MemoryImaging
from tests.viewer_site import NOON, Client, add_plate, auto_score, hand_score, score_plate

HERE = Source(name="test")


@pytest.fixture
def imaging(tmp_path: Path) -> MemoryImaging:
    """Two plates of one project and one of another; the first has two inspections."""
    imaging = MemoryImaging()
    score_plate(imaging, add_plate(imaging, tmp_path, plate="P1"), ["clear"] * 6)
    drops = add_plate(imaging, tmp_path, plate="P1", inspection=2)
    score_plate(
        imaging, drops, ["crystal_bad_form", "crystal_harvestable", "crystal_harvestable", "clear", "precipitate", ""]
    )
    imaging.add_manual_score(hand_score(drops[1].image.id, "clear", person="Ben"))
    imaging.add_manual_score(hand_score(drops[3].image.id, "crystal_overnucleated"))
    imaging.add_comment(Comment(image_id=drops[3].image.id, person="Ada", written_at=NOON, text="<b>shower</b>"))
    for plate in ("P2", "P3"):
        add_plate(imaging, tmp_path, plate=plate)
    facts = [PlateFacts(plate=plate, project="mx 1", owner="Ada") for plate in ("P1", "P2")]
    imaging.note_plates([*facts, PlateFacts(plate="P3", project="mx 12", protein="mx 1")], source=HERE)
    part = Ingredient(name="PEG 3350", concentration=20, unit="% w/v")
    imaging.note_conditions([Condition(plate="P1", row=1, column=0, name="C1", ingredients=(part,))], source=HERE)
    return imaging


@pytest.fixture
def client(imaging: MemoryImaging, tmp_path: Path) -> Client:
    return Client(viewer_app(imaging, tmp_path / "thumbnails"))


def test_a_person_s_crystals_come_before_the_machine_s_and_what_a_person_denies_is_none(imaging: MemoryImaging) -> None:
    found = crystals_first(imaging.drops("P1", inspection=2))
    assert [drop.image.key.well for drop in found] == ["B01", "A03", "A01"]


def test_a_score_below_the_threshold_is_no_crystal(imaging: MemoryImaging) -> None:
    image_id = imaging.drops("P2", inspection=1)[0].image.id
    imaging.add_auto_scores([auto_score(image_id, "crystal_harvestable", 0.5)])
    assert crystals_first(imaging.drops("P2", inspection=1)) == []


def test_a_report_tells_inspections_and_the_best_drops(imaging: MemoryImaging, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "BEST_DROPS", 2)
    found = plate_report(PlateReader(imaging), "P1")
    assert [(line.number, line.images, line.machine["crystal"]) for line in found.history] == [(1, 6, 0), (2, 6, 3)]
    assert (found.latest.people, found.latest.machine["unscored"]) == ({"clear": 1, "crystal": 1}, 1)
    assert (found.crystals, len(found.best), found.best[0].condition) == (3, 2, "20 % w/v PEG 3350")


def test_a_project_has_its_plates_only(imaging: MemoryImaging, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "PER_PAGE", 1)
    assert sorted(plates_of(PlateReader(imaging), "mx 1")) == ["P1", "P2"]


def test_pages_escape_what_people_wrote(client: Client) -> None:
    text = client.get("/plate/P1/report").text
    assert "Ada wrote: &lt;b&gt;shower&lt;/b&gt;" in text
    assert "Drops with crystals at inspection 2" in text
    assert "No drop has crystals" in client.get("/report?project=mx+1").text


def test_the_columns_of_a_report_add_up(client: Client, imaging: MemoryImaging, tmp_path: Path) -> None:
    said = ["crystal_harvestable", "no_drop", "unreadable", "no_drop", "clear", ""]
    drops = add_plate(imaging, tmp_path, plate="P4")
    score_plate(imaging, drops, said)
    imaging.add_manual_score(hand_score(drops[0].image.id, "no_drop"))
    imaging.add_manual_score(hand_score(drops[1].image.id, "clear"))
    table = client.get("/plate/P4/report").text.split("<table>")[1].split("</table>")[0]
    heads = re.findall('<th scope="col">([a-z ]+)</th>', table)
    _, drop_count, *counts = re.findall("<td>(.*?)</td>", table)
    told = list(zip(heads, map(int, counts), strict=True))
    machine, people = dict(told[:8]), dict(told[8:])
    assert (machine["no drop"], machine["unreadable"], machine["not scored"]) == (2, 1, 1)
    assert (people["no drop"], people["clear"]) == (1, 1)
    assert (int(drop_count), sum(machine.values()), sum(people.values())) == (6, 6, 2)


def test_slides_are_where_the_report_says_whatever_the_barcode(
    client: Client, imaging: MemoryImaging, tmp_path: Path
) -> None:
    plate = 'A#1?x%41 "é&'
    add_plate(imaging, tmp_path, plate=plate)
    text = client.get(f"/plate/{quote(plate)}/report").text
    address = re.search('class="button" href="([^"]*)">Slides', text)
    assert address
    answer = client.get(unescape(address[1]))
    show = Presentation(io.BytesIO(answer.content))
    assert show.slides[0].shapes.title.text == f"Plate {plate}"


def test_slides_have_a_picture_of_each_drop(client: Client) -> None:
    answer = client.get("/report.pptx?project=mx++1")
    assert answer.status_code == 200
    show = Presentation(io.BytesIO(answer.content))
    titles = [slide.shapes.title.text for slide in show.slides]
    assert titles[0] == "Project mx 1"
    assert sorted(titles[1:]) == ["P1", "P1 A01 drop 1", "P1 A03 drop 1", "P1 B01 drop 1", "P2"]
    drop = next(slide for slide in show.slides if slide.shapes.title.text == "P1 B01 drop 1")
    words = [shape.text_frame.text for shape in drop.shapes if shape.has_text_frame]
    assert "Ada: Crystals, overnucleated" in words[1]
    assert "condition: C1: 20 % w/v PEG 3350" in words[1]
    assert sum(hasattr(shape, "image") for shape in drop.shapes) == 1


def test_a_picture_that_is_gone_leaves_a_slide_that_says_so(client: Client, imaging: MemoryImaging) -> None:
    for drop in imaging.drops("P1", inspection=2):
        Path(drop.image.path).unlink()
    show = Presentation(io.BytesIO(client.get("/plate/P1/report.pptx").content))
    texts = [shape.text_frame.text for slide in show.slides for shape in slide.shapes if shape.has_text_frame]
    assert sum("no picture:" in text for text in texts) == 3


def test_without_the_library_the_answer_names_it(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pptx", None)
    answer = client.get("/plate/P1/report.pptx")
    assert (answer.status_code, answer.json()["error"]) == (
        501,
        "slides need python-pptx: pip install 'crystal-search[reports]'",
    )


@pytest.mark.parametrize(
    ("address", "status"),
    [("/plate/none/report", 404), ("/report", 400), ("/report?project=none", 404), ("/report.pptx?project=none", 404)],
)
def test_what_is_not_there_is_told(client: Client, address: str, status: int) -> None:
    assert client.get(address).status_code == status
