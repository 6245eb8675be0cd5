"""Results of our own clients are checked against their work unit as strangers' are."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crystal_search.errors import ResultError
from crystal_search.model import write_card
from crystal_search.networks.network_kinds import crystal_detector_card, drop_locator_card
from crystal_search.result import ImageScore, write_result
from crystal_search.server.engines.attempts import failures
from crystal_search.server.home import Home
from crystal_search.server.returned_result import read_returned
from crystal_search.server.services.create_work import create_work
from crystal_search.server.services.validate import validate
from crystal_search.server.unit_states import State, names_in
from tests.service_site import RECIPE, return_results, site_at
from tests.unit.builders import (
    DETECTOR,
    UNCOUNTED,
    featured_card,
    featured_score,
    refusal,
    searched_result,
    searched_unit,
)


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


def check_features(score: ImageScore, folder: Path) -> str:
    """Return what is said of a result of one image by a home that knows the classifier of `featured_card`."""
    return refusal(score, folder, [featured_card(), drop_locator_card("drop-unet-1")])


def test_features_are_as_many_as_the_classifier_gives(tmp_path: Path) -> None:
    """What is said of chops comes after what is said of features: those here lie on no grid."""
    right = featured_score()
    assert "is no chop of the drop" in check_features(right, tmp_path)
    none, more = replace(right, packed_features=b""), replace(right, packed_features=bytes(10))
    assert "0 features, squeezenet-wells-1 gives 4" in check_features(none, tmp_path)
    assert "5 features, squeezenet-wells-1 gives 4" in check_features(more, tmp_path)
    nothing = ImageScore(height_px=200, width_px=256)
    assert check_features(nothing, tmp_path) == ""


@pytest.mark.parametrize(
    ("seen", "counted", "said"),
    [
        (0.5, 0.5, "a crystal of 0.41, tiny tells them from 0.5"),
        (0.4, 0.6, "a crystal of 0.5, tiny counts them from 0.6"),
        (0.41, 0.5, ""),
    ],
)
def test_a_crystal_is_one_that_the_detector_counts_or_tells(
    tmp_path: Path, seen: float, counted: float, said: str
) -> None:
    home = Home(tmp_path / "home").made()
    detector = crystal_detector_card("tiny", "dense-crystals", normalisation="local-contrast-1", working_width_px=256)
    home.models.mkdir(exist_ok=True)
    write_card(replace(detector, sha256=DETECTOR.sha256, least_probability=seen, least_in_drops=counted), home.models)
    unit = searched_unit(tmp_path / "unit.zip")
    path = write_result(searched_result(unit, UNCOUNTED), tmp_path)
    if not said:
        assert read_returned(path, tmp_path / "unit.zip", home) == searched_result(unit, UNCOUNTED)
        return
    with pytest.raises(ResultError, match=said):
        read_returned(path, tmp_path / "unit.zip", home)
