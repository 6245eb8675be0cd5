"""What a process leaves that is killed while it writes a file, and who takes it away."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from crystal_search.files import STALE_S, clear_parts, write_whole
from crystal_search.server.services.assimilate import assimilate
from crystal_search.server.services.create_work import create_work
from crystal_search.server.services.finalize import finalize
from crystal_search.server.services.reconcile import withdraw_outdated
from crystal_search.server.services.validate import validate
from crystal_search.server.unit_states import State, names_in, place_of
from tests.recipes import made_by
from tests.service_site import RECIPE, return_results, site_at

#: Has a program killed in the moment before what it wrote gets its name.
KILL = "import os; os.replace = lambda *_: os.kill(os.getpid(), 9)"


def killed(*lines: str) -> None:
    """Run a program that is killed while it writes."""
    ended = subprocess.run([sys.executable, "-c", "\n".join([KILL, *lines])], check=False)
    assert ended.returncode == -signal.SIGKILL


def killed_while_writing(path: Path) -> None:
    killed(
        "from pathlib import Path",
        "from crystal_search.files import write_whole",
        f"write_whole(Path({str(path)!r}), 'x')",
    )


def parts(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*.part"))


def test_part_files_go_when_nobody_writes_any_more(tmp_path: Path) -> None:
    killed_while_writing(tmp_path / "a.json")
    (part,) = parts(tmp_path)
    write_whole(tmp_path / "a.json", "whole")
    clear_parts(tmp_path)
    assert parts(tmp_path) == [part]
    hour_ago = time.time() - STALE_S
    os.utime(tmp_path / part, (hour_ago, hour_ago))
    clear_parts(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    killed_while_writing(tmp_path / "b.json")
    clear_parts(tmp_path, older_than_s=0)
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_no_part_file_comes_into_the_archive(tmp_path: Path) -> None:
    site = site_at(tmp_path, images=1)
    create_work(site, RECIPE)
    return_results(site)
    validate(site.home)
    (name,) = names_in(site.home, State.VALIDATED)
    killed_while_writing(place_of(site.home, name, State.VALIDATED) / "unit.json")
    assert parts(site.home.path)
    assert assimilate(site) == 1
    finalize(site)
    assert names_in(site.home, State.ARCHIVED) == [name]
    assert parts(site.home.path) == []


def test_nothing_stays_in_the_queue_of_a_work_unit_that_is_withdrawn(tmp_path: Path) -> None:
    site = site_at(tmp_path, images=1)
    create_work(site, RECIPE)
    (name,) = names_in(site.home, State.QUEUED)
    path = place_of(site.home, name, State.QUEUED)
    killed_while_writing(path)
    withdraw_outdated(site, made_by("fake-2", "c"))
    assert parts(site.home.path)
    assert not path.exists()
    create_work(site, made_by("fake-2", "c"))
    assert parts(site.home.path) == []
    assert len(names_in(site.home, State.QUEUED)) == 1


def test_a_work_unit_is_written_as_any_file_is(tmp_path: Path) -> None:
    killed(
        "from pathlib import Path",
        "from crystal_search.work_unit import Parameters, write_work_unit",
        "from tests.service_site import PICTURE, RECIPE",
        "about = {'name': 'u', 'models': RECIPE.models, 'parameters': Parameters()}",
        f"write_work_unit(Path({str(tmp_path / 'u.zip')!r}), **about, images=[('1', '.jpg', PICTURE)])",
    )
    assert parts(tmp_path)
    clear_parts(tmp_path, older_than_s=0)
    assert not list(tmp_path.iterdir())
