"""Fields of images in the memory of the device that batches are made on."""

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from crystal_search.datasets.packed import WellRow

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
