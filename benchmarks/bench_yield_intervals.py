"""``python -m benchmarks.bench_yield_intervals``: how often intervals of a well's area of crystals hold the truth.

Images of a well differ in how many cells are infected, and crystals in how much of their cell they cover.
"""

import sys

import numpy as np

from crystal_search.in_cells.cell_yield import alike, yield_of
from crystal_search.in_cells.cells_of_images import CellsOfImage

WELLS, ALIKE = 300, 20.0  #: wells of each kind; cells that tell as much of a well as one of its images is sure of
#: Share of cells with crystals, spread of the logarithm of what a crystal covers, cells an image, images.
KINDS = (
    (0.3, 0.5, 40, 6),
    (0.3, 1.0, 40, 6),
    (0.05, 1.0, 40, 6),
    (0.6, 0.8, 40, 6),
    (0.3, 0.8, 40, 3),
    (0.1, 0.8, 100, 10),
)


def image(rng: np.random.Generator, share: float, spread: float, cells: int) -> CellsOfImage:
    """Return an image in which a drawn share of cells, `share` in the mean, has a crystal."""
    crystals = rng.binomial(1, rng.beta(share * ALIKE, (1 - share) * ALIKE), cells).astype(np.float64)
    cell_px2 = rng.lognormal(5.5, 0.3, cells)
    covered = crystals * cell_px2 * np.minimum(1.5, rng.lognormal(-2.5, spread, cells))
    return CellsOfImage(name="", weight=np.ones(cells), crystals=crystals, cell_px2=cell_px2, crystal_px2=covered)


def main() -> None:
    """Print a line for each kind of well."""
    for share, spread, cells, images in KINDS:
        rng = np.random.default_rng(7)
        many = [image(rng, share, spread, 200) for _ in range(600)]
        truth = sum(each.crystal_px2.sum() for each in many) / sum(each.cell_px2.sum() for each in many)
        wells = [[image(rng, share, spread, cells) for _ in range(images)] for _ in range(WELLS)]
        found = [yield_of(each, alike([each])).area for each in wells]
        known = [each for each in found if np.isfinite(each.high)]
        held = np.mean([each.low <= truth <= each.high for each in known])
        sys.stdout.write(
            f"{share:.0%} of cells have crystals, spread {spread}, {images} images of {cells} cells: "
            f"{held:.1%} of {len(known)} hold the truth\n"
        )


if __name__ == "__main__":
    main()
