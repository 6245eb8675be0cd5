"""What somebody else left in the service folders: it is named, and neither used nor deleted nor moved."""

from pathlib import Path

import pytest

from crystal_search.server.health.status import status
from crystal_search.server.health.troubles import troubles
from crystal_search.server.services.assimilate import assimilate
from crystal_search.server.services.create_work import create_work
from crystal_search.server.services.cycle import cycle
from crystal_search.server.services.finalize import finalize
from crystal_search.server.services.reconcile import STRAY, strays_at
from crystal_search.server.services.validate import validate
from crystal_search.server.services.work import work
from crystal_search.server.unit_states import OPEN, State, names_in, place_of
from tests.service_site import RECIPE, add_images, auto_scores, engine_of, return_results, site_at

MARKLESS = [state for state in OPEN if state is not State.RUNNING]
OF_ANOTHER = "P1-1-0123456789abcdef"  #: called as create-work calls work units


def left(path: Path) -> Path:
    """Leave a file, or a folder with one, that is none of ours."""
    if path.suffix == ".zip":
        path.write_bytes(b"somebody's")
    else:
        path.mkdir()
        (path / "holiday.jpg").write_bytes(b"somebody's")
    return path


def is_there(path: Path) -> bool:
    return (path if path.suffix == ".zip" else path / "holiday.jpg").read_bytes() == b"somebody's"


@pytest.mark.parametrize("state", MARKLESS, ids=str)
def test_what_is_called_otherwise_is_left_alone(tmp_path: Path, state: State) -> None:
    site = site_at(tmp_path, images=2)
    path = left(place_of(site.home, "photos", state))
    for _ in range(2):
        with engine_of(site) as engine:
            cycle(site, RECIPE, engine)
            work(site.home, engine)
            cycle(site, RECIPE, engine)
    assert is_there(path)
    assert [len(found) for found in auto_scores(site).values()] == [1, 1]
    assert strays_at(site) == [path]
    assert f"{path} {STRAY}" in troubles(status(site))


@pytest.mark.parametrize("state", [State.SET_ASIDE, State.VALIDATED, State.SPOOLED], ids=str)
def test_what_another_installation_made_is_left_alone(tmp_path: Path, state: State) -> None:
    site = site_at(tmp_path, images=1)
    path = left(place_of(site.home, OF_ANOTHER, state))
    create_work(site, RECIPE)
    assert is_there(path)
    assert strays_at(site) == [path]
    return_results(site)
    validate(site.home)
    assimilate(site)
    finalize(site)
    assert is_there(path)
    assert len(names_in(site.home, State.ARCHIVED)) == 1
    assert strays_at(site) == [path]


def test_results_of_another_installation_come_into_no_csv_file(tmp_path: Path) -> None:
    """Their numbers of images are others' here."""
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
    here, there = site_at(tmp_path / "here", images=1), site_at(tmp_path / "there", images=1)
    create_work(there, RECIPE)
    return_results(there)
    validate(there.home)
    assimilate(there)
    (name,) = names_in(there.home, State.SPOOLED)
    place_of(there.home, name, State.SPOOLED).rename(place_of(here.home, name, State.SPOOLED))
    assert finalize(here) is None
    assert strays_at(here) == [place_of(here.home, name, State.SPOOLED)]


@pytest.mark.parametrize("barcode", ["P1", "é", "---", "x" * 39 + "-y", "LCP 7/3", "0", "P" * 100])
def test_create_work_calls_every_work_unit_so_that_it_is_known_by_its_name(tmp_path: Path, barcode: str) -> None:
    site = site_at(tmp_path)
    add_images(site, tmp_path / "images", 1, plate=barcode, inspection=12_345)
    create_work(site, RECIPE)
    assert names_in(site.home, State.QUEUED) == [unit.name for unit in site.imaging.units("open")]
    assert strays_at(site) == []
