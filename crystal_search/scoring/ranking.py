"""From the probabilities of chops to the score of the image (Thielmann et al. 2023, section 3.1)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from crystal_search.geometry import Box, intersection_over_union
from crystal_search.group_rule import winning_group
from crystal_search.outcomes import CHOPS_ONLY, GROUPS, OUTCOMES, Group, classes_of
from crystal_search.result import BestChop, RankedScore

MOST_SHARED = 0.3  # intersection over union above which two frames would say the same


def group_columns(chop_probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each chop's summed probability by group: (chops, classes) to (chops, groups)."""
    return np.stack([chop_probabilities[:, classes_of(group)].sum(axis=1) for group in GROUPS], axis=1)


def ranked_score(chop_probabilities: NDArray[np.float64], threshold: float) -> RankedScore:
    """Return the outcome of an image from the probabilities of its chops, shape (chops, classes).

    The group is decided by `group_rule.winning_group`; the outcome is the group's most probable one in the chop
    that speaks most for the group; never the rim, which only a chop can be.
    """
    groups = group_columns(chop_probabilities)
    group, above = winning_group(groups.max(axis=0).tolist(), chop_probabilities.mean(axis=0).tolist(), threshold)
    best = int(groups[:, GROUPS.index(group)].argmax())
    return RankedScore(
        outcome=outcome_within(group, chop_probabilities[best], whole_image=True),
        probability=min(1.0, float(groups[best, GROUPS.index(group)])),
        above_threshold=above,
    )


def outcome_within(group: Group, class_probabilities: NDArray[np.float64], *, whole_image: bool = False) -> str:
    """Return the most probable outcome of a group, by probabilities of classes, (classes,); of a whole image never rim.

    >>> outcome_within(Group.PRECIPITATE, np.eye(13)[5])
    'precipitate_good'
    """
    members = [index for index in classes_of(group) if not (whole_image and OUTCOMES[index].name == CHOPS_ONLY)]
    return OUTCOMES[members[int(class_probabilities[members].argmax())]].name


def best_chops(
    chop_probabilities: NDArray[np.float64], boxes: Sequence[Box], group: Group, count: int
) -> tuple[BestChop, ...]:
    """Return the `count` chops that speak most for `group`, none lying much on a better one."""
    scores = group_columns(chop_probabilities)[:, GROUPS.index(group)]
    chosen: list[BestChop] = []
    for index in np.argsort(-scores, kind="stable").tolist():
        if len(chosen) == count:
            break
        if all(intersection_over_union(boxes[index], other.box) <= MOST_SHARED for other in chosen):
            outcome = outcome_within(group, chop_probabilities[index])
            chosen.append(BestChop(box=boxes[index], outcome=outcome, probability=min(1.0, float(scores[index]))))
    return tuple(chosen)
