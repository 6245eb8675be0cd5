"""The well without its drop: floor, walls, lamp, dirt on the plate."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from crystal_search.known_names import check_among
from crystal_search.synthesis.frames import Frame
from crystal_search.synthesis.seeds import log_uniform
from crystal_search.synthesis.textures import resized, smooth_noise
from crystal_search.synthesis.things import dirt
from crystal_search.synthesis.things.plate_types import FLOORS, OFF_CENTRE, PLATE_TYPES, SHARES_OF_FLOORS, PlateType

WALLED = ("ring", "square")  # floors whose wall is in the view
CONDENSED_SHARE, MARKED_SHARE = 0.12, 0.2
ONE_SIDED = 0.25  # of wells let light through on one side only


@dataclass(frozen=True, slots=True, eq=False)
class Vessel:
    """A well as it is seen before anything is dispensed."""

    light: Tensor  #: (rows, columns), share of the lamp's light that arrives
    dirt: Tensor  #: (rows, columns), share of the light that dust and scratches on the plate let through
    beyond: Tensor  #: (rows, columns), units beyond the wall's foot; negative on the floor
    tint: Tensor  #: (3, rows, columns), grey level of full light in each colour, in [0, 1.1]
    centre: tuple[float, float]  #: of the floor, (row, column) in units
    radius: float  #: of the largest circle on the floor, units
    walled: bool  #: most of the wall is in the view


def _half_planes(rng: np.random.Generator, frame: Frame, centre: tuple[float, float], radius: float) -> Tensor | None:
    """Return how far beyond up to two straight walls every pixel is."""
    beyond: Tensor | None = None
    for angle in rng.choice([0, np.pi / 2, np.pi, 3 * np.pi / 2], rng.integers(0, 3), replace=False):
        turned = angle + rng.normal(0, 0.02)
        distance = radius * rng.uniform(0.86, 0.99)
        side = (frame.rows() - centre[0]) * np.sin(turned) + (frame.columns() - centre[1]) * np.cos(turned) - distance
        beyond = side if beyond is None else torch.maximum(beyond, side)
    return beyond


def _round_floor(rng: np.random.Generator, frame: Frame, centre: tuple[float, float], radius: float) -> Tensor:
    rows, columns = frame.rows() - centre[0], frame.columns() - centre[1]
    beyond = torch.hypot(rows, columns * rng.uniform(0.97, 1.03)) - radius
    straight = _half_planes(rng, frame, centre, radius)
    if straight is None:
        return beyond
    softness = rng.uniform(1, 25)
    return softness * torch.logaddexp(beyond / softness, straight / softness)


def _square_floor(rng: np.random.Generator, frame: Frame, centre: tuple[float, float], radius: float) -> Tensor:
    turned = rng.normal(0, 0.02)
    rows, columns = frame.rows() - centre[0], frame.columns() - centre[1]
    corner = rng.uniform(10, 60)
    across = (rows * np.cos(turned) + columns * np.sin(turned)).abs() - radius + corner
    along = (columns * np.cos(turned) - rows * np.sin(turned)).abs() - radius * rng.uniform(0.95, 1.15) + corner
    outside = torch.hypot(across.clamp_min(0), along.clamp_min(0))
    rough = smooth_noise(rng, frame, 6) * rng.uniform(0, 2.5)
    return outside + torch.maximum(across, along).clamp_max(0) - corner + rough


def _wall_light(rng: np.random.Generator, frame: Frame, beyond: Tensor, past_ring: Tensor) -> Tensor:
    """Return the light through floor, dark ring and what lies outside of it.

    Parameters
    ----------
    beyond, past_ring
        (rows, columns), units beyond the wall's foot and beyond its dark ring.
    """
    foot, outer = log_uniform(rng, 0.8, 14), log_uniform(rng, 2, 25)
    dark = rng.uniform(0.01, 0.1)
    floor = torch.sigmoid(-beyond / foot)
    outside = torch.sigmoid(past_ring / outer) * rng.uniform(0.2, 0.95)
    if rng.random() < 0.2:  # a milled wall
        stripes = torch.from_numpy(rng.normal(0, 0.12, frame.width).astype(np.float32)).to(frame.device)
        outside = outside * (1 + torch.nn.functional.avg_pool1d(stripes[None], 5, 1, 2)[0])
    light = dark + (1 - dark) * (floor + outside)
    for _ in range(rng.integers(0, 3)):  # steps at the wall's foot
        place, width = rng.uniform(-18, 10), rng.uniform(0.8, 4)
        light = light * (1 - rng.uniform(-0.2, 0.7) * torch.exp(-(((beyond - place) / width) ** 2)))
    return light


def _marks(rng: np.random.Generator, frame: Frame, centre: tuple[float, float], radius: float) -> Tensor:
    """Return the share of light past marks that a mould has left in the floor: thin rings and straight lines."""
    light = frame.zeros() + 1
    for _ in range(rng.integers(1, 4)):
        angle, away = rng.uniform(0, 2 * np.pi), radius * rng.uniform(0, 0.8)
        rows = frame.rows() - centre[0] - away * np.sin(angle)
        columns = frame.columns() - centre[1] - away * np.cos(angle)
        if rng.random() < 0.6:
            distance = torch.hypot(rows, columns) - radius * log_uniform(rng, 0.05, 1.0)
        else:
            distance = rows * np.sin(angle) + columns * np.cos(angle)
        light = light * (1 - rng.uniform(-0.15, 0.4) * torch.exp(-((distance / log_uniform(rng, 0.8, 6)) ** 2)))
    return light


def _one_side(rng: np.random.Generator, frame: Frame, centre: tuple[float, float], distance: float) -> Tensor:
    """Return how far every pixel is past a straight line beside the well, where light comes through again."""
    angle = rng.choice([0, np.pi / 2, np.pi, 3 * np.pi / 2]) + rng.normal(0, 0.01)
    rows, columns = frame.rows() - centre[0], frame.columns() - centre[1]
    away: Tensor = rows * np.sin(angle) + columns * np.cos(angle)
    return away - distance * rng.uniform(0.8, 1.1)


def _lamp(rng: np.random.Generator, frame: Frame) -> Tensor:
    """Return the grey level of full light, (3, rows, columns)."""
    casts = ((1, 0.96, 0.78), (0.97, 0.96, 0.86), (0.84, 0.92, 1.0), (1, 1, 1))
    cast = np.clip(np.array(casts[rng.integers(len(casts))]) + rng.normal(0, 0.02, 3), 0.6, 1.05)
    if rng.random() < 0.08:
        cast = np.ones(3)
    level = rng.uniform(0.45, 1.0)
    small = (max(2, frame.height // 16), max(2, frame.width // 16))
    angle, slope = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.25)
    rows = torch.linspace(-0.5, 0.5, small[0], device=frame.device)[:, None]
    columns = torch.linspace(-0.5, 0.5, small[1], device=frame.device)[None, :]
    bright = 1 + slope * (np.sin(angle) * rows + np.cos(angle) * columns)
    bright = bright - rng.uniform(0, 0.5) * (rows**2 + columns**2)
    coloured = 0.0 if np.ptp(cast) == 0 else rng.uniform(0, 0.07) * rng.random() ** 2
    shading = rng.uniform(0, 0.05) if rng.random() < 0.6 else rng.uniform(0.05, 0.16)
    common = resized(frame.tensor(rng.standard_normal((4, 4))), small, "bicubic")
    planes = []
    for channel in range(3):
        own = resized(frame.tensor(rng.standard_normal((4, 4))), small, "bicubic")
        plane = level * cast[channel] * bright * (1 + shading * common + coloured * own)
        planes.append(resized(plane, frame.shape))
    return torch.stack(planes).clamp(0.05, 1.1)  # (3, rows, columns)


def _sized(rng: np.random.Generator, plate: PlateType, view: tuple[float, float]) -> tuple[float, float]:
    """Return radius of a floor and width of its dark wall in units, for a view of height and width `view`."""
    radius = rng.uniform(*plate.radius) * (view[1] if plate.floor == "open" else min(view))
    return radius, plate.ring if isinstance(plate.ring, float) else rng.uniform(*plate.ring)


def _drawn_floor(
    rng: np.random.Generator, plate_type: str | None, view: tuple[float, float]
) -> tuple[str, float, float]:
    """Return the kind of a floor, its radius and the width of its dark wall in units.

    Raises
    ------
    UnknownNameError
        If there is no such plate.
    """
    if plate_type is not None:
        check_among(PLATE_TYPES, plate_type, "type of plate")
    kind = str(rng.choice(list(FLOORS), p=SHARES_OF_FLOORS))
    sizes = {name: _sized(rng, plate, view) for name, plate in FLOORS.items()}
    if plate_type is None:
        return kind, *sizes[kind]
    plate = PLATE_TYPES[plate_type]
    return plate.floor, *_sized(rng, plate, view)


def drawn_vessel(
    rng: np.random.Generator,
    frame: Frame,
    own: np.random.Generator,
    *,
    dirty: float = 1.0,
    plate_type: str | None = None,
) -> Vessel:
    """Return a random well: round within a black ring, cut by the view, square, or without a visible wall.

    Parameters
    ----------
    rng
        Draws what all wells of a plate share at one imager.
    own
        Draws what is this well's own: where exactly it lies, and its dirt.
    dirty
        Amount of dirt; 1 is usual.
    plate_type
        One of `plate_types.PLATE_TYPES`; None for any.

    Raises
    ------
    UnknownNameError
        If there is no such plate.
    """
    height, width = view = frame.height / frame.px_per_unit, frame.width / frame.px_per_unit
    short = min(view)
    kind, radius, ring = _drawn_floor(rng, plate_type, view)
    shift, off = own.normal(0, 5, 2), OFF_CENTRE[kind]
    centre = (
        shift[0] + height * (0.5 + rng.uniform(-1, 1) * off * (0.4 if kind == "cut" else 1)),
        shift[1] + width * (0.5 + rng.uniform(-1, 1) * off),
    )
    shape = _square_floor if kind == "square" else _round_floor
    beyond = shape(rng, frame, centre, radius)
    past_ring = _one_side(rng, frame, centre, radius + ring) if rng.random() < ONE_SIDED else beyond - ring
    light = _wall_light(rng, frame, beyond, past_ring)
    if rng.random() < MARKED_SHARE:
        light = light * _marks(rng, frame, centre, min(radius, 0.5 * short))
    if own.random() < CONDENSED_SHARE:
        light = light * dirt.condensation(own, frame)
    speckled = dirt.on_plate(own, frame, dirty)
    return Vessel(light, speckled, beyond, _lamp(rng, frame), centre, min(radius, 0.55 * short), kind in WALLED)
