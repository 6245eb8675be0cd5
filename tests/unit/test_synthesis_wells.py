import numpy as np
import pytest

from crystal_search.errors import UnknownNameError, UserError
from crystal_search.outcomes import IMAGE_OUTCOMES, OUTCOME_NAMES
from crystal_search.synthesis.seeds import RENDERED_SPLITS, WellSeed
from crystal_search.synthesis.wells.rendered_well import NOTHING, RenderedImage, render_well


def small(number: int, outcome: str | None = "any") -> RenderedImage:
    return render_well(WellSeed("test", number), outcome=outcome, height_px=384, width_px=459)


@pytest.mark.parametrize("outcome", IMAGE_OUTCOMES)
def test_every_outcome_renders_and_is_visible(outcome: str) -> None:
    well = small(1, outcome)
    assert well.outcome == outcome
    assert outcome in well.present
    assert (well.outcome_map == OUTCOME_NAMES.index(outcome)).any()
    assert_consistent(well)


def assert_consistent(well: RenderedImage) -> None:
    rows, columns = well.drop_mask.shape
    assert well.image.shape == (rows, columns, 3)
    assert well.image.dtype == np.uint8
    np.testing.assert_array_equal(well.outcome_map == NOTHING, ~well.drop_mask)
    np.testing.assert_array_equal(well.crystal_mask, well.outcome_map < 3)
    assert not (well.crystal_mask & ~well.drop_mask).any()
    assert well.present == tuple(OUTCOME_NAMES[i] for i in np.unique(well.outcome_map[well.drop_mask]))


def test_an_empty_well_has_no_drop() -> None:
    well = small(2, None)
    assert well.outcome is None
    assert well.present == ()
    assert not well.drop_mask.any()
    assert_consistent(well)


def test_the_same_seed_gives_the_same_well() -> None:
    one, other = (small(3) for _ in range(2))
    np.testing.assert_array_equal(one.image, other.image)
    np.testing.assert_array_equal(one.outcome_map, other.outcome_map)


def test_no_two_splits_or_numbers_share_a_stream() -> None:
    seeds = [WellSeed(split, number) for split in RENDERED_SPLITS for number in (0, 1, 10, 11)]
    first = [seed.generator(purpose).random() for seed in seeds for purpose in ("well 0", "well 1", "outcome")]
    assert len(set(first)) == len(first)


def test_a_clear_drop_holds_nothing_else() -> None:
    for number in range(3):
        well = small(number, "clear")
        assert set(well.present) <= {"clear", "rim"}


@pytest.mark.parametrize(("height_px", "width_px"), [(228, 300), (1440, 1920)])
def test_other_sizes(height_px: int, width_px: int) -> None:
    well = render_well(WellSeed("test", 4), outcome="crystal_harvestable", height_px=height_px, width_px=width_px)
    assert well.drop_mask.shape == (height_px, width_px)
    assert_consistent(well)


@pytest.mark.parametrize(("plate_type", "dark"), [("swissci-3", True), ("hanging-drop", False)])
def test_a_plate_type_says_whether_walls_are_in_the_view(plate_type: str, dark: bool) -> None:
    """A round well in a dark ring has much of the view near black, a cover slip has not."""
    wells = [
        render_well(WellSeed("test", number), outcome=None, height_px=256, width_px=306, plate_type=plate_type)
        for number in range(6)
    ]
    shares = [float((well.image.max(axis=2) < 0.35 * np.median(well.image[118:138, 140:166])).mean()) for well in wells]
    assert (np.median(shares) > 0.15) == dark


def test_what_cannot_be_rendered_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="mrc-2, swissci-3"):
        render_well(WellSeed("test", 0), height_px=64, width_px=64, plate_type="petri dish")
    with pytest.raises(UnknownNameError, match="choose from"):
        render_well(WellSeed("test", 0), outcome="rim")
    with pytest.raises(UnknownNameError, match="train, validation"):
        WellSeed("exam", 0)
    with pytest.raises(UserError, match="0 or more"):
        WellSeed("test", -1)
