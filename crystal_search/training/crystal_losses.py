"""What a detector of crystals is charged for: heat, what crystals cover, and box, angle and outline of each crystal.

Crystals of a view count the same, however many cells they have. One of a view with few counts for more, up to
twice as much, and so do false ones there: else the few of a drop would not matter beside the many of a suspension.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, log_softmax, smooth_l1_loss

from crystal_search.crystals.decoding import ANGLES, OFFSET_PX
from crystal_search.training import crystal_targets as told
from crystal_search.training.task import Losses

SIDES_BETA, TURN_BETA, OFFSET_BETA, OUTLINE_BETA = 0.03, 0.04, 0.03, 0.03  #: where absolute errors become squared ones
CLEAR_ASPECT = 4.0  #: of the sides, from which on an angle counts fully
ANGLE_SPREAD = 0.8  #: of the classes that are right, standard deviation in classes
USUAL_CRYSTALS, MOST_COUNT = 50, 2.0  #: in a view where each counts once; what one counts for at most
WEIGHTS = {
    "heat": 1.0,
    "covered": 0.5,
    "gauss": 4.0,
    "offset": 1.0,
    "sides": 1.0,
    "turn": 0.5,
    "angle": 0.5,
    "outline": 1.0,
}


def crystal_losses(answers: tuple[Tensor, ...], truth: Tensor) -> Losses:
    """Return losses by name, their weighed sum as ``loss``.

    Parameters
    ----------
    answers
        Of `networks.dense_crystals.DenseCrystals.taught`.
    truth
        (N, `crystal_targets.CHANNELS`, h, w).
    """
    heat, boxes, angles, outlines, covered = (each.float() for each in answers)
    counts = truth[:, told.BOX_COUNTS]
    share = _share(counts)
    counts = share * counts
    crystals = counts.sum().clamp_min(1.0)
    where = counts > 0
    weight, mine = counts[where] / crystals, truth.movedim(1, -1)[where]  # (M,), (M, CHANNELS)
    box, angle, outline = (each.movedim(1, -1)[where] for each in (boxes, angles, outlines))
    parts = {
        "heat": (share * _heat(heat[:, 0], truth)).sum() / crystals,
        "covered": binary_cross_entropy_with_logits(covered[:, 0], truth[:, told.COVERED]),
        "outline": (_distance(outline, mine[:, told.OUTLINE :], OUTLINE_BETA).mean(dim=1) * weight).sum(),
        **{name: (loss * weight).sum() for name, loss in _of_boxes(box, angle, mine).items()},
    }
    total = torch.stack([WEIGHTS[name] * loss for name, loss in parts.items()]).sum()
    return {"loss": total, **parts}


def _share(counts: Tensor) -> Tensor:
    """Return what each crystal of a view counts for, (N, 1, 1), from how many there are."""
    crystals = counts.sum(dim=(1, 2), keepdim=True).clamp_min(1.0)
    return (USUAL_CRYSTALS / crystals).sqrt().clamp_max(MOST_COUNT)


def _heat(logits: Tensor, truth: Tensor) -> Tensor:
    """Return the quality focal loss (N, h, w) of cells that count (Li et al. 2020, arXiv:2006.04388)."""
    wanted, counts = truth[:, told.HEAT], truth[:, told.HEAT_COUNTS]
    off = (logits.sigmoid() - wanted).square()
    return counts * off * binary_cross_entropy_with_logits(logits, wanted, reduction="none")


def _of_boxes(box: Tensor, angle: Tensor, mine: Tensor) -> Losses:
    """Return the losses (M,) of boxes (M, 6) and logits of angles (M, ANGLES) by name."""
    offset, sides, turn = mine[:, told.OFFSET : told.SIDES], mine[:, told.SIDES : told.ANGLE], mine[:, told.ANGLE]
    doubled = torch.stack((torch.cos(2 * turn), torch.sin(2 * turn)), dim=1)
    clear = ((sides[:, 0] - sides[:, 1]).exp() - 1).clamp(0, CLEAR_ASPECT - 1)
    right = torch.cat((offset, sides, doubled), dim=1)
    return {
        "gauss": 1 - 1 / (1 + torch.log1p(divergence(box, right))),
        "offset": _distance(box[:, :2], offset, OFFSET_BETA).sum(dim=1),
        "sides": _distance(box[:, 2:4], sides, SIDES_BETA).sum(dim=1),
        "turn": _distance(box[:, 4:], doubled, TURN_BETA).sum(dim=1) * clear,
        "angle": -(angle_classes(turn) * log_softmax(angle, dim=1)).sum(dim=1) * clear.clamp_max(1.0),
    }


def angle_classes(turn: Tensor) -> Tensor:
    """Return how right each class (M, ANGLES) is for angles (M,) of half a turn; sums are 1."""
    step = math.pi / ANGLES
    away = torch.remainder(torch.arange(ANGLES, device=turn.device) - turn[:, None] / step + ANGLES / 2, ANGLES)
    right = torch.exp(-0.5 * ((away - ANGLES / 2) / ANGLE_SPREAD).square())
    return right / right.sum(dim=1, keepdim=True)


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
