"""Figures of a detector whose answers are known."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from crystal_search.archives.seen_objects import SeenObject, of_mask
from crystal_search.crystal import Crystal
from crystal_search.crystals.boxes import corners
from crystal_search.evaluation.crystal_figures import CrystalVerdict, crystal_figures
from crystal_search.evaluation.known_images import KnownImage

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


def verdict(name: str, objects: Sequence[SeenObject], found: Sequence[Crystal]) -> CrystalVerdict:
    known = KnownImage(name=name, label="crystal_harvestable", content=lambda: b"")
    return CrystalVerdict(
        known=known,
        height_px=SIDE_PX,
        width_px=SIDE_PX,
        objects=tuple(objects),
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
