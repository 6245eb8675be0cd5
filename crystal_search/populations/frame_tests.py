"""How far the sizes of two times are apart, and whether frames of one population would be as far apart.

Crystals of a frame share its light, focus and place, so that frames are what is divided anew among the two times, not
crystals. Of two times with one frame each nothing can be divided; there crystals count as independent.
"""

from itertools import combinations
from math import comb, nan

import numpy as np
from numpy.typing import NDArray

from crystal_search.metrics import Floats, Labels
from crystal_search.populations.population import SEED, Population

DIVISIONS = 1999  #: that are drawn, where there are more
FEWEST_CRYSTALS = 5  #: of a time
EXACT_UP_TO = 1000  #: crystals of each of two frames, for an exact test
AT_ONCE = 5_000_000  #: numbers of divisions that are in memory together
_TINY = 1e-12


def kolmogorov_smirnov(before: Population, after: Population, one: Floats, other: Floats) -> tuple[float, float]:
    """Return the distance of Kolmogorov and Smirnov of two times, and its probability; NaN of too few crystals.

    The probability is the share of the divisions of all frames among the two times, as many for each as it has, in
    which the distance is as large. All are looked at where there are `DIVISIONS` + 1 at the most, else so many, the
    one that is among them.

    Parameters
    ----------
    before, after
        The two times.
    one, other
        A figure of the crystals of each, (N,) and (M,).
    """
    from scipy.stats import ks_2samp

    if min(len(one), len(other)) < FEWEST_CRYSTALS:
        return nan, nan
    if before.frames == after.frames == 1:
        found = ks_2samp(one, other, method="exact" if max(len(one), len(other)) <= EXACT_UP_TO else "asymp")
        return float(found.statistic), float(found.pvalue)
    frame = np.concatenate((before.frame, after.frame + before.frames))
    apart = _distances(np.concatenate((one, other)), frame, _divisions(before.frames, after.frames))
    return float(apart[0]), float((apart >= apart[0] - _TINY).mean())


def _divisions(first: int, second: int) -> NDArray[np.bool_]:
    """Return which frames are of the first time, (divisions, first + second); the division that is comes first."""
    frames = first + second
    if comb(frames, first) <= DIVISIONS + 1:
        chosen = np.array(list(combinations(range(frames), first)))
    else:
        rng = np.random.default_rng(SEED)
        drawn = rng.permuted(np.tile(np.arange(frames), (DIVISIONS, 1)), axis=1)[:, :first]
        chosen = np.concatenate((np.arange(first)[None], drawn))
    among = np.zeros((len(chosen), frames), np.bool_)
    np.put_along_axis(among, chosen, values=True, axis=1)
    return among


def _distances(values: Floats, frame: Labels, among: NDArray[np.bool_]) -> Floats:
    """Return the distance of each division (D, F) of frames, (D,); 0 where one part has no crystal."""
    levels, level = np.unique(values, return_inverse=True)
    upto = np.zeros((among.shape[1], len(levels)))
    np.add.at(upto, (frame, level), 1)
    upto = upto.cumsum(axis=1)  # (F, levels), crystals of each frame that are no larger
    together, found = upto.sum(axis=0), []
    step = max(1, AT_ONCE // len(levels))
    for start in range(0, len(among), step):
        mine = among[start : start + step].astype(np.float64) @ upto  # (d, levels)
        its = together - mine
        shares = [part / np.maximum(part[:, -1:], 1) for part in (mine, its)]
        there = np.minimum(mine[:, -1], its[:, -1]) > 0
        found.append(np.where(there, np.abs(shares[0] - shares[1]).max(axis=1), 0.0))
    return np.concatenate(found)
