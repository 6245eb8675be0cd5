"""A first look with volunteers: staged, asked in a slot of what a version brings; who lies about looks is refused."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from crystal_search.demo.truth import plate_folder
from crystal_search.exit_codes import OK
from crystal_search.main import main
from crystal_search.result import Result, result_to_json
from crystal_search.result_reader import read_result
from crystal_search.server.engines.boinc.install import install
from crystal_search.server.engines.boinc.scripts import ASSIMILATE, CHECK, COMPARE
from crystal_search.server.imaging.stored_images import NewImage
from crystal_search.server.installation import opened, recipe_of
from crystal_search.wells import WellKey
from crystal_search.work_unit import read_work_unit
from tests.boinc_site import BoincSite, call, frozen, uploaded, used_server
from tests.integration.test_boinc_crystals import newest, one_pass, only_the_newest_works
from tests.integration.test_first_look_in_use import half_width
from tests.integration.test_volunteer import PROGRAMS
from tests.service_site import auto_scores

WELLS = ("demo_01A_1.jpg", "demo_12D_1.jpg")  #: precipitate, of which a first look is sure; crystals


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BoincSite]:
    """An installation whose volunteers have no first look yet."""
    server = used_server(tmp_path / "project", monkeypatch)
    home = tmp_path / "home"
    home.mkdir()
    (home / "settings.toml").write_text(f'engine = "boinc"\nboinc_project = "{server.project.root}"\n')
    with opened(home) as site:
        install(site.home, site.settings)
        keys = [WellKey(plate="90j8", row=0, column=column) for column in range(len(WELLS))]
        wells = zip(keys, WELLS, strict=True)
        site.imaging.add_images([NewImage(key=key, path=str(plate_folder() / name)) for key, name in wells])
        assert main(["boinc", "stage", str(frozen(tmp_path)), "--home", str(home)]) == OK
        yield BoincSite(site, server)


def put_to_work(place: BoincSite, folder: Path) -> Path:
    """Put a first look to use, and return the work unit that is out then."""
    words = ["models", "use", str(half_width(folder, 0.5)), "--anyway", "--home", str(place.site.home.path)]
    assert main(words) == OK
    one_pass(place.site, place.server)
    (job,) = place.server.created
    return place.server.project.place_of(f"{job}.zip")


def saying(result: Result, *looks: int) -> bytes:
    """Return a result whose images say that they were looked at so often."""
    pairs = zip(result.images, looks, strict=True)
    images = tuple(replace(each, score=replace(each.score, looks=said)) for each, said in pairs)
    return result_to_json(replace(result, images=images)).encode()


@pytest.mark.parametrize("command", PROGRAMS)
def test_volunteers_look_first_and_who_lies_about_it_is_refused(
    place: BoincSite, command: list[str], tmp_path: Path
) -> None:
    site, server = place.site, place.server
    before = newest(server)
    unit = put_to_work(place, tmp_path / "first")
    volunteer = only_the_newest_works(tmp_path / "slots", command, (before, newest(server)), unit)
    result = read_result(volunteer.folder / "result.json", read_work_unit(unit))
    assert [each.score.looks for each in result.images] == [1, 2]

    (job,) = server.created
    told = [saying(result, *looks) for looks in ((1, 2), (1, 1), (2, 2), (0, 0))]
    paths = [uploaded(place, content, f"{job}_{host}_r{host}_0") for host, content in enumerate(told)]
    checks = [call(place, CHECK, path) for path in paths]
    assert [each.returncode for each in checks] == [0, 1, 1, 1]
    assert "half-1 looked alone, with a doubt of 1, above 0.5" in checks[1].stderr
    assert "chop" in checks[2].stderr  # those of the first look are no chops of the classifier's
    assert "does not say how often it was looked at" in checks[3].stderr
    assert "1 and 2 looks" in call(place, COMPARE, paths[0], paths[2]).stderr
    assert call(place, ASSIMILATE, "1", paths[0]).returncode == 0
    server.change(job, assimilated=True)
    one_pass(site, server)
    assert {image: score.found.looks for image, (score,) in auto_scores(site).items()} == {1: 1, 2: 2}
    assert "first_look" in {each.role for each in recipe_of(site).models}
