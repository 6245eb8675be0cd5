"""What wells show on a plate, when they are looked at, in which channels, how large, and what the files are called."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from crystal_search.images import WORKING_WIDTH_PX
from crystal_search.synthesis.seeds import WellSeed
from crystal_search.synthesis.wells.equipment import Equipment, as_drawn

DAYS = (0.0, 1.0, 2.0, 4.0, 7.0, 14.0, 28.0, 56.0)  #: of inspections, since drops were dispensed
MATES = ("uv", "cross-polarised")  #: channels that can be rendered beside visible light
HEIGHT_PX, WIDTH_PX = 1024, WORKING_WIDTH_PX  #: of pictures, where nobody says otherwise
FIRST_DAY = date(2026, 1, 5)  # of a rendered plate

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

#: Reads the names of a plate in several channels, for ``crystal-search import --pattern``.
PATTERN = (
    r"(?P<plate>[^/]+)_(?P<date>\d{4}-\d\d-\d\d)_(?P<channel>[a-z-]+)/"
    r"[^/]+_(?P<column>\d\d)(?P<row>[A-H])_(?P<drop>\d)\.jpg"
)


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


def file_name(barcode: str, row: int, column: int) -> str:
    """Return what XChem's robot calls the image of a well's drop; rows and columns count from 0.

    >>> file_name("demo", 7, 0)
    'demo_01H_1.jpg'
    """
    return f"{barcode}_{column + 1:02d}{ROWS[row]}_1.jpg"


@dataclass(frozen=True, slots=True)
class OnPlate:
    """Where a rendered well is; rows and columns count from 0."""

    barcode: str
    row: int
    column: int
    imager: WellSeed  #: of the plate


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is rendered of every well, and what is written."""

    size: tuple[int, int] = (HEIGHT_PX, WIDTH_PX)  #: height and width
    inspections: int = 1  #: how many, on the first of `DAYS`
    channels: tuple[str, ...] = ()  #: of `MATES`, what is wanted beside visible light
    device: str = "cpu"
    plate_type: str | None = None
    equipment: Equipment = as_drawn  #: has the last word about lens, lamp and plate
    view_units: float = WORKING_WIDTH_PX  #: that the view is wide
    quality: int = 80  #: of JPEGs
    maps: bool = False  #: each pixel's outcome too
    sheet: bool = True  #: a contact sheet

    @property
    def plain(self) -> bool:
        """Whether there is one picture of every well."""
        return self.inspections == 1 and not self.channels


@dataclass(frozen=True, slots=True)
class Well:
    """A well to render."""

    seed: WellSeed
    outcome: str | None  #: "any" to draw it, None for an empty well
    on_plate: OnPlate | None = None  #: None for a single well

    def file(self, inspection: int, day: float, channel: str, settings: Settings) -> str:
        """Return what the picture of one inspection (from 1) in one channel is called, as a robot calls it.

        >>> single = Well(WellSeed("train", 3), "any")
        >>> single.file(1, 0, "visible", Settings())
        '00003.jpg'
        >>> several = Settings(inspections=2, channels=("uv",))
        >>> single.file(2, 1, "uv", several)
        '00003_2_uv.jpg'
        >>> on_plate = Well(WellSeed("demo", 0), "clear", OnPlate("demo", 7, 0, WellSeed("demo", 0)))
        >>> on_plate.file(2, 1, "visible", Settings(inspections=2))
        'demo_2026-01-06/demo_01H_1.jpg'
        >>> on_plate.file(2, 7, "uv", several)
        'demo_2026-01-12_uv/demo_01H_1.jpg'
        """
        if self.on_plate is None:
            number = f"{self.seed.number:05d}"
            return f"{number}.jpg" if settings.plain else f"{number}_{inspection}_{channel}.jpg"
        barcode = self.on_plate.barcode
        name = file_name(barcode, self.on_plate.row, self.on_plate.column)
        if settings.plain:
            return name
        folder = f"{barcode}_{(FIRST_DAY + timedelta(days=day)).isoformat()}"
        return f"{folder}_{channel}/{name}" if settings.channels else f"{folder}/{name}"
