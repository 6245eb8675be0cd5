"""From the light behind crystals to a picture: focus, lamp, foreign things, contrast, sensor."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crystal_search.synthesis.suspension.crystal_model import SIDE_PX
from crystal_search.synthesis.textures import weighed

FOCUS_PX = (0.5, 1.0, 1.9)  #: sigma of the blur of crystals that lie in focus, near it, and far from it
SPLINES, SPLINE_POINTS = 4, 700  #: at most in an image; points of one
DISTORTED_SHARE, SPLINE_SHARE, ROUND_SHARE = 0.25, 0.3, 0.2  #: of images
DISPLACED_SHARE, DISPLACED_PX = 0.12, 2  #: of the rows or columns of a distorted image; how far
HASHES = (0x9E3779B1, 0x85EBCA6B, 0xC2B2AE35)


@dataclass(frozen=True, slots=True, eq=False)
class Shots:
    """How each image of a batch is taken; every row of an array is an image."""

    level: Tensor  #: (N,), grey level of the empty field, in [0, 1]
    slope: Tensor  #: (N, 2), change of it along rows and columns, over the image
    contrast: Tensor  #: (N,), over that of the light
    spread: Tensor  #: (N,), standard deviation of the sensor's noise, of full scale
    seed: Tensor  #: (N,) int64, of the sensor's noise
    rows: Tensor  #: (N, 384) int64, from which row each row is taken
    columns: Tensor  #: (N, 384) int64, from which column each column is taken
    splines: Tensor  #: (n, 4, 2), corners of cubic Bezier curves, px
    spline_image: Tensor  #: (n,) int64
    spline_light: Tensor  #: (n,), light that passes
    radius: Tensor  #: (N,), of the round field of view, px; beyond the corners where the field is square


def drawn_shots(generators: Sequence[np.random.Generator], device: torch.device) -> Shots:
    """Return how the images of a batch are taken, each from its own generator."""
    values = np.stack([rng.random(8) for rng in generators])
    counts = [int(rng.integers(1, SPLINES + 1)) * (rng.random() < SPLINE_SHARE) for rng in generators]
    places = [_displaced(rng) for rng in generators]
    splines = [rng.uniform(-0.1, 1.1, (n, 4, 2)) * SIDE_PX for rng, n in zip(generators, counts, strict=True)]
    light = [rng.uniform(0.3, 1.25, n) for rng, n in zip(generators, counts, strict=True)]
    seeds = np.array([int(rng.integers(2**31)) for rng in generators])

    def of(array: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(device)

    rounded = np.where(values[:, 6] < ROUND_SHARE, 0.5 + 0.2 * values[:, 7], 9.0)
    return Shots(
        level=of((0.5 + 0.45 * values[:, 0]).astype(np.float32)),
        slope=of((0.3 * (values[:, 1:3] - 0.5)).astype(np.float32)),
        contrast=of((0.55 + 0.6 * values[:, 3]).astype(np.float32)),
        spread=of((0.002 * 12.0 ** values[:, 4]).astype(np.float32)),
        seed=of(seeds),
        rows=of(np.stack([pair[0] for pair in places])),
        columns=of(np.stack([pair[1] for pair in places])),
        splines=of(np.concatenate(splines).astype(np.float32)),
        spline_image=of(np.repeat(np.arange(len(counts)), counts)),
        spline_light=of(np.concatenate(light).astype(np.float32)),
        radius=of((rounded * SIDE_PX).astype(np.float32)),
    )


def _displaced(rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return from which rows and columns of the light an image is made."""
    places = [np.arange(SIDE_PX), np.arange(SIDE_PX)]
    for axis in (0, 1):
        moved = (rng.random(SIDE_PX) < DISPLACED_SHARE) & (rng.random() < DISTORTED_SHARE)
        by = rng.integers(-DISPLACED_PX, DISPLACED_PX + 1, SIDE_PX)
        places[axis] = places[axis] + moved * by
    return np.clip(places[0], 0, SIDE_PX - 1), np.clip(places[1], 0, SIDE_PX - 1)


def focused(light: Tensor, depth: Tensor, image: Tensor, pixel: Tensor, images: int) -> Tensor:
    """Return the light behind all crystals of images, (images, 384, 384), those out of focus blurred.

    Parameters
    ----------
    light, depth
        (M,), of the pixels of crystals: light that passes, and where the crystal lies, 0 far to 1 near.
    image, pixel
        (M,) int64, in which image and at which of its pixels, row by row.
    """
    level = ((depth - 0.5).abs() * 2 * len(FOCUS_PX)).long().clamp(max=len(FOCUS_PX) - 1)
    dark = torch.zeros(len(FOCUS_PX), images * SIDE_PX**2, device=light.device)
    dark.view(-1).index_add_(0, level * images * SIDE_PX**2 + image * SIDE_PX**2 + pixel, light.log())
    layers = dark.view(len(FOCUS_PX), images, SIDE_PX, SIDE_PX).exp()
    product = torch.ones_like(layers[0])
    for layer, sigma in zip(layers, FOCUS_PX, strict=True):
        product = product * blurred(layer, sigma)
    return product


def blurred(images: Tensor, sigma_px: float) -> Tensor:
    """Return images (N, h, w) blurred by a Gaussian, edge values repeated outside."""
    radius = max(1, round(2.5 * sigma_px))
    offsets = range(-radius, radius + 1)
    kernel = np.exp(-(np.array(offsets) ** 2) / (2 * sigma_px**2))
    return weighed(images, list(zip(offsets, (kernel / kernel.sum()).tolist(), strict=True)))


def exposed(light: Tensor, shots: Shots) -> Tensor:
    """Return grey levels (N, 384, 384) in [0, 1] of the light behind crystals, with all that is not noise."""
    numbers = torch.arange(len(light), device=light.device)[:, None, None]
    light = light[numbers, shots.rows[:, :, None], shots.columns[:, None, :]]
    light = 1 + shots.contrast[:, None, None] * (light - 1)
    if len(shots.splines):
        light = light * _splines(shots, len(light))
    places = torch.linspace(-0.5, 0.5, SIDE_PX, device=light.device)
    slope = 1 + shots.slope[:, :1, None] * places[:, None] + shots.slope[:, 1:, None] * places
    away = torch.hypot(places[:, None], places[None]) * SIDE_PX
    field = torch.sigmoid((shots.radius[:, None, None] - away) / 2)
    return (shots.level[:, None, None] * slope * light * field).clamp(0, 1)


def _splines(shots: Shots, images: int) -> Tensor:
    """Return the light (images, 384, 384) that passes thin cubic curves."""
    share = torch.linspace(0, 1, SPLINE_POINTS, device=shots.splines.device)
    weights = torch.stack(((1 - share) ** 3, 3 * share * (1 - share) ** 2, 3 * share**2 * (1 - share), share**3), dim=1)
    points = (weights @ shots.splines).floor().long()  # (n, points, 2)
    inside = ((points >= 0) & (points < SIDE_PX)).all(dim=2)
    flat = shots.spline_image[:, None] * SIDE_PX**2 + points[..., 0] * SIDE_PX + points[..., 1]
    light = torch.ones(images * SIDE_PX**2, device=share.device)
    light[flat[inside]] = shots.spline_light[:, None].expand_as(flat)[inside]
    return blurred(light.view(images, SIDE_PX, SIDE_PX), 0.9)


def recorded(levels: Tensor, shots: Shots) -> Tensor:
    """Return what a sensor with noise stores of grey levels (N, h, w) in [0, 1], uint8."""
    noisy = levels + shots.spread[:, None, None] * normal(shots.seed, levels[0].numel()).view_as(levels)
    return (noisy.clamp(0, 1) * 255).round().byte()


def normal(seeds: Tensor, count: int) -> Tensor:
    """Return normally distributed numbers, (N, count), that depend on the seeds (N,) int64 and on nothing else."""
    word = 2**32 - 1
    bits = (torch.arange(count, device=seeds.device) * HASHES[0] + seeds[:, None] * HASHES[2]) & word
    for factor in HASHES[1:]:
        bits = ((bits ^ (bits >> 15)) * factor) & word
    bits = bits ^ (bits >> 16)
    return torch.erfinv((bits.float() + 0.5) / 2**31 - 1).clamp(-3.5, 3.5) * 2**0.5
