"""``crystals --in-drops`` counts the crystals that clients count, on rendered wells: the same ones, one for one."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from crystal_search.crystal import Crystal
from crystal_search.crystals.told_outlines import within
from crystal_search.demo.truth import plate_folder
from crystal_search.direct.as_installed import Installed, as_installed
from crystal_search.direct.crystal_files import Search, in_drops, searched
from crystal_search.inference import OnnxNetwork
from crystal_search.model import Model, default_model, default_models, read_model
from crystal_search.model_card import CrystalCard
from crystal_search.result import ImageScore
from crystal_search.result_crystals import MAX_CRYSTALS, rounded
from crystal_search.scoring.pipeline import loaded, score_data
from crystal_search.server.home import Home
from crystal_search.server.installation import opened
from crystal_search.server.models_in_use import put_to_use
from crystal_search.work_unit import Parameters
from tests.integration.test_first_look_in_use import half_width

WELLS = [plate_folder() / f"demo_{well}_1.jpg" for well in ("01D", "05D", "08B", "11C")]


def by_clients(well: Path, installed: Installed, detector: Model[CrystalCard]) -> ImageScore:
    networks = loaded([*default_models(installed.models, but=[CrystalCard.role]), detector])
    parameters = Parameters(crystals_from=installed.settings.crystals_from)
    return score_data(well.read_bytes(), networks, parameters)[0]


def of_files(well: Path, search: Search) -> tuple[Crystal, ...]:
    """Return the crystals of a file as exact, and as many, as clients tell them."""
    found = searched(well, search)
    assert found.error is None
    return tuple(rounded(within(each, found.height_px, found.width_px)) for each in found.crystals[:MAX_CRYSTALS])


@dataclass(frozen=True)
class Case:
    """An installation, what its detector counts from, and whose word counts where crystals do: `ImageScore.looks`."""

    settings: str = ""
    least: float | None = None  #: of a crystal in a drop; None: as the shipped detector says
    first_look: bool = False  #: whether one is in use
    looks: tuple[int, ...] = (0,)


@pytest.mark.parametrize(
    "case",
    [
        Case(),
        Case("crystals_from = 0.0\n", least=0.2),
        Case("crystals_from = 0.2\n", least=0.2, first_look=True, looks=(1, 2)),
    ],
    ids=["shipped", "all in the drop", "with a first look"],
)
def test_files_and_clients_count_the_same_crystals(case: Case, tmp_path: Path) -> None:
    home = Home(tmp_path / "home").made()
    home.settings.write_text(case.settings)
    if case.first_look:
        with opened(home.path) as site:
            put_to_use(site, read_model(half_width(tmp_path / "first", 0.9)))
    detector = default_model(CrystalCard)
    if case.least is not None:
        detector = replace(detector, card=replace(detector.card, least_in_drops=case.least))
    installed = as_installed(home.path)
    search = in_drops(Search(network=OnnxNetwork(detector)), installed)
    scores = [by_clients(well, installed, detector) for well in WELLS]
    found = [of_files(well, search) for well in WELLS]
    assert found == [each.crystals or () for each in scores]
    assert any(found)
    assert any(each.uncounted for each in scores)
    assert {each.looks for each in scores if each.crystals} == set(case.looks)
