"""A readout as a model: its file, its card, and what refuses one that belongs to another classifier."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crystal_search.adaptation.adapting import adapted
from crystal_search.adaptation.labelled import Labelled
from crystal_search.adaptation.readout import Readout, shipped_readout
from crystal_search.adaptation.readout_file import readout_from_json, readout_to_json
from crystal_search.adaptation.readout_model import Origin, labels_hash, readout_model, rescoring_of
from crystal_search.adaptation.rescoring import Rescoring
from crystal_search.adaptation.triage import Promise, triage
from crystal_search.card_file import card_from_json, card_to_json
from crystal_search.errors import ModelCardError, ModelError, ModelMismatchError
from crystal_search.main import main
from crystal_search.model import Model, default_model, default_models, default_models_folder, in_role, read_model
from crystal_search.model import write_model as written
from crystal_search.model_card import ClassifierCard, DropCard, ReadoutCard
from crystal_search.server.installation import opened
from crystal_search.who_looks import Looks
from tests.unit.adapted_drops import an_imager


@pytest.fixture(scope="module")
def labelled() -> Labelled:
    return an_imager(5, plates=5, told_by_shipped=0.2, told_by_numbers=3)


@pytest.fixture(scope="module")
def model(labelled: Labelled) -> Model[ReadoutCard]:
    origin = Origin(
        name="ours-1", imager="RI1", fitted_at="2026-11-29T12:00:00+00:00", images=tuple(map(str, range(100)))
    )
    return readout_model(adapted(labelled, labelled.seen), labelled, default_model(ClassifierCard).card, origin)


def promising(readout: Readout) -> Rescoring:
    return Rescoring(readout=readout, triage=triage([], [], Promise()), plates=np.zeros((2, 18)))


def test_its_file_gives_the_same_probabilities(labelled: Labelled, model: Model[ReadoutCard]) -> None:
    found = adapted(labelled, labelled.seen)
    read = rescoring_of(model, Looks(first=default_model(ClassifierCard).card.sha256))
    np.testing.assert_allclose(
        read.readout.probabilities(labelled.seen), found.readout.probabilities(labelled.seen), rtol=0, atol=1e-6
    )
    assert read.triage == found.triage
    np.testing.assert_allclose(read.plates, found.plates, rtol=1e-8)


def test_its_file_is_as_documented() -> None:
    readout = Readout(bias=np.array([1.0, 2, 3, 4]), weights=np.arange(4 * 18).reshape(4, 18) / 3)
    told = json.loads(readout_to_json(promising(readout)))
    assert list(told) == ["format", "version", "groups", "outcomes", "numbers", "bias", "weights", "triage", "plates"]
    assert (told["numbers"], told["bias"], told["weights"][0][:3]) == (1, [1, 2, 3, 4], [0, 0.333333333, 0.666666667])
    back = readout_from_json(readout_to_json(promising(readout)).encode(), "x")
    np.testing.assert_allclose(back.readout.weights, readout.weights, rtol=1e-8)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": 3}, "version must be a whole number from 1 to 2"),
        ({"groups": ["crystal"]}, "groups must be crystal, precipitate"),
        ({"numbers": 2}, "row must be a list of 19 numbers"),
        ({"bias": [0, 0, 0, "1"]}, "bias must be"),
        ({"weights": [[0] * 18] * 3}, "weights must be 4 rows"),
        ({"weights": [[0] * 18] * 3 + [7]}, "row must be a list of 18 numbers"),
        ({"weights": [[0] * 17 + [1e300]] * 4}, "row must be a number from"),
        ({"triage": 1}, "expected an object"),
        ({"plates": [[0]]}, "row must be a list of 18 numbers"),
        ({"more": 1}, "unknown 'more'"),
    ],
)
def test_a_file_that_is_no_readout_is_refused(change: dict[str, object], said: str) -> None:
    content = json.loads(readout_to_json(promising(shipped_readout(1)))) | change
    with pytest.raises(ModelError, match=said):
        readout_from_json(json.dumps(content).encode(), "x.readout.json")


def test_its_card_says_whose_it_is_and_how_good(model: Model[ReadoutCard], tmp_path: Path) -> None:
    read = in_role(read_model(written(model.onnx, model.card, tmp_path)), ReadoutCard)
    assert (read.card, read.onnx) == (model.card, model.onnx)
    assert {path.name for path in tmp_path.iterdir()} == {"ours-1.readout.json", "ours-1.card.json"}
    card = read.card
    assert (card.imager, card.held_out, card.proven, len(card.figures)) == ("RI1", "plate", True, 6)
    assert sum(card.figures[0].counts) == 100 == sum(sum(each.counts) for each in card.figures[1:])
    assert card.difference
    assert 0 < card.difference.low <= card.difference.value <= card.difference.high


def test_a_card_whose_file_is_of_another_kind_is_refused(model: Model[ReadoutCard]) -> None:
    for card, name in ((model.card, "ours-1.onnx"), (default_model(DropCard).card, "drop.readout.json")):
        with pytest.raises(ModelCardError, match="file must be a name that ends in"):
            card_from_json(card_to_json(replace(card, file=name)).encode())


def test_a_readout_of_another_classifier_is_refused(model: Model[ReadoutCard]) -> None:
    with pytest.raises(
        ModelMismatchError, match=r"ours-1 reads the answers of the classifier .*, got those of the classifier aaaaaaa"
    ):
        rescoring_of(model, Looks(first="a" * 64))


def test_a_readout_of_a_first_look_beside_another_classifier_is_refused(model: Model[ReadoutCard]) -> None:
    beside = Model(replace(model.card, classifier_sha256="f" * 64, behind_sha256="c" * 64), model.onnx)
    assert (
        rescoring_of(beside, Looks(first="f" * 64, behind="c" * 64)).triage
        == rescoring_of(model, model.card.looks).triage
    )
    with pytest.raises(ModelMismatchError, match=r"classifier cccc.* look ffff.*, got those of .*dddd.* look ffff"):
        rescoring_of(beside, Looks(first="f" * 64, behind="d" * 64))


def test_the_hash_of_labels_is_that_of_any_order_and_of_no_other_label(labelled: Labelled) -> None:
    images = [str(each) for each in range(100)]
    turned = Labelled(
        seen=labelled.seen,
        groups=labelled.groups[::-1],
        plates=labelled.plates[::-1],
        drops=labelled.drops[::-1],
    )
    assert labels_hash(labelled, images) == labels_hash(turned, images[::-1])
    other = replace(labelled, groups=np.append(labelled.groups[:-1], 3 - labelled.groups[-1]))
    assert labels_hash(labelled, images) != labels_hash(other, images)


def test_clients_are_given_no_readout_and_people_see_it(
    model: Model[ReadoutCard], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for each in default_models(default_models_folder()):
        written(each.onnx, each.card, tmp_path / "models")
    card = written(model.onnx, model.card, tmp_path / "models")
    assert [each.card.role for each in default_models(tmp_path / "models")] == ["classifier", "drop"]
    home = tmp_path / "home"
    with opened(home, create=True):
        pass
    (home / "settings.toml").write_text(f"models = {str(tmp_path / 'models')!r}\n")
    assert main(["models", "list", "--home", str(home)]) == 0
    assert "ours-1              readout       " in capsys.readouterr().out
    assert main(["models", "show", str(card), "--home", str(home)]) == 0
    said = capsys.readouterr().out
    assert "for images of RI1, fitted 2026-11-29T12:00:00+00:00 to 100 labels of 5 plates" in said
    assert "crystals told from the rest on plates held out: " in said
    assert main(["models", "use", str(card), "--home", str(home)]) == 2
    assert "no image can be of an imager 'RI1'" in capsys.readouterr().err
