"""The parts of the renderer that have a formula to check against."""

import numpy as np
import pytest
import torch

from crystal_search.synthesis.frames import Frame, stamp
from crystal_search.synthesis.pictures.optics import drawn_optics, transmission
from crystal_search.synthesis.polyhedra import HABITS, gathered, polyhedron, rotation
from crystal_search.synthesis.textures import blurred, fractal_noise, spread
from crystal_search.synthesis.things.layers import Crystals, Glass

GLASS = Glass(1.0, 0.1, None, (1.0, 1.0, 1.0))
FRAME = Frame(0, 0, 120, 160, 2.0, torch.device("cpu"))


def drawn(half_axes: list[float], habit: str = "box", turned: np.ndarray | None = None) -> torch.Tensor:
    rng = np.random.default_rng(0)
    body = polyhedron(rng, habit, np.array(half_axes), np.eye(3) if turned is None else turned, 0.0)
    solid = gathered([body])
    centre = np.array([[30.0, 40.0]])
    crystals = Crystals(centre, centre, solid, GLASS)
    return crystals.thickness(FRAME)[0]


def test_a_box_is_as_thick_as_it_is_high() -> None:
    field = drawn([10, 10, 6])
    assert field.max() == pytest.approx(2 * 0.66 * 6, rel=1e-3)


@pytest.mark.parametrize("habit", HABITS)
def test_a_turned_body_keeps_its_volume(habit: str) -> None:
    rng = np.random.default_rng(1)
    volumes = [float(drawn([16, 12, 9], habit, rotation(rng)).sum()) / FRAME.px_per_unit**2 for _ in range(4)]
    assert volumes == pytest.approx([volumes[0]] * 4, rel=0.06)


def test_a_crystal_grows_out_of_its_hub() -> None:
    bodies = [polyhedron(np.random.default_rng(0), "box", np.array([10.0, 5, 5]), np.eye(3), 0.0)] * 2
    whole = Crystals(np.array([[30.0, 40], [30, 40]]), np.array([[30.0, 40], [20, 40]]), gathered(bodies), GLASS)
    half = whole.grown(np.array([0.5, 0.5]))
    np.testing.assert_allclose(half.centres, [[30, 40], [25, 40]])
    single, _ = whole.grown(np.array([0.5, 0.0])).thickness(FRAME)
    assert single.max() == pytest.approx(2 * 0.66 * 5 / 2)
    sides_px = 0.72 * 10 * FRAME.px_per_unit, 0.72 * 5 * FRAME.px_per_unit
    assert float((single > 0).sum()) == pytest.approx(sides_px[0] * sides_px[1], rel=0.1)  # whole pixels


def test_a_stamp_at_the_border_is_cut_off() -> None:
    field, (stamps,) = stamp(
        FRAME,
        np.array([[0.0, 0.0]]),
        np.array([5.0]),
        lambda numbers, rows, columns: (rows**2 + columns**2 < 25).float(),
    )
    assert field[0, 0] == 1
    assert field.sum() == pytest.approx(stamps.covered.sum())
    assert stamps.chosen(torch.tensor([True]), FRAME.shape).sum() == field.sum()


def test_light_through_a_flat_map_is_full() -> None:
    for number in range(5):
        optics = drawn_optics(np.random.default_rng(number))
        light = transmission(torch.full((8, 9), 3.0), 1.0, optics)
        np.testing.assert_allclose(light.numpy(), 1.0, rtol=1e-5)


def test_a_steep_slope_is_dark() -> None:
    optics = drawn_optics(np.random.default_rng(0))
    slope = torch.arange(20.0)[None, :].expand(10, 20) * 5
    assert float(transmission(slope, 1.0, optics)[:, 5:15].max()) < optics.floor + 0.01


def test_blurring_keeps_the_mean_and_lowers_the_variance() -> None:
    field = fractal_noise(np.random.default_rng(0), FRAME, 20, 1)
    blurry = blurred(field, 2.0)
    assert float(blurry.std()) < float(field.std())
    np.testing.assert_allclose(blurred(torch.ones(9, 9), 2.0).numpy(), 1, rtol=1e-5)


def test_noise_has_mean_0_and_variance_1() -> None:
    field = fractal_noise(np.random.default_rng(0), FRAME, 20, 1)
    assert float(field.mean()) == pytest.approx(0, abs=1e-4)
    assert float(field.std()) == pytest.approx(1, abs=1e-3)


def test_a_mask_spreads_about_as_far_as_asked() -> None:
    mask = torch.zeros(80, 80, dtype=torch.bool)
    mask[40, 40] = True
    assert int(spread(mask, 3)[40].sum()) == 7
    assert 20 <= int(spread(mask, 12)[40].sum()) <= 32
