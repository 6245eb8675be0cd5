"""The commands that take imports back and follow folders that moved."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crystal_search.main import main
from crystal_search.naming import Naming
from crystal_search.server.imaging.imaging_database import ManualScore
from crystal_search.server.imaging.stored_images import FileVersion
from crystal_search.server.importing import import_images
from crystal_search.server.importing.import_command import keep_plan
from crystal_search.server.importing.import_images import import_folder
from crystal_search.server.importing.plan import planned
from crystal_search.server.installation import Installation, opened
from crystal_search.server.services.watch import Inbox
from crystal_search.viewer.app import viewer_app
from tests.unit.test_import_images import made
from tests.viewer_site import Client

WELLS = Naming(convention="well")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Installation]:
    with opened(tmp_path / "home") as site:
        yield site


def plate(folder: Path, name: str = "P1", wells: int = 3) -> Path:
    for number in range(1, wells + 1):
        made(folder / name, f"A{number:02}.jpg", content=f"{name} {number}".encode())
    return folder / name


def command(site: Installation, *words: str) -> int:
    return main([words[0], *words[1:], "--home", str(site.home.path)])


def scored_by_hand(site: Installation, barcode: str) -> int:
    image = site.imaging.plate_images(barcode)[0]
    score = ManualScore(image_id=image.id, person="Ada", scored_at=datetime.now(UTC), outcome="clear")
    site.imaging.add_manual_score(score)
    return image.id


def test_a_plate_is_taken_back_and_comes_again(
    site: Installation, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plate(tmp_path / "in")
    import_folder(tmp_path / "in", site.imaging, WELLS)
    images = site.imaging.plate_images("P1")
    assert command(site, "remove", "--plate", "P1", "--why", "no such plate", "--person", "Zoë") == 0
    assert "3 images of plate P1 taken back (removal 1)" in capsys.readouterr().out
    assert site.imaging.plates() == []
    client = Client(viewer_app(site.imaging, site.home.thumbnails))
    assert client.get(f"/drop/{images[0].id}").status_code == 404
    (removal,) = site.imaging.removals()
    assert (removal.person, removal.what, removal.why, removal.images) == ("Zoë", "plate P1", "no such plate", 3)
    report = import_folder(tmp_path / "in", site.imaging, WELLS)
    assert (report.added, report.removed) == (0, 3)
    assert import_folder(tmp_path / "in", site.imaging, WELLS, again=True).added == 3
    assert site.imaging.plate_images("P1") == images


def test_what_was_taken_back_stays_away_from_every_import_but_one_that_says_again(
    site: Installation, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_images, "SETTLED_S", 0.0)
    plate(tmp_path / "in")
    import_folder(tmp_path / "in", site.imaging, WELLS)
    command(site, "remove", "--plate", "P1")
    plate(tmp_path / "in", wells=4)
    inbox = Inbox(site, tmp_path / "in", WELLS)
    inbox.begin()
    assert [image.key.well for image in site.imaging.plate_images("P1")] == ["A04"]
    inbox.look()
    told = "3 files were taken back, and stay away unless you say --again."
    assert capsys.readouterr().out.count(told) == 1
    words = ["import", str(tmp_path / "in"), "--names", "well"]
    assert command(site, *words, "--dry-run") == 0
    assert told in capsys.readouterr().out
    client = Client(viewer_app(site.imaging, site.home.thumbnails, site=site))
    assert "3 taken back, which stay away" in client.get("/import").text
    assert command(site, *words) == 0
    assert told in capsys.readouterr().out
    assert command(site, *words, "--dry-run", "--again") == 0
    assert "3 images of 1 plate would be added" in capsys.readouterr().out
    assert command(site, *words, "--again") == 0
    assert len(site.imaging.plate_images("P1")) == 4
    assert command(site, *words, "--dry-run") == 0
    assert "taken back" not in capsys.readouterr().out


def test_what_was_taken_back_stays_away_where_its_folder_moves(site: Installation, tmp_path: Path) -> None:
    for barcode in ("P1", "P2"):
        plate(tmp_path / "in", barcode)
    import_folder(tmp_path / "in", site.imaging, WELLS)
    command(site, "remove", "--plate", "P1")
    shutil.move(tmp_path / "in", tmp_path / "moved")
    assert command(site, "moved", str(tmp_path / "in"), str(tmp_path / "moved")) == 0
    report = import_folder(tmp_path / "moved", site.imaging, WELLS)
    assert (report.added, report.known, report.removed) == (0, 3, 3)


def test_a_folder_of_which_all_was_taken_back_is_followed_too(
    site: Installation, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, new = plate(tmp_path / "in"), tmp_path / "new"
    import_folder(tmp_path / "in", site.imaging, WELLS)
    command(site, "remove", "--plate", "P1")
    shutil.copytree(folder, new)
    assert command(site, "moved", str(folder), str(new)) == 2
    assert "is there as before, and no image of it is in use" in capsys.readouterr().err
    shutil.rmtree(folder)
    assert command(site, "moved", str(folder), str(new)) == 0
    told = capsys.readouterr().out
    assert told.startswith("0 images followed")
    assert "3 images of that folder, taken back before, will stay away from there too" in told
    assert import_folder(new, site.imaging, WELLS).removed == 3
    assert command(site, "moved", str(folder), str(new)) == 2
    assert "no image was imported from" in capsys.readouterr().err


def test_the_button_imports_what_the_plan_shows(
    site: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_images, "SETTLED_S", 0.0)
    import_folder(plate(tmp_path / "in").parent, site.imaging, WELLS)
    command(site, "remove", "--plate", "P1")
    plan = planned(tmp_path / "in", site.imaging, WELLS, again=True)
    keep_plan(site, plan)
    client = Client(viewer_app(site.imaging, site.home.thumbnails, site=site))
    done = client.post("/api/import", json.dumps({"made_at": plan.made_at}).encode())
    assert done.json()["said"].startswith("3 images added")


def test_an_import_is_taken_back_and_no_other(
    site: Installation, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_images, "SETTLED_S", 0.0)
    monkeypatch.setenv("LOGNAME", "ada")
    plate(tmp_path / "in")
    assert command(site, "import", str(tmp_path / "in")) == 0
    plate(tmp_path / "in", wells=5)
    assert command(site, "import", str(tmp_path / "in")) == 0
    capsys.readouterr()
    assert command(site, "remove", "--list") == 0
    out = capsys.readouterr().out
    assert f"2: 2 images of {tmp_path}/in, by ada" in out
    assert f"1: 3 images of {tmp_path}/in, by ada" in out
    assert command(site, "remove", "--import", "2") == 0
    assert len(site.imaging.plate_images("P1")) == 3
    assert command(site, "remove", "--import", "2") == 2
    assert command(site, "remove", "--list") == 0
    assert "1: 2 images of import 2, by ada" in capsys.readouterr().out


def test_nothing_scored_by_hand_is_taken_back_without_force(
    site: Installation, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plate(tmp_path / "in")
    import_folder(tmp_path / "in", site.imaging, WELLS)
    scored = scored_by_hand(site, "P1")
    assert command(site, "remove", "--plate", "P1") == 2
    assert "1 image of plate P1 were scored by hand" in capsys.readouterr().err.replace("images", "image")
    assert len(site.imaging.plate_images("P1")) == 3
    assert command(site, "remove", "--plate", "P1", "--force") == 0
    assert site.imaging.plates() == []
    assert len(site.imaging.ledger(scored)) == 1


def test_one_inspection_is_taken_back(site: Installation, tmp_path: Path) -> None:
    for day in ("2026-01-01", "2026-01-02"):
        plate(tmp_path / "in" / "P1", day)
    import_folder(tmp_path / "in", site.imaging, WELLS)
    assert command(site, "remove", "--plate", "P1", "--inspection", "1") == 0
    assert {image.key.inspection for image in site.imaging.plate_images("P1")} == {2}
    assert command(site, "remove", "--import", "1", "--inspection", "1") == 2


def noted(site: Installation) -> None:
    """Note what the files hold, as packing does."""
    images = site.imaging.plate_images("P1")
    site.imaging.note_versions({image.id: version(Path(image.path).read_bytes()) for image in images})


def version(data: bytes) -> FileVersion:
    return FileVersion(sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data), mtime_ns=1)


def test_a_folder_that_moved_is_followed(
    site: Installation, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = plate(tmp_path / "in")
    import_folder(tmp_path / "in", site.imaging, WELLS)
    noted(site)
    before = site.imaging.plate_images("P1")
    assert command(site, "moved", str(folder), str(tmp_path / "in" / "old" / "P1")) == 2
    (tmp_path / "in" / "old").mkdir()
    shutil.move(folder, tmp_path / "in" / "old" / "P1")
    report = import_folder(tmp_path / "in", site.imaging, WELLS)
    assert report.added == 0
    advice = f"that file is gone: if its folder has moved, say `crystal-search moved {folder} {tmp_path}/in/old/P1`"
    assert all(conflict.endswith(advice) for conflict in report.conflicts)
    capsys.readouterr()
    assert command(site, "moved", str(folder), str(tmp_path / "in" / "old" / "P1")) == 0
    assert "3 images followed" in capsys.readouterr().out
    after = site.imaging.plate_images("P1")
    assert [(image.id, image.key, Path(image.path).name) for image in after] == [
        (image.id, image.key, Path(image.path).name) for image in before
    ]
    assert all(Path(image.path).is_file() for image in after)
    again = import_folder(tmp_path / "in", site.imaging, WELLS)
    assert (again.added, again.known, again.conflicts) == (0, 3, ())


def test_files_that_are_others_are_not_followed(
    site: Installation, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = plate(tmp_path / "in")
    import_folder(tmp_path / "in", site.imaging, WELLS)
    noted(site)
    new = tmp_path / "new"
    shutil.move(folder, new)
    (new / "A01.jpg").write_bytes(b"P1 9")
    (new / "A02.jpg").unlink()
    assert command(site, "moved", str(folder), str(new)) == 0
    out = capsys.readouterr().out
    assert "1 image followed" in out
    assert f"{new}/A01.jpg: holds another picture than the one that was imported" in out
    assert f"{new}/A02.jpg: no such file or directory" in out
    assert [image.path for image in site.imaging.plate_images("P1")] == [
        f"{folder}/A01.jpg",
        f"{folder}/A02.jpg",
        f"{new}/A03.jpg",
    ]
    assert command(site, "moved", str(folder), str(new)) == 1


@pytest.mark.parametrize("there", ["old", "neither"])
def test_a_folder_that_did_not_move_is_refused(
    site: Installation, tmp_path: Path, capsys: pytest.CaptureFixture[str], there: str
) -> None:
    folder = plate(tmp_path / "in")
    import_folder(tmp_path / "in", site.imaging, WELLS)
    shutil.copytree(folder, tmp_path / "copy")
    old = folder if there == "old" else tmp_path / "elsewhere"
    assert command(site, "moved", str(old), str(tmp_path / "copy")) == 2
    message = capsys.readouterr().err
    assert ("is there as before" if there == "old" else "no image was imported from") in message
    assert [image.path for image in site.imaging.plate_images("P1")] == [f"{folder}/A{n:02}.jpg" for n in (1, 2, 3)]
