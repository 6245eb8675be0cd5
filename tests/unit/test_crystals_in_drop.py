"""Crystals in the pipeline: where they are searched for, which of them count, and that the score stays as it was."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image as Pillow

from crystal_search.crystal import Crystal
from crystal_search.crystals.boxes import DIRECTIONS, areas, outline_of
from crystal_search.crystals.decoding import BOXES, HEAT, OUTLINES, STRIDE_PX
from crystal_search.crystals.dispensing import DispensingUm
from crystal_search.crystals.told_outlines import AS_GOOD_PX, simplified, with_sides_that_fit, within
from crystal_search.direct.crystal_files import Search, searched
from crystal_search.direct.file_scales import FileScales
from crystal_search.direct.scored_files import Scored, row
from crystal_search.errors import ModelError, ModelMismatchError
from crystal_search.geometry import Box
from crystal_search.images import normalised, picture_file, to_grey
from crystal_search.inference import Maps
from crystal_search.model import default_model, default_models_folder, read_model
from crystal_search.model_card import ClassifierCard, CrystalCard, DropCard
from crystal_search.result import ImageResult, ImageScore, image_result_to_json
from crystal_search.result_crystals import (
    LEAST_SIDE_PX,
    MAX_CORNERS,
    MAX_CRYSTALS,
    MAX_UNCOUNTED,
    is_convex,
    plain_crystals,
    rounded,
    uncounted_of,
)
from crystal_search.result_reader import image_result_from_json
from crystal_search.scoring.chops_around import ChopsAround, chops_around
from crystal_search.scoring.crystals_in_drop import crystals_in_drop, is_searched
from crystal_search.scoring.looking import scored_chops
from crystal_search.scoring.pipeline import Models, loaded, score_data, score_image
from crystal_search.scoring.ranking import group_columns
from crystal_search.unet_drop.locate import LocatedDrop, locate_drop
from crystal_search.work_unit import Parameters
from tests.tiny_detector import tiny_card, tiny_detector
from tests.unit.builders import CRYSTALS, crystal_score
from tests.unit.test_classify import DropNetwork, SpotNetwork, classifier, well_image

HEIGHT_PX, WIDTH_PX = 800, 1024  #: of `well_image` as it is stored; it is half as large decoded


class CellDetector:
    """A detector that finds a crystal in each of some cells, the first the most probable, and counts how often."""

    def __init__(self, *cells: tuple[int, int], working_width_px: int = 512) -> None:
        self.card = replace(tiny_card(working_width_px=working_width_px), margin_px=32)
        self.cells = cells
        self.asked = 0

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return self.maps(batch)[HEAT]

    def maps(self, batch: NDArray[np.float32]) -> Maps:
        self.asked += 1
        rows, columns = (side // STRIDE_PX for side in batch.shape[2:])
        maps = {output.name: np.zeros((1, output.channels, rows, columns), np.float32) for output in self.card.outputs}
        maps[HEAT][:] = -9
        for number, cell in enumerate(self.cells):
            maps[HEAT][(0, 0, *cell)] = 5 - 0.01 * number
        maps[BOXES][0, 2], maps[BOXES][0, 3] = np.log(8), np.log(4)
        maps[BOXES][0, 4] = 1
        maps[OUTLINES][:] = np.log(3)
        assert {name: each.shape[1] for name, each in maps.items()}[OUTLINES] == DIRECTIONS
        return maps


def models(detector: CellDetector | None) -> Models:
    network = SpotNetwork(replace(classifier().card, working_width_px=512, normalisation="centred-1"))
    return Models(network, DropNetwork(), None, detector)


def asked(crystals_from: float = 0.0, **other: object) -> Parameters:
    return replace(Parameters(crystals_from=crystals_from), **other)  # type: ignore[arg-type]


# The dark drop of `well_image` covers rows 100 to 300 and columns 150 to 350 of it, cells 25 to 75 and 37 to 87.
INSIDE, CORNER, OUTSIDE = (50, 60), (27, 40), (10, 10)


def test_the_score_stays_as_it_is() -> None:
    alone = score_image(well_image(drop=True), models(None), asked())
    both = score_image(well_image(drop=True), models(CellDetector(INSIDE)), asked())
    assert alone.crystals is None
    assert replace(both, crystals=None, uncounted=None, seconds={}) == replace(alone, seconds={})
    assert both.seconds.keys() == alone.seconds.keys() | {"crystals"}


def test_what_is_found_lies_in_stored_pixels() -> None:
    (found,) = score_image(well_image(drop=True), models(CellDetector(INSIDE)), asked()).crystals or ()
    assert (found.row, found.column) == (2 * (4 * 50 + 2), 2 * (4 * 60 + 2))
    assert (found.long_px, found.short_px, found.angle_rad) == (16.0, 8.0, 0.0)
    assert found == rounded(found)


def test_only_what_has_its_centre_in_the_drop_counts() -> None:
    found = score_image(well_image(drop=True), models(CellDetector(OUTSIDE, INSIDE, CORNER)), asked()).crystals
    assert found
    assert [(each.row, each.column) for each in found] == [(404, 484), (220, 324)]
    assert [each.probability for each in found] == sorted((each.probability for each in found), reverse=True)


def test_a_file_is_looked_at_in_its_drop_and_what_lies_beside_that_is_not_dispensed_onto(tmp_path: Path) -> None:
    paths = tmp_path / "well.png", tmp_path / "dry.png"
    for path, drop in zip(paths, (True, False), strict=True):
        path.write_bytes(picture_file(Pillow.fromarray(well_image(drop=drop).colour)))
    rule = DispensingUm(least_um=1, most=1)
    everywhere = Search(
        network=CellDetector(OUTSIDE, INSIDE), scales=FileScales(told=1.0), dispensing=rule, drop=DropNetwork()
    )
    in_drop = replace(everywhere, classifier=models(None).classifier, crystals_from=0.0)
    found, counted, dry = searched(paths[0], everywhere), searched(paths[0], in_drop), searched(paths[1], in_drop)
    assert (len(found.crystals), len(counted.crystals)) == (2, 1)
    assert counted.dispense == found.dispense
    assert counted.dispense
    assert counted.dispense.best
    assert np.isfinite(counted.dispense.best.to_crystal_px)
    assert (dry.crystals, dry.none_because, dry.error) == ((), "no drop was found to look in", None)
    for sure in (replace(in_drop, crystals_from=1.0), replace(in_drop, least_probability=1.0)):
        doubtful = searched(paths[0], sure)
        assert (doubtful.crystals, doubtful.dispense) == ((), found.dispense)


def test_nothing_found_is_not_the_same_as_not_searched() -> None:
    score = score_image(well_image(drop=True), models(CellDetector(OUTSIDE)), asked())
    assert score.crystals == ()
    (peak, *_) = score.group_peaks
    detector = CellDetector(INSIDE)
    not_searched = score_image(well_image(drop=True), models(detector), asked(np.nextafter(peak, 1)))
    assert (not_searched.crystals, detector.asked) == (None, 0)
    assert "crystals" not in not_searched.seconds
    assert score_image(well_image(drop=True), models(detector), asked(peak)).crystals is not None
    assert detector.asked == 1


def test_an_image_without_a_drop_is_searched_only_where_it_is_scored_as_a_whole() -> None:
    detector = CellDetector(OUTSIDE)
    assert score_image(well_image(drop=False), models(detector), asked()).crystals is None
    assert detector.asked == 0
    whole = score_image(well_image(drop=False), models(detector), asked(no_drop="whole_image"))
    assert whole.drop is None
    assert whole.crystals
    assert [(each.row, each.column) for each in whole.crystals] == [(84, 84)]


def test_an_image_that_cannot_be_read_has_none() -> None:
    score, _ = score_data(b"no picture", models(CellDetector(INSIDE)), asked())
    assert (score.crystals, bool(score.error)) == (None, True)


def test_no_more_are_told_than_a_result_holds() -> None:
    cells = [(row, column) for row in range(27, 75, 4) for column in range(40, 86, 4)]
    assert len(cells) > MAX_CRYSTALS
    found = score_image(well_image(drop=True), models(CellDetector(*cells)), asked()).crystals
    assert found
    assert len(found) == MAX_CRYSTALS
    assert (found[0].row, found[0].column) == (2 * (4 * 27 + 2), 2 * (4 * 40 + 2))


def test_every_part_of_a_drop_counts() -> None:
    mask = np.zeros((100, 128), np.bool_)
    mask[20:40, 20:40] = mask[70:80, 90:100] = True
    drop = LocatedDrop(mask, Box(20, 20, 80, 100), ((20, 20), (20, 40), (40, 40)))
    cells = (30, 30), (75, 95), (50, 60)
    anywhere = ChopsAround(np.zeros((1, 2)), 1.0, np.zeros(1))
    found = crystals_in_drop(well_image(drop=True), CellDetector(*cells), drop, anywhere, crystals_from=0.0)
    assert [(each.row, each.column) for each in found.crystals] == [(244, 244), (604, 764)]


def test_crystals_count_where_the_chops_around_them_speak_for_some() -> None:
    cells = (30, 30), (30, 70), (70, 30)
    middles = np.array([[244.0, 200.0], [244.0, 288.0], [244.0, 564.0], [500.0, 244.0]])
    chops = ChopsAround(middles, 64.0, np.array([0.9, 0.5, 0.6, 0.8]))
    for least, expected in ((0.6, [(244, 244), (244, 564), (564, 244)]), (0.65, [(244, 244), (564, 244)]), (0.9, [])):
        found = crystals_in_drop(well_image(drop=True), CellDetector(*cells), None, chops, crystals_from=least)
        assert [(each.row, each.column) for each in found.crystals] == expected
        told = {(each.row, each.column) for each in found.uncounted}
        assert told == {(244, 244), (244, 564), (564, 244)} - set(expected)


def test_the_pipeline_asks_the_chops_around_each_crystal() -> None:
    image = well_image(drop=True)
    image.colour[230:290, 280:340] = 255
    networks = models(CellDetector(CORNER, (65, 77)))
    grey = to_grey(image.colour)
    drop = locate_drop(grey, networks.drop)
    chops = scored_chops(normalised(grey, "centred-1"), drop, networks.classifier, asked())
    around = chops_around(chops.boxes, chops.probabilities, scale=2.0)
    far, near = around.speak_for_crystals(220, 324), around.speak_for_crystals(524, 620)
    assert far < near
    for least, expected in ((far, [(220, 324), (524, 620)]), ((far + near) / 2, [(524, 620)])):
        found = score_image(image, networks, asked(least)).crystals
        assert found
        assert [(each.row, each.column) for each in found] == expected


def test_what_does_not_count_is_told_where_it_may_reach_into_the_drop() -> None:
    """The drop begins at row 200; crystals are 16 x 8 px, and may reach 9 px far whatever way they lie."""
    mask = np.zeros((100, 128), np.bool_)
    mask[25:75, 37:87] = mask[0:4, 0:4] = True
    drop = LocatedDrop(mask, Box(0, 0, 75, 87), ((25, 37), (25, 87), (75, 87), (75, 37)))
    cells = (30, 40), (24, 60), (23, 70), (50, 60), (50, 87), (60, 88), (1, 1)
    nowhere = ChopsAround(np.zeros((1, 2)), 1.0, np.zeros(1))
    found = crystals_in_drop(well_image(drop=True), CellDetector(*cells), drop, nowhere, crystals_from=0.5)
    assert found.crystals == ()
    assert [(each.row, each.column) for each in found.uncounted] == [(244, 324), (196, 484), (404, 484), (404, 700)]
    without = crystals_in_drop(well_image(drop=False), CellDetector(*cells), None, nowhere, crystals_from=0.5)
    assert len(without.uncounted) == len(cells)


def test_what_is_too_improbable_to_count_is_told_and_changes_nothing_in_what_counts() -> None:
    """The second cell beside the first one is a crystal of 0.992 that the card of a shy detector does not count."""
    sure, shy = CellDetector(INSIDE, CORNER), CellDetector(INSIDE, CORNER)
    shy.card = replace(shy.card, least_in_drops=0.99325)
    both, one = (score_image(well_image(drop=True), models(each), asked()) for each in (sure, shy))
    assert both.crystals
    assert one.crystals == both.crystals[:1]
    assert one.uncounted == (uncounted_of(both.crystals[1]),)
    assert both.uncounted == ()
    nothing = score_image(well_image(drop=True), models(CellDetector()), asked())
    assert (nothing.crystals, nothing.uncounted) == ((), ())
    unsearched = score_image(well_image(drop=True), models(sure), asked(np.nextafter(both.group_peaks[0], 1)))
    assert (unsearched.crystals, unsearched.uncounted) == (None, None)


def test_no_more_that_do_not_count_are_told_than_a_result_holds() -> None:
    cells = [(row, column) for row in range(27, 75, 4) for column in range(40, 86, 4)]
    detector = CellDetector(*cells)
    detector.card = replace(detector.card, least_in_drops=1.0)
    found = score_image(well_image(drop=True), models(detector), asked())
    assert found.crystals == ()
    assert found.uncounted
    assert len(found.uncounted) == MAX_UNCOUNTED < len(cells)
    assert (found.uncounted[0].row, found.uncounted[0].column) == (2 * (4 * 27 + 2), 2 * (4 * 40 + 2))


@given(
    boxes=st.lists(st.tuples(st.integers(0, 900), st.integers(0, 900)), min_size=1, max_size=20),
    seed=st.integers(0, 2**32 - 1),
    place=st.tuples(st.floats(-100, 2000), st.floats(-100, 2000)),
)
def test_no_place_speaks_more_for_crystals_than_the_best_chop(
    boxes: list[tuple[int, int]], seed: int, place: tuple[float, float]
) -> None:
    shares = np.random.default_rng(seed).dirichlet(np.full(13, 0.3), len(boxes))
    around = chops_around([Box(row, column, row + 256, column + 256) for row, column in boxes], shares, 2.0)
    peak = group_columns(shares)[:, 0].max()
    assert shares[:, :3].sum(axis=1).min() - 1e-9 <= around.speak_for_crystals(*place) <= peak + 1e-9


@pytest.mark.parametrize(("peaks", "least", "searched"), [((), 0.0, False), ((0.3, 1, 1, 1), 0.3, True)])
def test_where_nothing_was_scored_nothing_is_searched(peaks: tuple[float, ...], least: float, searched: bool) -> None:
    assert is_searched(ImageScore(height_px=1, width_px=1, group_peaks=peaks), least) is searched


def test_a_detector_that_sees_more_has_images_decoded_wider() -> None:
    assert models(CellDetector()).decode_width_px == models(None).decode_width_px == 512
    assert models(CellDetector(working_width_px=2000)).decode_width_px == 2000


# Loading


def test_a_detector_is_loaded_by_its_role(tmp_path: Path) -> None:
    given = [default_model(ClassifierCard), default_model(DropCard), read_model(tiny_detector(tmp_path))]
    networks = loaded(given)
    assert networks.crystals
    assert (networks.crystals.card.name, networks.image) == ("tiny-crystals", None)
    with pytest.raises(ModelMismatchError, match="expected one classifier and one drop locator, got tiny-crystals"):
        loaded(given[2:])
    with pytest.raises(ModelMismatchError, match=r"got .*tiny-crystals \(crystal detector\), tiny-crystals"):
        loaded([*given, given[2]])


def test_it_belongs_to_the_models_of_a_folder_that_has_one(tmp_path: Path) -> None:
    tiny_detector(tmp_path)
    assert default_model(CrystalCard, tmp_path).card.name == "tiny-crystals"
    with pytest.raises(ModelError):
        default_model(CrystalCard, default_models_folder() / "nowhere")


# Outlines


@st.composite
def found_crystals(draw: st.DrawFn) -> Crystal:
    """Return a crystal as a detector tells it, anywhere in an image of 800 x 1024 px, as large as may be."""
    reach = np.array(draw(st.lists(st.floats(0.5, 1500), min_size=DIRECTIONS, max_size=DIRECTIONS)))
    place = draw(st.floats(0, HEIGHT_PX)), draw(st.floats(0, WIDTH_PX))
    outline = outline_of(reach, np.array(place))
    return Crystal(
        probability=0.5,
        row=place[0],
        column=place[1],
        long_px=draw(st.floats(0.001, 9000)),
        short_px=0.001,
        angle_rad=draw(st.floats(0, np.pi, exclude_max=True)),
        outline=tuple((float(row), float(column)) for row, column in outline),
    )


@given(crystal=found_crystals())
def test_whatever_is_found_becomes_what_the_reader_takes(crystal: Crystal) -> None:
    told = rounded(within(crystal, HEIGHT_PX, WIDTH_PX))
    score = replace(crystal_score(), height_px=HEIGHT_PX, width_px=WIDTH_PX, drop=None)
    score = replace(score, crystals=(told,), uncounted=(uncounted_of(told),))
    result = ImageResult(id="1", sha256="a" * 64, score=score)
    assert image_result_from_json(image_result_to_json(result).encode()) == result


@given(crystal=found_crystals())
def test_a_crystal_that_does_not_count_is_told_as_one_whose_outline_was_cut_off_at_the_image(crystal: Crystal) -> None:
    told = uncounted_of(with_sides_that_fit(crystal, HEIGHT_PX, WIDTH_PX))
    assert told == uncounted_of(within(crystal, HEIGHT_PX, WIDTH_PX))
    assert max(told.long_px, told.short_px) <= np.hypot(HEIGHT_PX, WIDTH_PX) + 0.1
    assert min(told.long_px, told.short_px) >= LEAST_SIDE_PX


@given(reach=st.lists(st.floats(5, 50), min_size=DIRECTIONS, max_size=DIRECTIONS))
def test_an_outline_of_fewer_corners_lies_in_the_whole_one_and_loses_little(reach: list[float]) -> None:
    whole = outline_of(np.array(reach), np.zeros(2))
    fewer = simplified(whole)
    assert 3 <= len(fewer) <= min(MAX_CORNERS, len(whole))
    assert {tuple(each) for each in fewer.tolist()} <= {tuple(each) for each in whole.tolist()}
    assert is_convex(tuple((row, column) for row, column in fewer.tolist()))
    around = np.hypot(*(np.roll(whole, -1, axis=0) - whole).T).sum()
    assert 0 <= areas(whole[None])[0] - areas(fewer[None])[0] <= 2 * AS_GOOD_PX * around


def test_corners_on_a_straight_line_are_left_out() -> None:
    square = np.array([(0, 0), (0, 5), (0, 10), (10, 10), (10, 0), (5, 0.2)], np.float64)
    assert simplified(square).tolist() == [[0, 0], [0, 10], [10, 10], [10, 0]]


# In tables


def test_the_table_of_scores_counts_them() -> None:
    score = replace(crystal_score(), crystals=CRYSTALS)
    scored = Scored(path=Path("a.jpg"), score=score, peaks=score.group_peaks, model="m", seconds=0.0, um_per_px=2.0)
    told = row(scored)
    assert (told["crystals_found"], told["longest_px"], told["longest_um"]) == (2, 40.0, 80.0)
    none = row(replace(scored, score=replace(score, crystals=())))
    assert (none["crystals_found"], none["longest_px"], none["longest_um"]) == (0, None, None)
    not_searched = row(replace(scored, score=crystal_score(), um_per_px=None))
    assert (not_searched["crystals_found"], not_searched["longest_px"]) == (None, None)


def test_they_are_plain_in_json() -> None:
    assert json.loads(json.dumps(plain_crystals(CRYSTALS)))[0]["long_px"] == 40.0
