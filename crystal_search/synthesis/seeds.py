"""Where every random number of a rendered well comes from."""

import hashlib
from dataclasses import dataclass

import numpy as np

from crystal_search.errors import UserError
from crystal_search.known_names import check_among
from crystal_search.wells import SPLITS

RENDERED_SPLITS = (*SPLITS, "demo")


@dataclass(frozen=True, slots=True)
class WellSeed:
    """The name of one rendered well. Streams come from a hash of it, so no two wells and no two splits share one.

    Raises
    ------
    UnknownNameError
        If there is no such split.
    UserError
        If the number is negative.
    """

    split: str  #: one of `RENDERED_SPLITS`
    number: int  #: from 0

    def __post_init__(self) -> None:
        check_among(RENDERED_SPLITS, self.split, "split")
        if self.number < 0:
            raise UserError(f"the number of a well is {self.number}; give 0 or more")

    def generator(self, purpose: str) -> np.random.Generator:
        """Return the stream for one `purpose`; different purposes are independent.

        >>> a, b = (WellSeed(split, 7).generator("drop") for split in ("train", "test"))
        >>> a.random() == b.random()
        False
        """
        digest = hashlib.sha256(f"{self.split}/{self.number}/{purpose}".encode()).digest()
        return np.random.default_rng(int.from_bytes(digest, "big"))


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Return a number between `low` and `high` whose logarithm is uniform."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
