"""Light through convex crystals, against what is worked out by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis.strategies import floats, integers, sampled_from
from torch import Tensor

from crystal_search.synthesis.polyhedra import HABITS, rotation
from crystal_search.synthesis.rays import Lamps, Solids, arriving, light_along


def lamps(condenser: float, softness: float = 1e-3, offset: tuple[float, float] = (0.0, 0.0)) -> Lamps:
    return Lamps(torch.tensor([condenser]), torch.tensor([softness]), torch.tensor([offset]))


def solid(normals: list[list[float]], distances: list[float], index: float) -> Solids:
    unit = torch.nn.functional.normalize(torch.tensor(normals).float(), dim=1)
    return Solids(unit[None], torch.tensor([distances]), torch.tensor([index]))


def box(index: float) -> Solids:
    sides: list[list[float]] = [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]]
    return solid(sides, [10.0] * 4 + [2.0] * 2, index)


def wedge(slope: float, index: float) -> Solids:
    """A prism whose upper face is level and whose lower face rises by `slope` along columns."""
    sides: list[list[float]] = [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, -slope, 1], [0, 0, -1]]
    return solid(sides, [10.0] * 6, index)


def light_at(body: Solids, lamp: Lamps, row: float = 0.0, column: float = 0.0) -> tuple[float, bool]:
    light, hit = light_along(body, lamp, torch.tensor([0]), torch.tensor([row]), torch.tensor([column]))
    return float(light), bool(hit)


def test_a_plate_face_on_takes_what_two_faces_reflect() -> None:
    light, hit = light_at(box(1.5), lamps(0.3))
    assert hit
    assert light == pytest.approx((1 - (0.5 / 2.5) ** 2) ** 2, abs=1e-5)


def test_what_misses_is_as_bright_as_the_field() -> None:
    assert light_at(box(1.5), lamps(0.3), row=10.5) == (1.0, False)


@pytest.mark.parametrize("index", [1.02, 1.2, 1.5])
def test_a_wedge_turns_light_by_the_angle_of_snell(index: float) -> None:
    slope = 0.3
    angle = np.arctan(slope)
    turned = np.arcsin(index * np.sin(angle)) - angle  # a level ray meets the lower face at `angle`
    sine = float(np.sin(turned))
    inside, _ = light_at(wedge(slope, index), lamps(1.05 * sine, 0.005 * sine))
    outside, _ = light_at(wedge(slope, index), lamps(0.95 * sine, 0.005 * sine))
    assert inside > 0.8
    assert outside < 1e-3


def test_a_lamp_beside_the_axis_lights_one_side() -> None:
    light = [light_at(wedge(slope, 1.3), lamps(0.2, offset=(0.0, 0.15)))[0] for slope in (-0.4, 0.4)]
    assert min(light) < 1e-3
    assert max(light) > 0.8


def test_beyond_the_critical_angle_nothing_leaves_the_lower_face() -> None:
    """At 45 degrees and an index of 1.6 light is reflected to the side, and leaves there level: dark."""
    light, hit = light_at(wedge(1.0, 1.6), lamps(0.9))
    assert hit
    assert light == 0.0


def test_the_cone_falls_off_at_its_edge() -> None:
    way = torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.3, 0.954], [0.0, 0.5, 0.866], [0.0, 0.0, -1.0]])
    lamp = Lamps(torch.full((4,), 0.3), torch.full((4,), 0.05), torch.zeros(4, 2))
    brightness = arriving(way, lamp)
    np.testing.assert_allclose(brightness, [1, 0.5 * (1 + np.exp(-6)), 0.0182, 0], atol=2e-3)


def _turned(seed: int, habit: str, index: float) -> Solids:
    normals, distances = HABITS[habit]
    turned = normals / np.linalg.norm(normals, axis=1, keepdims=True) @ rotation(np.random.default_rng(seed)).T
    faces = torch.from_numpy(turned).float()[None]
    return Solids(faces, torch.from_numpy(distances).float()[None] * 20, torch.tensor([index]))


def _field(body: Solids, lamp: Lamps) -> tuple[Tensor, Tensor]:
    rows, columns = torch.meshgrid(torch.arange(-30.0, 31), torch.arange(-30.0, 31), indexing="ij")
    return light_along(body, lamp, torch.zeros(61 * 61, dtype=torch.long), rows.flatten(), columns.flatten())


@settings(deadline=None, max_examples=30)
@given(integers(0, 10_000), sampled_from(tuple(HABITS)), floats(1.02, 1.8), floats(0.05, 0.6))
def test_light_is_a_share_and_the_field_stays_as_it_is(seed: int, habit: str, index: float, condenser: float) -> None:
    light, hit = _field(_turned(seed, habit, index), lamps(condenser, 0.03))
    assert bool(torch.isfinite(light).all())
    assert float(light.min()) >= 0
    assert float(light.max()) <= 1
    assert bool((light[~hit] == 1).all())
    assert bool(hit.any())


@settings(deadline=None, max_examples=20)
@given(integers(0, 10_000), sampled_from(tuple(HABITS)))
def test_a_crystal_as_dense_as_its_liquor_is_not_seen(seed: int, habit: str) -> None:
    light, _ = _field(_turned(seed, habit, 1 + 1e-6), lamps(0.3, 0.03))
    assert float(light.min()) > 0.99


def test_a_turn_by_a_right_angle_turns_the_picture() -> None:
    body, lamp = _turned(3, "lozenge", 1.3), lamps(0.3, 0.05, (0.1, 0.02))
    quarter = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    turned = Solids(body.normals @ quarter.T, body.distances, body.index)
    lamp_too = Lamps(lamp.condenser, lamp.softness, lamp.offset @ quarter[:2, :2].T)
    first = _field(body, lamp)[0].view(61, 61)
    second = _field(turned, lamp_too)[0].view(61, 61)
    same = (torch.rot90(first, 1) - second).abs() < 1e-3
    assert float(same.float().mean()) > 0.99
