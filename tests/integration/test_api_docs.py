"""What docs/api.md says, done with a viewer that runs."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crystal_search.server.home import Home
from crystal_search.server.imaging.sql_imaging import open_imaging
from crystal_search.server.imaging.stored_images import NewImage
from crystal_search.server.settings import Settings
from crystal_search.viewer import drops_api
from crystal_search.viewer.drop_walk import INSPECTIONS
from crystal_search.viewer.parameters import parameter_table
from crystal_search.wells import WellKey
from tests.fuzz_api import running
from tests.viewer_site import auto_score

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
WRITTEN_FOR = "http://127.0.0.1:8765"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a viewer with crystals of this week and of last year."""
    home = Home(tmp_path_factory.mktemp("api") / "home").made()
    now = datetime.now(UTC)
    with closing(open_imaging(Settings().url(home))) as imaging:
        for plate, days in (("NEW", 2), ("OLD", 400)):
            keys = [WellKey(plate=plate, row=0, column=column) for column in range(3)]
            taken = now - timedelta(days=days)
            imaging.add_images([NewImage(key=key, path=f"/{plate}/{key.well}.jpg", imaged_at=taken) for key in keys])
            scores = zip(imaging.plate_images(plate), ("crystal_bad_form", "clear", "crystal_harvestable"), strict=True)
            imaging.add_auto_scores([auto_score(image.id, outcome) for image, outcome in scores])
    with running(home) as address:
        yield address.rstrip("/")


def test_ten_lines_list_this_weeks_crystals(address: str) -> None:
    program = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0]
    assert len([line for line in program.splitlines() if line and not line.startswith("import")]) <= 10
    command = [sys.executable, "-c", program.replace(WRITTEN_FOR, address)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "NEW A01 1 crystal_bad_form 0.97\nNEW A03 1 crystal_harvestable 0.97\n"


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_what_is_done_by_hand_is_answered(address: str) -> None:
    commands = re.findall(r"^curl .*$", PAGE, re.MULTILINE)
    assert len(commands) == 4
    for command in commands:
        line = command.replace(WRITTEN_FOR, address).replace("curl", "curl --silent --fail", 1)
        done = subprocess.run(line, shell=True, capture_output=True, text=True, check=True, timeout=60)
        assert isinstance(json.loads(done.stdout), dict)


def test_the_page_tells_what_drops_can_be_asked_for() -> None:
    assert parameter_table(drops_api.ASKED) in PAGE
    assert f"it ends after {INSPECTIONS} inspections" in PAGE
