"""``import-weights`` as a command: ONNX file and card come out, or nothing and a refusal in words."""

import argparse
import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from crystal_search.card_file import card_from_json
from crystal_search.errors import CrystalSearchError, ModelError, UnknownNameError, UserError
from crystal_search.images import NORMALISATIONS
from crystal_search.inference import onnx_runtime
from crystal_search.main import main
from crystal_search.model import sha256_of
from crystal_search.model_card import ModelCard
from crystal_search.old_weights import import_weights_command as commands
from crystal_search.old_weights import imported
from crystal_search.outcomes import OUTCOME_NAMES
from tests.unit.old_weights_files import SymbolFile, params_bytes

GOLDEN = Path(__file__).parents[1] / "golden" / "old-weights"
PARAMS, SYMBOL = GOLDEN / "operators-0000.params", GOLDEN / "operators-symbol.json"
CLASSES = ["--class-names", ",".join(OUTCOME_NAMES), "--side", "17"]


def import_weights(*words: str | Path) -> None:
    parser = argparse.ArgumentParser()
    commands.add_arguments(parser)
    commands.run(parser.parse_args([str(word) for word in words]))


def test_a_classifier_becomes_an_onnx_file_and_a_card(tmp_path: Path) -> None:
    import_weights(PARAMS, SYMBOL, *CLASSES, "--mean", "120.5,110.25,100", "--std", "60,55,50", "--out", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["operators-0000.card.json", "operators-0000.onnx"]
    onnx = (tmp_path / "operators-0000.onnx").read_bytes()
    card = json.loads((tmp_path / "operators-0000.card.json").read_text())
    assert (card["file"], card["sha256"]) == ("operators-0000.onnx", sha256_of(onnx))
    assert (card["side_px"], card["chop_stride_px"], card["working_width_px"]) == (17, 50, 2452)
    assert (card["padded"], card["normalisation"]) == (True, "rgb-1")
    assert sha256_of(PARAMS.read_bytes()) in card["training_data"]
    stored = np.load(GOLDEN / "operators.npz")
    session = onnx_runtime().InferenceSession(onnx, providers=["CPUExecutionProvider"])
    maps = session.run(None, {"images": stored["images"] / np.float32(255)})[0]
    np.testing.assert_allclose(maps[:, :, 0, 0], stored["logits"], rtol=0, atol=1e-4)


def test_classes_may_stand_in_a_file_and_in_any_order(tmp_path: Path) -> None:
    names = tmp_path / "classes.txt"
    names.write_text("\n".join(reversed(OUTCOME_NAMES)) + "\n")
    import_weights(PARAMS, SYMBOL, "--class-names", names, "--side", "17", "--name", "old", "--out", tmp_path)
    import_weights(SYMBOL, PARAMS, *CLASSES, "--name", "new", "--out", tmp_path)
    answers = []
    for name in ("old", "new"):
        session = onnx_runtime().InferenceSession(tmp_path / f"{name}.onnx", providers=["CPUExecutionProvider"])
        answers.append(session.run(None, {"images": np.full((1, 3, 17, 17), 0.4, dtype=np.float32)})[0])
    np.testing.assert_allclose(answers[0], answers[1][:, ::-1], rtol=0, atol=1e-6)


def test_a_network_of_four_classes_keeps_their_names(tmp_path: Path) -> None:
    network = SymbolFile()
    kernel = network.variable("first_weight")
    first = network.add(
        "Convolution", "first", network.variable("data"), kernel, kernel="(1, 1)", num_filter="1", no_bias="True"
    )
    flat = network.add("Flatten", "flat", first)
    last = network.add("FullyConnected", "last", flat, network.variable("last_weight"), num_hidden="4", no_bias="True")
    network.add("SoftmaxOutput", "softmax", last, network.variable("softmax_label"))
    weights = np.repeat(np.array([[1.0], [2.0], [3.0], [4.0]], dtype=np.float32), 4, axis=1)
    params, symbol = tmp_path / "marco.params", tmp_path / "marco-symbol.json"
    one = np.ones((1, 1, 1, 1), dtype=np.float32)
    params.write_bytes(params_bytes({"arg:first_weight": one, "arg:last_weight": weights}))
    symbol.write_bytes(network.text())
    order = ["--class-names", "Clear,Crystals,Other,Precipitate", "--side", "2"]
    import_weights(params, symbol, *order, "--out", tmp_path / "models")
    card = card_from_json((tmp_path / "models" / "marco.card.json").read_bytes())
    assert card.classes == ("crystal", "precipitate", "other", "clear")
    session = onnx_runtime().InferenceSession(tmp_path / "models" / "marco.onnx", providers=["CPUExecutionProvider"])
    maps = session.run(None, {"images": np.full((1, 1, 2, 2), 1 / 255, dtype=np.float32)})[0]
    np.testing.assert_allclose(maps[0, :, 0, 0], [8, 16, 12, 4], rtol=1e-5)


def test_a_unet_becomes_a_drop_locator(tmp_path: Path) -> None:
    pytest.importorskip("h5py", reason="reading Keras' files needs h5py")
    unet = tmp_path / "unet_membrane.hdf5"
    unet.write_bytes(gzip.decompress((GOLDEN / "unet.hdf5.gz").read_bytes()))
    import_weights(unet, "--out", tmp_path / "models")
    card = json.loads((tmp_path / "models" / "unet_membrane.card.json").read_text())
    assert (card["role"], card["outputs"][0]["classes"], card["working_width_px"]) == ("drop", ["drop"], 32)
    session = onnx_runtime().InferenceSession(
        tmp_path / "models" / "unet_membrane.onnx", providers=["CPUExecutionProvider"]
    )
    assert session.run(None, {"images": np.zeros((1, 1, 27, 32), dtype=np.float32)})[0].shape == (1, 1, 27, 32)


def test_the_cards_that_are_written_can_be_read(tmp_path: Path) -> None:
    if missing := set(imported.NORMALISATIONS.values()) - NORMALISATIONS.keys():
        pytest.skip(
            f"images.NORMALISATIONS lacks {', '.join(sorted(missing))} (docs/decisions/0004-colour-networks.md)"
        )
    import_weights(PARAMS, SYMBOL, *CLASSES, "--out", tmp_path)
    assert isinstance(card_from_json((tmp_path / "operators-0000.card.json").read_bytes()), ModelCard)


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        ([PARAMS], UserError, r"expected NAME.params and NAME-symbol.json, or NAME.hdf5; got operators-0000.params"),
        ([PARAMS, PARAMS], UserError, r"expected NAME.params and NAME-symbol.json"),
        ([PARAMS, SYMBOL], UserError, r"needs --class-names"),
        (
            [PARAMS, SYMBOL, "--side", "17", "--class-names", "clear,rim"],
            UserError,
            r"has 2 names, expected 13, 5 or 4",
        ),
        (
            [PARAMS, SYMBOL, "--side", "17", "--class-names", "Clear,Crystals,Other,Drop"],
            UnknownNameError,
            r"no class 'Drop' in the scheme groups-4; choose",
        ),
        (
            [PARAMS, SYMBOL, "--side", "17", "--class-names", "clear,crystal,other,crystals"],
            UserError,
            r"leaves out precipitate; name each of the 4",
        ),
        (
            [PARAMS, SYMBOL, "--side", "17", "--class-names", "Clear,Crystals,Other,Precipitate"],
            ModelError,
            r"the class list has 4 names",
        ),
        (
            [PARAMS, SYMBOL, "--side", "17", "--class-names", ",".join([*OUTCOME_NAMES, "rim"])],
            UserError,
            r"has 14 names, expected 13, 5 or 4",
        ),
        ([PARAMS, SYMBOL, *CLASSES, "--side", "0"], UserError, r"--side must be from 1 to 4096, got 0"),
        ([PARAMS, SYMBOL, *CLASSES, "--side", "64"], ModelError, r"give the --side it was trained with"),
        ([PARAMS, SYMBOL, *CLASSES, "--width", "1"], UserError, r"--width must be from 16"),
        ([PARAMS, SYMBOL, *CLASSES, "--std", "0,1,1"], UserError, r"--std must be above 0"),
        ([PARAMS, SYMBOL, *CLASSES, "--mean", "300,1,1"], UserError, r"--mean must be from 0 to 255"),
        ([PARAMS, SYMBOL, *CLASSES, "--mean", "1,2"], ModelError, r"--mean has 2 numbers, the network reads 3"),
        ([PARAMS, SYMBOL, *CLASSES, "--name", "../x"], UserError, r"'../x' is no name for a model"),
        ([Path("/nowhere/x.params"), SYMBOL, *CLASSES], UserError, r"cannot read /nowhere/x.params: No such file"),
        ([SYMBOL.with_suffix(".params"), SYMBOL, *CLASSES], UserError, r"cannot read"),
    ],
)
def test_a_refusal_says_why_and_leaves_nothing_behind(
    tmp_path: Path, words: list[str | Path], error: type[CrystalSearchError], message: str
) -> None:
    with pytest.raises(error, match=message):
        import_weights(*words, "--out", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.params"
    other.write_bytes(params_bytes({"arg:some_weight": np.ones(3, dtype=np.float32)}))
    with pytest.raises(ModelError, match=r"Do both files belong together"):
        import_weights(other, SYMBOL, *CLASSES, "--out", tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.params"
    content = PARAMS.read_bytes()
    middle = len(content) // 2 // 4 * 4
    damaged.write_bytes(content[:middle] + np.full(4, np.nan, dtype="<f4").tobytes() + content[middle + 16 :])
    with pytest.raises(ModelError, match=r"its weights are damaged|ends early"):
        import_weights(damaged, SYMBOL, *CLASSES, "--out", tmp_path / "models")


def test_a_disk_that_takes_nothing_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"cannot write to .*file.*name another --out"):
        import_weights(PARAMS, SYMBOL, *CLASSES, "--out", tmp_path / "file")


def test_what_is_no_list_of_numbers_is_told_to_be_none(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["import-weights", "x.params", "--mean", "1,x", "--out", "y"])
    assert "argument --mean: must be numbers with commas between, got 1,x" in capsys.readouterr().err
