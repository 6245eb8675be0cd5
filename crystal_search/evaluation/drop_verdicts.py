"""What is found about a drop locator."""

from dataclasses import dataclass

from crystal_search.datasets.packed import WellRow
from crystal_search.evaluation.bootstrap import Interval
from crystal_search.images import Grey
from crystal_search.unet_drop.regions import Mask


@dataclass(frozen=True, slots=True, eq=False)
class DropVerdict:
    """What a locator says of one image, and what is true; masks at the width that the network sees."""

    row: WellRow
    grey: Grey
    true: Mask
    found: Mask | None
    overlap: float  #: intersection over union; 1 for an empty well reported empty

    @property
    def empty(self) -> bool:
        """Whether the well holds no drop."""
        return not self.true.any()


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure with its 95 % interval, from drawing wells again."""

    measure: str
    interval: Interval
    count: int  #: images that it was measured on
