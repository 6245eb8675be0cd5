"""A classifier of whole images put to use beside that of chops: packed, asked, kept in the ledger, and forgotten."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from crystal_search.class_schemes import SCHEMES
from crystal_search.main import main
from crystal_search.model import write_model
from crystal_search.networks.network_kinds import image_classifier_card
from crystal_search.outcomes import OUTCOME_NAMES
from crystal_search.server.engines.local_engine import LocalEngine
from crystal_search.server.installation import opened, recipe_of
from crystal_search.server.services.create_work import create_work
from tests.integration.test_models import finish, home_with
from tests.service_site import auto_scores

SIDE_PX = 64


def whole_image_model(folder: Path) -> Path:
    """Write a model that finds every image half clear, and its rest divided, and return its card's path."""
    shape: list[str | int | None] = ["images", 3, "rows", "columns"]
    weights, bias = np.zeros((4, 3, 1, 1), np.float32), np.log(np.array([1, 1, 1, 3], np.float32))
    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", ["images"], ["mean"]),
            helper.make_node("Conv", ["mean", "weights", "bias"], ["logits"]),
        ],
        "by-hand",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 4, "h", "w"])],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(bias, "bias")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    classes = SCHEMES["groups-4"].class_names
    card = image_classifier_card("whole-1", "by-hand", classes=classes, normalisation="rgb-1", side_px=SIDE_PX)
    return write_model(model.SerializeToString(), card, folder)


def test_it_gives_a_second_opinion_until_it_is_forgotten(tmp_path: Path) -> None:
    home = home_with(1, tmp_path)
    with opened(home) as site:
        create_work(site, recipe_of(site))
        with LocalEngine(site.home, site.settings, site.models) as engine:
            finish(site, engine)
            assert main(["models", "use", str(whole_image_model(tmp_path / "out")), "--home", str(home)]) == 0
            create_work(site, recipe_of(site))
            finish(site, engine)
        (scores,) = auto_scores(site).values()
        first, second = (each.found for each in scores)
        assert [model.role for model in scores[1].recipe.models] == ["classifier", "drop", "image"]
        assert first.second_opinion == ()
        assert dict(zip(OUTCOME_NAMES, second.second_opinion, strict=True)) == pytest.approx(
            dict.fromkeys(OUTCOME_NAMES, 0.0)
            | {"crystal_harvestable": 1 / 6, "precipitate": 1 / 6, "other": 1 / 6, "clear": 1 / 2},
            abs=1e-6,
        )
        assert replace(second, second_opinion=(), seconds={}) == replace(first, seconds={})
        assert main(["models", "forget", "whole-1", "--home", str(home)]) == 0
        assert [model.role for model in recipe_of(site).models] == ["classifier", "drop"]
        assert main(["models", "forget", "drop-unet-2", "--home", str(home)]) == 2
