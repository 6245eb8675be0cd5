"""Images that are out of the ordinary for their imager: by distance in feature space, with a bound on false alarms."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from crystal_search.errors import UserError
from crystal_search.metrics import Floats

FALSE_ALARMS = 0.05  #: share of ordinary images that may be called strange
LEAST_SPREAD = 1e-6  #: in any direction, beside the mean over all
LEAST_FITTED = 20  #: images from which a spread can be told


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Ordinary:
    """What the features of an imager's images are like."""

    centre: Floats  #: (numbers,)
    precision: Floats  #: (numbers, numbers), inverse of the shrunk covariance
    distances: Floats  #: (images,), of images that neither of them was made from, ascending

    def distance(self, features: NDArray[np.floating]) -> Floats:
        """Return the squared Mahalanobis distance of images (N, numbers) from the ordinary, (N,)."""
        beside = np.asarray(features, np.float64) - self.centre
        return np.asarray(np.sum(beside @ self.precision * beside, axis=1))

    def p_values(self, features: NDArray[np.floating]) -> Floats:
        """Return for images (N, numbers) the share of ordinary ones that are at least as far away, (N,).

        For an image that is exchangeable with those of the history it is at most alpha with a probability of at most
        alpha, whatever features are like (Vovk, Gammerman and Shafer 2005, Algorithmic Learning in a Random World,
        proposition 2.3: inductive conformal prediction). The smallest that there can be is 1 over one more than
        the number of `distances`.
        """
        below = np.searchsorted(self.distances, self.distance(features), side="left")
        return np.asarray((len(self.distances) - below + 1) / (len(self.distances) + 1))


def ordinary(features: NDArray[np.floating], rng: np.random.Generator) -> Ordinary:
    """Return what is ordinary, from the features (N, numbers) of an imager's history.

    One half tells centre and spread, drawn at random; the distances are of the other.

    Raises
    ------
    UserError
        If there are too few images.
    """
    if len(features) < 2 * LEAST_FITTED:
        raise UserError(f"{len(features)} images with features tell nothing yet; wait for {2 * LEAST_FITTED}")
    order = rng.permutation(len(features))
    fitted, kept = np.array_split(np.asarray(features, np.float64)[order], 2)
    centre = fitted.mean(axis=0)
    precision = np.asarray(np.linalg.inv(shrunk_covariance(fitted - centre)), np.float64)
    found = Ordinary(centre=centre, precision=precision, distances=np.zeros(0))
    return replace(found, distances=np.sort(found.distance(kept)))


def shrunk_covariance(beside: Floats) -> Floats:
    """Return a covariance that can be inverted, of (N, numbers) with mean 0, however few they are.

    It is drawn towards a multiple of the identity, as far as its own noise says (Ledoit and Wolf 2004, Journal of
    Multivariate Analysis 88, 365-411, section 3.3).
    """
    count, numbers = beside.shape
    sample = beside.T @ beside / count
    level = np.trace(sample) / numbers
    spread = np.sum((sample - level * np.eye(numbers)) ** 2)
    noise = (np.sum(np.sum(beside**2, axis=1) ** 2) / count - np.sum(sample**2)) / count
    share = float(np.clip(noise / spread, 0, 1)) if spread > 0 else 1.0
    least = LEAST_SPREAD * max(level, LEAST_SPREAD)
    return np.asarray(share * level * np.eye(numbers) + (1 - share) * sample + least * np.eye(numbers))
