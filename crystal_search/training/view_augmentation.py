"""Views as other lenses, lamps and cameras might have recorded them, turned and mirrored: for ``cells`` and ``drops``.

Many at once, on whatever device they are. The task ``chops`` changes its chops one by one: `chop_augmentation`.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, pad

from crystal_search.training.device_views import gaussian_kernel
from crystal_search.training.jpeg_blocks import compressed

GAMMA_LOG_RANGE = 0.35
CONTRAST_RANGE = (0.5, 1.35)
BRIGHTNESS_RANGE = 0.08  #: of full scale
NOISE_RANGE = (0.002, 0.05)  #: of full scale, standard deviations; small ones as often as large ones
BLUR_RANGE_PX, BLUR_RADIUS_PX = (0.3, 3.0), 7
JPEG_RANGE = (15.0, 90.0)  #: quality
COARSER_RANGE = (0.25, 0.9)  #: a camera of so many pixels along a side, over those there are
BLURRED_SHARE, NOISY_SHARE, COARSER_SHARE = 0.25, 0.35, 0.35


def recorded_differently(views: Tensor, generator: np.random.Generator, *, compressed_share: float = 0.0) -> Tensor:
    """Return views (N, h, w) in [0, 1] as other lenses, lamps and cameras might have recorded them.

    Parameters
    ----------
    compressed_share
        Of the views that are JPEGs of poor quality, at the size that their camera has: only for views that show
        images as large as they are stored.
    """
    count, device = len(views), views.device

    def drawn(low: float, high: float) -> Tensor:
        numbers = generator.uniform(low, high, (count, 1, 1)).astype(np.float32)
        return torch.from_numpy(numbers).to(device)

    order = generator.permutation(count)
    coarser = order[: round(COARSER_SHARE * count)]
    views = _coarser(views, torch.from_numpy(coarser).to(device), generator, compressed_share)
    soft = torch.from_numpy(order[::-1][: round(BLURRED_SHARE * count)].copy()).to(device)
    if len(soft):
        sigma = torch.from_numpy(generator.uniform(*BLUR_RANGE_PX, len(soft)).astype(np.float32)).to(device)
        views = views.index_copy(0, soft, blurred(views[soft], sigma, BLUR_RADIUS_PX))
    views = views.clamp_min(1e-3) ** torch.exp(drawn(-GAMMA_LOG_RANGE, GAMMA_LOG_RANGE))
    middle = views.mean(dim=(1, 2), keepdim=True)
    views = middle + drawn(*CONTRAST_RANGE) * (views - middle) + drawn(-BRIGHTNESS_RANGE, BRIGHTNESS_RANGE)
    views = _noisy(views, generator)
    views = (views.clamp(0, 1) * 255).round() / 255
    return _badly_stored(views, torch.from_numpy(order[len(coarser) :].copy()).to(device), generator, compressed_share)


def _noisy(views: Tensor, generator: np.random.Generator) -> Tensor:
    """Return views (N, h, w) with the noise of their pixels, some of them."""
    least, most = np.log(NOISE_RANGE)
    amounts = np.exp(generator.uniform(least, most, len(views))) * (generator.random(len(views)) < NOISY_SHARE)
    noise = torch.Generator(views.device).manual_seed(int(generator.integers(2**63)))
    drawn = torch.randn(views.shape, generator=noise, device=views.device)
    return views + torch.from_numpy(amounts.astype(np.float32)).to(views.device)[:, None, None] * drawn


def _badly_stored(views: Tensor, which: Tensor, generator: np.random.Generator, share: float) -> Tensor:
    """Return views of which a `share` of those at `which` are JPEGs of poor quality."""
    if not (count := round(share * len(which))):
        return views
    quality = torch.from_numpy(generator.uniform(*JPEG_RANGE, count).astype(np.float32)).to(views.device)
    return views.index_copy(0, which[:count], compressed(views[which[:count]], quality))


def _coarser(views: Tensor, which: Tensor, generator: np.random.Generator, compressed_share: float) -> Tensor:
    """Return views of which those at `which` were seen by a camera of fewer pixels, and enlarged again."""
    if not len(which):
        return views
    share = float(generator.uniform(*COARSER_RANGE))
    size = [max(16, round(side * share)) for side in views.shape[1:]]
    few = interpolate(views[which][:, None], size=size, mode="area")[:, 0]
    few = _noisy(few, generator).clamp(0, 1)
    few = _badly_stored(few, torch.arange(len(few), device=few.device), generator, compressed_share)
    many = interpolate(few[:, None], size=views.shape[1:], mode="bilinear", align_corners=False)[:, 0]
    return views.index_copy(0, which, many)


def blurred(views: Tensor, sigma_px: Tensor, radius_px: int) -> Tensor:
    """Return views (N, h, w) blurred by Gaussians of `sigma_px` (N,), edge values repeated outside."""
    kernel = gaussian_kernel(sigma_px, radius_px)
    wide = pad(views[None], (radius_px, radius_px, radius_px, radius_px), mode="replicate")
    wide = conv2d(wide, kernel[:, None, :, None], groups=len(views))
    return conv2d(wide, kernel[:, None, None, :], groups=len(views))[0]


def turned(views: Tensor, turns: NDArray[np.int_]) -> Tensor:
    """Return square fields (N, h, h), each in one of the 8 turned and mirrored versions, as `turns` (N,) say."""
    versions = torch.empty_like(views)
    for turn in set(turns.tolist()):
        which = torch.from_numpy(np.flatnonzero(turns == turn)).to(views.device)
        part = views[which].flip(2) if turn >= 4 else views[which]
        versions[which] = torch.rot90(part, turn % 4, (1, 2))
    return versions
