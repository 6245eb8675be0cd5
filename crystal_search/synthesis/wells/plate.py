"""A whole rendered plate, in the names that an imaging robot gives."""

import numpy as np

from crystal_search.synthesis.seeds import WellSeed

ROWS, COLUMNS = "ABCDEFGH", 12

#: How many wells of a plate show what. All four groups are frequent; there is no empty well.
WELLS_SHOWING = {
    "crystal_harvestable": 12,
    "crystal_bad_form": 10,
    "crystal_overnucleated": 10,
    "precipitate": 10,
    "precipitate_bad": 7,
    "precipitate_good": 7,
    "null_experiment": 5,
    "other": 5,
    "spherulites": 5,
    "phase_separation": 5,
    "clear": 14,
    "clear_with_features": 6,
}


def plate_outcomes(imager: WellSeed) -> tuple[str, ...]:
    """Return the outcome of every well of a plate, row by row.

    >>> outcomes = plate_outcomes(WellSeed("demo", 0))
    >>> len(outcomes), outcomes.count("clear")
    (96, 14)
    """
    names = [name for name, count in WELLS_SHOWING.items() for _ in range(count)]
    order = imager.generator("plate").permutation(len(names))
    return tuple(names[index] for index in np.asarray(order))


def well_seed(imager: WellSeed, row: int, column: int) -> WellSeed:
    """Return the seed of one well of the plate that `imager` names; rows and columns count from 0."""
    return WellSeed(imager.split, imager.number * len(ROWS) * COLUMNS + row * COLUMNS + column)


def file_name(barcode: str, row: int, column: int, drop: int = 1) -> str:
    """Return what a robot calls the image of a drop; rows and columns count from 0.

    >>> file_name("demo", 7, 0)
    'demo_01H_1.jpg'
    """
    return f"{barcode}_{column + 1:02d}{ROWS[row]}_{drop}.jpg"
