"""What the kill test says of an end that is not as it should be, and its page."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crystal_search.result import ImageScore
from crystal_search.server.imaging.imaging_database import AutoScore
from crystal_search.server.imaging.sql_imaging import open_imaging
from crystal_search.server.imaging.stored_images import FileVersion, StoredImage
from crystal_search.server.importing.import_images import import_folder
from crystal_search.server.installation import Installation
from crystal_search.server.services.create_work import create_work
from tests.killing import campaign as campaign_module
from tests.killing.__main__ import FOUND, table_of
from tests.killing.campaign import Outcome, campaigns
from tests.killing.faults import KINDS, plan
from tests.killing.pictures import Picture
from tests.killing.robot import Robot
from tests.killing.verdict import End
from tests.service_site import RECIPE, site_at

UNIT, OTHER = "u-1-0123456789abcdef", "v-1-0123456789abcdef"
PAGE = (Path(__file__).parents[2] / "docs" / "kill-test.md").read_text(encoding="utf-8")


class Stage:
    """An installation with three pictures of a robot, each scored as a kill test wants it, and one that is broken."""

    def __init__(self, folder: Path) -> None:
        self.site: Installation = site_at(folder, imaging=open_imaging(f"sqlite:///{folder / 'imaging.sqlite'}"))
        self.robot = Robot(folder / "robot")
        list(self.robot.copied(3))
        list(self.robot.broken())
        import_folder(self.robot.folder, self.site.imaging)
        self.images = list(self.site.imaging.plate_images("0000"))
        self.pictures = [self.robot.truth[Path(image.path)] for image in self.images]
        self.end = End(self.site.home, self.site.imaging, self.robot)

    def score(self, number: int, *, unit: str = UNIT, picture: Picture | None = None, error: str | None = None) -> None:
        """Put a score into the ledger, its row into a CSV file, and its result into the archive."""
        image, picture = self.images[number], picture or self.pictures[number]
        found = made(image, picture, unit, error)
        self.site.imaging.note_versions({image.id: found.version} if found.version else {})
        self.site.imaging.add_auto_scores([found])
        if not error:
            (self.site.home.archive / unit).mkdir(exist_ok=True)
            path = self.site.home.scored / f"{unit}-{image.id}.csv"
            path.write_text(f"work_unit,image_id\n{unit},{image.id}\n")

    def score_all(self) -> None:
        """Bring everything to its end."""
        for number, picture in enumerate(self.pictures):
            self.score(number, error=None if picture.whole else "no picture")

    def titles(self) -> set[str]:
        """Return which lists of the verdict have something."""
        verdict = self.end.verdict()
        return {name for name in FOUND if getattr(verdict, name)}


def made(image: StoredImage, picture: Picture, unit: str, error: str | None) -> AutoScore:
    """Return a score of a picture."""
    height, width = (0, 0) if error else picture.size
    return AutoScore(
        image_id=image.id,
        work_unit=unit,
        recipe=RECIPE,
        scored_at=datetime.now(UTC),
        found=ImageScore(height_px=height, width_px=width, error=error),
        version=FileVersion(sha256=picture.sha256, size_bytes=len(picture.data), mtime_ns=1),
    )


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def replaced_file(stage: Stage) -> None:
    list(stage.robot.replaced(0.0, 1))


def another_size(stage: Stage) -> None:
    image, picture = stage.images[0], stage.pictures[0]
    score = made(image, replace(picture, number=77), OTHER, None)
    stage.site.imaging.add_auto_scores([score])


def csv_twice(stage: Stage) -> None:
    (stage.site.home.scored / "again.csv").write_text(f"work_unit,image_id\n{UNIT},{stage.images[0].id}\n")


def unit_left_open(stage: Stage) -> None:
    list(stage.robot.copied(1))
    import_folder(stage.robot.folder, stage.site.imaging)
    create_work(stage.site, RECIPE)


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (lambda stage: None, set()),
        (replaced_file, {"lost"}),
        (lambda stage: stage.robot.truth.update({Path("/elsewhere.jpg"): stage.pictures[0]}), {"lost"}),
        (lambda stage: stage.score(0, unit=OTHER), {"doubled"}),
        (csv_twice, {"doubled"}),
        (lambda stage: (stage.site.home.archive / UNIT).rename(stage.site.home.path / UNIT), {"doubled"}),
        (lambda stage: stage.score(0, unit=OTHER, error="bad"), {"condemned", "doubled", "lost"}),
        (another_size, {"wrong", "doubled"}),
        (unit_left_open, {"lost", "stuck"}),
        (lambda stage: (stage.site.home.failures / UNIT).mkdir(), {"stuck"}),
    ],
)
def test_each_wrong_end_is_found(stage: Stage, spoil: Callable[[Stage], None], found: set[str]) -> None:
    stage.score_all()
    spoil(stage)
    assert stage.titles() == found
    assert bool(stage.end.unfinished()) == bool(found & {"lost", "stuck"})


def test_a_picture_without_a_score_is_lost(stage: Stage) -> None:
    stage.score(1)
    assert len(stage.end.verdict().lost) == 3


def test_what_happens_follows_from_the_seed_alone() -> None:
    first, same, other = (
        [event for event, _ in zip(plan(seed, with_disk=True), range(200), strict=False)] for seed in ("a", "a", "b")
    )
    assert first == same
    assert first != other
    assert [event.kind for event in first[: len(KINDS)]] == list(KINDS)
    assert "disk full" not in {event.kind for event, _ in zip(plan("a", with_disk=False), range(500), strict=False)}


def test_the_page_shows_a_long_run_in_which_nothing_was_wrong() -> None:
    rows = {title: [int(number) for number in re.findall(r"\d+", cells)] for title, cells in table()}
    assert sum(rows["processes killed"]) >= 1000
    assert KINDS.keys() <= rows.keys()
    assert {title: rows[title] for title in FOUND.values()} == {title: [0, 0, 0] for title in FOUND.values()}


def table() -> list[tuple[str, str]]:
    """Return title and figures of each row of the page's table."""
    return [(title.strip("* "), cells) for title, cells in re.findall(r"^\| ([^|]+) \|(.*\d.*)\|$", PAGE, re.MULTILINE)]


def test_an_installation_in_which_the_test_breaks_takes_no_other_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def one_round(server: object, folder: Path, outcome: Outcome, **_: object) -> None:
        if outcome.rounds == 2:
            raise ZeroDivisionError
        outcome.killed["client"] += 7

    monkeypatch.setattr(campaign_module, "one_round", one_round)
    outcome = campaign_module.campaign("sqlite", tmp_path, kills=100, seed=1)
    assert (outcome.kills, outcome.rounds) == (7, 1)
    assert "ZeroDivisionError" in outcome.broke
    assert "| installations in which the test itself broke | 1 |" in table_of([outcome])


def test_each_database_has_its_own_outcome(tmp_path: Path) -> None:
    found = dict(campaigns(["nothing", "sqlite"], tmp_path, kills=0, seed=1))
    assert isinstance(found["nothing"], KeyError)
    assert isinstance(found["sqlite"], Outcome)
