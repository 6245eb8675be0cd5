"""Logistic regression with a ridge penalty around a score that is known already.

That score enters as it is, as an offset; only what the numbers add to it is penalised. With few labels the answer
therefore stays near the score, which a regression with the score as one more input does not promise.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from crystal_search.metrics import Floats

STEPS = 300  #: towards the minimum at the most; ten are usual
LARGEST_STEP = 4.0  #: by which no logit moves more in one step
CLOSE = 1e-9  #: a step that moves no logit further ends the search
SLOW = 0.3  #: of the step before: a step that is longer needs the curvature where it begins
OF_BIAS = 1e-9  #: penalty of the bias, so that there is one minimum whatever the offset


class Span(NamedTuple):
    """Numbers (N, D) as coordinates in the space that their rows span: ``numbers = coordinates @ directions``."""

    coordinates: Floats  #: (N, min(N, D))
    directions: Floats  #: (min(N, D), D), orthonormal rows


class Line(NamedTuple):
    """What is added to the offset: ``bias + numbers @ weights``."""

    bias: float
    weights: Floats  #: (D,)


class Minimum(NamedTuple):
    """Where the loss is least, in coordinates, and what finds the minima of losses that are much like it."""

    found: Floats  #: (1 + K,), the bias first
    inverse: Floats  #: (1 + K, 1 + K), of the curvature of the loss near there


def spanned(numbers: Floats) -> Span:
    """Return the span of numbers (N, D), in which every penalised fit to them lies; of many rows the whole space."""
    if len(numbers) >= numbers.shape[1]:
        return Span(numbers, np.eye(numbers.shape[1]))
    left, sizes, directions = np.linalg.svd(numbers, full_matrices=False)
    return Span(left * sizes, directions)


def fitted(span: Span, positive: NDArray[np.bool_], offset: Floats, *, penalty: float) -> Line:
    """Return the line of least penalised loss.

    The loss is the sum of the cross entropies of ``offset + bias + numbers @ weights``, both classes weighing the
    same, and half of `penalty` times the squared length of the weights.

    Parameters
    ----------
    span
        Of standardised numbers (N, D).
    positive
        (N,), with both classes in it.
    offset
        (N,), logits that are known already.
    penalty
        Above 0.

    Examples
    --------
    >>> line = fitted(spanned(np.array([[-1.0], [1.0]])), np.array([False, True]), np.zeros(2), penalty=0.5)
    >>> bool(np.isclose(0.5 * line.weights[0], 2 - 2 * sigmoid(line.weights)[0])), round(abs(line.bias), 6)
    (True, 0.0)
    """
    found = minimum(with_bias(span.coordinates), positive, offset, penalty=penalty).found
    return Line(float(found[0]), found[1:] @ span.directions)


def with_bias(coordinates: Floats) -> Floats:
    """Return coordinates (N, K) behind a column of ones, (N, 1 + K)."""
    return np.column_stack([np.ones(len(coordinates)), coordinates])


def minimum(
    columns: Floats, positive: NDArray[np.bool_], offset: Floats, *, penalty: float, near: Minimum | None = None
) -> Minimum:
    """Return where the loss of `fitted` is least.

    It is convex. Newton's method finds the minimum, and keeps a curvature as long as steps shrink with it: that of
    many rows costs a thousand times as much as the slope.

    Parameters
    ----------
    columns
        (N, 1 + K), the first all ones.
    positive, offset, penalty
        As for `fitted`.
    near
        The minimum of a loss that is much like this one: of most of the rows, or for another penalty.
    """
    ridge = np.append(OF_BIAS, np.full(columns.shape[1] - 1, penalty))
    share = balanced(positive)
    found = near.found.copy() if near else np.zeros(len(ridge))
    inverse = near.inverse if near else _inverse(columns, share, offset + columns @ found, ridge)
    before = np.inf
    for _ in range(STEPS):
        logits = offset + columns @ found  # (N,)
        slope = columns.T @ (share * (sigmoid(logits) - positive)) + ridge * found
        step = inverse @ slope
        moved = float(np.abs(columns @ step).max())
        if moved > max(SLOW * before, CLOSE):
            inverse = _inverse(columns, share, logits, ridge)
            step = inverse @ slope
            moved = float(np.abs(columns @ step).max())
        found -= step * min(1.0, LARGEST_STEP / max(moved, CLOSE))
        if moved < CLOSE:
            break
        before = moved
    return Minimum(found, inverse)


def _inverse(columns: Floats, share: Floats, logits: Floats, ridge: Floats) -> Floats:
    """Return the inverse of the curvature of the loss at these logits."""
    expected = sigmoid(logits)
    curvature = (columns.T * (share * expected * (1 - expected))) @ columns + np.diag(ridge)
    return np.asarray(np.linalg.inv(curvature))


def balanced(positive: NDArray[np.bool_]) -> Floats:
    """Return how much each row counts, so that both classes count for half of the rows.

    >>> balanced(np.array([True, False, False, False])).round(3).tolist()
    [2.0, 0.667, 0.667, 0.667]
    """
    share = positive.mean()
    return np.asarray(np.where(positive, 0.5 / share, 0.5 / (1 - share)))


def sigmoid(logits: Floats) -> Floats:
    """Return probabilities in [0, 1], however large the logits are.

    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    tame = np.exp(-np.abs(logits))
    return np.asarray(np.where(logits >= 0, 1, tame) / (1 + tame))


def logit(shares: Floats, *, least: float) -> Floats:
    """Return log-odds of probabilities, none nearer to 0 or 1 than `least`.

    >>> logit(np.array([0.0, 0.5, 1.0]), least=0.01).round(2).tolist()
    [-4.6, 0.0, 4.6]
    """
    tame = np.clip(shares, least, 1 - least)
    return np.asarray(np.log(tame / (1 - tame)))
