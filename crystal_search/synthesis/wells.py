"""Whole well images with exact truth.

What cannot be seen is not a label: every layer is drawn with and without, and it counts where the two pictures
differ by more than `VISIBLE_LEVELS` grey levels.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crystal_search.errors import CrystalSearchError, UnknownNameError
from crystal_search.outcomes import OUTCOME_NAMES, Group, outcome_named
from crystal_search.synthesis import camera, features
from crystal_search.synthesis.drops import Drop, drawn_drop, drawn_splashes
from crystal_search.synthesis.frames import UNITS_PER_WIDTH, Frame
from crystal_search.synthesis.layers import Layer
from crystal_search.synthesis.optics import Optics, drawn_optics, transmission
from crystal_search.synthesis.seeds import WellSeed
from crystal_search.synthesis.textures import blurred, spread
from crystal_search.synthesis.vessel import Vessel, drawn_vessel

__all__ = ["NOTHING", "WELL_OUTCOMES", "RenderedWell", "WellSeed", "render_well"]

NOTHING = 255  #: in an outcome map: no drop here
WELL_OUTCOMES = tuple(name for name in OUTCOME_NAMES if name != "rim")  #: a whole well can have these
EMPTY_SHARE = 0.12  # of wells without a drop
VISIBLE_LEVELS = 14.0  # grey levels
VISIBLE_SHARE = 0.12  # of an object's pixels, for the object to count
EDGE_UNITS = 10.0  # of the contour that must be seen
RIM_UNITS = (9.0, 40.0)  # least and most width of the rim
ATTEMPTS = 12
STRENGTHS = (1.0, 1.5, 2.2)
EDGE_LEVELS = 7.0  # least mean difference along a drop's contour, grey levels

#: Least share of the drop, and least number of separate objects, that make a well's outcome.
LEAST = {
    "crystal_harvestable": (0.002, 1),
    "crystal_bad_form": (0.004, 2),
    "crystal_overnucleated": (0.004, 25),
    "precipitate": (0.2, 0),
    "precipitate_bad": (0.1, 0),
    "precipitate_good": (0.2, 0),
    "null_experiment": (0.25, 0),
    "other": (0.06, 0),
    "spherulites": (0.01, 2),
    "phase_separation": (0.01, 15),
    "clear": (0.2, 0),
    "clear_with_features": (0.0015, 0),
}


@dataclass(frozen=True, slots=True, eq=False)
class RenderedWell:
    """A picture of a well, and the truth about it."""

    image: NDArray[np.uint8]  #: (rows, columns, 3) RGB
    outcome: str | None  #: the well's outcome; None for an empty well
    present: tuple[str, ...]  #: every outcome that is visible somewhere, by priority
    drop_mask: NDArray[np.bool_]  #: (rows, columns)
    outcome_map: NDArray[np.uint8]  #: (rows, columns), position in OUTCOMES of what is visible; 255 outside the drop
    crystal_mask: NDArray[np.bool_]  #: (rows, columns), visible crystals


def render_well(
    seed: WellSeed,
    *,
    outcome: str | Literal["any"] | None = "any",
    height_px: int = 1024,
    width_px: int = 1224,
    device: str = "cpu",
) -> RenderedWell:
    """Return the well that `seed` names.

    Parameters
    ----------
    outcome
        What the well shall show: one of `WELL_OUTCOMES`, None for an empty well, or "any" to draw it.

    Raises
    ------
    UnknownNameError
        If a well cannot have that outcome.
    CrystalSearchError
        If the outcome could not be made visible.
    """
    if outcome == "any":
        outcome = drawn_outcome(seed.generator("outcome"))
    if outcome is not None and outcome not in WELL_OUTCOMES:
        raise UnknownNameError(f"no well has the outcome {outcome!r}; choose from {', '.join(WELL_OUTCOMES)}")
    frame = Frame(0, 0, height_px, width_px, width_px / UNITS_PER_WIDTH, torch.device(device))
    for attempt in range(ATTEMPTS):
        rng = seed.generator(f"well {attempt}")
        well = _empty(rng, frame) if outcome is None else _filled(rng, frame, outcome)
        if well is not None:
            return well
    raise CrystalSearchError(f"{seed} shows no {outcome} at {width_px} x {height_px} px; take another number")


def drawn_outcome(rng: np.random.Generator) -> str | None:
    """Return a random outcome, None for an empty well; those of wells with a drop are equally frequent."""
    return None if rng.random() < EMPTY_SHARE else WELL_OUTCOMES[rng.integers(len(WELL_OUTCOMES))]


def _empty(rng: np.random.Generator, frame: Frame) -> RenderedWell:
    vessel, optics = drawn_vessel(rng, frame, dirty=1.5), drawn_optics(rng)
    levels = camera.exposed(vessel.light * vessel.dirt, vessel.tint, optics.gamma)
    nowhere = np.zeros(frame.shape, dtype=np.bool_)
    return RenderedWell(
        camera.photographed(rng, levels),
        None,
        (),
        nowhere,
        np.full(frame.shape, NOTHING, dtype=np.uint8),
        nowhere.copy(),
    )


def _filled(rng: np.random.Generator, frame: Frame, outcome: str) -> RenderedWell | None:
    """Return a well with a drop, or None when its outcome cannot be seen."""
    vessel, optics = drawn_vessel(rng, frame), drawn_optics(rng)
    splashed = outcome == "null_experiment" and rng.random() < 0.4
    drop = (drawn_splashes if splashed else drawn_drop)(rng, frame, vessel)
    layers = [] if splashed else drawn_layers(rng, drop, outcome)
    for strength in STRENGTHS:
        stronger = [layer.stronger(strength) if layer.outcome == outcome else layer for layer in layers]
        view = _look(drop, stronger, vessel, optics, splashed=splashed)
        if _shows(view, outcome, drop):
            return _recorded(rng, frame, (vessel, drop, optics), view, outcome)
    return None


COMPANIONS = {
    Group.CRYSTAL: (("precipitate_good", 0.15), ("precipitate", 0.15), ("phase_separation", 0.06), ("other", 0.06)),
    Group.PRECIPITATE: (("other", 0.05), ("phase_separation", 0.06)),
    Group.OTHER: (),
    Group.CLEAR: (),
}


def drawn_layers(rng: np.random.Generator, drop: Drop, outcome: str) -> list[Layer]:
    """Return what lies in a drop, from low to high priority: the outcome's own thing, and less important ones."""
    names = [outcome] if outcome in features.BUILDERS else []
    for companion, share in COMPANIONS[outcome_named(outcome).group]:
        if rng.random() < share:
            names.append(companion)
    if outcome not in ("clear", "clear_with_features", "null_experiment") and rng.random() < 0.2:
        names.append("clear_with_features")
    names.sort(key=OUTCOME_NAMES.index, reverse=True)
    layers = [features.built(name, rng, drop) for name in names]
    return [
        layer.stronger(0.5) if layer.outcome.startswith("precipitate") and layer.outcome != outcome else layer
        for layer in layers
    ]


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """How a drop is seen: colours of its rectangle, and what is visible where."""

    share: Tensor  #: (3, rows, columns), grey levels over those of the well without a drop
    seen: Tensor  #: (rows, columns) uint8, position in OUTCOMES
    objects: dict[str, int]  #: number of visible objects by outcome
    edge_levels: float  #: mean difference from the floor along the contour, grey levels


def _look(drop: Drop, layers: list[Layer], vessel: Vessel, optics: Optics, *, splashed: bool) -> _View:
    frame = drop.frame
    window = frame.slices
    inside = drop.inside
    floor = 255 * vessel.tint[1][window] * vessel.light[window].clamp(0, 4).pow(optics.gamma)
    phase, density = drop.phase, frame.zeros()
    light = _tone(phase, density, frame, optics)
    edge = drop.inside & ((1 - drop.reach) * drop.radius < EDGE_UNITS)
    edge_levels = float(((1 - light).abs() * floor)[edge].mean()) if bool(edge.any()) else 0.0
    seen = torch.full(frame.shape, OUTCOME_NAMES.index("null_experiment" if splashed else "clear"), dtype=torch.uint8)
    seen = seen.to(frame.device)
    if not splashed:
        seen[_rim(drop, light)] = OUTCOME_NAMES.index("rim")
    tinted = torch.zeros((3, *frame.shape), device=frame.device)
    objects: dict[str, int] = {}
    soft = ((1 - drop.reach) * 25).clamp(0, 1)
    for layer in layers:
        phase = phase if layer.phase is None else phase + layer.phase * soft
        if layer.density is not None:
            density = density + layer.density * soft
            tinted = tinted + torch.stack([layer.density * soft * (part - 1) for part in layer.colour])
        after = _tone(phase, density, frame, optics)
        where, count = _visible(layer, ((after - light).abs() * floor > VISIBLE_LEVELS) & inside, frame)
        seen[where & inside] = OUTCOME_NAMES.index(layer.outcome)
        objects[layer.outcome] = count
        light = after
    share = light * torch.exp(-optics.gamma * tinted) if layers else light.expand(3, *frame.shape)
    return _View(share, seen, objects, edge_levels)


def _tone(phase: Tensor, density: Tensor, frame: Frame, optics: Optics) -> Tensor:
    """Return grey level over that of the floor beneath, (rows, columns)."""
    light = transmission(phase, frame.px_per_unit, optics) * torch.exp(-density)
    return blurred(light, optics.blur * frame.px_per_unit).clamp(0, 4).pow(optics.gamma)


def _rim(drop: Drop, light: Tensor) -> Tensor:
    """Return the rim: a narrow band along the contour, wider where the drop's edge is dark."""
    depth = (1 - drop.reach) * drop.radius
    dark = (depth < RIM_UNITS[1]) & (light < 0.55)
    return (depth < RIM_UNITS[0]) | dark


def _visible(layer: Layer, differs: Tensor, frame: Frame) -> tuple[Tensor, int]:
    """Return the pixels where a layer counts as visible, and the number of visible objects."""
    if not layer.stamps:
        return spread(differs, layer.spread * frame.px_per_unit), 0
    where = torch.zeros_like(differs)
    count = 0
    for stamps in layer.stamps:
        shown = stamps.share_of(differs.float()) > VISIBLE_SHARE
        where |= stamps.chosen(shown, frame.shape)
        count += int(shown.sum())
    return where, count


def _shows(view: _View, outcome: str, drop: Drop) -> bool:
    if view.edge_levels < EDGE_LEVELS:
        return False
    share, objects = LEAST[outcome]
    area = ((view.seen == OUTCOME_NAMES.index(outcome)) & drop.inside).sum() / drop.inside.sum().clamp_min(1)
    return float(area) >= share and view.objects.get(outcome, objects) >= objects


def _recorded(
    rng: np.random.Generator, frame: Frame, scene: tuple[Vessel, Drop, Optics], view: _View, outcome: str
) -> RenderedWell:
    """Return the photograph and the truth of a well whose drop is seen as `view`."""
    vessel, drop, optics = scene
    window = drop.frame.slices
    dirt = vessel.dirt
    dirt[window] = torch.where(drop.inside, 1.0, dirt[window])
    levels = camera.exposed(vessel.light * dirt, vessel.tint, optics.gamma)
    cut = (slice(None), *window)
    levels[cut] = levels[cut] * torch.where(drop.reach < 1.3, view.share, 1.0)
    drop_mask = np.zeros(frame.shape, dtype=np.bool_)
    drop_mask[window] = drop.inside.cpu().numpy()
    outcome_map = np.full(frame.shape, NOTHING, dtype=np.uint8)
    outcome_map[window] = np.where(drop_mask[window], view.seen.cpu().numpy(), NOTHING)
    present = tuple(OUTCOME_NAMES[index] for index in np.unique(outcome_map[drop_mask]))
    return RenderedWell(
        camera.photographed(rng, levels),
        outcome,
        present,
        drop_mask,
        outcome_map,
        outcome_map < 3,
    )
