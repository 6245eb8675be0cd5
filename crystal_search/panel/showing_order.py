"""In which order an expert is shown the images of a panel: at random, some of them twice, far apart."""

import hashlib

import numpy as np

from crystal_search.panel.panel_set import PanelSet


def shown_to(expert: str, panel: PanelSet) -> tuple[int, ...]:
    """Return the positions of a panel's images in the order in which `expert` is shown them; it is always the same."""
    digest = hashlib.sha256(f"{panel.seed} {expert}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    return showing_order(len(panel.images), panel.repeats, rng)


def showing_order(images: int, repeats: int, rng: np.random.Generator) -> tuple[int, ...]:
    """Return `images` numbers from 0 in random order, `repeats` of them a second time.

    A second showing comes in the last half, among images that are new, and at least a quarter of `images` after the
    first, so that nobody knows which they are. Where more than half are shown twice, the rest of the second showings
    stands in the order of the first.

    >>> order = showing_order(8, 2, np.random.default_rng(0))
    >>> len(order), len(set(order))
    (10, 8)
    """
    first = rng.permutation(images)
    among = max(repeats, -(-images // 4))  # the first of them, of which some are shown again
    again = first[np.sort(rng.permutation(among)[:repeats])]
    start = max(among, -(-images // 2))  # before which nothing is shown twice
    rest = first[start:]
    is_again = np.zeros(len(rest) + repeats, np.bool_)
    is_again[rng.permutation(len(is_again))[:repeats]] = True
    tail = np.empty(len(is_again), np.int64)
    tail[is_again], tail[~is_again] = again, rest
    return tuple(int(each) for each in (*first[:start], *tail))
