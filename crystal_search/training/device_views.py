"""Views of images, kept, cut out, recorded differently and normalised many at once, on whatever device they are.

A GPU could not be kept busy by `images.normalised`, one by one on a processor; the numbers are the same.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, interpolate, pad

from crystal_search.datasets.packed import WellRow
from crystal_search.images import LOCAL_MEAN_REDUCTION, LOCAL_MEAN_SIGMA_PX

KEPT_SHARE = 0.5  #: of the memory of a GPU that is free
GAMMA_LOG_RANGE = 0.35
CONTRAST_RANGE = (0.5, 1.35)
BRIGHTNESS_RANGE = 0.08  #: of full scale
NOISE_RANGE = (0.002, 0.025)  #: of full scale
BLUR_RANGE_PX, BLUR_RADIUS_PX = (0.3, 2.2), 5
COARSER_RANGE = (0.3, 0.9)  #: a camera of so many pixels along a side, over those there are
BLURRED_SHARE, NOISY_SHARE, COARSER_SHARE = 0.25, 0.35, 0.25


class KeptImages:
    """Reads fields of images, and keeps them as long as there is room; what is not kept is read again."""

    def __init__(self, read: Callable[[WellRow], tuple[Tensor, ...]], device: torch.device, room_bytes: int) -> None:
        """Keep what `read` returns: on a GPU in a share of its memory, elsewhere in `room_bytes`."""
        self._read = read
        self._room = room_bytes
        if device.type == "cuda":
            self._room = int(KEPT_SHARE * torch.cuda.mem_get_info(device)[0])
        self._kept: dict[str, tuple[Tensor, ...]] = {}

    def __len__(self) -> int:
        """Return how many images are kept."""
        return len(self._kept)

    def of(self, row: WellRow) -> tuple[Tensor, ...]:
        """Return the fields of an image, (h, w) each."""
        if row.key in self._kept:
            return self._kept[row.key]
        fields = self._read(row)
        if (size := sum(field.nbytes for field in fields)) <= self._room:
            self._room -= size
            self._kept[row.key] = fields
        return fields


def stacked(images: Iterable[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    """Return each field of all images, (N, h, w); smaller ones are filled up at the bottom and the right."""
    return tuple(_stacked(fields) for fields in zip(*images, strict=True))


def _stacked(fields: Sequence[Tensor]) -> Tensor:
    height, width = (max(field.shape[axis] for field in fields) for axis in (0, 1))
    return torch.stack([pad(field, (0, width - field.shape[1], 0, height - field.shape[0])) for field in fields])


def reduced(images: Tensor, factor: int) -> Tensor:
    """Return images (N, h, w) uint8 with `factor` times fewer pixels along a side, averaged."""
    parts = [avg_pool2d(part.float()[:, None], factor)[:, 0] for part in images.chunk(max(1, len(images) // 8))]
    return torch.cat(parts).round().byte()


def sampled(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return a part of each image, interpolated; beyond an image's border its edge goes on.

    Parameters
    ----------
    images
        (N, height, width) uint8.
    rows, columns
        (N, h) and (N, w) float32, positions in pixels; whole numbers are centres of pixels.

    Returns
    -------
    Tensor
        (N, h, w) float32 in [0, 1].
    """
    count, height, width = images.shape
    numbers = torch.arange(count, device=images.device)
    rows, columns = rows.clamp(0, height - 1), columns.clamp(0, width - 1)
    top, left = rows.floor().clamp(max=height - 2), columns.floor().clamp(max=width - 2)
    down, right = (rows - top)[:, :, None], (columns - left)[:, None, :]
    flat = images.view(-1)
    first = (numbers[:, None] * height + top.long())[:, :, None] * width + left.long()[:, None, :]  # (N, h, w)
    upper = torch.lerp(flat[first].float(), flat[first + 1].float(), right.expand(first.shape))
    lower = torch.lerp(flat[first + width].float(), flat[first + width + 1].float(), right.expand(first.shape))
    return torch.lerp(upper, lower, down.expand(first.shape)) / 255


def looked_up(maps: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return a part of each map (N, height, width), nearest cells; as `sampled`, but whole numbers are edges."""
    count, height, width = maps.shape
    numbers = torch.arange(count, device=maps.device)
    row = rows.floor().long().clamp(0, height - 1)
    column = columns.floor().long().clamp(0, width - 1)
    return maps[numbers[:, None, None], row[:, :, None], column[:, None, :]]


def _kernel(sigma: Tensor, radius: int) -> Tensor:
    offsets = torch.arange(-radius, radius + 1, device=sigma.device)
    kernel = torch.exp(-(offsets**2) / (2 * sigma[:, None] ** 2))
    return kernel / kernel.sum(dim=1, keepdim=True)  # (N, 2 radius + 1)


def blurred(views: Tensor, sigma_px: Tensor, radius_px: int) -> Tensor:
    """Return views (N, h, w) blurred by Gaussians of `sigma_px` (N,), edge values repeated outside."""
    kernel = _kernel(sigma_px, radius_px)
    wide = pad(views[None], (radius_px, radius_px, radius_px, radius_px), mode="replicate")
    wide = conv2d(wide, kernel[:, None, :, None], groups=len(views))
    return conv2d(wide, kernel[:, None, None, :], groups=len(views))[0]


def local_contrast(views: Tensor) -> Tensor:
    """Return what `images.local_contrast` makes of views (N, h, w) in [0, 1]; sides are multiples of 4 px."""
    small = avg_pool2d(views[:, None], LOCAL_MEAN_REDUCTION)[:, 0]
    sigma = torch.full((1,), LOCAL_MEAN_SIGMA_PX / LOCAL_MEAN_REDUCTION, device=views.device)
    kernel = _kernel(sigma, int(np.ceil(3 * LOCAL_MEAN_SIGMA_PX / LOCAL_MEAN_REDUCTION)))[0]
    radius = len(kernel) // 2
    smooth = pad(small[:, None], (radius, radius, radius, radius), mode="replicate")
    smooth = conv2d(conv2d(smooth, kernel[None, None, :, None]), kernel[None, None, None, :])
    mean = interpolate(smooth, size=views.shape[1:], mode="bilinear", align_corners=False)[:, 0]
    return 4 * torch.log((views + 0.04) / (mean + 0.04))


def centred(views: Tensor) -> Tensor:
    """Return what `images.centred` makes of views (N, h, w) in [0, 1]."""
    mean = views.mean(dim=(1, 2), keepdim=True)
    return (views - mean) / views.std(dim=(1, 2), keepdim=True, correction=0).clamp_min(0.02)


def recorded_differently(views: Tensor, generator: np.random.Generator) -> Tensor:
    """Return views (N, h, w) in [0, 1] as other lenses, lamps and cameras might have recorded them."""
    count, device = len(views), views.device

    def drawn(low: float, high: float) -> Tensor:
        numbers = generator.uniform(low, high, (count, 1, 1)).astype(np.float32)
        return torch.from_numpy(numbers).to(device)

    order = generator.permutation(count)
    coarser = order[: round(COARSER_SHARE * count)]
    views = _coarser(views, torch.from_numpy(coarser).to(device), generator)
    soft = torch.from_numpy(order[::-1][: round(BLURRED_SHARE * count)].copy()).to(device)
    if len(soft):
        sigma = torch.from_numpy(generator.uniform(*BLUR_RANGE_PX, len(soft)).astype(np.float32)).to(device)
        views = views.index_copy(0, soft, blurred(views[soft], sigma, BLUR_RADIUS_PX))
    views = views.clamp_min(1e-3) ** torch.exp(drawn(-GAMMA_LOG_RANGE, GAMMA_LOG_RANGE))
    middle = views.mean(dim=(1, 2), keepdim=True)
    views = middle + drawn(*CONTRAST_RANGE) * (views - middle) + drawn(-BRIGHTNESS_RANGE, BRIGHTNESS_RANGE)
    amount = drawn(*NOISE_RANGE) * (drawn(0, 1) < NOISY_SHARE)
    noise = torch.Generator(device).manual_seed(int(generator.integers(2**63)))
    views = views + amount * torch.randn(views.shape, generator=noise, device=device)
    return (views.clamp(0, 1) * 255).round() / 255


def _coarser(views: Tensor, which: Tensor, generator: np.random.Generator) -> Tensor:
    """Return views of which those at `which` were seen by a camera of fewer pixels, and enlarged again."""
    if not len(which):
        return views
    share = float(generator.uniform(*COARSER_RANGE))
    size = [max(16, round(side * share)) for side in views.shape[1:]]
    few = interpolate(views[which][:, None], size=size, mode="area")
    many = interpolate(few, size=views.shape[1:], mode="bilinear", align_corners=False)[:, 0]
    return views.index_copy(0, which, many)


def turned(views: Tensor, turns: NDArray[np.int_]) -> Tensor:
    """Return square fields (N, h, h), each in one of the 8 turned and mirrored versions, as `turns` (N,) say."""
    versions = torch.empty_like(views)
    for turn in set(turns.tolist()):
        which = torch.from_numpy(np.flatnonzero(turns == turn)).to(views.device)
        part = views[which].flip(2) if turn >= 4 else views[which]
        versions[which] = torch.rot90(part, turn % 4, (1, 2))
    return versions
