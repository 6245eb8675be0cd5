"""A model in a new role, ``crumbs``, with a network of two outputs: all that it takes, in one file."""

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from crystal_search.card_file import card_from_json, card_to_json
from crystal_search.errors import ModelCardError, ModelError, ModelMismatchError, ResultError
from crystal_search.hostile_json import Reader
from crystal_search.inference import OnnxNetwork
from crystal_search.model import (
    IN_USE,
    Model,
    default_model,
    default_models,
    default_models_folder,
    in_role,
    read_model,
    sha256_of,
    write_model,
)
from crystal_search.model_card import ROLES, ModelCard, Output
from crystal_search.result import ImageResult, Result, write_result
from crystal_search.result_reader import check_against, read_result
from crystal_search.scoring.pipeline import loaded
from crystal_search.server.folders import unit_files
from crystal_search.server.home import Home
from crystal_search.server.installation import opened, recipe_of
from crystal_search.server.models_in_use import check_answer
from crystal_search.server.services.create_work import create_work
from crystal_search.server.services.packing import ReadImage, unreadable
from crystal_search.work_unit import read_work_unit
from tests.service_site import add_images
from tests.unit.builders import crystal_score

STRIDE_PX = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class CrumbsCard(ModelCard):
    """The card of a network that finds crumbs: where they are, and how they lie."""

    role: ClassVar[str] = "crumbs"
    title: ClassVar[str] = "crumb finder"

    least_area_px: int  #: of a crystal, in working pixels

    @classmethod
    def of(cls, told: dict[str, Any], read: Reader, version: int) -> "CrumbsCard":
        return cls(least_area_px=read.integer("least_area_px", 1, 10_000), **told)


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ROLES, "crumbs", CrumbsCard)


def network(*channels: tuple[str, int]) -> bytes:
    """Return an ONNX file with an output of so many channels for each name."""
    shape: list[str | int | None] = ["images", 1, "rows", "columns"]
    weights = [np.full((count, 1, STRIDE_PX, STRIDE_PX), 0.01, np.float32) for _, count in channels]
    graph = helper.make_graph(
        [helper.make_node("Conv", ["images", f"{name}-w"], [name], strides=[STRIDE_PX] * 2) for name, _ in channels],
        "by-hand",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", count, "h", "w"]) for name, count in channels],
        [numpy_helper.from_array(each, f"{name}-w") for each, (name, _) in zip(weights, channels, strict=True)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def crumbs(folder: Path, onnx: bytes | None = None) -> Path:
    """Write a model that finds crumbs, and return its card's path."""
    onnx = onnx or network(("logits", 1), ("angles", 2))
    card = CrumbsCard(
        name="crumbs-1",
        file="crumbs-1.onnx",
        sha256=sha256_of(onnx),
        architecture="by hand",
        working_width_px=64,
        normalisation="local-contrast-1",
        outputs=(
            Output(classes=("crystal",), stride_px=STRIDE_PX),
            Output(name="angles", classes=("sine", "cosine"), stride_px=STRIDE_PX),
        ),
        least_area_px=30,
    )
    (folder / card.file).write_bytes(onnx)
    path = folder / "crumbs-1.card.json"
    path.write_text(card_to_json(card))
    return path


def test_its_card_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = crumbs(tmp_path)
    card = in_role(read_model(path), CrumbsCard).card
    assert (card.least_area_px, card.classes, len(card.outputs)) == (30, ("crystal",), 2)
    assert json.loads(path.read_text())["role"] == "crumbs"


def test_a_version_that_does_not_know_the_role_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = crumbs(tmp_path)
    monkeypatch.delitem(ROLES, "crumbs")
    card_from_json.cache_clear()
    known = "classifier, first_look, drop, image, crystals, readout"
    with pytest.raises(ModelCardError, match=f"role must be one of {known}, got 'crumbs'"):
        card_from_json(path.read_bytes())


def test_its_network_gives_all_outputs_in_one_pass(tmp_path: Path) -> None:
    found = OnnxNetwork(read_model(crumbs(tmp_path)))
    batch = np.ones((2, 1, 16, 24), np.float32)
    maps = found.maps(batch)
    assert {name: each.shape for name, each in maps.items()} == {"logits": (2, 1, 2, 3), "angles": (2, 2, 2, 3)}
    np.testing.assert_array_equal(found.logits(batch), maps["logits"])


def test_a_network_without_an_output_of_its_card_is_refused(tmp_path: Path) -> None:
    model = read_model(crumbs(tmp_path, network(("logits", 1))))
    with pytest.raises(ModelError, match=r"crumbs-1\.onnx has no output angles of its card, but logits"):
        OnnxNetwork(model)


def test_an_output_of_other_channels_is_refused(tmp_path: Path) -> None:
    model = read_model(crumbs(tmp_path, network(("logits", 1), ("angles", 3))))
    assert OnnxNetwork(model).logits(np.ones((1, 1, 16, 16), np.float32)).shape == (1, 1, 2, 2)
    with pytest.raises(ModelError, match="its card lists 2 classes"):
        check_answer(model)


def test_it_is_used_where_there_is_one_and_missed_nowhere(tmp_path: Path) -> None:
    assert [model.card.role for model in default_models(default_models_folder())] == ["classifier", "drop"]
    crumbs(tmp_path)
    model: Model[CrumbsCard] = default_model(CrumbsCard, tmp_path)
    check_answer(model)
    assert model.card.name == "crumbs-1"


def all_three(folder: Path) -> Path:
    """Return a folder with the models that score images unasked, and one that finds crumbs."""
    for model in default_models(default_models_folder()):
        write_model(model.onnx, model.card, folder)
    crumbs(folder)
    return folder


def test_one_that_is_not_needed_is_used_only_if_it_is_named_where_any_are(tmp_path: Path) -> None:
    folder = all_three(tmp_path / "models")
    assert [model.card.role for model in default_models(folder)] == ["classifier", "drop", "crumbs"]
    shutil.copy(default_models_folder() / IN_USE, folder)
    assert [model.card.role for model in default_models(folder)] == ["classifier", "drop"]


def test_work_unit_result_recipe_and_ledger_name_it(tmp_path: Path) -> None:
    home = Home(tmp_path / "home").made()
    home.settings.write_text(f"models = {str(all_three(tmp_path / 'models'))!r}\n")
    with opened(home.path) as site:
        recipe = recipe_of(site)
        assert [model.name for model in recipe.models] == ["squeezenet-wells-2", "crumbs-1", "drop-unet-2"]
        add_images(site, tmp_path / "images", 1)
        create_work(site, recipe)
        (packed,) = unit_files(home.queue)
        unit = read_work_unit(packed)
        assert unit.models == recipe.models
        image = ImageResult(id=unit.images[0].id, sha256=unit.images[0].sha256, score=crystal_score())
        result = Result(work_unit=unit.name, client_version="1", models=unit.models, images=(image,))
        assert read_result(write_result(result, tmp_path), unit) == result
        without = replace(result, models=(unit.models[0], unit.models[2]))
        with pytest.raises(ResultError, match=r"scored with classifier .*, drop .*, expected classifier .*, crumbs "):
            check_against(without, unit)
        (record,) = site.imaging.units("open")
        assert record.recipe == recipe
        (image_known,) = site.imaging.images(record.image_ids).values()
        assert image_known.version
        score = unreadable(record, ReadImage(image_known, image_known.version, ".jpg", b"", "cut off"))
        site.imaging.add_auto_scores([score])
        assert site.imaging.ledger(record.image_ids[0]) == [score]


def test_what_a_version_does_not_know_is_not_scored_by_half(tmp_path: Path) -> None:
    models = default_models(all_three(tmp_path / "models"))
    with pytest.raises(ModelMismatchError, match=r"expected one classifier and one drop locator, got .*crumb finder"):
        loaded(models)
