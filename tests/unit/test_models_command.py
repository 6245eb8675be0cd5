"""``crystal-search models``: what is listed, what is put to use, what is refused, and that nothing is half done."""

from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from crystal_search.card_file import card_to_json
from crystal_search.errors import ModelError, UserError
from crystal_search.main import main
from crystal_search.model import (
    IN_USE,
    Model,
    default_model,
    default_models_folder,
    model_in_any,
    models_in_use,
    read_model,
    sha256_of,
)
from crystal_search.model_card import ROLES, ClassifierCard, DropCard, ModelCard, Output
from crystal_search.networks.network_kinds import crystal_detector_card
from crystal_search.server import models_in_use as module
from crystal_search.server.health.status import status
from crystal_search.server.health.troubles import troubles
from crystal_search.server.home import Home
from crystal_search.server.imaging.imaging_database import Recipe
from crystal_search.server.installation import Installation, opened, recipe_of, renewed
from crystal_search.server.services.create_work import create_work
from tests.recipes import other_model
from tests.service_site import add_images

Told = pytest.CaptureFixture[str]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An installation."""
    return Home(tmp_path / "home").made()


@pytest.fixture
def site(home: Home) -> Iterator[Installation]:
    with opened(home.path) as found:
        yield found


def models(*words: object, home: Home) -> int:
    """Run the command; what becomes of models that are worse is tested in `test_models_comparison`."""
    anyway = ["--anyway"] if words[0] == "use" else []
    return main(["models", *map(str, words), *anyway, "--home", str(home.path)])


def hashes(site: Installation) -> set[str]:
    return {unit.recipe.model("classifier").sha256 for unit in site.imaging.units("open")}


def test_new_work_units_carry_the_hash_of_the_model_that_was_put_to_use(
    home: Home, site: Installation, tmp_path: Path, capsys: Told
) -> None:
    shipped = default_model(ClassifierCard).card
    assert recipe_of(site).model("classifier").sha256 == shipped.sha256
    card = other_model(tmp_path / "out")
    assert models("use", card, home=home) == 0
    told = capsys.readouterr().out
    new = read_model(card).card
    assert f"ours-1 ({new.sha256[:12]}) is the classifier in use since" in told
    add_images(site, tmp_path / "images", 2)
    create_work(site, recipe_of(site))
    assert hashes(site) == {new.sha256}
    assert recipe_of(site).model("classifier").name == "ours-1"
    assert recipe_of(site).model("drop").sha256 == default_model(DropCard).card.sha256


def test_models_that_were_in_use_stay_for_the_work_that_names_them(
    home: Home, site: Installation, tmp_path: Path
) -> None:
    before = recipe_of(site)
    models("use", other_model(tmp_path / "out"), home=home)
    for sha256 in (before.model("classifier").sha256, before.model("drop").sha256):
        assert model_in_any([home.models], sha256).card.sha256 == sha256
    assert (home.models / IN_USE).exists()
    names = sorted(path.name.split("-")[0] for path in home.models.glob("*.onnx"))
    assert names == ["drop", "ours", "squeezenet"]
    assert default_model(ClassifierCard, home.models).card.name == "ours-1"


def test_the_older_model_comes_back_by_name_or_hash(home: Home, site: Installation, tmp_path: Path) -> None:
    shipped = default_model(ClassifierCard).card
    models("use", other_model(tmp_path / "out"), home=home)
    assert models("use", "squeezenet-wells-2", home=home) == 0
    assert recipe_of(site).model("classifier").sha256 == shipped.sha256
    models("use", "ours-1", home=home)
    assert recipe_of(site).model("classifier").name == "ours-1"
    assert models("use", shipped.sha256[:12], home=home) == 0
    assert recipe_of(site).model("classifier").sha256 == shipped.sha256


def test_the_time_of_a_model_that_stays_in_use_stays(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models("use", other_model(tmp_path / "out"), home=home)
    text = (home.models / IN_USE).read_text()
    since = models_in_use(home.models)["classifier"].since
    (home.models / IN_USE).write_text(text.replace(since, "2020-01-01T00:00:00+00:00"))
    models("use", other_model(tmp_path / "out", "locator-2", role="drop"), home=home)
    found = models_in_use(home.models)
    assert found["classifier"].since == "2020-01-01T00:00:00+00:00"
    assert found["drop"].name == "locator-2"
    assert found["drop"].since > "2025"


def test_two_models_of_one_name_lie_side_by_side(home: Home, tmp_path: Path, capsys: Told) -> None:
    models("use", other_model(tmp_path / "out", "ours"), home=home)
    second = other_model(tmp_path / "again", "ours")
    graph = onnx.load(str(second.with_name("ours.onnx")))
    graph.doc_string = "trained again"
    data = graph.SerializeToString()
    second.with_name("ours.onnx").write_bytes(data)
    second.write_text(
        card_to_json(replace(default_model(ClassifierCard).card, name="ours", file="ours.onnx", sha256=sha256_of(data)))
    )
    assert models("use", second, home=home) == 0
    assert models("use", "ours", home=home) == 2
    assert "2 models are called 'ours'" in capsys.readouterr().err
    assert models("use", sha256_of(data), home=home) == 0


def test_the_list_tells_what_is_in_use(home: Home, tmp_path: Path, capsys: Told) -> None:
    assert models("list", home=home) == 0
    before = capsys.readouterr().out
    assert [line.endswith("in use") for line in before.splitlines() if "squeezenet-wells-2 " in line] == [True]
    card = other_model(tmp_path / "out")
    models("use", card, home=home)
    capsys.readouterr()
    models("list", home=home)
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "in use since 20" in lines["ours-1"]
    assert read_model(card).card.sha256[:12] in lines["ours-1"]
    assert "in use" not in lines["squeezenet-wells-2"]
    assert "in use since" in lines["drop-unet-2"]


def test_show_prints_the_card(home: Home, tmp_path: Path, capsys: Told) -> None:
    shipped = default_model(ClassifierCard).card
    assert models("show", "squeezenet-wells-2", home=home) == 0
    told = capsys.readouterr().out
    assert shipped.sha256 in told
    assert shipped.measured[0].measure in told
    assert models("show", other_model(tmp_path / "out"), home=home) == 0
    assert "ours-1" in capsys.readouterr().out


def test_what_is_forgotten_is_gone_and_what_is_needed_is_not(
    home: Home, site: Installation, tmp_path: Path, capsys: Told
) -> None:
    models("use", other_model(tmp_path / "out"), home=home)
    assert models("forget", "ours-1", home=home) == 2
    assert "ours-1 is in use; put another classifier to use first" in capsys.readouterr().err
    add_images(site, tmp_path / "images", 1)
    create_work(site, recipe_of(site))
    models("use", "squeezenet-wells-2", home=home)
    assert models("forget", "ours-1", home=home) == 2
    assert "1 open work units name ours-1" in capsys.readouterr().err
    create_work(site, recipe_of(site))
    assert models("forget", "ours-1", home=home) == 0
    assert not list(home.models.glob("ours*"))
    assert models("forget", "ours-1", home=home) == 2
    assert "no model 'ours-1'" in capsys.readouterr().err


def test_a_detector_is_no_longer_used_at_once_and_its_files_stay_for_work_in_flight(
    home: Home, site: Installation, tmp_path: Path, capsys: Told
) -> None:
    assert models("use", "dense-crystals-3", home=home) == 0
    add_images(site, tmp_path / "images", 1)
    create_work(site, recipe_of(site))
    assert models("forget", "dense-crystals-3", home=home) == 0
    assert "is no longer in use; 1 open work units name it" in capsys.readouterr().out
    assert [each.role for each in recipe_of(site).models] == ["classifier", "drop"]
    assert list(home.models.glob("dense-crystals-3-*.onnx"))
    assert models("forget", "dense-crystals-3", home=home) == 2
    assert "1 open work units name dense-crystals-3" in capsys.readouterr().err
    create_work(site, recipe_of(site))  # nobody has begun it: it is packed anew
    assert models("forget", "dense-crystals-3", home=home) == 0
    assert not list(home.models.glob("dense-crystals-3-*"))


def test_a_detector_that_nobody_used_is_not_installed_with_another(home: Home, tmp_path: Path) -> None:
    assert models("use", other_model(tmp_path / "out", "ours-1", role="crystals"), home=home) == 0
    assert not list(home.models.glob("dense-crystals-3-*"))


def test_what_comes_with_the_package_is_not_forgotten(home: Home, capsys: Told) -> None:
    assert models("forget", "squeezenet-wells-2", home=home) == 2
    assert "nothing to forget" in capsys.readouterr().err


def damaged(card: Path) -> Path:
    with card.with_name("ours-1.onnx").open("ab") as file:
        file.write(b"\0")
    return card


def lying(card: Path) -> Path:
    """Return the card of a classifier that says it is a drop locator."""
    found = read_model(card).card
    common = {each.name: getattr(found, each.name) for each in fields(ModelCard)}
    output = Output(classes=("drop",))
    lie = DropCard(**common | {"outputs": (output,), "normalisation": "centred-1", "side_multiple_px": 16})
    card.write_text(card_to_json(lie))
    return card


def misprinted(card: Path) -> Path:
    card.write_text(card.read_text().replace('"padded"', '"paded"'))
    return card


def unknown(card: Path) -> str:
    return card.name


@pytest.mark.parametrize(
    ("spoil", "code", "trouble"),
    [
        (damaged, 1, "its card says"),
        (lying, 1, "answers with shape"),
        (misprinted, 1, "ours-1.card.json: card: padded is missing"),
        (
            unknown,
            2,
            "no model 'ours-1.card.json', and no such file or folder; choose from squeezenet-wells-2 (8409dd5a108d), ",
        ),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_no_model_is_refused_and_changes_nothing(
    spoil: object, code: int, trouble: str, *, home: Home, tmp_path: Path, capsys: Told
) -> None:
    card = other_model(tmp_path / "out")
    assert models("use", spoil(card), home=home) == code  # type: ignore[operator]
    assert trouble in capsys.readouterr().err
    assert not home.models.exists()


def test_who_names_folder_or_network_is_told_the_card(home: Home, tmp_path: Path, capsys: Told) -> None:
    card = other_model(tmp_path / "out")
    for named in (card.parent, card.with_name("ours-1.onnx")):
        assert models("use", named, home=home) == 2
        assert f"name {'a' if named == card.parent else 'its'} card" in (said := capsys.readouterr().err)
        assert str(card) in said
    assert not home.models.exists()


@pytest.mark.parametrize("role", [role for role, kind in ROLES.items() if kind.needed])
def test_whatever_model_is_new_images_are_scored_anew(role: str, home: Home, tmp_path: Path, capsys: Told) -> None:
    assert models("use", other_model(tmp_path / "out", role=role, temperature=1.0), home=home) == 0
    assert "images without a score by it are scored anew" in capsys.readouterr().out


def test_a_model_of_the_other_kind_is_refused(home: Home, tmp_path: Path, capsys: Told) -> None:
    assert models("use", other_model(tmp_path / "out"), "--as", "drop", home=home) == 2
    assert "ours-1 is a classifier, not a drop locator" in capsys.readouterr().err


def test_a_locator_that_answers_in_cells_is_refused(tmp_path: Path) -> None:
    model = default_model(ClassifierCard)
    card = replace(model.card, cells_per_chop=3)
    with pytest.raises(ModelError, match="answers 256 x 256 px with a map of 4 x 4"):
        module.check_answer(Model(card, model.onnx))


def test_a_detector_that_answers_by_instances_may_find_nothing_in_a_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    class FindsNothing:
        def __init__(self, model: Model[ModelCard]) -> None:
            self.outputs = model.card.outputs

        def maps(self, batch: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
            return {each.name: np.zeros((1, each.channels, 0, 1), np.float32) for each in self.outputs}

    monkeypatch.setattr(module, "OnnxNetwork", FindsNothing)
    module.check_answer(
        Model(crystal_detector_card("n", "mask-rcnn-light", normalisation="grey-1", working_width_px=1224), b"")
    )
    with pytest.raises(ModelError, match="with a map of 0 x 1"):
        module.check_answer(
            Model(crystal_detector_card("n", "dense-crystals", normalisation="grey-1", working_width_px=1224), b"")
        )


def test_a_model_that_clients_cannot_normalise_images_for_is_not_put_to_use(site: Installation) -> None:
    card = crystal_detector_card("n", "dense-crystals", normalisation="clahe-1", working_width_px=1224)
    with pytest.raises(UserError, match="by clahe-1, for which clients lack OpenCV"):
        module.check_usable(site, Model(card, b""))


def test_the_same_file_with_another_temperature_is_refused_until_it_is_forgotten(
    home: Home, site: Installation, tmp_path: Path, capsys: Told
) -> None:
    first = other_model(tmp_path / "out", temperature=2.0)
    assert models("use", first, home=home) == 0
    again = other_model(tmp_path / "out", temperature=1.5)  # calibrated anew: another card, the same file
    assert models("use", again, home=home) == 1
    assert "differs in temperature" in capsys.readouterr().err
    assert default_model(ClassifierCard, home.models).card.temperature == 2.0
    assert models("use", default_model(ClassifierCard).card.name, home=home) == 0
    assert models("forget", "ours-1", home=home) == 0
    assert models("use", again, home=home) == 0
    assert default_model(ClassifierCard, home.models).card.temperature == 1.5


def test_a_card_that_only_tells_more_is_no_other_model(home: Home, tmp_path: Path) -> None:
    path = other_model(tmp_path / "out")
    assert models("use", path, home=home) == 0
    path.write_text(card_to_json(replace(read_model(path).card, training_data="more is known now")))
    assert models("use", path, home=home) == 0


def test_a_copy_that_fails_leaves_the_older_model_in_use(
    home: Home, site: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = recipe_of(site)

    def full(path: Path, content: object) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(module, "write_whole", full)
    assert models("use", other_model(tmp_path / "out"), home=home) == 1
    assert recipe_of(site) == before


def test_a_folder_in_the_settings_decides(home: Home, tmp_path: Path, capsys: Told) -> None:
    card = other_model(tmp_path / "out")
    models("use", card, home=home)
    home.settings.write_text(f"models = {str(default_models_folder())!r}\n")
    with opened(home.path) as site:
        assert recipe_of(site).model("classifier").name == "squeezenet-wells-2"
    assert models("use", card, home=home) == 2
    assert "which decides; take that line out first" in capsys.readouterr().err
    models("list", home=home)
    assert "says that the models are those in" in capsys.readouterr().out


def test_a_recipe_is_renewed_when_other_models_are_put_to_use(home: Home, site: Installation, tmp_path: Path) -> None:
    made: list[Recipe] = []

    def make() -> Recipe:
        made.append(recipe_of(site))
        return made[-1]

    recipe = renewed(home, make)
    assert [recipe().model("classifier").name for _ in range(3)] == ["squeezenet-wells-2"] * 3
    assert len(made) == 1
    models("use", other_model(tmp_path / "out"), home=home)
    assert [recipe().model("classifier").name for _ in range(3)] == ["ours-1"] * 3
    assert len(made) == 2


def test_a_spoiled_record_of_what_is_in_use_is_a_message(home: Home, tmp_path: Path, capsys: Told) -> None:
    home.models.mkdir()
    (home.models / IN_USE).write_text("{}")
    assert models("list", home=home) == 1
    assert "in-use.json: format is missing" in capsys.readouterr().err


def test_another_model_can_be_put_to_use_when_the_one_in_use_is_lost(home: Home, tmp_path: Path, capsys: Told) -> None:
    assert models("use", other_model(tmp_path / "out"), home=home) == 0
    next(home.models.glob("ours-1-*.onnx")).unlink()
    assert models("use", other_model(tmp_path / "out", "ours-2"), home=home) == 0
    assert default_model(ClassifierCard, home.models).card.name == "ours-2"
    assert models("use", tmp_path / "out" / "ours-1.card.json", home=home) == 0  # what was lost is there again
    assert default_model(ClassifierCard, home.models).card.name == "ours-1"


def test_others_are_known_and_come_back_by_name_though_a_model_in_use_is_lost(
    home: Home, tmp_path: Path, capsys: Told, caplog: pytest.LogCaptureFixture
) -> None:
    assert models("use", other_model(tmp_path / "out"), home=home) == 0
    for path in home.models.glob("ours-1-*"):
        path.unlink()
    with opened(home.path) as site:
        found = status(site)
    lost = "the classifier in use, ours-1 ("
    assert lost in found["model_trouble"]
    assert (found["readouts"], found["readout_trouble"]) == ([], "")
    assert any(line.startswith(f"no image can be scored: {lost}") for line in troubles(found))
    assert models("list", home=home) == 0
    assert lost in caplog.text
    assert default_model(ClassifierCard).card.name in capsys.readouterr().out
    assert models("use", default_model(ClassifierCard).card.name, home=home) == 0
    with opened(home.path) as site:
        assert status(site)["model_trouble"] == ""


def test_without_an_installation_only_use_makes_one(tmp_path: Path, capsys: Told) -> None:
    home = Home(tmp_path / "none")
    assert models("list", home=home) == 2
    assert "there is no Crystal Search installation" in capsys.readouterr().err
    assert models("use", other_model(tmp_path / "out"), home=home) == 0


def test_every_model_the_package_ships_answers_as_its_card_says() -> None:
    for kind in (each for each in ROLES.values() if each.needed):
        model = default_model(kind)
        module.check_answer(model)
        assert np.isfinite(getattr(model.card, "temperature", 1.0))


def test_without_an_installation_the_shipped_models_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Told
) -> None:
    monkeypatch.setenv("CRYSTAL_SEARCH_HOME", str(tmp_path / "none"))
    assert main(["models", "list"]) == 0
    told = capsys.readouterr().out
    assert told.count("comes with the program") == 5
    assert f"there is no installation in {tmp_path / 'none'}" in told
    assert main(["models", "show", "dense-crystals-3"]) == 0
    assert "dense-crystals-3: crystal detector, dense-crystals, 1 class, sha256" in capsys.readouterr().out
    assert not (tmp_path / "none").exists()
    assert main(["models", "list", "--home", str(tmp_path / "none")]) == 2
    assert main(["models", "forget", "dense-crystals-3"]) == 2


def test_a_model_is_forgotten_by_its_card_too(home: Home, tmp_path: Path) -> None:
    card = other_model(tmp_path / "out")
    assert models("use", card, home=home) == 0
    assert models("use", "squeezenet-wells-2", home=home) == 0
    assert models("forget", card, home=home) == 0
    assert not list(home.models.glob("ours*"))


def test_an_empty_home_in_the_environment_is_the_usual_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRYSTAL_SEARCH_HOME", "")
    assert Home.default().path.name == "crystal-search-data"
