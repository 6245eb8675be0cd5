"""Noise of experiments on images of suspensions: waves, clouds, and how they are blended in.

Bischoff et al. (2022), equations 9 to 12: waves stand for interference in thin films and for skins, Perlin noise for
precipitate; each layer is the mean of some equalised textures, and a second layer says how strongly it is seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crystal_search.synthesis.suspension.crystal_model import SIDE_PX

SHARE = 0.5  #: of images have layers of a kind
MOST_TEXTURES = 10  #: averaged in a layer
WAVELENGTH_RANGE_PX = (6.0, SIDE_PX * 2**0.5)
CELL_RANGE_PX = (8.0, SIDE_PX * 2**0.5)  #: of Perlin noise
LATTICE = int(SIDE_PX / CELL_RANGE_PX[0]) + 3  #: gradients along a side
BINS = 256
CONTRAST = 5.0  #: c of equation 12


@dataclass(frozen=True, slots=True, eq=False)
class Layers:
    """Textures of one kind for a batch of images, one a row, and to which layer each belongs."""

    layer: Tensor  #: (T,) int64; image n has the layers 2 n, what is seen, and 2 n + 1, how strongly
    scale: Tensor  #: (T,), px
    angle: Tensor  #: (T,), radians
    phase: Tensor  #: (T, 2), radians or cells
    gradients: Tensor  #: (T, `LATTICE`, `LATTICE`), directions in radians; empty for waves


def drawn_layers(generators: Sequence[np.random.Generator], *, clouds: bool, device: torch.device) -> Layers:
    """Return the textures of a batch: for each image none, or two layers of 1 to `MOST_TEXTURES` textures each."""
    low, high = np.log(CELL_RANGE_PX if clouds else WAVELENGTH_RANGE_PX)
    layer: list[NDArray[np.int64]] = []
    rows: list[NDArray[np.float64]] = []
    lattices: list[NDArray[np.float32]] = []
    for number, rng in enumerate(generators):
        counts = rng.integers(1, MOST_TEXTURES + 1, 2) * (rng.random() < SHARE)
        total = int(counts.sum())
        layer.append(2 * number + np.repeat([0, 1], counts))
        values = rng.random((total, 4))
        rows.append(values * [high - low, 2 * np.pi, 2 * np.pi, 2 * np.pi] + [low, 0, 0, 0])
        lattices.append(rng.random((total if clouds else 0, LATTICE, LATTICE), dtype=np.float32))
    scale, angle, *phase = torch.from_numpy(np.concatenate(rows).astype(np.float32)).to(device).T
    gradients = torch.from_numpy(np.concatenate(lattices)).to(device) * (2 * torch.pi)
    return Layers(
        torch.from_numpy(np.concatenate(layer)).to(device), scale.exp(), angle, torch.stack(phase, dim=1), gradients
    )


def waves(layers: Layers) -> Tensor:
    """Return plane waves (T, 384, 384) in [0, 1] (equation 9)."""
    places = torch.arange(SIDE_PX, device=layers.scale.device)
    pace = 2 * torch.pi / layers.scale
    along_rows = (pace * layers.angle.sin())[:, None] * places + layers.phase[:, :1]  # (T, 384)
    along_columns = (pace * layers.angle.cos())[:, None] * places
    real = along_rows.cos()[:, :, None] * along_columns.cos()[:, None]
    return 0.5 * (real - along_rows.sin()[:, :, None] * along_columns.sin()[:, None] + 1)


def clouds(layers: Layers) -> Tensor:
    """Return Perlin noise (T, 384, 384) in [0, 1]: gradients on a square lattice, smoothly mixed between.

    What a lattice point adds to a pixel is a product of what depends on its row and on its column, so that the sum over
    all lattice points is two products of matrices.
    """
    places = torch.arange(SIDE_PX, device=layers.scale.device) / layers.scale[:, None]  # (T, 384)
    (near_row, slope_row), (near_column, slope_column) = (
        _weights(places + layers.phase[:, axis, None] / (2 * torch.pi)) for axis in (0, 1)
    )
    along_rows = slope_row @ layers.gradients.sin() @ near_column.transpose(1, 2)  # (T, 384, 384)
    along_columns = near_row @ layers.gradients.cos() @ slope_column.transpose(1, 2)
    return (0.5 + (along_rows + along_columns) / 2**0.5).clamp(0, 1)


def _weights(places: Tensor) -> tuple[Tensor, Tensor]:
    """Return how much pixels at `places` (T, 384), in cells, have of each lattice point, and times how far it lies off.

    Both are (T, 384, `LATTICE`).
    """
    cell = places.floor()
    within = places - cell
    late = within**3 * (within * (6 * within - 15) + 10)
    near = torch.zeros(*places.shape, LATTICE, device=places.device)
    slope = torch.zeros_like(near)
    for after, share in ((0, 1 - late), (1, late)):
        point = (cell.long() + after)[..., None]
        near.scatter_(2, point, share[..., None])
        slope.scatter_(2, point, (share * (within - after))[..., None])
    return near, slope


def equalised(textures: Tensor) -> Tensor:
    """Return textures (T, h, w) in [0, 1] with their values spread evenly over [0, 1], rank by rank of 256 bins.

    >>> equalised(torch.tensor([[[0.0, 0.1], [0.1, 0.9]]]))
    tensor([[[0.2500, 0.7500],
             [0.7500, 1.0000]]])
    """
    bins = (textures.flatten(1) * (BINS - 1)).round().long()
    counts = torch.zeros(len(bins), BINS, device=bins.device).scatter_add_(
        1, bins, torch.ones_like(textures.flatten(1))
    )
    ranks = counts.cumsum(dim=1) / bins.shape[1]
    return ranks.gather(1, bins).view_as(textures)


def averaged(textures: Tensor, layers: Layers, images: int) -> Tensor:
    """Return the layers (images, 2, h, w): means of equalised textures (equation 10); 0 where there is none."""
    total = textures.new_zeros(2 * images, *textures.shape[1:]).index_add_(0, layers.layer, equalised(textures))
    counts = torch.bincount(layers.layer, minlength=2 * images).clamp_min(1)
    return (total / counts[:, None, None]).view(images, 2, *textures.shape[1:])


def blended(images: Tensor, layers: Tensor) -> Tensor:
    """Return images (N, h, w) with layers (N, 2, h, w), seen and how strongly, blended in (equations 11 and 12).

    >>> image = torch.tensor([[[0.0, 1.0]]])
    >>> layer = torch.tensor([[[[0.5, 0.5]], [[1.0, 0.0]]]])
    >>> blended(image, layer)
    tensor([[[0.3571, 1.0000]]])
    """
    deviation = images.std(dim=(1, 2), correction=0, keepdim=True)
    seen, strength = layers[:, 0], layers[:, 1]
    weight = CONTRAST * deviation * strength * 2 ** (1 - 2 * seen)
    return (images + weight * seen) / (1 + weight)


def with_noise(images: Tensor, generators: Sequence[np.random.Generator]) -> Tensor:
    """Return images (N, 384, 384) with waves and clouds blended in, where there are any."""
    for kind, textures in ((False, waves), (True, clouds)):
        layers = drawn_layers(generators, clouds=kind, device=images.device)
        if len(layers.layer):
            images = blended(images, averaged(textures(layers), layers, len(images)))
    return images
