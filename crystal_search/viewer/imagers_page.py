"""The page of imagers: how each is, with small charts by day."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp

from starlette.requests import Request
from starlette.responses import Response

from crystal_search.outcomes import GROUPS
from crystal_search.server.imaging.imaging_database import ImagingDatabase
from crystal_search.server.services.imager_records import LEARNT, Day, ImagerRecord, read_records
from crystal_search.server.services.look_after_imagers import fault_said, said_of, strange_said
from crystal_search.server.services.strange_lookout import noticed_strange
from crystal_search.server.services.strange_records import StrangeRecord, read_all_strange, strangest_of_late
from crystal_search.viewer.context import page, viewer_of

WIDTH, HEIGHT, MARGIN = 280, 84, 6  #: of a chart, pixels
DAYS, ALARMS = 90, 20  #: that are shown, the last ones
STRANGE = 12  #: images that are shown, the farthest of late
FROM_DAY = 5  #: images; a day with fewer has no place in a chart


@dataclass(frozen=True, slots=True)
class Point:
    """One day in a chart."""

    x: float
    y: float
    said: str  #: day and value
    faulty: bool  #: whether a fault was noticed on this day


@dataclass(frozen=True, slots=True)
class Chart:
    """One figure day by day."""

    title: str
    points: tuple[Point, ...]
    low: str  #: the least value, as people read it
    high: str

    @property
    def line(self) -> str:
        """The points as SVG has them."""
        return " ".join(f"{each.x:.1f},{each.y:.1f}" for each in self.points)


@dataclass(frozen=True, slots=True)
class Shown:
    """A strange image as the page lists it."""

    image_id: int
    name: str  #: plate, well and drop
    said: str


def get_imagers_page(request: Request) -> Response:
    """Show every imager."""
    viewer = viewer_of(request)
    folder = viewer.sentinel
    records = {each.name: each for each in read_records(folder)} if folder else {}
    strange = {each.name: each for each in read_all_strange(folder)} if folder else {}
    offered, readouts = {each.imager: each.said for each in viewer.offers()}, viewer.shown().readouts
    idle = {each.used.imager: each.said for each in viewer.idle()}
    shown = [
        _shown(records.get(name) or ImagerRecord(name=name))
        | _strange(viewer.imaging, strange.get(name))
        | {"offer": offered.get(name, ""), "readout": readouts.get(name), "idle": idle.get(name, "")}
        for name in sorted({*records, *strange, *offered, *readouts})
    ]
    return page(request, "imagers.html", {"imagers": shown, "learnt": LEARNT})


def _shown(record: ImagerRecord) -> dict[str, object]:
    return {
        "name": record.name,
        "said": [line.removeprefix(f"{record.name}: ") for line in said_of(record)],
        "faulty": bool(record.standing),
        "charts": charts(record),
        "alarms": [
            f"{each.at[:16].replace('T', ' ')}: {fault_said(each)}" for each in record.alarms[: -ALARMS - 1 : -1]
        ],
    }


def _strange(imaging: ImagingDatabase, record: StrangeRecord | None) -> dict[str, object]:
    if record is None:
        return {"strange": [], "strange_said": "", "often_strange": False}
    return {
        "strange": strangest(imaging, record),
        "strange_said": strange_said(imaging, record),
        "often_strange": bool(record.trouble or noticed_strange(imaging, record)),
    }


def strangest(imaging: ImagingDatabase, record: StrangeRecord) -> list[Shown]:
    """Return the strangest images of late, the farthest first; of those that are there and show the same picture."""
    return [
        Shown(
            image.id,
            f"{image.key.plate} {image.key.well} drop {image.key.drop}",
            f"{each.at[:10]}: p {each.p_value:.2g}, {each.beyond:.1f} times the farthest distance learnt",
        )
        for each, image in strangest_of_late(imaging, record)[:STRANGE]
    ]


def charts(record: ImagerRecord) -> list[Chart]:
    """Return the charts of an imager: light, sharpness, empty wells, and each group."""
    days = [(day, each) for day, each in record.days.items() if each.images >= FROM_DAY][-DAYS:]
    faulty = {each.at[:10] for each in record.alarms}

    def share(count: Callable[[Day], int]) -> list[float]:
        return [100 * count(each) / each.images for _, each in days]

    def of_group(at: int) -> list[float]:
        return share(lambda each: each.groups[at])

    names = [day for day, _ in days]
    figures = [
        ("Light, %", [100 * exp(each.brightness / each.images) for _, each in days], 1),
        ("Sharpness", [each.sharpness / each.images for _, each in days], 2),
        ("Empty wells, %", share(lambda each: each.empty), 0),
        *((f"Called {group}, %", of_group(at), 0) for at, group in enumerate(GROUPS)),
    ]
    return [chart(title, names, values, digits, faulty) for title, values, digits in figures if len(values) > 1]


def chart(title: str, days: Sequence[str], values: Sequence[float], digits: int, faulty: set[str]) -> Chart:
    """Return a figure day by day, as high as its values differ.

    >>> [(each.x, each.y) for each in chart("x", ["a", "b"], [1, 3], 0, set()).points]
    [(6.0, 78.0), (274.0, 6.0)]
    """
    low, high = min(values), max(values)
    across = (WIDTH - 2 * MARGIN) / max(1, len(values) - 1)
    up = (HEIGHT - 2 * MARGIN) / (high - low) if high > low else 0.0
    points = tuple(
        Point(MARGIN + across * at, HEIGHT - MARGIN - up * (value - low), f"{day}: {value:.{digits}f}", day in faulty)
        for at, (day, value) in enumerate(zip(days, values, strict=True))
    )
    return Chart(title, points, f"{low:.{digits}f}", f"{high:.{digits}f}")
