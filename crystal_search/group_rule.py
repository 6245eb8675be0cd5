"""The rule that decides which group counts for a whole image (Thielmann et al. 2023, section 3.1).

Client, server, evaluation and calibration all ask it; `scoring.ranking` makes of its answer the image's score.
"""

from collections.abc import Sequence

from crystal_search.outcomes import GROUPS, Group, classes_of


def group_probabilities(class_probabilities: Sequence[float]) -> tuple[float, ...]:
    """Return the summed probability of each group, in GROUPS order.

    >>> group_probabilities([0.25, 0.25, 0, 0, 0, 0, 0, 0, 0, 0.5, 0, 0, 0])
    (0.5, 0.0, 0.5, 0.0)
    """
    return tuple(float(sum([class_probabilities[index] for index in classes_of(group)])) for group in GROUPS)


def doubt_of(group: Group, group_peaks: Sequence[float], *, above_threshold: bool) -> float:
    """Return how far from sure it is that `group` counts for an image, in [0, 1].

    It is 1 where crystals are called, for whom every chop matters, and where `group` did not reach the threshold, so
    that people are told unsure. Else it is the highest peak of those groups that would have won before, or what the
    peak of `group` lacks to 1.

    >>> doubt_of(Group.PRECIPITATE, (0.2, 0.9, 0.4, 0.3), above_threshold=True)
    0.2
    >>> round(doubt_of(Group.CLEAR, (0.2, 0.1, 0.1, 0.5), above_threshold=True), 6)
    0.5
    >>> doubt_of(Group.CLEAR, (0.2, 0.1, 0.1, 0.5), above_threshold=False)
    1.0
    """
    if group is Group.CRYSTAL or not above_threshold:
        return 1.0
    at = GROUPS.index(group)
    return max(*group_peaks[:at], 1 - group_peaks[at])


def winning_group(
    group_peaks: Sequence[float], class_probabilities: Sequence[float], threshold: float
) -> tuple[Group, bool]:
    """Return the group that counts for the whole image, and whether it reached the threshold.

    The first group in order of priority whose best chop reaches `threshold`; when none does, the group with
    the highest mean probability (Thielmann et al. 2023, section 3.1; the paper does not say what happens
    below the threshold).

    >>> mean = [0.1] + [0.0] * 9 + [0.9, 0.0, 0.0]
    >>> winning_group((0.9, 0.1, 0.2, 0.99), mean, 0.85)
    (<Group.CRYSTAL: 'crystal'>, True)
    >>> winning_group((0.5, 0.1, 0.2, 0.7), mean, 0.85)
    (<Group.CLEAR: 'clear'>, False)
    """
    for group, peak in zip(GROUPS, group_peaks, strict=True):
        if peak >= threshold:
            return group, True
    means = group_probabilities(class_probabilities)
    return GROUPS[means.index(max(means))], False
