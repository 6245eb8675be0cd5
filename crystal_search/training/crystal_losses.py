"""What a detector of crystals is charged for: heat, what crystals cover, box and outline of each, look by look.

Crystals of a view count the same, however many cells they have. One of a view with few counts for more, up to
twice as much, and so do false ones there: else the few of a drop would not matter beside the many of a suspension.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, max_pool2d, smooth_l1_loss

from crystal_search.crystals.decoding import OFFSET_PX
from crystal_search.networks.box_refinement import Cells, Refined
from crystal_search.networks.dense_crystals import LOOKED_AT, DenseCrystals, First
from crystal_search.training import crystal_targets as told
from crystal_search.training.task import Losses

SIDES_BETA, TURN_BETA, OFFSET_BETA, OUTLINE_BETA = 0.03, 0.04, 0.03, 0.03  #: where absolute errors become squared ones
CLEAR_ASPECT = 4.0  #: of the sides, from which on an angle counts fully
USUAL_CRYSTALS, MOST_COUNT = 50, 2.0  #: in a view where each counts once; what one counts for at most
BETTER = "better "  #: before the names of what is charged after further looks, of all together
FIRST_WEIGHTS = {"heat": 1.0, "covered": 0.5, "gauss": 4.0, "offset": 1.0, "sides": 1.0, "turn": 0.5, "outline": 1.0}
FURTHER_WEIGHTS = {"heat": 1.0, "gauss": 4.0, "offset": 2.0, "sides": 1.0, "turn": 0.5, "outline": 1.0}
WEIGHTS = FIRST_WEIGHTS | {BETTER + name: weight for name, weight in FURTHER_WEIGHTS.items()}
FIRST_PARTS, FURTHER_PARTS = tuple(FIRST_WEIGHTS), tuple(BETTER + name for name in FURTHER_WEIGHTS)


def dense_losses(network: DenseCrystals, views: Tensor, truth: Tensor) -> Losses:
    """Return the losses of views (N, 1, side, side) by name, their weighed sum as ``loss``."""
    first = network.first(views)
    looked = looked_at(first, truth)
    return crystal_losses(first, network.covered(first.coarse), looked, network.looks(first, looked)[1:], truth)


def looked_at(first: First, truth: Tensor) -> Cells:
    """Return the cells of truth (N, `crystal_targets.CHANNELS`, h, w) that are taught by further looks.

    They are those near the middle of a crystal, and all peaks that get further looks: false ones shall fall.
    """
    heat = first.heat.detach().float().sigmoid()
    peaks = (heat > LOOKED_AT) & (heat >= max_pool2d(heat, 3, 1, 1))
    return Cells(*torch.nonzero(peaks[:, 0] | (truth[:, told.BETTER_COUNTS] > 0), as_tuple=True))


def crystal_losses(first: First, covered: Tensor, looked: Cells, looks: Sequence[Refined], truth: Tensor) -> Losses:
    """Return losses by name, their weighed sum as ``loss``.

    Parameters
    ----------
    first
        What is told at first sight.
    covered
        Logits of what crystals cover, (N, 1, h, w).
    looked, looks
        Cells that got further looks, and what was told of them after each.
    truth
        (N, `crystal_targets.CHANNELS`, h, w).
    """
    share = _share(truth[:, told.BOX_COUNTS])
    counts = share * truth[:, told.BOX_COUNTS]
    crystals = counts.sum().clamp_min(1.0)
    taught = Cells(*torch.nonzero(counts > 0, as_tuple=True))
    boxes, mine, weight = taught.of(first.boxes), taught.of(truth), counts[tuple(taught)] / crystals
    heat = _heat(first.heat.float()[:, 0], truth[:, told.HEAT], truth[:, told.HEAT_COUNTS])
    of_boxes = _of_boxes(boxes, taught.of(first.outlines), mine) | {"offset": _off_px(boxes, mine)}
    parts = {
        "heat": (share * heat).sum() / crystals,
        "covered": binary_cross_entropy_with_logits(covered.float()[:, 0], truth[:, told.COVERED]),
        **{name: (loss * weight).sum() for name, loss in of_boxes.items()},
    }
    its, looked_share = looked.of(truth), share[looked.image, 0, 0] / crystals
    further = [_of_look(each, its, looked_share) for each in looks]
    parts |= {BETTER + name: torch.stack([each[name] for each in further]).sum() for name in further[0]}
    total = torch.stack([WEIGHTS[name] * loss for name, loss in parts.items()]).sum()
    return {"loss": total, **parts}


def _of_look(look: Refined, its: Tensor, share: Tensor) -> Losses:
    """Return the losses of a further look at cells (M,), of which each crystal counts for `share` (M,), by name.

    Its heat shall be less where the box fits badly.
    """
    counts = share * its[:, told.BETTER_COUNTS]
    parts = _of_boxes(look.boxes, look.outlines, its) | {"offset": _off_sides(look.boxes, its)}
    wanted = its[:, told.HEAT] * torch.where(counts > 0, 1 - parts["gauss"].detach(), 1.0)
    heat = _heat(look.heat[:, 0], wanted, its[:, told.HEAT_COUNTS])
    return {"heat": (heat * share).sum(), **{name: (loss * counts).sum() for name, loss in parts.items()}}


def _share(counts: Tensor) -> Tensor:
    """Return what each crystal of a view counts for, (N, 1, 1), from how many there are."""
    crystals = counts.sum(dim=(1, 2), keepdim=True).clamp_min(1.0)
    return (USUAL_CRYSTALS / crystals).sqrt().clamp_max(MOST_COUNT)


def _heat(logits: Tensor, wanted: Tensor, counts: Tensor) -> Tensor:
    """Return the quality focal loss of cells that count (Li et al. 2020, arXiv:2006.04388), all of one shape."""
    off = (logits.sigmoid() - wanted).square()
    return counts * off * binary_cross_entropy_with_logits(logits, wanted, reduction="none")


def _of_boxes(box: Tensor, outline: Tensor, mine: Tensor) -> Losses:
    """Return the losses (M,) of boxes (M, 6) and outlines (M, directions) by name, but that of their centres."""
    offset, sides, turn = mine[:, told.OFFSET : told.SIDES], mine[:, told.SIDES : told.ANGLE], mine[:, told.ANGLE]
    doubled = torch.stack((torch.cos(2 * turn), torch.sin(2 * turn)), dim=1)
    clear = ((sides[:, 0] - sides[:, 1]).exp() - 1).clamp(0, CLEAR_ASPECT - 1)
    right = torch.cat((offset, sides, doubled), dim=1)
    return {
        "gauss": 1 - 1 / (1 + torch.log1p(divergence(box, right))),
        "sides": _distance(box[:, 2:4], sides, SIDES_BETA).sum(dim=1),
        "turn": _distance(box[:, 4:], doubled, TURN_BETA).sum(dim=1) * clear,
        "outline": _distance(outline, mine[:, told.OUTLINE :], OUTLINE_BETA).mean(dim=1),
    }


def _off_px(box: Tensor, mine: Tensor) -> Tensor:
    """Return what is charged (M,) for centres of boxes that are off, by their distance along rows and columns."""
    return _distance(box[:, :2], mine[:, told.OFFSET : told.SIDES], OFFSET_BETA).sum(dim=1)


def _off_sides(box: Tensor, mine: Tensor) -> Tensor:
    """Return what is charged (M,) for centres of boxes that are off, by their distance along the sides in sides."""
    row, column = (OFFSET_PX * (box[:, :2] - mine[:, told.OFFSET : told.SIDES])).T
    sine, cosine = mine[:, told.ANGLE].sin(), mine[:, told.ANGLE].cos()
    away = torch.stack((row * sine + column * cosine, row * cosine - column * sine), dim=1)
    shares = away / mine[:, told.SIDES : told.ANGLE].exp()
    return _distance(shares, torch.zeros_like(shares), OFFSET_BETA).sum(dim=1)


def divergence(found: Tensor, right: Tensor) -> Tensor:
    """Return the Kullback-Leibler divergence (M,) of boxes from right ones, both as Gaussians (Yang et al. 2021).

    Boxes (M, 6) are as the network tells them; arXiv:2106.01883. Half a side is one standard deviation.
    """
    mean, mine, its = _offsets_px(found) - _offsets_px(right), _covariance(found), _covariance(right)
    determinant = (its[0] * its[2] - its[1] ** 2).clamp_min(1e-6)
    inverse = its[2] / determinant, -its[1] / determinant, its[0] / determinant
    distance = inverse[0] * mean[:, 0] ** 2 + 2 * inverse[1] * mean[:, 0] * mean[:, 1] + inverse[2] * mean[:, 1] ** 2
    trace = inverse[0] * mine[0] + 2 * inverse[1] * mine[1] + inverse[2] * mine[2]
    sides = 2 * (right[:, 2:4] - found[:, 2:4]).sum(dim=1)
    return (0.5 * (distance + trace - 2 + sides)).clamp_min(0.0)


def _offsets_px(boxes: Tensor) -> Tensor:
    return OFFSET_PX * boxes[:, :2]


def _covariance(boxes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return variance of the rows, covariance, variance of the columns."""
    long, short = ((2 * boxes[:, side].clamp(-1, 8)).exp() / 4 for side in (2, 3))
    length = boxes[:, 4:].square().sum(dim=1).add(1e-6).sqrt()
    cosine, sine = boxes[:, 4] / length, boxes[:, 5] / length  # of twice the angle
    mean, half = (long + short) / 2, (long - short) / 2
    return mean - half * cosine, half * sine, mean + half * cosine


def _distance(found: Tensor, right: Tensor, beta: float) -> Tensor:
    return smooth_l1_loss(found, right, reduction="none", beta=beta)
