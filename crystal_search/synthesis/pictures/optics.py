"""How transparent things look in a bright-field microscope: a phase height map, seen through thin prisms.

A slope of the optical path bends light out of the lens' aperture; what the lamp sends obliquely is bent into it
on one side. Out of focus, curvature gathers or scatters light.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from crystal_search.synthesis.seeds import log_uniform

COARSE, COARSE_SHARE = (0.22, 0.8), 0.35  # cameras of 300 px and more for what others see with 1224
SHARPENED_SHARE = 0.3
APERTURE, SOFTNESS, LAMP, FLOOR = (0.12, 0.4), (0.15, 0.45), (0.0, 0.45), (0.0, 0.15)  # 2nd and 3rd over the aperture
DEFOCUS, BLUR, GAMMA, SHARPENING = (-1.3, 1.3), (0.3, 3.0), (0.6, 1.3), (0.2, 1.5)


@dataclass(frozen=True, slots=True)
class Optics:
    """A lens, a lamp and a camera. Slopes are optical path over length."""

    aperture: float  #: slope at which half of the light is lost
    softness: float  #: slopes over which it is lost
    lamp: tuple[float, float]  #: slope by which the lamp stands off the axis, (row, column)
    floor: float  #: share of the light that arrives however steep the slope
    defocus: float  #: units; positive brightens what is concave
    blur: float  #: sigma of the lens' blur, units
    gamma: float  #: grey level = light ** gamma
    monochrome: bool  #: the camera sees no colours
    resolution: float  #: pixels of the camera over those of the image, along a side, in (0, 1]
    sharpening: float  #: share of the detail that the camera adds once more


def drawn_optics(rng: np.random.Generator) -> Optics:
    """Return a random microscope."""
    aperture = rng.uniform(*APERTURE)
    angle, offset = rng.uniform(0, 2 * np.pi), rng.uniform(*LAMP) * aperture
    return Optics(
        aperture=aperture,
        softness=aperture * rng.uniform(*SOFTNESS),
        lamp=(offset * np.sin(angle), offset * np.cos(angle)),
        floor=rng.uniform(*FLOOR),
        defocus=rng.uniform(*DEFOCUS),
        blur=log_uniform(rng, *BLUR),
        gamma=rng.uniform(*GAMMA),
        monochrome=rng.random() < 0.2,
        resolution=log_uniform(rng, *COARSE) if rng.random() < COARSE_SHARE else 1.0,
        sharpening=rng.uniform(*SHARPENING) if rng.random() < SHARPENED_SHARE else 0.0,
    )


def transmission(phase: Tensor, px_per_unit: float, optics: Optics) -> Tensor:
    """Return the light that arrives through a phase map, 1 where the map is flat.

    Parameters
    ----------
    phase
        (rows, columns), optical path in units of length.
    """
    padded = torch.nn.functional.pad(phase[None, None], (1, 1, 1, 1), mode="replicate")[0, 0]
    up, down, left, right = padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]
    row_slope = (down - up) * (0.5 * px_per_unit) - optics.lamp[0]
    column_slope = (right - left) * (0.5 * px_per_unit) - optics.lamp[1]
    slope = torch.hypot(row_slope, column_slope)
    light = torch.sigmoid((optics.aperture - slope) / optics.softness)
    flat = 1 / (1 + np.exp((float(np.hypot(*optics.lamp)) - optics.aperture) / optics.softness))
    light = optics.floor + (1 - optics.floor) * light / flat
    curvature = (up + down + left + right - 4 * phase) * px_per_unit
    seen: Tensor = light * (1 + optics.defocus * curvature).clamp(0.4, 1.8)
    return seen
