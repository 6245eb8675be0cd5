"""How often a crystal detector finds crystals of a size: a curve in its card (docs/model-card.md)."""

import math
from dataclasses import dataclass, replace

from crystal_search.hostile_json import Reader

SURE_FROM = 0.6  #: probability of crystals by which growth is told: false ones shift places among the largest
LEAST_SHARE = 0.05  #: of the crystals of a size that must be found for a card to tell it: each stands for one over it
HALF_PX2, SPREAD = (0.1, 1e6), (0.05, 5.0)  #: bounds of what cards tell


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundShare:
    """How often a detector finds crystals of a size, as a share of how often it finds the largest, as measured."""

    from_probability: float  #: crystals that are less probable are not counted as found
    from_area_px2: float  #: area of the oriented box from which on it was measured, square pixels as the detector sees
    half_px2: float  #: the area of which half are found, likewise
    spread: float  #: of the logarithm of the area, by which the logistic curve rises

    def of(self, area_px2: float) -> float | None:
        """Return the share of the crystals of an area; None below those that were measured.

        >>> share = FoundShare(from_probability=0.6, from_area_px2=24.0, half_px2=60.0, spread=0.5)
        >>> share.of(120.0), share.of(23.0)
        (0.8, None)
        """
        return self._curve(area_px2) if area_px2 >= self.from_area_px2 else None

    def _curve(self, area_px2: float) -> float:
        return float(1 / (1 + (self.half_px2 / area_px2) ** (1 / self.spread)))

    def where_told(self) -> "FoundShare":
        """Return the curve from no smaller area on than that of which `LEAST_SHARE` are found.

        >>> FoundShare(from_probability=0.6, from_area_px2=1.0, half_px2=361.0, spread=1.0).where_told().from_area_px2
        19.1
        """
        least_px2 = self.half_px2 * (1 / LEAST_SHARE - 1) ** -self.spread
        return replace(self, from_area_px2=max(self.from_area_px2, math.floor(10 * least_px2 + 1) / 10))

    @classmethod
    def read(cls, read: Reader) -> "FoundShare":
        """Return what a card says of it."""
        share = cls(
            from_probability=read.number("from_probability", 0, 1),
            from_area_px2=read.number("from_area_px2", 0.1, 1e6),
            half_px2=read.number("half_px2", *HALF_PX2),
            spread=read.number("spread", *SPREAD),
        )
        if share._curve(share.from_area_px2) < LEAST_SHARE:
            read.fail("from_area_px2", f"an area of which {LEAST_SHARE:g} or more are found", share.from_area_px2)
        return share
