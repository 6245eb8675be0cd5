import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from crystal_search.card_file import card_to_json
from crystal_search.chopper.tiling import grid_over
from crystal_search.class_schemes import SCHEMES
from crystal_search.geometry import Box
from crystal_search.images import DecodedImage
from crystal_search.inference import Maps, OnnxNetwork
from crystal_search.model import Model, in_role, read_model, sha256_of
from crystal_search.model_card import LOGITS, ClassifierCard, DropCard, Output
from crystal_search.outcomes import OUTCOME_NAMES
from crystal_search.result import BestChop, DropRegion, ImageScore, RankedScore, write_result
from crystal_search.result_reader import read_result
from crystal_search.scoring.classify import dense_answers, probabilities, windowed_answers
from crystal_search.scoring.overlay import overlay_jpeg
from crystal_search.scoring.pipeline import Models, score_image
from crystal_search.work_unit import Parameters
from tests.unit.builders import card, packed, result_for

SIDE, STRIDE, CELLS = 64, 16, 4


class BrightnessNetwork:
    """An unpadded network made by hand: class k of a cell is its mean brightness times k."""

    def __init__(self, found: ClassifierCard) -> None:
        self.card = found

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        count, _, height, width = batch.shape
        rows, columns = height // STRIDE, width // STRIDE
        blocks = batch[:, 0, : rows * STRIDE, : columns * STRIDE]
        means = blocks.reshape(count, rows, STRIDE, columns, STRIDE).mean(axis=(2, 4))
        weights = np.arange(len(self.card.classes), dtype=np.float32)
        return np.asarray(means[:, None] * weights[None, :, None, None], dtype=np.float32)

    def maps(self, batch: NDArray[np.float32]) -> Maps:
        return {LOGITS: self.logits(batch)}


class SpotNetwork(BrightnessNetwork):
    """A network that calls a cell a harvestable crystal if it is brighter than what surrounds it, else clear."""

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        brightness = super().logits(batch)[:, 1]
        maps = np.zeros((len(batch), 13, *brightness.shape[1:]), np.float32)
        maps[:, 0] = 40 * np.maximum(brightness, 0)
        maps[:, 10] = 5
        return maps


class DropNetwork:
    """A drop locator made by hand: what is dark is drop."""

    def __init__(self) -> None:
        self.card = DropCard(
            name="by-hand",
            file="by-hand.onnx",
            sha256="0" * 64,
            architecture="none",
            outputs=(Output(classes=("drop",)),),
            working_width_px=256,
            normalisation="centred-1",
            side_multiple_px=16,
        )

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.where(batch < -0.5, 9.0, -9.0).astype(np.float32)

    def maps(self, batch: NDArray[np.float32]) -> Maps:
        return {LOGITS: self.logits(batch)}


def classifier() -> BrightnessNetwork:
    maps = (Output(classes=OUTCOME_NAMES, stride_px=STRIDE),)
    return BrightnessNetwork(replace(card(), side_px=SIDE, outputs=maps, chop_stride_px=32, temperature=1.0))


@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_dense_and_windowed_scoring_give_the_same(data: st.DataObject) -> None:
    network = classifier()
    height, width = data.draw(st.integers(20, 300)), data.draw(st.integers(20, 300))
    top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    box = Box(top, left, data.draw(st.integers(top + 1, height)), data.draw(st.integers(left + 1, width)))
    stride = data.draw(st.sampled_from([16, 32, 48, 64]))
    view = np.random.default_rng(1).normal(size=(height, width)).astype(np.float32)
    grid = grid_over(box, image_height=height, image_width=width, side_px=SIDE, stride_px=stride)
    kept = data.draw(st.sets(st.integers(0, grid.rows * grid.columns - 1)).map(sorted))
    dense, windowed = (answers(view, grid, kept, network).logits for answers in (dense_answers, windowed_answers))
    assert dense.shape == windowed.shape == (len(kept), 13)
    assert np.abs(dense - windowed).max(initial=0) < 1e-5


def test_dense_scoring_refuses_what_would_not_be_exact() -> None:
    network = classifier()
    view = np.zeros((200, 200), np.float32)
    grid = grid_over(Box(0, 0, 200, 200), image_height=200, image_width=200, side_px=SIDE, stride_px=50)
    with pytest.raises(ValueError, match="windowed"):
        dense_answers(view, grid, [], network)
    padded = BrightnessNetwork(replace(network.card, padded=True))
    with pytest.raises(ValueError, match="windowed"):
        dense_answers(view, grid._replace(stride_px=32), [], padded)


def test_probabilities_do_not_overflow_and_cool_with_temperature() -> None:
    rows = probabilities(np.array([[1000.0, 0.0], [2.0, 0.0]]), 1.0)
    assert rows[0].tolist() == [1.0, 0.0]
    assert probabilities(np.array([[2.0, 0.0]]), 4.0)[0, 0] < rows[1, 0]
    assert np.allclose(rows.sum(axis=1), 1)


def well_image(*, drop: bool) -> DecodedImage:
    """Return a bright picture of 512 x 400 px, stored twice as large, with a dark square drop or none."""
    grey = np.full((400, 512), 200, np.uint8)
    if drop:
        grey[100:300, 150:350] = 60
    return DecodedImage(np.repeat(grey[:, :, None], 3, axis=2), 800, 1024)


def test_the_best_chop_lies_on_what_it_speaks_of() -> None:
    """A bright spot in the drop, at stored, decoded and working widths that all differ."""
    image = well_image(drop=True)
    image.colour[230:246, 180:196] = 255
    network = SpotNetwork(replace(classifier().card, working_width_px=768))
    score = score_image(image, Models(network, DropNetwork()), Parameters(best_chops=1))
    (chop,) = score.best_chops
    assert chop.outcome == "crystal_harvestable"
    assert chop.box.top <= 460
    assert chop.box.bottom >= 492
    assert chop.box.left <= 360
    assert chop.box.right >= 392
    assert chop.box.height == pytest.approx(SIDE * 1024 / 768, abs=2)


@pytest.mark.parametrize("scoring", ["dense", "windowed"])
def test_positions_are_in_stored_pixels(scoring: str) -> None:
    parameters = Parameters(scoring="dense" if scoring == "dense" else "windowed", best_chops=3)
    score = score_image(well_image(drop=True), Models(classifier(), DropNetwork()), parameters)
    assert score.drop is not None
    assert score.drop.box == Box(200, 300, 600, 700)
    assert score.score is not None
    assert len(score.best_chops) <= 3
    assert all(chop.box == chop.box.clipped(800, 1024) for chop in score.best_chops)
    assert sum(score.class_probabilities) == pytest.approx(1)


def test_a_network_that_pads_is_scored_chop_by_chop() -> None:
    padded = BrightnessNetwork(replace(classifier().card, padded=True))
    found = score_image(well_image(drop=True), Models(padded, DropNetwork()), Parameters(scoring="dense"))
    expected = score_image(well_image(drop=True), Models(classifier(), DropNetwork()), Parameters(scoring="windowed"))
    assert replace(found, seconds={}) == replace(expected, seconds={})


def test_without_a_drop_there_is_no_score_unless_the_whole_image_is_asked_for() -> None:
    models = Models(classifier(), DropNetwork())
    nothing = score_image(well_image(drop=False), models, Parameters())
    assert (nothing.outcome, nothing.score, nothing.best_chops) == ("no_drop", None, ())
    whole = score_image(well_image(drop=False), models, Parameters(no_drop="whole_image"))
    assert whole.drop is None
    assert whole.score is not None
    assert whole.chops > nothing.chops


def classifier_file(folder: Path, classes: tuple[str, ...]) -> Model[ClassifierCard]:
    """Return an ONNX classifier made by hand: bright cells of 16 px are of the first class, dark ones of the last."""
    steep = np.zeros((len(classes), 1, STRIDE, STRIDE), np.float32)
    steep[0], steep[-1] = 200 / STRIDE**2, -200 / STRIDE**2
    shape: list[str | int | None] = ["images", 1, "rows", "columns"]
    node = helper.make_node("Conv", ["images", "weights", "bias"], ["logits"], strides=[STRIDE, STRIDE])
    graph = helper.make_graph(
        [node],
        "by-hand",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["images", len(classes), "h", "w"])],
        [numpy_helper.from_array(steep, "weights"), numpy_helper.from_array(np.zeros(len(classes), "f4"), "bias")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (folder / "coarse.onnx").write_bytes(model.SerializeToString())
    described = replace(
        classifier().card,
        outputs=(Output(classes=classes, stride_px=STRIDE),),
        file="coarse.onnx",
        sha256=sha256_of(model.SerializeToString()),
        working_width_px=512,
    )
    (folder / "coarse.card.json").write_text(card_to_json(described))
    return in_role(read_model(folder / "coarse.card.json"), ClassifierCard)


@pytest.mark.parametrize("scheme", ["groups-5", "groups-4"])
@pytest.mark.parametrize(("brightness", "outcome"), [(255, "crystal_harvestable"), (0, "clear")])
def test_a_coarser_classifier_scores_wells_from_its_file_to_the_result_s(
    tmp_path: Path, scheme: str, brightness: int, outcome: str
) -> None:
    unit = packed(tmp_path / "unit.zip", images=1)
    image = well_image(drop=True)
    image.colour[160:240, 210:290] = brightness
    coarse = OnnxNetwork(classifier_file(tmp_path, SCHEMES[scheme].class_names))
    score = score_image(image, Models(coarse, DropNetwork()), Parameters(best_chops=2))
    written = result_for(unit)
    write_result(replace(written, images=(replace(written.images[0], score=score),)), tmp_path)
    found = read_result(tmp_path / "result.json", unit).images[0].score
    assert found.score == RankedScore(outcome=outcome, probability=1.0, above_threshold=True)
    assert len(found.class_probabilities) == 13
    known = {each.outcome for each in SCHEMES[scheme].classes}
    assert {name for name, share in zip(OUTCOME_NAMES, found.class_probabilities, strict=True) if share} <= known
    # "groups-5" has a rim, which counts as clear but is no outcome of a whole image.
    assert found.best_chops[0].outcome == ("rim" if (scheme, outcome) == ("groups-5", "clear") else outcome)


def test_an_overlay_shows_the_drop_with_frames_in_the_outcome_s_colour() -> None:
    chop = BestChop(box=Box(220, 320, 480, 580), outcome="crystal_harvestable", probability=0.97)
    score = ImageScore(
        height_px=800,
        width_px=1024,
        drop=DropRegion(box=Box(200, 300, 600, 700), area_fraction=0.2, outline=((200, 300), (200, 700), (600, 700))),
        score=RankedScore(outcome="crystal_harvestable", probability=0.97, above_threshold=True),
        class_probabilities=tuple(1.0 if name == "clear" else 0.0 for name in OUTCOME_NAMES),
        group_peaks=(0.97, 0, 0, 1.0),
        best_chops=(chop,),
    )
    picture = np.asarray(Image.open(io.BytesIO(overlay_jpeg(well_image(drop=True), score)))).astype(int)
    assert picture.shape[:2] == (200 + 2 * 24, 200 + 2 * 24)
    frame_row, frame_column = 110 - (100 - 24) + 2, 220 - (150 - 24)
    red, green, blue = picture[frame_row, frame_column]
    assert red > green + 80
    assert red > blue + 80
