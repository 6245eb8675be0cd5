import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from crystal_search.geometry import Box
from crystal_search.unet_drop.locate import drop_in
from crystal_search.unet_drop.regions import Mask, filled, labelled, outline_of

masks = arrays.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)))


def flood(mask: Mask, start: tuple[int, int]) -> set[tuple[int, int]]:
    """Return the part around `start`, the slow and obvious way."""
    seen, waiting = {start}, [start]
    while waiting:
        row, column = waiting.pop()
        for step in ((0, 1), (1, 0), (0, -1), (-1, 0)):
            r, c = row + step[0], column + step[1]
            if 0 <= r < mask.shape[0] and 0 <= c < mask.shape[1] and mask[r, c] and (r, c) not in seen:
                seen.add((r, c))
                waiting.append((r, c))
    return seen


@given(mask=masks)
def test_labels_are_the_connected_parts(mask: Mask) -> None:
    labels, sizes = labelled(mask)
    assert np.array_equal(labels > 0, mask)
    assert sizes.sum() == mask.sum()
    for label, size in enumerate(sizes, start=1):
        pixels = {(int(r), int(c)) for r, c in np.argwhere(labels == label)}
        assert pixels == flood(mask, next(iter(pixels)))
        assert len(pixels) == size


@given(mask=masks)
def test_filling_adds_only_what_the_border_does_not_reach(mask: Mask) -> None:
    result = filled(mask)
    assert (result | ~mask).all()
    assert np.array_equal(filled(result), result)


def test_a_hole_is_filled_and_a_bay_is_not() -> None:
    mask = np.array([[1, 1, 1, 0, 1], [1, 0, 1, 0, 1], [1, 1, 1, 1, 1]], bool)
    assert filled(mask).astype(int).tolist() == [[1, 1, 1, 0, 1], [1, 1, 1, 0, 1], [1, 1, 1, 1, 1]]


@given(mask=masks)
def test_an_outline_encloses_its_part(mask: Mask) -> None:
    labels, sizes = labelled(mask)
    if not len(sizes):
        return
    part = filled(labels == 1)
    corners = np.array(outline_of(part, 10_000))
    following = np.roll(corners, -1, axis=0)
    assert (np.abs(corners - following).sum(axis=1) == 1).all()
    area = (corners[:, 1] * following[:, 0] - following[:, 1] * corners[:, 0]).sum() / 2
    assert area == part.sum()


def test_an_outline_has_at_most_so_many_points() -> None:
    rows, columns = np.mgrid[0:100, 0:100]
    disc = (rows - 50) ** 2 + (columns - 50) ** 2 < 40**2
    assert len(outline_of(disc, 32)) == 32


def probabilities(*boxes: Box) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    found = np.full((200, 256), 0.01, np.float32)
    for box in boxes:
        found[box.slices] = 0.97
    return found


def test_the_drop_is_the_largest_part() -> None:
    drop = drop_in(probabilities(Box(50, 60, 120, 160), Box(5, 5, 12, 12)))
    assert drop is not None
    assert drop.box == Box(50, 60, 120, 160)
    assert drop.area_fraction == pytest.approx(7000 / 51200)


def test_a_drop_in_two_parts_is_one_drop() -> None:
    drop = drop_in(probabilities(Box(50, 60, 120, 100), Box(60, 120, 110, 160)))
    assert drop is not None
    assert drop.box == Box(50, 60, 120, 160)


def test_a_splash_of_small_droplets_is_a_drop() -> None:
    drop = drop_in(probabilities(*(Box(20 + 30 * n, 40, 30 + 30 * n, 50) for n in range(4))))
    assert drop is not None
    assert drop.mask.sum() == 400


def test_what_is_doubtful_all_over_is_no_drop() -> None:
    doubtful = np.where(probabilities(Box(50, 60, 120, 160)) > 0.5, np.float32(0.7), np.float32(0.01))
    assert drop_in(doubtful) is None
    doubtful[60:110, 70:150] = 0.99  # certain inside, doubtful along its contour
    drop = drop_in(doubtful)
    assert drop is not None
    assert drop.box == Box(50, 60, 120, 160)


@pytest.mark.parametrize("boxes", [(), (Box(5, 5, 12, 12),)])
def test_nothing_or_dust_is_no_drop(boxes: tuple[Box, ...]) -> None:
    assert drop_in(probabilities(*boxes)) is None
