"""A well at several inspections, in several channels: crystals nucleate and grow between the visits.

The robot's stage never stops quite where it did: earlier pictures and their truth are moved by a few pixels.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from crystal_search.errors import UserError
from crystal_search.known_names import check_among
from crystal_search.outcomes import OUTCOME_NAMES
from crystal_search.synthesis.pictures.looks import with_layer
from crystal_search.synthesis.seeds import log_uniform
from crystal_search.synthesis.things.crystals import seen_as_layer
from crystal_search.synthesis.things.layers import Layer
from crystal_search.synthesis.wells.crystal_truth import CrystalTruth
from crystal_search.synthesis.wells.mates import Material, cross_polarised, drawn_material, fluorescence
from crystal_search.synthesis.wells.rendered_well import RenderedImage, photograph, staged
from crystal_search.synthesis.wells.scenes import LEAST, Filling, Scene
from crystal_search.synthesis.wells.visits import DAYS, Settings, Well

RIPENING = ("null_experiment", "other", "spherulites")  # come by and by; precipitates and phases part at once
FIRST_NUCLEATION = (0.02, 0.35)  # of the days until the last visit
STAGE_UNITS = 4.0  # standard deviation of where the stage stops
LAMP = 0.03  # standard deviation of its brightness

Kind = TypeVar("Kind", bound=np.generic)
Move = tuple[int, int]  #: of a picture, down and to the right, px
Picture = Callable[[np.random.Generator, np.random.Generator, Scene, Material], NDArray[np.uint8]]
CHANNELS: dict[str, Picture] = {"uv": fluorescence, "cross-polarised": cross_polarised}  #: beside visible light


@dataclass(frozen=True, slots=True, eq=False)
class Visit:
    """A well at one inspection."""

    day: float  #: since the drop was dispensed
    well: RenderedImage  #: the picture in visible light, and the truth
    mates: dict[str, NDArray[np.uint8]]  #: pictures in other channels by name, of the same size, in register
    material: Material | None  #: of the crystals; None where the drop is not meant to show any


def render_visits(well: Well, settings: Settings) -> tuple[Visit, ...]:
    """Return a well at every inspection, first to last; the last is what `render_well` gives.

    Its outcome is what it shows at the last inspection.

    Raises
    ------
    UserError
        If there are no such inspections.
    UnknownNameError
        If there is no such outcome, plate or channel.
    CrystalSearchError
        If the outcome could not be made visible.
    """
    seed, inspections, channels = well.seed, settings.inspections, settings.channels
    imager = None if well.on_plate is None else well.on_plate.imager
    if not 1 <= inspections <= len(DAYS):
        raise UserError(f"{inspections} inspections were asked for; give 1 to {len(DAYS)}")
    for name in channels:
        check_among(CHANNELS, name, "channel")
    last, rng = staged(seed, well.outcome, imager, settings)
    growth = _growth(seed.generator("growth"), last, DAYS[:inspections])
    material = drawn_material(seed.generator("material"))
    grows = _crystal_count(last) is not None
    visits = []
    for number, day in enumerate(DAYS[:inspections]):
        own = seed.generator(f"inspection {number}")
        final = number == inspections - 1
        scene = last if final else _dimmed(own, _at(last, growth[number]))
        move = (0, 0) if final else _stop(own, scene)
        seen = moved_well(photograph(rng if final else own, scene, crystals=True), move)
        mates = {}
        for name in channels:
            shared = (imager or seed).generator(f"imager {name}")
            picture = CHANNELS[name](seed.generator(f"{name} {number}"), shared, scene, material)
            mates[name] = moved(picture, move)
        visits.append(Visit(day, seen, mates, material if grows else None))
    return tuple(visits)


def _crystal_count(scene: Scene) -> int | None:
    """Return how many crystals make the outcome; None where it is none of crystals."""
    if scene.filling is None or scene.filling.content is None or scene.filling.content.crystals is None:
        return None
    return len(scene.filling.content.crystals.centres)


def _growth(rng: np.random.Generator, scene: Scene, days: tuple[float, ...]) -> NDArray[np.float64]:
    """Return the size of every crystal at every visit, (visits, crystals), 1 at the last.

    A crystal nucleates on a day of its own, soon after the first, and then takes up what is dissolved: it grows ever
    slower. What is no crystal counts as one.
    """
    count, end = _crystal_count(scene) or 1, days[-1]
    first = log_uniform(rng, *FIRST_NUCLEATION) * end
    begun = first * rng.uniform(1, 1.8, count)
    slowness = log_uniform(rng, 0.1, 1.0) * max(end, 1e-9)
    since = np.maximum(np.array(days)[:, None] - begun, 0)
    grown = 1 - np.exp(-since / slowness)
    return grown / grown[-1] if end > 0 else np.ones((1, count))


def _at(scene: Scene, sizes: NDArray[np.float64]) -> Scene:
    """Return a scene at an earlier visit, when its crystals had these sizes (N,), and what it shows then."""
    filling = scene.filling
    if filling is None or filling.content is None:
        return scene
    content = _younger(filling, filling.content, sizes)
    look = with_layer(filling.before, content)
    filling = replace(filling, content=content, look=look)
    return replace(scene, filling=filling, outcome=_shown(scene, filling))


def _younger(filling: Filling, content: Layer, sizes: NDArray[np.float64]) -> Layer:
    if content.crystals is not None:
        grown = seen_as_layer(content.crystals.grown(sizes), filling.look.drop, content.outcome)
        return grown.stronger(filling.strength)
    return content.stronger(float(sizes[0])) if content.outcome in RIPENING else content


def _shown(scene: Scene, filling: Filling) -> str:
    """Return the most important outcome that can be seen; a single crystal is enough."""
    content, look = filling.content, filling.look
    if content is not None:
        grown = content.crystals is not None and look.objects >= 1
        if grown or look.share_of(content.outcome) >= LEAST[content.outcome][0]:
            return content.outcome
    names = sorted((layer.outcome for layer in filling.companions), key=OUTCOME_NAMES.index)
    return next((name for name in names if look.share_of(name) >= LEAST[name][0]), "clear")


def _dimmed(rng: np.random.Generator, scene: Scene) -> Scene:
    """Return a scene in the light of another day."""
    brightness = float(np.clip(rng.normal(1, LAMP), 0.85, 1.15))
    return replace(scene, vessel=replace(scene.vessel, tint=(scene.vessel.tint * brightness).clamp(0, 1.1)))


def _stop(rng: np.random.Generator, scene: Scene) -> Move:
    """Return by how many pixels the stage stops elsewhere."""
    row, column = np.rint(rng.normal(0, STAGE_UNITS, 2) * scene.frame.px_per_unit).astype(int).tolist()
    return row, column


def moved(pixels: NDArray[Kind], move: Move) -> NDArray[Kind]:
    """Return a picture (rows, columns, ...) moved down and to the right; what comes into view is like the border.

    >>> moved(np.array([[1, 2, 3], [4, 5, 6]]), (1, -1)).tolist()
    [[2, 3, 3], [2, 3, 3]]
    """
    rows = (np.arange(pixels.shape[0]) - move[0]).clip(0, pixels.shape[0] - 1)
    columns = (np.arange(pixels.shape[1]) - move[1]).clip(0, pixels.shape[1] - 1)
    return np.ascontiguousarray(pixels[rows[:, None], columns])


def moved_well(well: RenderedImage, move: Move) -> RenderedImage:
    """Return a picture of a well and the truth about it, both moved."""
    crystals = (_moved_crystal(crystal, move, well.drop_mask.shape) for crystal in well.crystals)
    return replace(
        well,
        image=moved(well.image, move),
        drop_mask=moved(well.drop_mask, move),
        outcome_map=moved(well.outcome_map, move),
        crystal_mask=moved(well.crystal_mask, move),
        crystals=tuple(crystal for crystal in crystals if len(crystal.rows)),
    )


def _moved_crystal(crystal: CrystalTruth, move: Move, shape: tuple[int, ...]) -> CrystalTruth:
    rows, columns = crystal.rows + move[0], crystal.columns + move[1]
    within = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
    box = crystal.oriented_box + np.array([*move, 0, 0, 0])
    return replace(crystal, rows=rows[within], columns=columns[within], oriented_box=box)
