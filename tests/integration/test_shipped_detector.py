"""The crystal detectors that come with the program: what they are, what they find, and which is asked where."""

import argparse
import csv
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pillow

from crystal_search.crystals.boxes import overlaps
from crystal_search.crystals.finding import find_crystals
from crystal_search.direct import crystals_command
from crystal_search.direct.as_installed import Installed
from crystal_search.direct.asked_detector import asked_detector
from crystal_search.exit_codes import OK
from crystal_search.images import DecodedImage, decode, picture_file
from crystal_search.inference import Network, OnnxNetwork
from crystal_search.main import main
from crystal_search.model import FOR_DROPS, Model, default_models, default_models_folder
from crystal_search.model_card import CrystalCard
from crystal_search.named_models import named_model
from crystal_search.synthesis.suspension.scene import Settings, suspension_images
from tests.unit.crystal_dataset import write_crystals

Seen = tuple[bytes, NDArray[np.float64]]
FIRST = 20_000  #: of rendered suspensions that nothing was trained or chosen on


@pytest.fixture(scope="module", params=[None, FOR_DROPS])
def model(request: pytest.FixtureRequest) -> Model[CrystalCard]:
    return named_model(request.param, CrystalCard)


@pytest.fixture(scope="module")
def seen() -> Seen:
    """Return a suspension as a PNG, and the boxes of the crystals that can be seen in it."""
    made = next(suspension_images("test", FIRST, 1, settings=Settings(noise=False, fewest=20, most=40)))
    boxes = made.crystals.boxes[made.crystals.image == 0].numpy()
    return picture_file(Pillow.fromarray(made.images[0].numpy())), boxes


def test_its_card_says_what_it_learnt_from_and_how_well_it_does(model: Model[CrystalCard]) -> None:
    assert model.card.name in ("dense-crystals-3", "drop-crystals-1")
    assert "rendered" in model.card.training_data
    assert model.card.training_command
    judged_on = {each.data.split(" (")[0] for each in model.card.measured}
    assert judged_on == {"rendered suspensions", "rendered suspensions, no noise", "rendered wells with crystals"}
    assert len(model.onnx) < 7_000_000


def test_it_finds_most_crystals_of_a_suspension(model: Model[CrystalCard], seen: Seen) -> None:
    content, boxes = seen
    found = np.array([each.box for each in find_crystals(decode(content), OnnxNetwork(model))])
    pairs = overlaps(np.repeat(boxes, len(found), axis=0), np.tile(found, (len(boxes), 1)))
    met = pairs.reshape(len(boxes), len(found)) > 0.5
    assert met.any(axis=1).mean() > 0.7
    assert met.any(axis=0).mean() > 0.7


def test_nothing_is_found_in_a_field_without_anything(model: Model[CrystalCard]) -> None:
    grey = np.random.default_rng(0).normal(150, 2, (384, 384, 1)).repeat(3, axis=2)
    image = DecodedImage(np.clip(grey, 0, 255).astype(np.uint8), height_px=384, width_px=384)
    assert not find_crystals(image, OnnxNetwork(model))


def test_it_is_asked_where_no_other_is_named(seen: Seen, tmp_path: Path) -> None:
    (tmp_path / "suspension.png").write_bytes(seen[0])
    assert main(["crystals", str(tmp_path / "suspension.png"), "--csv", str(tmp_path / "found.csv")]) == OK
    with (tmp_path / "found.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) > 10


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ((), "dense-crystals-3"),
        (("--in-drops",), FOR_DROPS),
        (("--dispense", "places.csv", "--um-per-px", "1"), FOR_DROPS),
        (("--in-drops", "--detector", "dense-crystals-3"), "dense-crystals-3"),
    ],
)
def test_that_for_drops_is_asked_where_drops_are_unless_another_is_named(
    options: tuple[str, ...], asked: str, seen: Seen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("suspension.png").write_bytes(seen[0])
    cards = []

    def noted(arguments: argparse.Namespace, installed: Installed, *, drops: bool) -> Network[CrystalCard]:
        network = asked_detector(arguments, installed, drops=drops)
        cards.append(network.card.name)
        return network

    monkeypatch.setattr(crystals_command, "asked_detector", noted)
    assert main(["crystals", "suspension.png", "--csv", "found.csv", *options]) == OK
    assert cards == [asked]


def test_no_client_runs_it_unasked() -> None:
    assert [each.card.role for each in default_models(default_models_folder())] == ["classifier", "drop"]


def test_a_training_may_begin_with_it(tmp_path: Path) -> None:
    words = ["--data", str(write_crystals(tmp_path)), "--out", str(tmp_path / "run"), "--side", "64"]
    assert main(["train", "crystals", *words, "--start-from", "shipped", "--steps", "1", "--batch-size", "2"]) == OK
