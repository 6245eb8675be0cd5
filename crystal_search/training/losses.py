"""What the classifier is taught: every cell, every chop, and never a false alarm."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from crystal_search.datasets.cell_labels import FIRST_ASKED_PX, IGNORED, cell_labels, chop_labels, texture_labels
from crystal_search.datasets.outcome_maps import OUTSIDE, REDUCTION
from crystal_search.networks.squeezenet import chop_logits
from crystal_search.outcomes import GROUPS, OUTCOMES, Group, classes_of

SMOOTHING = 0.03
CHOP_WEIGHT, ALARM_WEIGHT, MISS_WEIGHT, TEXTURE_WEIGHT = 0.7, 0.3, 0.2, 1.0
LEAST_SEEN_BLOCKS = 6  #: of 4 x 4 px of crystals, that a crop may be charged for missing
#: Walls and empty liquid fill most of every image.
CLASS_WEIGHTS = tuple({"rim": 0.5, "clear": 0.7}.get(outcome.name, 1.0) for outcome in OUTCOMES)
TEXTURE_CLASS_WEIGHTS = tuple({"rim": 0.5, "clear": 0.15}.get(outcome.name, 1.0) for outcome in OUTCOMES)
LARGEST_CERTAINTY = 1 - 1e-3  #: keeps the logarithm of an alarm finite


def cell_losses(cells: Tensor, textures: Tensor, outcome_maps: Tensor) -> dict[str, Tensor]:
    """Return the losses at both depths by name, the one to descend as ``loss``.

    Parameters
    ----------
    cells : Tensor
        Logits of every cell, (N, 13, h, w).
    textures : Tensor
        Logits half-way up, (N, 13, H, W).
    outcome_maps : Tensor
        What can be seen in the crops, (N, side/4, side/4) uint8.
    """
    chops = chop_logits(cells)  # (N, 13, h - 3, w - 3)
    cell = _class_loss(cells, cell_labels(outcome_maps))
    chop = _class_loss(chops, chop_labels(outcome_maps))
    alarm = _alarm_loss(chops, outcome_maps)
    weights = torch.tensor(TEXTURE_CLASS_WEIGHTS, device=textures.device)
    miss = _miss_loss(chops, outcome_maps)
    texture = cross_entropy(textures, texture_labels(outcome_maps), weights)
    loss = cell + CHOP_WEIGHT * chop + ALARM_WEIGHT * alarm + MISS_WEIGHT * miss + TEXTURE_WEIGHT * texture
    return {"loss": loss, "cell": cell, "chop": chop, "alarm": alarm, "miss": miss, "texture": texture}


def _class_loss(logits: Tensor, labels: Tensor) -> Tensor:
    weights = torch.tensor(CLASS_WEIGHTS, device=logits.device)
    return cross_entropy(logits, labels, weights, ignore_index=IGNORED, label_smoothing=SMOOTHING)


def groups_of_logits(logits: Tensor) -> Tensor:
    """Return the summed probabilities of the four groups, (N, 4, ...), of logits (N, 13, ...)."""
    probabilities = logits.softmax(dim=1)
    return torch.stack([probabilities[:, list(classes_of(group))].sum(dim=1) for group in GROUPS], dim=1)


def _alarm_loss(chops: Tensor, outcome_maps: Tensor) -> Tensor:
    """Charge each crop for the chop that is surest of a group which the crop does not hold.

    A single wrong chop decides a whole well, since the groups are asked in order of priority.
    """
    surest = groups_of_logits(chops)[:, :-1].amax(dim=(2, 3)).clamp(max=LARGEST_CERTAINTY)  # (N, 3), not clear
    absent = ~torch.stack([_holds(outcome_maps, classes_of(group)) for group in GROUPS[:-1]], dim=1)  # (N, 3)
    return (-torch.log1p(-surest) * absent).mean()


def _miss_loss(chops: Tensor, outcome_maps: Tensor) -> Tensor:
    """Charge each crop that holds crystals, however small, for the chop that is surest of crystals.

    A well counts as crystal by its best chop, so that one is enough; most small crystals are too small for the label of
    a whole chop.
    """
    surest = groups_of_logits(chops)[:, GROUPS.index(Group.CRYSTAL)].amax(dim=(1, 2)).clamp(min=1 - LARGEST_CERTAINTY)
    margin = FIRST_ASKED_PX // REDUCTION
    asked = outcome_maps[:, margin:-margin, margin:-margin]
    seen = torch.isin(asked, torch.tensor(classes_of(Group.CRYSTAL), device=asked.device, dtype=asked.dtype))
    holds = seen.flatten(1).sum(dim=1) >= LEAST_SEEN_BLOCKS  # (N,)
    return (-torch.log(surest) * holds).mean()


def _holds(outcome_maps: Tensor, classes: tuple[int, ...]) -> Tensor:
    inside = (outcome_maps >= classes[0]) & (outcome_maps <= classes[-1]) & (outcome_maps != OUTSIDE)
    return inside.flatten(1).any(dim=1)


def hits(chops: Tensor, labels: Tensor, among: int) -> Tensor:
    """Return which part of the labels (N,) is among the likeliest classes of logits (N, classes), a number.

    >>> hits(torch.tensor([[0.1, 0.2, 0.7], [0.5, 0.3, 0.2]]), torch.tensor([2, 1]), 1).item()
    0.5
    """
    likeliest = chops.topk(min(among, chops.shape[1]), dim=1).indices  # (N, among)
    return (likeliest == labels[:, None]).any(dim=1).float().mean()
