"""What each cell of the output map, and each chop, should say: from the outcomes that can be seen.

A cell sees 207 px and is asked about the 112 px in the middle; a chop's 4 x 4 cells are asked about the
160 px in the middle of its 256. Something that only touches the edge of the view is another cell's business:
chops overlap by three quarters.
"""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, max_pool2d, one_hot

from crystal_search.datasets.outcome_maps import OUTSIDE, REDUCTION, SEEN_FIRST
from crystal_search.networks.squeezenet import CELLS_PER_CHOP, OUTPUT_STRIDE_PX
from crystal_search.outcomes import OUTCOMES, Group

IGNORED = -100  #: label that no loss counts
FIRST_ASKED_PX = 48  #: from the edge of a crop to the part that its first cell is asked about
ASKED_PX = 112  #: side of the part that a cell is asked about
CHOP_ASKED_PX = ASKED_PX + (CELLS_PER_CHOP - 1) * OUTPUT_STRIDE_PX
_CLEAR, _RIM = (next(i for i, outcome in enumerate(OUTCOMES) if outcome.name == name) for name in ("clear", "rim"))
NOTHING_BELOW = 0.1  #: a part with less drop than this is called rim, like the walls around it

#: Share of the part asked about that an outcome must cover to be its label. Crystals are small, textures are not.
ENOUGH = {Group.CRYSTAL: 0.008, Group.PRECIPITATE: 0.06, Group.OTHER: 0.03, Group.CLEAR: 0.02}
ENOUGH_RIM = 0.06
DOUBTFUL = 0.15  #: between this much of what is enough and enough itself there is no label


def _enough() -> Tensor:
    shares = [ENOUGH_RIM if index == _RIM else ENOUGH[outcome.group] for index, outcome in enumerate(OUTCOMES)]
    shares[_CLEAR] = 0.0
    return torch.tensor(shares)[None, :, None, None]


def _labels(outcome_maps: Tensor, side_px: int) -> Tensor:
    indices = outcome_maps.long()  # (N, rows, columns), blocks of 4 px
    inside = indices != OUTSIDE
    seen = one_hot(torch.where(inside, indices, len(OUTCOMES)), len(OUTCOMES) + 1)[..., :-1]
    margin = FIRST_ASKED_PX // REDUCTION
    seen = seen.permute(0, 3, 1, 2)[:, :, margin:-margin, margin:-margin].float()  # (N, classes, rows, columns)
    shares = avg_pool2d(seen, side_px // REDUCTION, OUTPUT_STRIDE_PX // REDUCTION)  # (N, classes, h, w)
    enough = _enough().to(shares)
    order = list(SEEN_FIRST)
    first = (shares >= enough)[:, order].float().argmax(dim=1)  # (N, h, w)
    by_priority = torch.tensor(order, device=first.device)
    labels = by_priority[first]
    better = (
        torch.arange(len(order), device=first.device)[None, :, None, None] < first[:, None]
    )  # (N, classes by priority, h, w)
    doubtful = better & (shares > DOUBTFUL * enough)[:, order] & ~by_priority[None, :, None, None].eq(_RIM)
    labels = torch.where(doubtful.any(dim=1), IGNORED, labels)
    return torch.where(shares.sum(dim=1) < NOTHING_BELOW, torch.where(labels < _CLEAR, labels, _RIM), labels)


def cell_labels(outcome_maps: Tensor) -> Tensor:
    """Return the label of every cell, (N, h, w) int64, for crops' outcome maps (N, side/4, side/4) uint8."""
    return _labels(outcome_maps, ASKED_PX)


def chop_labels(outcome_maps: Tensor) -> Tensor:
    """Return the label of every chop, at a stride of one cell: (N, h - 3, w - 3) int64."""
    return _labels(outcome_maps, CHOP_ASKED_PX)


FIRST_TEXTURE_PX, TEXTURE_PX, TEXTURE_STRIDE_PX = 24, 16, 8


def texture_labels(outcome_maps: Tensor) -> Tensor:
    """Return the label of every cell of the map half-way up: what is in the 16 px in the middle of its 63.

    The empty plate looks like empty liquid from so near, and is called clear. Shape (N, h, w) int64 with
    ``h = (side - 63) // 8 + 1``.
    """
    order = torch.tensor(SEEN_FIRST, device=outcome_maps.device)
    ranks = torch.full((256,), len(SEEN_FIRST) - 1.0, device=order.device)  # outside, too, counts as clear, the last
    ranks[order] = torch.arange(len(SEEN_FIRST), dtype=torch.float32, device=order.device)
    margin = FIRST_TEXTURE_PX // REDUCTION
    asked = ranks[outcome_maps.long()][:, None, margin:-margin, margin:-margin]
    highest = -max_pool2d(-asked, TEXTURE_PX // REDUCTION, TEXTURE_STRIDE_PX // REDUCTION)[:, 0]  # (N, h, w)
    return order[highest.long()]
