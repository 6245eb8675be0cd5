"""Which wells are rendered to train on."""

from collections.abc import Callable

from crystal_search.networks.shards import LabelledWell
from crystal_search.outcomes import OUTCOME_NAMES

#: What well N shows, N modulo the length: every outcome of a well, some more often, and wells without a drop.
ROTA: tuple[str | None, ...] = (
    *(name for name in OUTCOME_NAMES if name != "rim"),
    "crystal_harvestable",
    "clear_with_features",
    None,
    None,
)


def renderer(split: str) -> Callable[[int], LabelledWell]:
    """Return what renders well number N of `split`, its outcome taken from `ROTA`."""
    from crystal_search.synthesis.wells import WellSeed, render_well

    def render(number: int) -> LabelledWell:
        return render_well(WellSeed(split, number), outcome=ROTA[number % len(ROTA)])

    return render
