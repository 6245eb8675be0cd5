"""Insect cells in bright field: from optical paths to light, and from light to a picture."""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crystal_search.synthesis.frames import Frame
from crystal_search.synthesis.pictures.optics import Optics, transmission
from crystal_search.synthesis.seeds import log_uniform
from crystal_search.synthesis.textures import blurred, smooth_noise

APERTURE, SOFTNESS, LAMP, FLOOR = (0.1, 0.3), (0.25, 0.6), (0.0, 0.35), (0.0, 0.25)  # 2nd and 3rd over the aperture
DEFOCUS_UM, BLUR_UM = (-2.2, 2.2), (0.22, 0.85)
HALO, HALO_UM = (-0.5, 0.9), (2.0, 5.0)  #: what a phase objective adds without its annulus; over which length
GAMMA, LEVEL, CONTRAST = (0.7, 1.3), (0.35, 0.72), (0.45, 1.2)
SLOPE, VIGNETTING, UNEVEN = 0.22, (0.0, 0.25), (0.0, 0.05)  #: of the lamp, over the image
NOISE, SHOT = (0.002, 0.03), (0.0, 0.02)  #: standard deviations of full scale; of the light at full scale


@dataclass(frozen=True, slots=True)
class BrightField:
    """A microscope as it stands for one image."""

    optics: Optics
    halo: float  #: light that a path of 1 um over its surroundings takes away
    halo_um: float  #: how far the surroundings reach
    level: float  #: grey level of the empty field, of full scale
    contrast: float  #: of grey levels
    slope: tuple[float, float]  #: change of the lamp along rows and columns, over the image
    vignetting: float  #: light that is lost in the corners
    uneven: float  #: standard deviation of the lamp's shading
    noise: float  #: standard deviation, of full scale
    shot: float  #: standard deviation that grows with the root of the light, of full scale


def drawn_bright_field(rng: np.random.Generator) -> BrightField:
    """Return a random microscope."""
    aperture = rng.uniform(*APERTURE)
    turn, offset = rng.uniform(0, 2 * np.pi), rng.uniform(*LAMP) * aperture
    optics = Optics(
        aperture=aperture,
        softness=aperture * rng.uniform(*SOFTNESS),
        lamp=(offset * np.sin(turn), offset * np.cos(turn)),
        floor=rng.uniform(*FLOOR),
        defocus=rng.uniform(*DEFOCUS_UM),
        blur=log_uniform(rng, *BLUR_UM),
        gamma=rng.uniform(*GAMMA),
        monochrome=True,
        resolution=1.0,
        sharpening=0.0,
    )
    return BrightField(
        optics=optics,
        halo=rng.uniform(*HALO),
        halo_um=rng.uniform(*HALO_UM),
        level=rng.uniform(*LEVEL),
        contrast=rng.uniform(*CONTRAST),
        slope=(SLOPE * rng.uniform(-1, 1), SLOPE * rng.uniform(-1, 1)),
        vignetting=rng.uniform(*VIGNETTING) * rng.random(),
        uneven=rng.uniform(*UNEVEN),
        noise=log_uniform(rng, *NOISE),
        shot=rng.uniform(*SHOT),
    )


def light_through(phase: Tensor, density: Tensor, px_per_um: float, field: BrightField) -> Tensor:
    """Return the light that arrives through optical paths (rows, columns) in um, 1 where nothing is."""
    sharp = blurred(phase, field.optics.blur * px_per_um)
    optics = field.optics
    scaled = replace(optics, defocus=optics.defocus * px_per_um)  # its effect shrinks with the pixels
    light = transmission(sharp, px_per_um, scaled) * torch.exp(-blurred(density, optics.blur * px_per_um))
    around = blurred(sharp, field.halo_um * px_per_um)
    halo = (1 - field.halo * (sharp - around)).clamp(0.4, 1.7)
    return blurred(light * halo, 0.5 * optics.blur * px_per_um)


def lamp(rng: np.random.Generator, frame: Frame, field: BrightField) -> Tensor:
    """Return how bright the lamp is, (rows, columns), 1 on average."""
    rows, columns = (torch.linspace(-0.5, 0.5, side, device=frame.device) for side in frame.shape)
    tilted = field.slope[0] * rows[:, None] + field.slope[1] * columns
    round_off = field.vignetting * 2 * (rows[:, None] ** 2 + columns**2)
    return 1 + tilted - round_off + field.uneven * smooth_noise(rng, frame, 90.0)


def levels_of(light: Tensor, shading: Tensor, field: BrightField) -> Tensor:
    """Return grey levels in [0, 1] of light (rows, columns) under a lamp."""
    toned = light.clamp(0, 4).pow(field.optics.gamma)
    return (field.level * shading * (1 + field.contrast * (toned - 1))).clamp(0, 1)


def recorded(rng: np.random.Generator, levels: Tensor, field: BrightField) -> NDArray[np.uint8]:
    """Return what the camera stores of grey levels, (rows, columns) uint8."""
    normal = torch.from_numpy(rng.standard_normal(tuple(levels.shape), dtype=np.float32)).to(levels.device)
    spread = (levels * field.shot**2 + math.pow(field.noise, 2)).sqrt()
    noisy: NDArray[np.uint8] = ((levels + spread * normal) * 255 + 0.5).clamp(0, 255).byte().cpu().numpy()
    return noisy
