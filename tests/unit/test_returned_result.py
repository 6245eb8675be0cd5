"""Results of our own clients are checked against their work unit as strangers' are."""

import json
from pathlib import Path
from typing import Any

import pytest

from crystal_search.server.engines.attempts import failures
from crystal_search.server.services.create_work import create_work
from crystal_search.server.services.validate import validate
from crystal_search.server.unit_states import State, names_in
from tests.service_site import RECIPE, return_results, site_at


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("height_px", 599, "600 x 599 px, the picture has 600 x 600"),
        ("width_px", 601, "601 x 600 px, the picture has 600 x 600"),
        ("best_chops", [], "has 0 best chops"),
    ],
)
def test_a_client_of_this_machine_is_believed_no_more_than_a_volunteer(
    tmp_path: Path, field: str, value: Any, said: str
) -> None:
    site = site_at(tmp_path, images=1)
    create_work(site, RECIPE)
    return_results(site)
    (name,) = names_in(site.home, State.RETURNED)
    path = site.home.returned / name / "result.json"
    result = json.loads(path.read_text())
    result["images"][0]["score"][field] = value
    path.write_text(json.dumps(result))
    assert (validate(site.home).valid, names_in(site.home, State.RETURNED)) == (0, [])
    assert said in failures(site.home, name)[0].read_text()
    return_results(site)
    assert validate(site.home).valid == 1
