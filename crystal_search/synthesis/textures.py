"""Random fields: smooth, fractal, ridged, granular; and blurring."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from crystal_search.synthesis.frames import Frame

CUBIC_UP_TO = 20_000  # points of a lattice; facets of finer ones are not seen


def _lattice(rng: np.random.Generator, frame: Frame, period: float) -> Tensor:
    rows = math.ceil(frame.height / frame.px_per_unit / period) + 2
    columns = math.ceil(frame.width / frame.px_per_unit / period) + 2
    return frame.tensor(rng.standard_normal((rows, columns), dtype=np.float32))


def resized(field: Tensor, shape: tuple[int, int], mode: str = "bilinear") -> Tensor:
    """Return a field (rows, columns) stretched to another shape."""
    return functional.interpolate(field[None, None], size=shape, mode=mode, align_corners=True)[0, 0]


def magnified(field: Tensor, shape: tuple[int, int]) -> Tensor:
    """Return a field stretched to another shape without facets: cubic up to a third of it, then linear."""
    third = (max(2, shape[0] // 3), max(2, shape[1] // 3))
    if third[0] > field.shape[0]:
        field = resized(field, third, "bicubic")
    return resized(field, shape)


def smooth_noise(rng: np.random.Generator, frame: Frame, period: float) -> Tensor:
    """Return smooth noise of about unit variance that changes over `period` units."""
    return magnified(_lattice(rng, frame, period), frame.shape) * 1.4


def fractal_noise(
    rng: np.random.Generator, frame: Frame, coarsest: float, finest: float, persistence: float = 0.6
) -> Tensor:
    """Return fractal noise of mean 0 and variance 1.

    Parameters
    ----------
    coarsest, finest
        Largest and smallest period, in units; halved from octave to octave.
    persistence
        Amplitude of an octave over that of the coarser one.
    """
    period, amplitude = coarsest, 1.0
    finest = max(finest, 1 / frame.px_per_unit)
    field = _lattice(rng, frame, period)
    while period / 2 >= finest * 0.99:
        period, amplitude = period / 2, amplitude * persistence
        octave = _lattice(rng, frame, period)
        cubic = "bicubic" if octave.numel() < CUBIC_UP_TO else "bilinear"
        field = resized(field, (octave.shape[0], octave.shape[1]), cubic) + amplitude * octave
    field = magnified(field, frame.shape)
    return (field - field.mean()) / field.std().clamp_min(1e-6)


def ridged_noise(rng: np.random.Generator, frame: Frame, coarsest: float, finest: float) -> Tensor:
    """Return thin, connected ridges in [0, 1]: 1 on a ridge."""
    return (1 - fractal_noise(rng, frame, coarsest, finest, 0.45).abs()).clamp_min(0) ** 4


def blurred(field: Tensor, sigma_px: float) -> Tensor:
    """Return a field (rows, columns) blurred by a Gaussian, edge values repeated outside."""
    if sigma_px < 0.25:
        return field
    radius = max(1, math.ceil(2 * sigma_px))
    kernel = [math.exp(-(offset**2) / (2 * sigma_px**2)) for offset in range(radius + 1)]
    total = kernel[0] + 2 * sum(kernel[1:])
    outwards = [0, *(sign * offset for offset in range(1, radius + 1) for sign in (-1, 1))]
    return weighed(field[None], [(offset, kernel[abs(offset)] / total) for offset in outwards])[0]


def weighed(fields: Tensor, weights: Sequence[tuple[int, float]]) -> Tensor:
    """Return fields (N, rows, columns) summed with their neighbours, along rows and then along columns.

    Parameters
    ----------
    fields
        Edge values are repeated outside.
    weights
        How far away along the axis a neighbour is, and how much it counts; summed in this order.
    """
    radius = max(offset for offset, _ in weights)
    for axis, margins in ((1, (0, 0, radius, radius)), (2, (radius, radius, 0, 0))):
        wide = functional.pad(fields[:, None], margins, mode="replicate")[:, 0]
        length = fields.shape[axis]
        fields = torch.zeros_like(fields)
        for offset, weight in weights:  # on a CPU several times faster than a convolution
            fields.add_(wide.narrow(axis, radius + offset, length), alpha=weight)
    return fields


def spread(mask: Tensor, reach_px: float) -> Tensor:
    """Return a mask grown by about `reach_px`, worked out in cells of 4 px when it is far."""
    cell = 4 if reach_px >= 6 and min(mask.shape) >= 4 else 1
    reach = max(1, round(reach_px / cell))
    coarse = functional.max_pool2d(mask.float()[None, None], cell, ceil_mode=True)
    for kernel, padding in (((2 * reach + 1, 1), (reach, 0)), ((1, 2 * reach + 1), (0, reach))):
        coarse = functional.max_pool2d(coarse, kernel, stride=1, padding=padding)
    return functional.interpolate(coarse, size=mask.shape, mode="nearest")[0, 0] > 0.5
