"""What `crystal_search.images` and `crystal_search.unet_drop` do to one image, done to a batch with torch.

Every step of resizing and of the local mean is linear along rows and along columns, so each is a matrix for either
side; the weights are those of Pillow's filters.
"""

import math
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from crystal_search.images import LOCAL_MEAN_REDUCTION, LOCAL_MEAN_SIGMA_PX
from crystal_search.unet_drop.locate import LEAST_AREA_FRACTION, LEAST_PART

REST, EARLIER, LATER = slice(None), slice(None, -1), slice(1, None)
NEIGHBOURS = (  #: pixels of (N, H, W), and those on one side of them
    ((REST, LATER), (REST, EARLIER)),
    ((REST, EARLIER), (REST, LATER)),
    ((REST, REST, LATER), (REST, REST, EARLIER)),
    ((REST, REST, EARLIER), (REST, REST, LATER)),
)
STEPS_AT_ONCE = 32  #: of growing, between two looks at whether anything still grows


def resampling(length: int, target: int, *, box: bool = False) -> NDArray[np.float64]:
    """Return the (target, length) weights with which Pillow resizes by its bilinear or its box filter.

    >>> resampling(4, 2, box=True).tolist()
    [[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]]
    """
    scale = length / target
    wide = max(scale, 1.0)
    support = (0.5 if box else 1.0) * wide
    weights = np.zeros((target, length))
    for row in range(target):
        middle = (row + 0.5) * scale
        first, last = max(int(middle - support + 0.5), 0), min(int(middle + support + 0.5), length)
        away = (np.arange(first, last) - middle + 0.5) / wide
        weights[row, first:last] = (away > -0.5) & (away <= 0.5) if box else np.maximum(1 - np.abs(away), 0)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _blurring(length: int) -> NDArray[np.float64]:
    sigma = LOCAL_MEAN_SIGMA_PX / LOCAL_MEAN_REDUCTION
    radius = math.ceil(3 * sigma)
    offsets = np.arange(-radius, radius + 1)
    kernel = np.exp(-(offsets**2) / (2 * sigma**2))
    weights = np.zeros((length, length))
    rows = np.arange(length)[:, None]
    np.add.at(weights, (rows, np.clip(rows + offsets, 0, length - 1)), kernel / kernel.sum())
    return weights


@lru_cache(maxsize=32)
def _matrix(kind: str, length: int, target: int, device: torch.device) -> Tensor:
    if kind == "resize":
        found = resampling(length, target)
    else:
        small = max(1, length // LOCAL_MEAN_REDUCTION)
        found = resampling(small, length) @ _blurring(small) @ resampling(length, small, box=True)
    return torch.from_numpy(found.astype(np.float32)).to(device)


def resized(grey: Tensor, width_px: int) -> Tensor:
    """Return grey images (N, H, W) in [0, 255] at `width_px`, rounded after either side as Pillow does."""
    height, width = grey.shape[1:]
    if width == width_px:
        return grey
    rows = _matrix("resize", height, max(1, round(height * width_px / width)), grey.device)
    columns = _matrix("resize", width, width_px, grey.device)
    return _rounded(rows @ _rounded(grey @ columns.T))  # (N, h, width_px)


def _rounded(x: Tensor) -> Tensor:
    """Return the nearest whole numbers, halves upwards, as Pillow does; torch's own goes to the even one."""
    return (x + 0.5).floor()


def local_contrast(grey: Tensor) -> Tensor:
    """Return the normalisation ``local-contrast-1`` of grey images (N, H, W) in [0, 255]."""
    g = grey / 255
    rows, columns = (_matrix("local mean", side, side, grey.device) for side in g.shape[1:])
    return 4 * torch.log((g + 0.04) / (rows @ g @ columns.T + 0.04))  # (N, H, W)


def centred(grey: Tensor) -> Tensor:
    """Return the normalisation ``centred-1`` of grey images (N, H, W) in [0, 255]."""
    g = grey / 255
    spread = g.std(dim=(1, 2), keepdim=True, correction=0).clamp(min=0.02)
    return (g - g.mean(dim=(1, 2), keepdim=True)) / spread  # (N, H, W)


def _grown(seed: Tensor, within: Tensor) -> Tensor:
    """Return (N, H, W) numbers grown from `seed` to neighbours across edges inside `within`, the largest winning."""
    within = within.float()
    x = seed.float() * within
    while True:
        before = x
        for _ in range(STEPS_AT_ONCE):
            y = x.clone()
            for to, of in NEIGHBOURS:
                y[to] = torch.maximum(y[to], x[of])
            x = y * within
        if torch.equal(x, before):
            return x


def drops_in(logits: Tensor) -> Tensor:
    """Return the masks (N, H, W) of the drops that logits show, all False where there is none; as `locate.drop_in`."""
    mask = logits > 0
    count, height, width = mask.shape
    numbers = torch.arange(1, height * width + 1, device=mask.device).reshape(1, height, width)
    labels = _grown(numbers, mask).long().reshape(count, -1)  # (N, H x W); whole numbers below 2 ** 24 are exact
    sizes = torch.zeros(count, height * width + 1, device=mask.device)
    sizes = sizes.scatter_add_(1, labels, torch.ones_like(labels, dtype=sizes.dtype))
    sizes[:, 0] = 0
    counting = (sizes >= LEAST_PART * sizes.amax(dim=1, keepdim=True)) & (sizes > 0)
    enough = (sizes * counting).sum(dim=1) >= LEAST_AREA_FRACTION * height * width
    drop = counting.gather(1, labels).reshape(mask.shape) & enough[:, None, None]
    outside = functional.pad(torch.zeros_like(drop[:, 1:-1, 1:-1]), (1, 1, 1, 1), value=True)
    return ~(_grown(outside, ~drop) > 0) & enough[:, None, None]
