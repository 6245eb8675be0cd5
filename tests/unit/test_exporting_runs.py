"""``crystal-search export``: from a training's folder to model files whose cards say how good they are."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from crystal_search.class_schemes import SCHEMES
from crystal_search.datasets.packed import open_dataset
from crystal_search.errors import UserError
from crystal_search.exporting.exported_runs import export_run
from crystal_search.exporting.quantising import ROUNDINGS, examples_in, quantised
from crystal_search.inference import OnnxNetwork
from crystal_search.main import main
from crystal_search.model import default_models_folder, in_role, read_model
from crystal_search.model_card import ClassifierCard, FirstLookCard, Output
from crystal_search.networks.network_kinds import build
from crystal_search.scoring.classify import channels_first
from crystal_search.training.checkpoints import load_trained, save_checkpoint
from crystal_search.training.chop_scores import chop_scores, chop_view
from crystal_search.training.run_record import RunRecord, write_run
from crystal_search.unet_drop.network import UNet
from tests.unit.dataset_files import ABOUT_SMALL, coarse, write_dataset, write_rendered
from tests.unit.networks_fakes import fake_well

CARD = default_models_folder() / "squeezenet-wells-2.card.json"
RECORD = RunRecord(
    role="classifier",
    architecture="squeezenet",
    classes=SCHEMES["groups-5"].class_names,
    normalisation="local-contrast-1",
    working_width_px=1224,
    data="",
    task="chops",
    command="crystal-search train chops --network squeezenet",
    seed=0,
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("datasets") / "patterns")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    """Return the folder of a training of five classes that learnt nothing."""
    folder = tmp_path_factory.mktemp("runs") / "five"
    torch.manual_seed(0)
    network = build("squeezenet", 5)
    save_checkpoint(folder, 1, network, torch.optim.AdamW(network.parameters()), {})
    write_run(folder, replace(RECORD, data=str(data)))
    return folder


def test_a_training_on_chops_becomes_a_model_with_its_figures(run: Path, data: Path, tmp_path: Path) -> None:
    model = in_role(read_model(export_run(run, "five", tmp_path)), ClassifierCard)
    card, dataset = model.card, open_dataset(data)
    assert (card.classes, card.architecture, card.role) == (RECORD.classes, "squeezenet", "classifier")
    assert card.training_command == RECORD.command
    assert card.training_data == "12 training chops of patterns: patterns"
    scores = chop_scores(load_trained(run), dataset, dataset.chops("validation"))
    right = float((scores.logits.argmax(axis=1) == scores.labels).mean())
    accuracy, before, after = card.measured
    assert (accuracy.measure, accuracy.value, accuracy.count) == ("5-class accuracy of chops", round(right, 4), 8)
    assert before.measure.endswith("before the temperature")
    assert after.measure.endswith("after the temperature")
    assert "fitted" in after.data
    assert card.temperature != 1


def test_the_best_weights_are_exported_not_the_last(run: Path, tmp_path: Path) -> None:
    trained = load_trained(run)
    torch.save({"step": 1, "network": build("squeezenet", 5).state_dict(), "settings": {}}, run / "best.pt")
    try:
        model = read_model(export_run(run, "best", tmp_path))
        expected = load_trained(run).network
    finally:
        (run / "best.pt").unlink()
    views = np.random.default_rng(0).normal(size=(1, 1, 256, 256)).astype(np.float32)
    found = OnnxNetwork(model).logits(views)
    np.testing.assert_allclose(found, expected(torch.from_numpy(views)).detach().numpy(), atol=1e-4)
    assert np.abs(found - trained.network(torch.from_numpy(views)).detach().numpy()).max() > 1e-3


def test_a_drop_locator_s_training_becomes_a_model(tmp_path: Path) -> None:
    network = UNet()
    save_checkpoint(tmp_path / "drop", 1, network, torch.optim.AdamW(network.parameters()), {})
    record = replace(RECORD, role="drop", architecture="u-net", classes=("drop",), task="drops")
    write_run(tmp_path / "drop", replace(record, normalisation="centred-1", working_width_px=256, data="wells"))
    assert main(["export", str(tmp_path / "drop")]) == 0
    assert read_model(tmp_path / "drop" / "drop.card.json").card.role == "drop"
    assert main(["export", str(tmp_path / "drop"), "--int8", "--replace"]) == 2


@pytest.fixture
def one_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let int8 be tried in one way only, which is quicker."""
    monkeypatch.setattr("crystal_search.exporting.exported_runs.quantised", partial(quantised, roundings=ROUNDINGS[:1]))


@pytest.mark.usefixtures("one_rounding")
def test_int8_is_as_accurate_or_not_there(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["export", str(CARD), "--int8", "--data", str(data), "--models", str(tmp_path)]
    monkeypatch.setattr("crystal_search.exporting.quantising.ALLOWED_LOSS", -1.1)
    assert main(words) == 1
    assert "no int8 file is written: on 8 validation chops of patterns" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr("crystal_search.exporting.quantising.ALLOWED_LOSS", 1.1)
    assert main(words) == 0
    card = in_role(read_model(tmp_path / "squeezenet-wells-2-int8.card.json"), ClassifierCard).card
    original = in_role(read_model(CARD), ClassifierCard).card
    assert (card.architecture, card.temperature, card.classes) == (
        original.architecture,
        original.temperature,
        original.classes,
    )
    assert [figure.measure for figure in card.measured] == [
        "13-class accuracy of chops, int8",
        "13-class accuracy of chops, the float32 model",
    ]
    assert all((figure.count, figure.data) == (8, "validation chops of patterns") for figure in card.measured)
    assert f"int8 of squeezenet-wells-2 (sha256 {original.sha256[:12]})" in card.training_data
    assert original.training_data in card.training_data


@pytest.mark.usefixtures("one_rounding")
def test_a_training_and_its_int8_in_one_command(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crystal_search.exporting.quantising.ALLOWED_LOSS", 1.1)
    words = ["export", str(run), "--int8", "--models", str(tmp_path)]
    assert main(words) == 0
    names = ["five-int8.card.json", "five-int8.onnx", "five.card.json", "five.onnx"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert main(words) == 2


def test_labels_too_coarse_for_a_model_neither_calibrate_nor_judge_it(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_dataset(tmp_path / "coarse", about=coarse())
    words = ["export", str(CARD), "--int8", "--data", str(tmp_path / "coarse"), "--models", str(tmp_path / "out")]
    assert main(words) == 2
    assert "the network tells 13 classes apart" in capsys.readouterr().err
    run = tmp_path / "thirteen"
    save_checkpoint(run, 1, build("squeezenet", 13), None, {})
    write_run(run, replace(RECORD, classes=SCHEMES["outcomes-13"].class_names, data=str(data)))
    with pytest.raises(UserError, match="name a dataset with finer labels"):
        export_run(run, "x", tmp_path / "out", tmp_path / "coarse")
    assert not (tmp_path / "out").exists()


def test_rendered_wells_do_not_judge_a_model_of_other_classes(tmp_path: Path) -> None:
    write_rendered(tmp_path, validation=[[fake_well(0)]])
    card = replace(in_role(read_model(CARD), ClassifierCard).card, outputs=(Output(classes=RECORD.classes),))
    with pytest.raises(UserError, match="5 classes apart, rendered wells are labelled in 13"):
        examples_in(tmp_path, card)


def test_rendered_wells_serve_as_examples_too(tmp_path: Path) -> None:
    write_rendered(tmp_path, validation=[[fake_well(number) for number in (0, 1)]])
    model = in_role(read_model(CARD), ClassifierCard)
    examples = examples_in(tmp_path, model.card)
    views = examples.views(3, 0)
    assert views.shape == (3, 1, 256, 256)
    np.testing.assert_array_equal(views, examples.views(3, 0))
    accuracy, count = examples.accuracy(OnnxNetwork(model))
    assert 0 < accuracy <= 1
    assert count > 10


def test_chops_of_a_dataset_are_drawn_by_their_seed(data: Path) -> None:
    model, dataset = in_role(read_model(CARD), ClassifierCard), open_dataset(data)
    examples = examples_in(data, model.card)
    views = examples.views(4, 0)
    every = channels_first(np.stack([chop_view(dataset, row) for row in dataset.chops("train")]))
    assert all(any(np.array_equal(view, each) for each in every) for view in views)
    assert not np.array_equal(views, examples.views(4, 1))
    assert len(examples.views(500, 0)) == 12


@pytest.mark.parametrize(
    ("words", "trouble"),
    [
        (["nowhere"], "no model 'nowhere', and no such file or folder; choose from squeezenet-wells-2"),
        (["nowhere"], "or give a card's file or a training's folder"),
        ([__file__], "neither a training's folder nor a model's card"),
        (["EMPTY"], "no training in"),
        (["OLD"], "an older version trained it"),
        ([str(CARD)], "is a model already; say --int8"),
        ([str(CARD), "--int8"], "needs --data"),
        ([str(CARD), "--int8", "--data", "EMPTY", "--models", "EMPTY"], "no dataset in"),
        ([str(CARD), "--int8", "--data", "COLOUR", "--models", "EMPTY"], "its chops have normalisation rgb-1"),
        ([str(CARD), "--int8", "--data", "UNJUDGED", "--models", "EMPTY"], "has no validation chops"),
        ([str(CARD), "--int8", "--data", "EMPTY", "--name", "squeezenet-wells-2"], "is there already"),
        (
            [str(CARD.with_name("drop-unet-2.card.json")), "--int8", "--data", "EMPTY", "--models", "EMPTY"],
            "only class",
        ),
        (["RUN", "--name", "no/name"], "is no name for a model"),
    ],
)
def test_what_cannot_be_exported_is_said(
    words: list[str], trouble: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = {name: tmp_path / name.lower() for name in ("EMPTY", "OLD", "COLOUR", "UNJUDGED")} | {"RUN": run}
    for folder in folders.values():
        folder.mkdir(exist_ok=True)
    (folders["OLD"] / "checkpoint.pt").write_bytes(b"weights")
    write_dataset(folders["COLOUR"], {"validation": {"clear": 1}}, about=replace(ABOUT_SMALL, normalisation="rgb-1"))
    write_dataset(folders["UNJUDGED"], {"train": {"clear": 1}})
    assert main(["export", *(str(folders.get(word, word)) for word in words)]) == 2
    assert trouble in capsys.readouterr().err
    assert list(folders["EMPTY"].iterdir()) == []


def test_a_card_that_cannot_be_read_is_a_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.card.json").write_text("{}")
    assert main(["export", str(tmp_path / "x.card.json"), "--int8", "--data", str(tmp_path)]) == 1
    assert "card" in capsys.readouterr().err


def test_a_dataset_of_other_chops_is_refused(run: Path, tmp_path: Path) -> None:
    other = write_dataset(
        tmp_path / "wide", {"validation": {"clear": 1}}, about=replace(ABOUT_SMALL, working_width_px=612)
    )
    with pytest.raises(UserError, match="its chops have working_width_px 612, five reads 1224"):
        export_run(run, "five", tmp_path, other)


@pytest.fixture
def half(tmp_path: Path) -> Path:
    """Return the folder of a training for views of half the width that learnt nothing, and its rendered wells."""
    data = write_rendered(tmp_path / "wells", validation=[[fake_well(number) for number in (0, 1)]])
    save_checkpoint(tmp_path / "half", 1, build("squeezenet", 13), None, {})
    record = replace(RECORD, classes=SCHEMES["outcomes-13"].class_names, task="cells", working_width_px=612)
    write_run(tmp_path / "half", replace(record, data=str(data)))
    return tmp_path / "half"


def test_a_first_look_is_made_of_a_training_or_nothing_is(
    half: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["export", str(half), "--looks-before", "squeezenet-wells-2", "--models", str(tmp_path / "out")]
    assert main(words) == 1
    assert "a first look spares nothing" in capsys.readouterr().err
    assert not [*tmp_path.glob("out/*")]
    monkeypatch.setattr("crystal_search.exporting.first_looks.most_doubt", lambda wells: 0.5)
    assert main(words) == 0
    card = str(tmp_path / "out" / "half.card.json")
    first = in_role(read_model(Path(card)), FirstLookCard).card
    assert (first.most_doubt, first.working_width_px) == (0.5, 612)
    assert "wells left to squeezenet-wells-2" in [each.measure for each in first.measured]
    for refused, why in (
        (["export", str(half), "--looks-before", card, "--name", "x"], "half is a first look itself"),
        (["export", card, "--looks-before", "squeezenet-wells-2"], "made of a training's folder"),
        (["export", card, "--features", "--looks-before", "squeezenet-wells-2"], "made of a training's folder"),
        (["export", card, "--int8", "--data", str(half)], "half is a first look; only classifiers become int8"),
    ):
        assert main(refused) == 2
        assert why in capsys.readouterr().err
