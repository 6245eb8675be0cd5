"""What two hosts must agree on: each field that people see, within what honest hosts differ by."""

from collections.abc import Callable
from dataclasses import fields, replace
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.bench_quorum import demo_images, on_another_host
from crystal_search.crystal import Crystal, Uncounted
from crystal_search.features import packed as packed_features
from crystal_search.geometry import Box
from crystal_search.inference import OnnxNetwork
from crystal_search.model import Model, default_model, default_models_folder
from crystal_search.model_card import ClassifierCard, DropCard
from crystal_search.result import BestChop, DropRegion, ImageResult, ImageScore, RankedScore, Result
from crystal_search.scoring.pipeline import Models, score_data
from crystal_search.server.engines.boinc.agreement import disagreement, score_disagreement
from crystal_search.server.engines.boinc.crystal_agreement import Tolerance
from crystal_search.work_unit import Parameters
from tests.unit.builders import CRYSTALS, UNCOUNTED, crystal_score, packed, result_for

TOLERANCE = Tolerance(probability=0.02)
SQUARE = ((20, 30), (20, 220), (180, 220), (180, 30))


def chop(top: int, left: int, probability: float = 0.97, outcome: str = "crystal_harvestable") -> BestChop:
    return BestChop(box=Box(top, left, top + 64, left + 64), outcome=outcome, probability=probability)


CHOPS = (chop(20, 30), chop(20, 130, 0.96), chop(110, 30, 0.9, "crystal_bad_form"))
REGION = DropRegion(box=Box(20, 30, 180, 220), area_fraction=0.5, outline=SQUARE)
FEATURES = np.array([0.0, 0.5, 1.0, 8.0])
FOUND = replace(crystal_score(), drop=REGION, best_chops=CHOPS, packed_features=packed_features(FEATURES))
FOUND = replace(FOUND, crystals=CRYSTALS, uncounted=UNCOUNTED)


def changed(**changes: Any) -> ImageScore:
    return replace(FOUND, **changes)


def with_drop(**changes: Any) -> ImageScore:
    return replace(FOUND, drop=replace(REGION, **changes))


def with_score(**changes: Any) -> ImageScore:
    return replace(FOUND, score=replace(FOUND.score, **changes)) if FOUND.score else FOUND


def with_chop(number: int, **changes: Any) -> ImageScore:
    chops = list(CHOPS)
    chops[number] = replace(chops[number], **changes)
    return replace(FOUND, best_chops=tuple(chops))


def with_crystal(number: int, **changes: Any) -> ImageScore:
    crystals = list(CRYSTALS)
    crystals[number] = replace(crystals[number], **changes)
    return replace(FOUND, crystals=tuple(crystals))


def with_uncounted(number: int, **changes: Any) -> ImageScore:
    uncounted = list(UNCOUNTED)
    uncounted[number] = replace(uncounted[number], **changes)
    return replace(FOUND, uncounted=tuple(uncounted))


def moved(numbers: tuple[float, ...], by: float) -> tuple[float, ...]:
    return (numbers[0] - by, numbers[1] + by, *numbers[2:])


#: One change, or several, of each field of a score; none may pass.
OF_SCORES: dict[str, list[ImageScore]] = {
    "height_px": [changed(height_px=201)],
    "width_px": [changed(width_px=512)],
    "error": [changed(error="cut off")],
    "drop": [changed(drop=None)],
    "drop.box": [with_drop(box=REGION.box._replace(**{edge: getattr(REGION.box, edge) + 5})) for edge in Box._fields],
    "drop.area_fraction": [with_drop(area_fraction=0.45), with_drop(area_fraction=0.56)],
    "drop.outline": [
        with_drop(outline=()),
        with_drop(outline=SQUARE[:3]),
        with_drop(outline=((20, 30), (180, 220), (20, 220), (180, 30))),
        with_drop(outline=(*SQUARE, (100, 100))),
        with_drop(outline=((28, 30), *SQUARE[1:])),
    ],
    "score": [changed(score=None)],
    "score.outcome": [with_score(outcome="crystal_bad_form"), with_score(outcome="clear")],
    "score.probability": [changed(group_peaks=moved(FOUND.group_peaks, 0.03))],  # the reader has them agree
    "score.above_threshold": [with_score(above_threshold=False)],
    "class_probabilities": [changed(class_probabilities=moved(FOUND.class_probabilities, 0.03))],
    "group_peaks": [changed(group_peaks=moved(FOUND.group_peaks, 0.03))],
    "best_chops": [changed(best_chops=CHOPS[:2]), changed(best_chops=()), changed(best_chops=(*CHOPS, chop(110, 130)))],
    "best_chops.box": [with_chop(number, box=Box(116, 156, 180, 220)) for number in range(3)],
    "best_chops.outcome": [with_chop(number, outcome="crystal_overnucleated") for number in range(3)],
    "best_chops.probability": [with_chop(number, probability=0.85) for number in range(3)],
    "chops": [changed(chops=20), changed(chops=41)],
    "looks": [changed(looks=1), changed(looks=2)],
    "second_opinion": [changed(second_opinion=FOUND.class_probabilities)],
    "crystals": [
        changed(crystals=None),
        changed(crystals=()),
        changed(crystals=CRYSTALS[:1]),
        changed(crystals=CRYSTALS[1:]),
        changed(crystals=(CRYSTALS[0], CRYSTALS[0])),
        changed(crystals=(*CRYSTALS, CRYSTALS[1])),
    ],
    "crystals.probability": [with_crystal(0, probability=0.85), with_crystal(1, probability=0.55)],
    "crystals.row": [with_crystal(0, row=84.0), with_crystal(1, row=10.0)],
    "crystals.column": [with_crystal(0, column=110.0), with_crystal(1, column=200.0)],
    "crystals.long_px": [with_crystal(0, long_px=52.0), with_crystal(1, long_px=20.0)],
    "crystals.short_px": [with_crystal(0, short_px=14.0), with_crystal(1, short_px=20.0)],
    "crystals.angle_rad": [with_crystal(0, angle_rad=0.3), with_crystal(1, angle_rad=0.7854)],
    "crystals.contrast": [with_crystal(0, contrast=0.3), with_crystal(1, contrast=0.0)],
    "crystals.outline": [
        with_crystal(0, outline=CRYSTALS[1].outline),
        *(with_crystal(number, outline=CRYSTALS[number].outline[:3]) for number in (0, 1)),
        with_crystal(0, outline=((76.0, 80.5), (76.0, 120.5), *CRYSTALS[0].outline[2:])),
    ],
    "uncounted": [
        changed(uncounted=None),
        changed(uncounted=()),
        changed(uncounted=UNCOUNTED[:1]),
        changed(uncounted=UNCOUNTED[1:]),
        changed(uncounted=(*UNCOUNTED, UNCOUNTED[1])),
    ],
    "uncounted.probability": [with_uncounted(0, probability=0.6), with_uncounted(1, probability=0.5)],
    "uncounted.row": [with_uncounted(0, row=64.0), with_uncounted(1, row=19.0)],
    "uncounted.column": [with_uncounted(0, column=206.0), with_uncounted(1, column=126.0)],
    "uncounted.long_px": [with_uncounted(0, long_px=38.0), with_uncounted(1, long_px=12.0)],
    "uncounted.short_px": [with_uncounted(0, short_px=8.0), with_uncounted(1, short_px=6.0)],
    "uncounted.angle_rad": [with_uncounted(0, angle_rad=0.8), with_uncounted(1, angle_rad=2.8)],
    "packed_features": [
        changed(packed_features=b""),
        changed(packed_features=packed_features(FEATURES[:3])),
        changed(packed_features=packed_features(FEATURES + np.array([0, 0, 0.03, 0]))),
        changed(packed_features=packed_features(FEATURES * np.array([1, 1, 1, 1.02]))),
    ],
}
#: What differs between honest hosts, is bounded by the reader, and shown to nobody.
NOT_COMPARED = {"seconds": "wall times"}


@pytest.mark.parametrize("field", OF_SCORES)
def test_a_single_field_that_differs_is_refused(field: str) -> None:
    assert score_disagreement(FOUND, FOUND, TOLERANCE) == ""
    for other in OF_SCORES[field]:
        assert score_disagreement(FOUND, other, TOLERANCE)
        assert score_disagreement(other, FOUND, TOLERANCE)


def test_no_field_of_a_score_is_forgotten() -> None:
    parts = {"drop": DropRegion, "score": RankedScore, "best_chops": BestChop}
    parts |= {"crystals": Crystal, "uncounted": Uncounted}
    named = {each.name for each in fields(ImageScore)}
    named |= {f"{part}.{each.name}" for part, kind in parts.items() for each in fields(kind)}
    assert OF_SCORES.keys() | NOT_COMPARED.keys() == named


def result(tmp_path: Path) -> Result:
    return result_for(packed(tmp_path / "unit.zip"))


#: The same of a result and of each of its images.
OF_RESULTS: dict[str, Callable[[Result], Result]] = {
    "work_unit": lambda one: replace(one, work_unit="demo-2"),
    "models": lambda one: replace(one, models=(replace(one.models[0], sha256="c" * 64), one.models[1])),
    "images": lambda one: replace(one, images=one.images[:1]),
    "images.id": lambda one: replace(one, images=(replace(one.images[0], id="9"), *one.images[1:])),
    "images.sha256": lambda one: replace(one, images=(replace(one.images[0], sha256="c" * 64), *one.images[1:])),
    "images.score": lambda one: replace(one, images=(replace(one.images[0], score=FOUND), *one.images[1:])),
}
#: The program's version is kept nowhere; the reader refuses an overlay that did not come along.
NOT_IN_RESULTS = {"client_version", "images.overlay"}


@pytest.mark.parametrize("field", OF_RESULTS)
def test_results_that_differ_in_a_single_field_are_refused(tmp_path: Path, field: str) -> None:
    one = result(tmp_path)
    other = OF_RESULTS[field](one)
    assert disagreement(one, one, TOLERANCE) == ""
    assert disagreement(one, other, TOLERANCE)
    assert disagreement(other, one, TOLERANCE)


def test_no_field_of_a_result_is_forgotten() -> None:
    named = {each.name for each in fields(Result)} | {f"images.{each.name}" for each in fields(ImageResult)}
    assert OF_RESULTS.keys() | NOT_IN_RESULTS == named


SMALL = st.floats(-1e-4, 1e-4)
PIXEL = st.integers(-1, 1)


@pytest.mark.parametrize(("contrast", "agrees"), [(0.4, True), (0.45, True), (0.5, False), (0.3, False)])
def test_contrasts_differ_little(contrast: float, agrees: bool) -> None:
    one, other = with_crystal(0, contrast=0.4), with_crystal(0, contrast=contrast)
    assert (score_disagreement(one, other, TOLERANCE) == "") is agrees


def told_elsewhere(crystal: Crystal, data: st.DataObject) -> Crystal:
    """Return a crystal as another processor may have told it: all numbers a little off, the angle by half a turn."""
    a_little = st.floats(-0.2, 0.2)
    names = ("row", "column", "long_px", "short_px")
    return replace(
        crystal,
        probability=crystal.probability + data.draw(SMALL),
        angle_rad=(crystal.angle_rad + data.draw(SMALL)) % np.pi,
        outline=tuple((row + data.draw(a_little), column + data.draw(a_little)) for row, column in crystal.outline),
        **{name: getattr(crystal, name) + data.draw(a_little) for name in names},
    )


def test_a_crystal_told_twice_is_another_s_once() -> None:
    twice = changed(crystals=(CRYSTALS[0], CRYSTALS[0], CRYSTALS[1]))
    assert "only one has the crystal 0.90 at (80, 100.5)" in score_disagreement(twice, FOUND, TOLERANCE)


@given(data=st.data())
def test_rounding_a_pixel_and_near_ties_are_no_difference(data: st.DataObject) -> None:
    shares = tuple(share + data.draw(SMALL) for share in FOUND.class_probabilities)
    outline = tuple((row + data.draw(PIXEL), column + data.draw(PIXEL)) for row, column in SQUARE)
    order = data.draw(st.sampled_from(list(permutations(CHOPS))))
    box = Box(*(edge + data.draw(PIXEL) for edge in REGION.box))
    other = replace(
        with_drop(area_fraction=0.5 + data.draw(SMALL), outline=outline, box=box),
        class_probabilities=shares,
        group_peaks=tuple(peak + data.draw(SMALL) for peak in FOUND.group_peaks),
        best_chops=tuple(replace(each, probability=each.probability + data.draw(SMALL)) for each in order),
        packed_features=packed_features(FEATURES + data.draw(st.lists(SMALL, min_size=4, max_size=4))),
        crystals=tuple(data.draw(st.permutations([told_elsewhere(each, data) for each in CRYSTALS]))),
        seconds={"decode": 9.0},
    )
    assert score_disagreement(FOUND, other, TOLERANCE) == ""


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("step", [(0, 12), (12, 0), (-12, 12), (0, 1), (-1, 0)])
def test_a_frame_that_lies_elsewhere_is_refused(number: int, step: tuple[int, int]) -> None:
    """Chops of shipped models lie 12 of 64 px apart; drops of the same box have the same chops."""
    frame = with_chop(number, box=CHOPS[number].box.shifted(*step))
    assert "only one has the best chop" in score_disagreement(FOUND, frame, TOLERANCE)
    assert "only one has the best chop" in score_disagreement(frame, FOUND, TOLERANCE)


@given(rows=st.integers(-12, 12), columns=st.integers(-12, 12))
def test_frames_over_a_drop_whose_box_differs_lie_within_half_a_step(rows: int, columns: int) -> None:
    chops = (replace(CHOPS[0], box=CHOPS[0].box.shifted(rows, columns)), *CHOPS[1:])
    other = replace(with_drop(box=REGION.box._replace(left=31)), best_chops=chops)
    agrees = score_disagreement(FOUND, other, TOLERANCE) == ""
    assert agrees is (max(abs(rows), abs(columns)) <= 6)


def test_images_that_neither_could_read_or_where_both_found_no_drop_agree() -> None:
    unread, empty = ImageScore(height_px=0, width_px=0, error="cut off"), ImageScore(height_px=200, width_px=256)
    for found in (unread, empty):
        assert score_disagreement(found, replace(found, seconds={"decode": 1.0}), TOLERANCE) == ""
    assert "the other" in score_disagreement(unread, empty, TOLERANCE)


def test_a_program_of_another_version_may_agree(tmp_path: Path) -> None:
    one = result(tmp_path)
    assert disagreement(one, replace(one, client_version="0.2.0"), TOLERANCE) == ""


def loaded(threads: int) -> Models:
    def network(kind: Any) -> Any:
        model: Model[Any] = default_model(kind, default_models_folder())
        return OnnxNetwork(model, threads=threads)

    return Models(network(ClassifierCard), network(DropCard))


def test_hosts_with_other_threads_and_with_noise_agree_about_real_scores() -> None:
    one, several = loaded(1), loaded(3)
    for number, data in enumerate(list(demo_images())[::16]):
        noisy = [on_another_host(one, 1e-4, seed) for seed in (2 * number, 2 * number + 1)]
        scores = [score_data(data, models, Parameters())[0] for models in (one, several, *noisy)]
        for other in scores[1:]:
            assert score_disagreement(scores[0], other, TOLERANCE) == ""
        assert score_disagreement(scores[2], scores[3], TOLERANCE) == ""
