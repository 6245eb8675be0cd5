"""Views of images for ``cells`` and ``drops``: kept, cut out and normalised many at once, on whatever device they are.

A GPU could not be kept busy by `images.normalised`, one by one on a processor; the numbers are the same. What is
changed in between is in `view_augmentation`.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, interpolate, pad

from crystal_search.datasets.packed import WellRow
from crystal_search.images import LOCAL_MEAN_REDUCTION, LOCAL_MEAN_SIGMA_PX

KEPT_SHARE = 0.5  #: of the memory of a GPU that is free


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


def gaussian_kernel(sigma: Tensor, radius: int) -> Tensor:
    """Return Gaussians of `sigma` (N,) px as kernels (N, 2 radius + 1) whose sums are 1."""
    offsets = torch.arange(-radius, radius + 1, device=sigma.device)
    kernel = torch.exp(-(offsets**2) / (2 * sigma[:, None] ** 2))
    return kernel / kernel.sum(dim=1, keepdim=True)


def local_contrast(views: Tensor) -> Tensor:
    """Return what `images.local_contrast` makes of views (N, h, w) in [0, 1]; sides are multiples of 4 px."""
    small = avg_pool2d(views[:, None], LOCAL_MEAN_REDUCTION)[:, 0]
    sigma = torch.full((1,), LOCAL_MEAN_SIGMA_PX / LOCAL_MEAN_REDUCTION, device=views.device)
    kernel = gaussian_kernel(sigma, int(np.ceil(3 * LOCAL_MEAN_SIGMA_PX / LOCAL_MEAN_REDUCTION)))[0]
    radius = len(kernel) // 2
    smooth = pad(small[:, None], (radius, radius, radius, radius), mode="replicate")
    smooth = conv2d(conv2d(smooth, kernel[None, None, :, None]), kernel[None, None, None, :])
    mean = interpolate(smooth, size=views.shape[1:], mode="bilinear", align_corners=False)[:, 0]
    return 4 * torch.log((views + 0.04) / (mean + 0.04))


def centred(views: Tensor) -> Tensor:
    """Return what `images.centred` makes of views (N, h, w) in [0, 1]."""
    mean = views.mean(dim=(1, 2), keepdim=True)
    return (views - mean) / views.std(dim=(1, 2), keepdim=True, correction=0).clamp_min(0.02)
