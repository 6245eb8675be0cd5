"""Figures of a detector whose answers are known."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crystal_search.archives.seen_objects import SeenObject, of_mask
from crystal_search.crystal import Crystal
from crystal_search.crystals.boxes import corners
from crystal_search.evaluation import paper
from crystal_search.evaluation.crystal_figures import crystal_figures
from crystal_search.evaluation.crystal_presence import presence
from crystal_search.evaluation.crystal_tables import JudgedCrystals, bischoff_table_1, table_6, table_7
from crystal_search.evaluation.crystal_verdicts import CrystalVerdict
from crystal_search.evaluation.judge import Contender, Judged
from crystal_search.evaluation.known_images import KnownImage
from crystal_search.evaluation.pixel_overlap import COUNTS, JACCARD, F, outlined, pixel_counts
from crystal_search.model import Model
from crystal_search.networks.network_kinds import crystal_detector_card

SIDE_PX = 200


def rectangle(top: int, left: int, height: int, width: int, *, faint: bool = False) -> SeenObject:
    mask = np.zeros((SIDE_PX, SIDE_PX), np.bool_)
    mask[top : top + height, left : left + width] = True
    return replace(of_mask(mask, "crystal_harvestable"), too_faint=faint)


def crystal(row: float, column: float, long: float, short: float, probability: float = 0.9) -> Crystal:
    box = np.array([[row, column, long, short, 0.0]])
    outline = tuple((float(y), float(x)) for y, x in corners(box)[0])
    return Crystal(
        **{"probability": probability, "row": row, "column": column, "long_px": long, "short_px": short},
        angle_rad=0.0,
        outline=outline,
    )


def verdict(
    name: str, objects: Sequence[SeenObject] | None, found: Sequence[Crystal], label: str = ""
) -> CrystalVerdict:
    known = KnownImage(name=name, label=label, content=lambda: b"")
    return CrystalVerdict(
        known=known,
        height_px=SIDE_PX,
        width_px=SIDE_PX,
        objects=None if objects is None else tuple(objects),
        found=tuple(found),
        least_probability=0.3,
    )


def figures(*verdicts: CrystalVerdict) -> dict[str, float]:
    return {each.measure: each.interval.value for each in crystal_figures(verdicts)}


TWO = (rectangle(40, 40, 10, 40), rectangle(120, 100, 20, 60))
BOTH = (crystal(45, 60, 40, 10), crystal(130, 130, 60, 20))


def test_all_found_where_they_are_is_perfect() -> None:
    found = figures(verdict("a", TWO, BOTH))
    for kind in ("oriented boxes", "upright boxes", "masks"):
        assert found[f"AP of {kind}"] == pytest.approx(1)
    assert found["AP of oriented boxes, medium"] == pytest.approx(1)
    assert "AP of oriented boxes, small" not in found  # there is none
    assert found["crystals counted, over those there are, less 1"] == 0
    assert found["Kolmogorov-Smirnov distance of lengths"] == 0


def test_a_box_half_as_long_counts_at_a_small_overlap_alone() -> None:
    found = figures(verdict("a", TWO[:1], [crystal(45, 60, 22, 10)]))  # an overlap of 0.55
    assert found["AP50 of oriented boxes"] == pytest.approx(1)
    assert found["AP65 of oriented boxes"] == 0
    assert found["AP of masks"] == pytest.approx(0.2)  # at 0.50 and 0.55 of ten


def test_a_crystal_that_cannot_be_seen_is_neither_found_nor_missed() -> None:
    faint = rectangle(120, 100, 20, 60, faint=True)
    there, gone = (figures(verdict("a", (TWO[0], faint), found)) for found in (BOTH, BOTH[:1]))
    assert there["AP of oriented boxes"] == gone["AP of oriented boxes"] == pytest.approx(1)


def test_what_is_improbable_is_in_the_curve_and_not_in_the_count() -> None:
    unsure = (BOTH[0], crystal(130, 130, 60, 20, probability=0.1))
    found = figures(verdict("a", TWO, unsure))
    assert found["AP of oriented boxes"] == pytest.approx(1)
    assert found["crystals counted, over those there are, less 1"] == -0.5


def test_in_images_without_crystals_all_that_is_counted_is_false() -> None:
    found = figures(verdict("a", TWO, BOTH), verdict("empty", (), BOTH[:1]), verdict("also", (), ()))
    assert found["false crystals an image without any"] == 0.5
    assert found["AP of oriented boxes"] == pytest.approx(1)
    assert figures(verdict("empty", (), BOTH[:1])) == {"false crystals an image without any": 1.0}


def test_a_detector_that_finds_nothing_has_a_figure_of_0() -> None:
    assert figures(verdict("a", TWO, ()))["AP of oriented boxes"] == 0


def test_pixels_of_all_crystals_together_are_compared() -> None:
    """Half of the one, which has 400 px, the whole of the other with 1200, and 200 px beside both."""
    half, beside = crystal(45, 50, 20, 10), crystal(180, 20, 20, 10)
    assert pixel_counts(verdict("a", TWO, (half, BOTH[1], beside))) == (1400, 200, 200)
    found = figures(verdict("a", TWO, (half, BOTH[1], beside)), verdict("b", TWO, BOTH))
    assert found[F] == pytest.approx((2 * 1400 / 3200 + 1) / 2)
    assert found[JACCARD] == pytest.approx((1400 / 1800 + 1) / 2)
    assert found[COUNTS] == pytest.approx(0.5 / 2)  # off by one in one of two images of two crystals


def test_pixels_of_crystals_that_nobody_could_see_count_neither_way() -> None:
    faint = rectangle(120, 100, 20, 60, faint=True)
    assert pixel_counts(verdict("a", (TWO[0], faint), BOTH)) == (400, 0, 0)
    assert pixel_counts(verdict("a", (TWO[0], faint), BOTH[:1])) == (400, 0, 0)
    improbable = crystal(130, 130, 60, 20, probability=0.1)
    assert pixel_counts(verdict("a", TWO, (BOTH[0], improbable))) == (400, 0, 1200)


def test_an_image_with_nothing_to_compare_does_not_count() -> None:
    faint = rectangle(120, 100, 20, 60, faint=True)
    found = outlined([verdict("a", TWO, BOTH), verdict("b", (faint,), ())])
    assert (found.f.value, found.jaccard.value) == (1, 1)
    assert np.isnan(outlined([verdict("b", (faint,), ())]).counts.value)


@pytest.mark.parametrize(("number", "training", "clustered"), [(3, "G50", 54.95), (12, "H50", 82.51)])
def test_what_table_1_of_kardoost_says_is_told(number: int, training: str, clustered: float) -> None:
    assert len(paper.KARDOOST_TABLE_1) == 19
    assert paper.KARDOOST_TABLE_1[number - 1][:2] == (number, training)
    rows = paper.IN_CELLULO.tables[0].only(network=f"Mask R-CNN, {training}", target="clustered").rows
    assert rows[0][0] == pytest.approx(clustered / 100)


CARD = crystal_detector_card("n", "dense-crystals", normalisation="local-contrast-1", working_width_px=1224)
FAINT = rectangle(120, 100, 20, 60, faint=True)


@pytest.mark.parametrize(
    ("objects", "label", "expected"),
    [
        (TWO, "", True),
        ((), "", False),
        ((), "crystal_harvestable", False),  # what was marked goes before what was said
        ((FAINT,), "", None),
        ((FAINT,), "precipitate", False),
        ((FAINT, *TWO), "precipitate", True),
        (None, "crystal_bad_form", True),
        (None, "crystal", True),
        (None, "clear", False),
        (None, "no_drop", False),
        (None, "no_crystal", False),
        (None, "", None),
    ],
)
def test_whether_there_are_crystals_is_known_by_marks_then_by_the_label(
    objects: tuple[SeenObject, ...] | None, label: str, expected: bool | None
) -> None:
    assert verdict("a", objects, (), label).has_crystals is expected


def test_one_crystal_that_counts_makes_an_image_one_with_crystals() -> None:
    improbable = crystal(45, 60, 40, 10, probability=0.1)
    found = presence(
        [
            *(verdict(f"right {number}", None, BOTH, "crystal") for number in range(3)),
            verdict("missed", None, [improbable], "crystal"),
            verdict("false", (), BOTH[:1]),
            *(verdict(f"none {number}", None, (), "clear") for number in range(5)),
            verdict("nobody knows", None, BOTH),
        ]
    )
    crystals, none = found.classes
    assert (found.images, crystals.images, none.images) == (10, 4, 6)
    assert found.accuracy.value == pytest.approx(0.8)
    assert [each.value for each in (crystals.precision, crystals.recall, crystals.f1)] == pytest.approx([0.75] * 3)
    assert [each.value for each in (none.precision, none.recall, none.f1)] == pytest.approx([5 / 6] * 3)
    assert 0 <= crystals.recall.low < 0.75 < crystals.recall.high <= 1


def test_where_all_images_have_crystals_there_is_nothing_to_tell_apart() -> None:
    assert "accuracy of crystals or none in an image" not in figures(verdict("a", TWO, BOTH))
    assert figures(verdict("a", TWO, BOTH), verdict("b", (), ()))["accuracy of crystals or none in an image"] == 1


def judged(*verdicts: CrystalVerdict) -> JudgedCrystals:
    folder = Path()
    contender = Contender(name="n", model=Model(CARD, b""), folder=folder)
    return [Judged(contender, verdicts)]


def test_papers_tables_have_the_sizes_and_overlaps_of_their_papers() -> None:
    small = crystal(4, 4, 6, 6)  # of 36 px², which Bischoff et al. call small
    verdicts = (verdict("a", (rectangle(1, 1, 6, 6), *TWO), (small, BOTH[0])), verdict("b", None, BOTH, "crystal"))
    boxes, masks = table_6(judged(*verdicts)).records()
    assert (boxes["compared"], masks["compared"]) == ("upright boxes", "masks")
    assert boxes["ap_large"] is None  # no mask has 96 x 96 px
    assert boxes["ap50"] == masks["ap50"] == pytest.approx(2 / 3, abs=0.01)
    assert boxes["images"] == 1
    (oriented,) = bischoff_table_1(judged(*verdicts)).records()
    assert [oriented["ap_small"], oriented["ap_medium"]] == pytest.approx([1, 1])
    assert oriented["ap_large"] == 0  # 20 x 60 px, missed
    crystals, none = table_7(judged(*verdicts)).records()
    assert (crystals["class"], crystals["recall_percent"], none["recall_percent"]) == ("crystals", 100, None)


@pytest.mark.parametrize("theirs", [paper.DETECTORS, paper.PRESENCE, paper.WITH_CLAHE, paper.SUSPENSIONS])
def test_papers_tables_are_shown_as_measured_on_other_images(theirs: paper.Theirs) -> None:
    assert theirs.about.startswith("Measured on other images, never to be compared")
    assert all(len(row) == len(each.columns) for each in theirs.tables for row in each.rows)
