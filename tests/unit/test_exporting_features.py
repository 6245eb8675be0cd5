"""Features of an exported classifier: checked against torch, and added to a file that has none."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from crystal_search.errors import ModelError
from crystal_search.exporting.adding_features import with_features_added
from crystal_search.exporting.export import export, write_onnx
from crystal_search.inference import OnnxNetwork
from crystal_search.main import main
from crystal_search.model import Model, default_model, in_role, read_model, sha256_of, write_model
from crystal_search.model_card import FEATURES, LOGITS, ClassifierCard
from crystal_search.networks.network_kinds import classifier_card, drop_locator_card
from crystal_search.networks.squeezenet import SqueezeNet
from crystal_search.server.models_in_use import check_answer
from tests.unit.test_exporting_export import Tiny, network_of


@pytest.fixture(scope="module")
def network() -> SqueezeNet:
    found = network_of("squeezenet", 1)
    assert isinstance(found, SqueezeNet)
    return found


@pytest.fixture
def without(network: SqueezeNet, tmp_path: Path) -> Model[ClassifierCard]:
    """Return the network as a model without features, as it was exported before there were any."""
    path = tmp_path / "plain.onnx"
    write_onnx(network, path, [LOGITS])
    written = write_model(path.read_bytes(), classifier_card("plain"), tmp_path / "models")
    return in_role(read_model(written), ClassifierCard)


def check_features(model: Model[ClassifierCard], network: SqueezeNet) -> None:
    """Compare both answers of a model with torch's."""
    batch = np.random.default_rng(1).normal(size=(2, 1, 270, 301)).astype(np.float32)
    maps = OnnxNetwork(model).maps(batch)
    with torch.no_grad():
        logits, features = network.with_features(torch.from_numpy(batch))
    np.testing.assert_allclose(maps[LOGITS], logits.numpy(), rtol=0, atol=1e-4)
    np.testing.assert_allclose(maps[FEATURES], features.numpy(), rtol=0, atol=1e-4)
    assert maps[FEATURES].shape == (2, 256, 8, 10)
    assert np.ptp(maps[FEATURES]) > 0.01
    check_answer(model)


def test_an_export_has_features_equal_to_torch_s(network: SqueezeNet, tmp_path: Path) -> None:
    model = in_role(read_model(export(network, classifier_card("x"), tmp_path)), ClassifierCard)
    assert model.card.features == network.features_output
    assert (model.card.features.numbers, model.card.features.stride_px, model.card.features.offset_px) == (256, 24, 39)
    check_features(model, network)


def test_features_that_differ_are_no_export(
    network: SqueezeNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = write_onnx

    def wrong(*arguments: object, batch: int) -> None:
        right(*arguments, batch=batch)  # type: ignore[arg-type]
        path = arguments[1]
        assert isinstance(path, Path)
        graph = onnx.load(str(path))
        making = next(node for node in graph.graph.node if FEATURES in node.output)
        making.op_type = "MaxPool"
        kept = [each for each in making.attribute if each.name != "count_include_pad"]
        del making.attribute[:]
        making.attribute.extend(kept)
        onnx.save(graph, str(path))

    monkeypatch.setattr("crystal_search.exporting.export.write_onnx", wrong)
    with pytest.raises(ModelError, match="ONNX Runtime and torch differ"):
        export(network, classifier_card("x"), tmp_path)


def test_added_features_are_torch_s_and_the_logits_what_they_were(
    without: Model[ClassifierCard], network: SqueezeNet
) -> None:
    added = with_features_added(without)
    card = replace(added.card, sha256=sha256_of(added.onnx))
    check_features(Model(card, added.onnx), network)
    batch = np.random.default_rng(2).normal(size=(1, 1, 300, 333)).astype(np.float32)
    np.testing.assert_array_equal(OnnxNetwork(added).logits(batch), OnnxNetwork(without).logits(batch))


def test_features_are_added_once_and_to_networks_of_ours_alone(without: Model[ClassifierCard]) -> None:
    with pytest.raises(ModelError, match="gives features already"):
        with_features_added(default_model(ClassifierCard))
    with pytest.raises(ModelError, match=r"plain: no network 'lenet'.*only networks of this program"):
        with_features_added(Model(replace(without.card, architecture="lenet"), without.onnx))
    with pytest.raises(ModelError, match="plain: resnet50 gives no features"):
        with_features_added(Model(replace(without.card, architecture="resnet50"), without.onnx))
    with pytest.raises(ModelError, match=r"plain\.onnx is no alexnet as it is exported"):
        with_features_added(Model(replace(without.card, architecture="alexnet"), without.onnx))


def test_the_command_writes_them(
    without: Model[ClassifierCard], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = tmp_path / "models" / "plain.card.json"
    assert main(["export", str(card), "--features"]) == 2
    assert "is there already; say --replace" in capsys.readouterr().err
    assert main(["export", str(card), "--features", "--replace"]) == 0
    found = in_role(read_model(card), ClassifierCard).card
    assert found.features
    assert found.sha256 != without.card.sha256
    assert replace(found, sha256=without.card.sha256, outputs=without.card.outputs) == without.card
    assert main(["export", str(card), "--features", "--int8"]) == 2
    drop = export(Tiny(), drop_locator_card("tiny"), tmp_path)
    assert main(["export", str(drop), "--features", "--name", "other"]) == 1
    assert "is a drop locator, expected a classifier" in capsys.readouterr().err
