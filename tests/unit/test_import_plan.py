"""What an import would do is told before it is done: as text, as JSON, on a page, and when a folder is watched."""

import io
import json
import os
from pathlib import Path

import httpx
import pytest

from crystal_search.errors import UserError
from crystal_search.main import main
from crystal_search.naming import Naming
from crystal_search.server.importing.import_command import agreed, keep_plan, naming_of
from crystal_search.server.importing.import_images import import_folder
from crystal_search.server.importing.plan import as_json, as_lines, naming_in, planned
from crystal_search.server.installation import Installation, opened
from crystal_search.viewer.app import viewer_app
from tests.memory_imaging import MemoryImaging
from tests.unit.test_import_images import made, parsed, session
from tests.unit.test_import_places import rockimager
from tests.viewer_site import Client


@pytest.fixture
def robot(tmp_path: Path) -> Path:
    made(
        tmp_path / "robot",
        *session("2018-04-11", "01A_1", "01A_2", "12H_1"),
        *session("2018-04-12", "02B_1"),
        "notes.jpg",
        "more.jpg",
    )
    return tmp_path / "robot"


def test_a_plan_is_drawn_as_plates(robot: Path) -> None:
    imaging = MemoryImaging()
    plan = planned(robot, imaging, Naming())
    assert imaging.plates() == []
    empty = ["   " + f"{letter} . . . . . . . . . . . ." for letter in "BCDEFG"]
    assert as_lines(plan, limit=20) == [
        "4 images of 1 plate would be added (names: xchem).",
        "",
        "plate 90j8, inspection 1, visible, 2018-04-11: 3 images",
        "   A 2 . . . . . . . . . . .",
        *empty,
        "   H . . . . . . . . . . . 1",
        "",
        "plate 90j8, inspection 2, visible, 2018-04-12: 1 image",
        "   A . 1 . . . . . .".replace("1", "."),
        "   B . 1 . . . . . .",
        *("   " + f"{letter} . . . . . . . ." for letter in "CDEF"),
        "",
        "2 files fit nothing:",
        "  2 files: not like PLATE_01A_1.jpg",
        f"    {robot}/more.jpg",
        f"    {robot}/notes.jpg",
    ]


def test_a_plan_is_what_the_import_does(robot: Path) -> None:
    imaging = MemoryImaging()
    made(robot, *(f"other/{name}" for name in session("2018-04-11", "01A_1")))
    for name in ("01A_1", "12H_1"):
        made(robot, *(f"later/{each}" for each in session("2018-05-01", name)))
    plan = planned(robot, imaging, Naming())
    report = import_folder(robot, imaging)
    assert plan.images == report.added
    assert plan.conflicts == report.conflicts
    assert sorted(plan.left_out) == sorted(report.unmatched)
    assert {(each.plate, each.inspection, each.channel): each.images for each in plan.inspections} == report.sessions
    again = planned(robot, imaging, Naming())
    assert (again.images, again.known, again.conflicts) == (0, report.added, report.conflicts)


def test_a_format_that_is_known_is_told_and_drawn(tmp_path: Path) -> None:
    made(tmp_path, *rockimager(1, 97))
    (inspection,) = planned(tmp_path, MemoryImaging(), Naming()).inspections
    assert (inspection.format, inspection.rows, inspection.columns) == (384, 16, 24)
    assert inspection.drops == {"A01": (1,), "E01": (1,)}


def test_a_plan_goes_round_as_json(robot: Path) -> None:
    naming = naming_of(parsed("--plate-format", "9=48", "--channel", "2=uv", "--exclude", "x"))
    plan = json.loads(json.dumps(as_json(planned(robot, MemoryImaging(), naming))))
    assert (plan["format_version"], plan["images"], plan["convention"]) == (1, 4, "xchem")
    assert plan["inspections"][0]["drops"] == {"A01": [1, 2], "H12": [1]}
    assert naming_in(plan) == Naming(
        convention="xchem", plate_formats=(("9", 48),), profiles=(("2", "uv"),), exclude=("x",)
    )


def test_the_command_adds_nothing_on_a_dry_run(robot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["import", str(robot), "--home", str(tmp_path / "home"), "--dry-run"]
    assert main(words) == 0
    assert capsys.readouterr().out.startswith("4 images of 1 plate would be added (names: xchem).\n")
    assert not (tmp_path / "home").exists()
    with opened(tmp_path / "home") as site:
        assert main([*words, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["images"] == 4
        assert site.imaging.plates() == []
        assert json.loads(site.home.import_plan.read_text())["images"] == 4
    assert main(["import", str(robot), "--home", str(tmp_path / "home"), "--json"]) == 2


@pytest.fixture
def site(tmp_path: Path) -> Installation:
    with opened(tmp_path / "home") as site:
        return site


def test_a_folder_that_robots_alone_name_so_is_told_and_goes_on(
    robot: Path, site: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    naming = agreed(site, robot, Naming(), yes=False)
    assert (naming.convention, naming.by_chance) == ("auto", False)
    assert "4 images of 1 plate would be added" in capsys.readouterr().out
    made(robot / "photos", *(f"A{number}.jpg" for number in range(1, 13)))
    assert import_folder(robot / "photos", MemoryImaging(), naming).added == 0


@pytest.mark.parametrize("answer", ["n\n", "\n"])
def test_a_folder_that_others_name_so_is_asked_for(
    tmp_path: Path, site: Installation, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    made(tmp_path / "photos", "A1.jpg", "B2.jpg")
    with pytest.raises(UserError, match=r"look at the plates, then say --names well or --yes"):
        agreed(site, tmp_path / "photos", Naming(), yes=False)
    assert agreed(site, tmp_path / "photos", Naming(), yes=True).convention == "auto"
    assert agreed(site, tmp_path / "photos", Naming(convention="well"), yes=False).convention == "well"
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    with pytest.raises(UserError, match="nothing was imported"):
        agreed(site, tmp_path / "photos", Naming(), yes=False)
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert agreed(site, tmp_path / "photos", Naming(), yes=False).convention == "well"


class Terminal(io.StringIO):
    """A keyboard at which somebody answers."""

    def isatty(self) -> bool:
        return True


def send(client: Client, body: object) -> httpx.Response:
    return client.post("/api/import", json.dumps(body).encode())


def seen(site: Installation, imaging: MemoryImaging) -> Client:
    return Client(viewer_app(imaging, site.home.thumbnails, site=site))


def test_the_page_draws_the_last_plan_and_imports_it_when_somebody_says_so(
    robot: Path, site: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crystal_search.server.importing.import_images.SETTLED_S", 0.0)
    imaging = MemoryImaging()
    client = seen(site, imaging)
    assert "crystal-search import FOLDER --dry-run" in client.get("/import").text
    with open(os.fsencode(robot) + b"/gr\xf6n.jpg", "wb") as file:
        file.write(b"x")
    plan = planned(robot, imaging, Naming())
    keep_plan(site, plan)
    page = client.get("/import").text
    for text in (
        '<th scope="col">12</th>',
        "4 images would come in",
        'title="A01, drops 1, 2"',
        "notes.jpg: not like PLATE_01A_1.jpg",
        "xchem",
    ):
        assert text in page
    other = send(client, {"made_at": plan.made_at - 1})
    assert (other.status_code, imaging.plates()) == (409, [])
    done = send(client, {"made_at": plan.made_at})
    assert done.json()["said"].startswith("4 images added, 0 known before (names: xchem).")
    assert [each.images for each in imaging.plates()] == [4]


@pytest.mark.parametrize("body", [{}, [], {"made_at": None}])
def test_nothing_is_imported_that_nobody_has_seen(robot: Path, site: Installation, body: object) -> None:
    imaging = MemoryImaging()
    keep_plan(site, planned(robot, imaging, Naming()))
    assert send(seen(site, imaging), body).status_code in (400, 409)
    assert imaging.plates() == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format_version": 99}'])
def test_a_plan_that_cannot_be_read_is_none(site: Installation, text: str) -> None:
    site.home.import_plan.write_text(text)
    client = seen(site, MemoryImaging())
    assert "No plan" in client.get("/import").text
    assert send(client, {"made_at": 1}).status_code == 409
