"""New models on a real BOINC server: volunteers have them before their work names them, whatever they run."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crystal_search.exit_codes import BAD_MODEL
from crystal_search.model import Model, default_models, read_model, references
from crystal_search.model_card import ModelCard
from crystal_search.named_models import model_called
from crystal_search.server.engines.boinc.app_versions import AppVersion, Stock, VolunteersModel
from crystal_search.server.engines.boinc.boinc_database import BoincDatabase
from crystal_search.server.engines.boinc.boinc_report import held_back
from crystal_search.server.engines.boinc.invitations import invitation
from crystal_search.server.engines.boinc.supplying import UPDATE, supply
from crystal_search.server.engines.engine import Waiting
from crystal_search.server.imaging.stored_images import Removal
from crystal_search.server.installation import recipe_of
from crystal_search.server.models_in_use import known_models, put_to_use
from crystal_search.server.services.create_work import EVERYTHING, Order
from tests.boinc_place import FROZEN, Place
from tests.boinc_site import LINUX, WINDOWS, frozen
from tests.fake_volunteer import Task, Volunteer
from tests.recipes import other_model

pytestmark = pytest.mark.slow


@pytest.fixture
def images(place: Place) -> Iterator[list[int]]:
    """Images of a plate of their own, and nothing else to pack: what other models have scored stays as it is."""
    found = place.add(4)
    place.order = Order(plate=place.site.imaging.images(found)[found[0]].key.plate)
    shipped = recipe_of(place.site).model("classifier")
    yield found
    put_to_use(place.site, read_model(model_called(shipped.sha256, known_models(place.site)).path))
    place.order = EVERYTHING
    del place.added[-len(found) :]
    place.site.imaging.remove_images(found, Removal(person="", what="", why="", removed_at=datetime.now(UTC)))


def versions(place: Place) -> dict[str, AppVersion]:
    return {each.platform: each for each in BoincDatabase(place.project).versions()}


def models_with(place: Place, model: Model[ModelCard]) -> list[Model[ModelCard]]:
    return [*default_models(place.site.models), model]


def jobs(place: Place, image: int) -> list[str]:
    """Return the jobs of the work units that hold an image."""
    units = [unit.name for unit in place.site.imaging.units("open") if image in unit.image_ids]
    found = (place.rows("SELECT name FROM workunit WHERE name LIKE %s", f"{unit}%") for unit in units)
    return [name for rows in found for (name,) in rows]


def deprecate(place: Place, platform: str, *numbers: int) -> None:
    """Take versions back from volunteers, as BOINC's page of administration does."""
    for number in numbers:
        place.rows(
            "UPDATE app_version SET deprecated = 1 WHERE version_num = %s "
            "AND platformid = (SELECT id FROM platform WHERE name = %s)",
            number,
            platform,
        )
    place.project.run(*UPDATE)  # tells the feeder


def test_a_new_model_is_live_before_its_work_goes_out_and_the_former_comes_back_at_once(
    place: Place, images: list[int], tmp_path: Path
) -> None:
    before, old = versions(place)[LINUX], recipe_of(place.site)
    new = read_model(other_model(tmp_path / "out", "ours-1"))
    put_to_use(place.site, new)
    after = versions(place)[LINUX]
    assert after.number > before.number
    assert after.files - before.files == VolunteersModel.of(new.card).file_names
    got: list[str] = []

    def noted(task: Task) -> bytes | int:
        got.append(task.version)
        return place.good(task)

    place.until_scored(images, *[noted] * 2)
    assert set(got) == {str(after.number)}
    for image in images:
        (score,) = place.scores(image)
        assert score.recipe == recipe_of(place.site) != old
    put_to_use(place.site, read_model(model_called(old.model("classifier").sha256, known_models(place.site)).path))
    assert versions(place)[LINUX] == after
    assert recipe_of(place.site) == old


def test_no_volunteer_gets_work_while_one_platform_lacks_the_model(
    place: Place, images: list[int], tmp_path: Path
) -> None:
    shipped = default_models(place.site.models)
    server = BoincDatabase(place.project)
    supply(place.project, server, shipped, [FROZEN[-1], frozen(tmp_path, WINDOWS)])
    on_windows = Volunteer(
        place.project.master_url, f"w{images[0]}", invitation=invitation(place.project), platform=WINDOWS
    )
    new = read_model(other_model(tmp_path / "out", "ours-2"))
    put_to_use(place.site, new)
    deprecate(place, WINDOWS, versions(place)[WINDOWS].number)
    found = versions(place)
    assert found[WINDOWS].number < found[LINUX].number
    for _ in range(3):
        place.one_pass()
        assert on_windows.tasks() == []
    assert jobs(place, images[0]) == []
    folders = (place.site.models, place.site.home.models)
    waiting = Waiting(settings=place.site.settings, models=folders, units={references([new]): 1})
    (said,) = held_back(Stock.of(server.versions(), folders), waiting)
    assert said == f"1 work units wait: {found[WINDOWS]} does not bring ours-2: crystal-search boinc stage"
    supply(place.project, server, models_with(place, new))
    sent: list[Task] = []

    def asked() -> bool:
        sent.extend(on_windows.tasks())
        return sent != []

    place.until(asked)
    first = sent[0]
    assert VolunteersModel.of(new.card).file_names <= {file.physical for file in first.program}
    on_windows.report([(first, BAD_MODEL)])
    deprecate(place, WINDOWS, *range(versions(place)[WINDOWS].number + 1))
    place.until_scored(images)


def no_model(_: Task) -> int:
    return BAD_MODEL


def test_exit_code_4_is_no_attempt_at_an_image(place: Place, images: list[int]) -> None:
    served = place.until_scored(images, *[no_model] * 3)
    assert any("_a2_" in name for name in served)
    assert list(place.site.home.failures.iterdir()) == []
    assert place.site.imaging.postponed() == []
    assert {len(place.scores(image)) for image in images} == {1}
