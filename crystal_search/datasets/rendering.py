"""Which wells are rendered to train on."""

from dataclasses import dataclass

from crystal_search.datasets.rendered_shards import LabelledWell
from crystal_search.outcomes import IMAGE_OUTCOMES

#: What well N shows, N modulo the length: every outcome of a well, some more often, and wells without a drop.
ROTA: tuple[str | None, ...] = (
    *IMAGE_OUTCOMES,
    "crystal_harvestable",
    "crystal_bad_form",
    "clear_with_features",
    None,
    None,
)


@dataclass(frozen=True, slots=True)
class Rendering:
    """Renders well N of a split, its outcome taken from `ROTA`; to be called, in other processes too."""

    split: str
    device: str = "cpu"

    def __call__(self, number: int) -> LabelledWell:
        """Return the well with this number."""
        import torch

        from crystal_search.synthesis.seeds import WellSeed
        from crystal_search.synthesis.wells.rendered_well import render_well

        torch.set_num_threads(1)  # processes beside each other are faster
        return render_well(WellSeed(self.split, number), outcome=ROTA[number % len(ROTA)], device=self.device)
