"""Imagers from which a prior of readouts is learnt: drawn at random, none as far out as one of the twelve.

Each is out of the ordinary in one to three respects, in none as far as the foreign imager of that kind: these are
tested on, and nothing may be learnt from the like.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.foreign.foreign_plates import MOST_TRIES, SIZE, WELLS, picture_if_seen
from benchmarks.foreign.imagers import Camera, Equipment, ForeignImager
from crystal_search.errors import CrystalSearchError
from crystal_search.evaluation.known_images import KnownImage
from crystal_search.outcomes import NO_DROP
from crystal_search.synthesis.frames import UNITS_PER_WIDTH
from crystal_search.synthesis.seeds import WellSeed, log_uniform
from crystal_search.synthesis.wells.rendered_well import staged
from crystal_search.synthesis.wells.visits import Settings

FIRST_SEED, APART = 5_000_000, 10_000  #: of the split train, and between imagers
PLATES, TRIES = 2, 8  #: of an imager; of a well, before it is left out
PLATE_TYPES = (None, None, "mrc-2", "swissci-3", "mrc-maxi", "square", "hanging-drop")
WIDTH_PX, QUALITY, NOISE = (300, 1000), (40, 95), (0.002, 0.02)  #: of a usual camera

#: What may be out of the ordinary, and how far; all are drawn for every imager, and some count.
REACH: dict[str, tuple[float, float]] = {
    "gamma": (0.5, 2.1),
    "blur": (1.0, 3.8),
    "defocus": (-2.0, 2.0),
    "lamp": (0.2, 0.65),
    "aperture": (0.08, 0.45),
    "floor": (0.1, 0.4),
    "noise": (0.015, 0.055),
    "tint": (0.25, 1.0),
    "corners": (0.25, 0.8),
    "view": (800.0, 1700.0),
    "quality": (15.0, 40.0),
}
LOGARITHMIC = ("gamma", "blur", "aperture", "noise", "view", "quality")
OF_EQUIPMENT = ("gamma", "blur", "defocus", "lamp", "aperture", "floor", "corners")


@dataclass(frozen=True, slots=True)
class _Drawn:
    values: dict[str, float]  #: of `REACH`, those that count
    tint: tuple[float, float, float] | None
    camera: Camera


def drawn_imager(number: int) -> ForeignImager:
    """Return the imager with this number, from 0: the same every time."""
    rng = np.random.default_rng([77, number])
    drawn = _drawn(rng)
    plate_type = PLATE_TYPES[rng.integers(len(PLATE_TYPES))]
    equipment = {name: value for name, value in drawn.values.items() if name in OF_EQUIPMENT}
    return ForeignImager(
        name=f"drawn-{number}",
        leaves="",
        value=0,
        plate_type=plate_type,
        view_units=drawn.values.get("view", UNITS_PER_WIDTH),
        equipment=Equipment(tint=drawn.tint, **equipment),
        camera=drawn.camera,
    )


def _drawn(rng: np.random.Generator) -> _Drawn:
    names = tuple(REACH)
    which = set(rng.choice(names, rng.integers(1, 4), replace=False).tolist())
    camera = {
        "width_px": round(log_uniform(rng, *WIDTH_PX)),
        "quality": round(rng.uniform(*QUALITY)),
        "noise": log_uniform(rng, *NOISE),
    }
    values: dict[str, float] = {}
    tint = None
    for counts in names:
        every = {
            name: log_uniform(rng, *bounds) if name in LOGARITHMIC else float(rng.uniform(*bounds))
            for name, bounds in REACH.items()
        }
        if counts in which:
            values[counts] = every[counts]
        if counts == "tint" and counts in which:
            light = np.array([every["tint"], rng.uniform(every["tint"], 1), 1.0])
            rng.shuffle(light)
            tint = (float(0.85 * light[0]), float(0.85 * light[1]), float(0.85 * light[2]))
    camera["noise"] = values.get("noise", camera["noise"])
    camera["quality"] = round(values.get("quality", camera["quality"]))
    return _Drawn(values, tint, Camera(**camera))  # type: ignore[arg-type]


def wells_of_drawn(number: int) -> Iterator[KnownImage]:
    """Yield the wells of an imager; one that shows nothing that somebody could see is left out."""
    imager = drawn_imager(number)
    for plate in range(PLATES):
        for place, outcome in enumerate(WELLS):
            if (data := _jpeg(imager, number, plate, place)) is not None:
                yield KnownImage(
                    name=f"{imager.name}/{plate}-{place}",
                    label=outcome or NO_DROP,
                    content=lambda data=data: data,  # type: ignore[misc]
                    source=imager.name,
                    plate=str(plate),
                )


def _jpeg(imager: ForeignImager, number: int, plate: int, place: int) -> bytes | None:
    settings = Settings(
        size=SIZE, plate_type=imager.plate_type, equipment=imager.equipment, view_units=imager.view_units
    )
    first = FIRST_SEED + APART * number
    for again in range(TRIES):
        seed = WellSeed("train", first + 1000 * (1 + plate) + MOST_TRIES * place + again)
        try:
            scene, rng = staged(seed, WELLS[place], WellSeed("train", first), settings)
        except CrystalSearchError:
            continue
        if (data := picture_if_seen(imager, scene, rng, seed)) is not None:
            return data
    return None
