"""A panel that is drawn from an installation: the same one, whatever database keeps its ledger."""

from contextlib import closing
from pathlib import Path

import pytest

from crystal_search.exit_codes import OK, USAGE
from crystal_search.main import main
from crystal_search.outcomes import BY_NAME, OUTCOME_NAMES
from crystal_search.panel.machine_answers import in_ledger
from crystal_search.panel.panel_set import CLASSES, read_set
from crystal_search.panel.time_courses import drawn_set, in_database
from crystal_search.server.home import Home
from crystal_search.server.imaging.imaging_database import ImagingDatabase
from crystal_search.server.imaging.sql_imaging import open_imaging
from crystal_search.server.imaging.stored_images import Removal
from tests.memory_imaging import MemoryImaging
from tests.viewer_site import NOON, add_plate, auto_score

IMAGES, SEED = 12, 5


def fill(imaging: ImagingDatabase, folder: Path) -> None:
    """Add two plates at three inspections with scores, one that was taken back, a channel, and what has no score."""
    for plate in ("P1", "P2", "gone"):
        for inspection in (1, 2, 3):
            drops = add_plate(imaging, folder, plate=plate, inspection=inspection)
            outcomes = [*OUTCOME_NAMES[inspection::3], "no_drop", "unreadable"][: len(drops) - 1]
            pairs = zip(drops, outcomes, strict=False)
            imaging.add_auto_scores([auto_score(drop.image.id, outcome) for drop, outcome in pairs])
            imaging.add_auto_scores([auto_score(drops[0].image.id, "clear", minute=1)])
    add_plate(imaging, folder, plate="P1", inspection=2, channel="uv")
    gone = [image.id for image in imaging.plate_images("gone")]
    imaging.remove_images(gone, Removal(person="Ada", what="plate gone", why="", removed_at=NOON))


@pytest.fixture
def home(empty_url: str, tmp_path: Path) -> Path:
    """Return an installation whose settings name the database."""
    home = Home(tmp_path / "home").made()
    home.settings.write_text(f'database_url = "{empty_url}"\n')
    with closing(open_imaging(empty_url)) as imaging:
        fill(imaging, tmp_path / "images")
    return home.path


def test_the_same_panel_is_drawn_from_every_database(
    home: Path, empty_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    memory = MemoryImaging()
    fill(memory, tmp_path / "images")
    expected = drawn_set(in_database(memory), count=IMAGES, inspections=range(1, 4), seed=SEED)
    out = tmp_path / "panel"
    words = ["panel", "draw", "--home", str(home), "--out", str(out), "--inspection-range", "1-3"]
    assert main([*words, "--count", str(IMAGES), "--repeats", "2", "--seed", str(SEED), "--experts", "Ada"]) == OK
    assert f"each of another of {expected.courses} drops; 2 are shown twice" in capsys.readouterr().out
    panel = read_set(out)
    assert [(each.path, each.inspection, each.drawn_as) for each in panel.images] == [
        (each.path, each.inspection, each.drawn_as) for each in expected.images
    ]
    assert {each.plate for each in panel.images} == {"P1", "P2"}
    with closing(open_imaging(empty_url)) as imaging:
        (machine,) = in_ledger(imaging, panel)
        images = imaging.images([each.image_id for each in panel.images])
        newest = [imaging.ledger(each.image_id)[-1].outcome for each in panel.images]
    assert [images[each.image_id].path for each in panel.images] == [each.path for each in panel.images]
    assert [CLASSES[answer] for answer in machine.answers.tolist()] == [str(BY_NAME[each].group) for each in newest]


def test_nothing_to_draw_is_said_as_with_lists(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["panel", "draw", "--home", str(home), "--out", str(tmp_path / "panel"), "--inspection-range", "8-9"]
    assert main(words) == USAGE
    assert "no drop has 2 inspections or more" in capsys.readouterr().err
