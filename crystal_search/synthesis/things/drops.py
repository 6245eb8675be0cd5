"""Drops: their contour, their height, where they lie in the well."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crystal_search.synthesis.frames import Frame
from crystal_search.synthesis.seeds import log_uniform
from crystal_search.synthesis.textures import fractal_noise, smooth_noise
from crystal_search.synthesis.things.vessel import Vessel

REFRACTION = 0.34  #: refractive index of the drop less that of air
ANGLES = 1024  # of a contour's table
CLOSE_SHARE = 0.25  # of drops fill much of the view, or more than it
UNDER_OIL_SHARE = 0.15  # lie in a liquid of nearly their own refractive index
LOBED_SHARE, APRON_SHARE, CLOUDY_SHARE = 0.25, 0.25, 0.3
LARGEST_SHARE = 0.92  # of the floor's radius
OVER_THE_WALL = 6.0  # units beyond the wall's foot where a drop is still seen


@dataclass(frozen=True, slots=True, eq=False)
class Drop:
    """The liquid in the rectangle of the image that it touches."""

    frame: Frame
    inside: Tensor  #: (rows, columns) bool
    reach: Tensor  #: (rows, columns), 0 in the middle, 1 at the contour
    phase: Tensor  #: (rows, columns), optical path in units
    radius: float  #: mean, units
    shade: Tensor  #: absorbance of the liquid itself, (rows, columns)

    def places(self, rng: np.random.Generator, count: int, limit: float = 0.85) -> NDArray[np.float64]:
        """Return `count` random positions inside, (count, 2) in units, at most `limit` of the way to the contour."""
        step = 4 if min(self.frame.shape) > 64 else 1
        free = (self.inside & (self.reach < limit))[::step, ::step].nonzero().cpu().numpy()
        if len(free) == 0:
            free = np.array([[self.frame.height // 2 // step, self.frame.width // 2 // step]])
        pixels = free[rng.integers(0, len(free), count)] * step + rng.random((count, 2)) * step
        corner = np.array([self.frame.top, self.frame.left])
        return np.asarray((pixels + corner) / self.frame.px_per_unit, dtype=np.float64)

    def clouds(self, rng: np.random.Generator, share: float) -> Tensor:
        """Return where something cloudy lies, 0 to 1: everywhere, or over about `share` of the drop."""
        if rng.random() < 0.4:
            return self.frame.zeros() + 1
        cloud = smooth_noise(rng, self.frame, self.radius * rng.uniform(0.3, 0.7))
        bias = float(np.interp(share, [0, 0.5, 1], [-1.5, 0, 1.5]))
        return torch.sigmoid((cloud + bias) * rng.uniform(2, 6))


def _waves(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return how far a contour departs from its ellipse at every angle, as a share of the radius."""
    angles = np.linspace(0, 2 * np.pi, ANGLES, endpoint=False)
    roughness = log_uniform(rng, 0.004, 0.12)
    contour = np.zeros(ANGLES)
    for wave in range(2, 8):
        contour += roughness * rng.normal() / (wave - 1) * np.cos(wave * angles + rng.uniform(0, 2 * np.pi))
    return contour


def _cusps(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the sharp part of a contour: cusps where the contact line is pinned, ragged stretches."""
    angles = np.linspace(0, 2 * np.pi, ANGLES, endpoint=False)
    contour = np.zeros(ANGLES)
    if rng.random() < 0.45:
        for _ in range(rng.integers(1, 6)):
            away = np.angle(np.exp(1j * (angles - rng.uniform(0, 2 * np.pi))))
            contour += rng.uniform(-0.03, 0.17) * np.exp(-np.abs(away) / rng.uniform(0.03, 0.3))
    if rng.random() < 0.35:
        away = np.angle(np.exp(1j * (angles - rng.uniform(0, 2 * np.pi))))
        ragged = np.convolve(np.tile(rng.normal(size=ANGLES), 2), np.hanning(rng.integers(12, 60)), "same")[:ANGLES]
        contour += (
            log_uniform(rng, 0.006, 0.03) * ragged / ragged.std() * np.exp(-((away / rng.uniform(0.3, 1.0)) ** 2))
        )
    return contour


def _reach(rng: np.random.Generator, frame: Frame, centre: tuple[float, float], radius: float) -> Tensor:
    """Return the distance from the centre as a share of the contour's, in the same direction."""
    turn, stretch, taper = rng.uniform(0, np.pi), rng.triangular(0.5, 1.0, 1.0), rng.normal(0, 0.12)
    rows, columns = frame.rows() - centre[0], frame.columns() - centre[1]
    along = (columns * np.cos(turn) + rows * np.sin(turn)) / radius
    across = (rows * np.cos(turn) - columns * np.sin(turn)) / radius
    across = across / (stretch * (1 + taper * along))
    ellipse = torch.hypot(along, across)
    angle = torch.atan2(across, along) * (ANGLES / (2 * np.pi)) + ANGLES
    low = angle.floor()
    share, index = angle - low, low.long()
    inward = ellipse.clamp_max(1) ** 2
    departure: Tensor | float = 0.0
    for table, weight in ((_waves(rng), inward), (_cusps(rng), inward**6)):  # what is sharp does not reach inwards
        values = frame.tensor(table)
        departure = departure + weight * (values[index % ANGLES] * (1 - share) + values[(index + 1) % ANGLES] * share)
    return ellipse / (1 + departure)


def _place(rng: np.random.Generator, vessel: Vessel, radius: float, view: tuple[float, float]) -> tuple[float, float]:
    """Return a centre in the well such that most of the drop is in view; sometimes against the wall."""
    room = max(0.0, vessel.radius - radius)
    away = room * rng.uniform(0, 1) if rng.random() < 0.8 else room + radius * rng.uniform(0, 0.35)
    angle = rng.uniform(0, 2 * np.pi)
    row, column = vessel.centre[0] + away * np.sin(angle), vessel.centre[1] + away * np.cos(angle)
    margin = 0.35 * radius
    return float(np.clip(row, margin, view[0] - margin)), float(np.clip(column, margin, view[1] - margin))


def _inside(frame: Frame, vessel: Vessel, reach: Tensor) -> Tensor:
    return (reach < 1) & (vessel.beyond[frame.slices] < OVER_THE_WALL)


def drawn_drop(rng: np.random.Generator, frame: Frame, vessel: Vessel, aperture: float) -> Drop:
    """Return a random drop: from a pale film with a thin edge to a steep lens with a dark rim.

    Parameters
    ----------
    aperture
        Slope at which the lens loses half of the light: no drop is so steep that most of it is black.
    """
    view = (frame.height / frame.px_per_unit, frame.width / frame.px_per_unit)
    if rng.random() < CLOSE_SHARE:
        radius = float(rng.uniform(0.3, 0.66) * min(view))
    else:
        radius = float(np.clip(log_uniform(rng, 0.36, 1.05) * vessel.radius, 100, 600))
    if vessel.walled:  # else the foot of the wall would be all that is seen of it
        radius = min(radius, LARGEST_SHARE * vessel.radius)
    centre = _place(rng, vessel, radius, view)
    margin = radius * 1.45
    part = frame.cut(centre[0] - margin, centre[1] - margin, centre[0] + margin, centre[1] + margin)
    reach = _reach(rng, part, centre, radius)
    steepness = min(log_uniform(rng, 0.05, 0.75), rng.uniform(1.2, 2.6) * aperture)
    height = _height(rng, part, reach, radius) * steepness
    refraction = REFRACTION * (log_uniform(rng, 0.1, 0.4) if rng.random() < UNDER_OIL_SHARE else 1.0)
    phase = refraction * height
    if rng.random() < APRON_SHARE:
        phase = phase + _apron(rng, part, reach)
    return Drop(part, _inside(part, vessel, reach), reach, phase, radius, _shade(rng, part, radius))


def _shade(rng: np.random.Generator, frame: Frame, radius: float) -> Tensor:
    """Return the absorbance of a liquid, even or in smooth clouds."""
    shade = frame.zeros() + (rng.uniform(0.03, 0.35) if rng.random() < 0.4 else 0.0)
    if rng.random() < CLOUDY_SHARE:
        shade = (shade + 0.1 + 0.1 * smooth_noise(rng, frame, radius * rng.uniform(0.3, 1))).clamp_min(0)
    return shade


def _apron(rng: np.random.Generator, frame: Frame, reach: Tensor) -> Tensor:
    """Return the optical path of a thin film with a ragged edge, which the liquid has left beside its contour."""
    ragged = fractal_noise(rng, frame, rng.uniform(25, 90), rng.uniform(3, 8), 0.75)
    sided = smooth_noise(rng, frame, rng.uniform(150, 400))
    edge = 1 + rng.uniform(0.04, 0.16) * (1 + 0.8 * sided) + rng.uniform(0.01, 0.05) * ragged
    return torch.sigmoid((edge - reach) * rng.uniform(60, 200)) * log_uniform(rng, 0.15, 1.5)


def _height(rng: np.random.Generator, frame: Frame, reach: Tensor, radius: float) -> Tensor:
    """Return the height of a drop over its steepness, in units, (rows, columns)."""
    power = rng.uniform(0.65, 1.3) if rng.random() < 0.6 else 1.0
    height = radius * (1 - reach**2).clamp_min(0) ** power
    if rng.random() < 0.15:  # a flat foot around a steeper middle
        foot = rng.uniform(0.7, 0.92)
        height = 0.2 * height + radius * (foot**2 - reach**2).clamp_min(0)
    if rng.random() < 0.3:
        height = height * (1 + 0.05 * smooth_noise(rng, frame, radius * 0.6))
    for _ in range(rng.integers(1, 4) if rng.random() < LOBED_SHARE else 0):
        height = height + _lobe(rng, frame, reach, radius)
    return height


def _lobe(rng: np.random.Generator, frame: Frame, reach: Tensor, radius: float) -> Tensor:
    """Return a second liquid's cap on the drop: its contour is an arc through the drop, a crease in the light."""
    middle = (frame.height / (2 * frame.px_per_unit), frame.width / (2 * frame.px_per_unit))
    angle, away, size = rng.uniform(0, 2 * np.pi), radius * rng.uniform(0.1, 1.0), radius * rng.uniform(0.4, 1.1)
    rows = frame.rows() - frame.top / frame.px_per_unit - middle[0] - away * np.sin(angle)
    columns = frame.columns() - frame.left / frame.px_per_unit - middle[1] - away * np.cos(angle)
    cap = (1 - (rows**2 + columns**2) / size**2).clamp_min(0)
    step: Tensor = cap * (size * rng.uniform(-0.25, 0.5)) * ((1 - reach) * 12).clamp(0, 1)
    return step


def drawn_splashes(rng: np.random.Generator, frame: Frame, vessel: Vessel) -> Drop:
    """Return many droplets beside each other, as a clogged tip leaves them."""
    view = (frame.height / frame.px_per_unit, frame.width / frame.px_per_unit)
    area = vessel.radius * rng.uniform(0.35, 0.7)
    centre = _place(rng, vessel, area, view)
    part = frame.cut(centre[0] - area * 1.2, centre[1] - area * 1.2, centre[0] + area * 1.2, centre[1] + area * 1.2)
    reach = torch.full(part.shape, 9.0, device=part.device)
    height = part.zeros()
    steepness = log_uniform(rng, 0.25, 0.8)
    for _ in range(rng.integers(9, 36)):
        radius = log_uniform(rng, 9, 65)
        angle, away = rng.uniform(0, 2 * np.pi), np.sqrt(rng.random()) * area
        row, column = centre[0] + away * np.sin(angle), centre[1] + away * np.cos(angle)
        own = part.cut(row - radius * 1.5, column - radius * 1.5, row + radius * 1.5, column + radius * 1.5)
        window = own.within(part)
        one = _reach(rng, own, (row, column), radius)
        reach[window] = torch.minimum(reach[window], one)
        height[window] = torch.maximum(height[window], steepness * radius * (1 - one**2).clamp_min(0))
    return Drop(part, _inside(part, vessel, reach), reach, REFRACTION * height, area, part.zeros())
