"""When wells are looked at, in which channels, how large, and what the files are called."""

from dataclasses import dataclass
from datetime import date, timedelta

from crystal_search.images import WORKING_WIDTH_PX
from crystal_search.synthesis.seeds import WellSeed
from crystal_search.synthesis.wells.plate import file_name

DAYS = (0.0, 1.0, 2.0, 4.0, 7.0, 14.0, 28.0, 56.0)  #: of inspections, since drops were dispensed
MATES = ("uv", "cross-polarised")  #: channels that can be rendered beside visible light
HEIGHT_PX, WIDTH_PX = 1024, WORKING_WIDTH_PX  #: of pictures, where nobody says otherwise
FIRST_DAY = date(2026, 1, 5)  # of a rendered plate

#: Reads the names of a plate in several channels, for ``crystal-search import --pattern``.
PATTERN = (
    r"(?P<plate>[^/]+)_(?P<date>\d{4}-\d\d-\d\d)_(?P<channel>[a-z-]+)/"
    r"[^/]+_(?P<column>\d\d)(?P<row>[A-H])_(?P<drop>\d)\.jpg"
)


def visit_folder(barcode: str, day: float, channel: str, *, several_channels: bool) -> str:
    """Return the folder of a plate's pictures at one inspection, as XChem's robot calls it where it can.

    >>> visit_folder("demo", 7, "visible", several_channels=False)
    'demo_2026-01-12'
    >>> visit_folder("demo", 7, "uv", several_channels=True)
    'demo_2026-01-12_uv'
    """
    when = (FIRST_DAY + timedelta(days=day)).isoformat()
    return f"{barcode}_{when}_{channel}" if several_channels else f"{barcode}_{when}"


@dataclass(frozen=True, slots=True)
class OnPlate:
    """Where a rendered well is; rows and columns count from 0."""

    barcode: str
    row: int
    column: int
    imager: WellSeed  #: of the plate


@dataclass(frozen=True, slots=True)
class Well:
    """A well to render."""

    seed: WellSeed
    outcome: str | None  #: "any" to draw it, None for an empty well
    on_plate: OnPlate | None = None  #: None for a single well

    def file(self, inspection: int, day: float, channel: str, mates: tuple[str, ...], *, plain: bool) -> str:
        """Return what the picture of one inspection (from 1) in one channel is called.

        Parameters
        ----------
        mates
            All channels beside visible light.
        plain
            Whether there is only one picture of every well.

        >>> single = Well(WellSeed("train", 3), "any")
        >>> single.file(1, 0, "visible", (), plain=True)
        '00003.jpg'
        >>> single.file(2, 1, "uv", ("uv",), plain=False)
        '00003_2_uv.jpg'
        >>> Well(WellSeed("demo", 0), "clear", OnPlate("demo", 7, 0, WellSeed("demo", 0))).file(
        ...     2, 1, "visible", (), plain=False
        ... )
        'demo_2026-01-06/demo_01H_1.jpg'
        """
        if self.on_plate is None:
            number = f"{self.seed.number:05d}"
            return f"{number}.jpg" if plain else f"{number}_{inspection}_{channel}.jpg"
        name = file_name(self.on_plate.barcode, self.on_plate.row, self.on_plate.column)
        if plain:
            return name
        return f"{visit_folder(self.on_plate.barcode, day, channel, several_channels=bool(mates))}/{name}"
