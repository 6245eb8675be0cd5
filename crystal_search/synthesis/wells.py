"""Whole well images with exact truth: the pipeline from a seed to a picture and its masks."""

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from crystal_search.errors import CrystalSearchError, UnknownNameError
from crystal_search.outcomes import OUTCOME_NAMES, Group, outcome_named
from crystal_search.synthesis import camera, features
from crystal_search.synthesis.drops import drawn_drop, drawn_splashes
from crystal_search.synthesis.frames import UNITS_PER_WIDTH, Frame
from crystal_search.synthesis.layers import Layer
from crystal_search.synthesis.looks import Look, bare, with_layer
from crystal_search.synthesis.optics import drawn_optics
from crystal_search.synthesis.seeds import WellSeed
from crystal_search.synthesis.truth import CrystalTruth, crystals_of
from crystal_search.synthesis.vessel import Vessel, drawn_vessel

__all__ = ["NOTHING", "WELL_OUTCOMES", "RenderedWell", "WellSeed", "render_well"]

NOTHING = 255  #: in an outcome map: no drop here
WELL_OUTCOMES = tuple(name for name in OUTCOME_NAMES if name != "rim")  #: a whole well can have these
EMPTY_SHARE = 0.12  # of wells without a drop
SPLASHED_SHARE = 0.4  # of null experiments; the others have dried out
CLEAN_SHARE = 0.6  # of drops without the plate's own dust and scratches in front of them
BEYOND_CONTOUR = 1.3  # of the way to the contour: up to here a drop changes the light
CRYSTALS = 3  # outcomes before this one are crystals
ATTEMPTS = 16
STRENGTHS = (1.0, 1.6, 2.5)
COMPANION_STRENGTH = (0.25, 0.6)  # of what is less important, so that it does not hide the outcome

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
    "clear_with_features": (0.003, 0),
}


#: What a drop may show besides its outcome, and how often, by the outcome's group.
COMPANIONS: dict[Group, tuple[tuple[str, float], ...]] = {
    Group.CRYSTAL: (
        ("clear_with_features", 0.25),
        ("phase_separation", 0.1),
        ("other", 0.12),
        ("precipitate_good", 0.22),
        ("precipitate", 0.16),
        ("precipitate_bad", 0.06),
    ),
    Group.PRECIPITATE: (("clear_with_features", 0.25), ("phase_separation", 0.1), ("other", 0.12)),
    Group.OTHER: (("clear_with_features", 0.25), ("phase_separation", 0.08)),
    Group.CLEAR: (),
}


#: Small or thin things, which no eye finds in a heavy precipitate although the pair of pictures differs.
LOST_IN_PRECIPITATE = ("crystal_bad_form", "crystal_overnucleated")


@dataclass(frozen=True, slots=True, eq=False)
class RenderedWell:
    """A picture of a well, and the truth about it."""

    image: NDArray[np.uint8]  #: (rows, columns, 3) RGB
    outcome: str | None  #: the well's outcome; None for an empty well
    present: tuple[str, ...]  #: every outcome that is visible somewhere, by priority
    drop_mask: NDArray[np.bool_]  #: (rows, columns)
    outcome_map: NDArray[np.uint8]  #: (rows, columns), position in OUTCOMES of what is visible; 255 outside the drop
    crystal_mask: NDArray[np.bool_]  #: (rows, columns), visible crystals
    crystals: tuple[CrystalTruth, ...] = ()  #: each single one, also those too faint to see; if they were asked for


def render_well(
    seed: WellSeed,
    *,
    outcome: str | Literal["any"] | None = "any",
    height_px: int = 1024,
    width_px: int = 1224,
    device: str = "cpu",
    imager: WellSeed | None = None,
    crystals: bool = False,
) -> RenderedWell:
    """Return the well that `seed` names.

    Parameters
    ----------
    outcome
        What the well shall show: one of `WELL_OUTCOMES`, None for an empty well, or "any" to draw it.
    imager
        The seed of lens, lamp and kind of well, for wells that share them; by default the well's own.
    crystals
        Whether the truth about each single crystal is wanted too.

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
        shared = imager.generator("imager") if imager else seed.generator(f"imager {attempt}")
        well = _empty(rng, shared, frame) if outcome is None else _filled(rng, shared, frame, outcome, crystals)
        if well is not None:
            return well
    raise CrystalSearchError(f"{seed} shows no {outcome} at {width_px} x {height_px} px; take another number")


def drawn_outcome(rng: np.random.Generator) -> str | None:
    """Return a random outcome, None for an empty well; those of wells with a drop are equally frequent."""
    return None if rng.random() < EMPTY_SHARE else WELL_OUTCOMES[rng.integers(len(WELL_OUTCOMES))]


def _empty(rng: np.random.Generator, shared: np.random.Generator, frame: Frame) -> RenderedWell:
    vessel, optics = drawn_vessel(shared, frame, rng, dirty=1.5), drawn_optics(shared)
    levels = camera.exposed(vessel.light * vessel.dirt, vessel.tint, optics.gamma)
    nowhere = np.zeros(frame.shape, dtype=np.bool_)
    return RenderedWell(
        camera.photographed(rng, levels, optics),
        None,
        (),
        nowhere,
        np.full(frame.shape, NOTHING, dtype=np.uint8),
        nowhere.copy(),
    )


def _filled(
    rng: np.random.Generator, shared: np.random.Generator, frame: Frame, outcome: str, crystals: bool
) -> RenderedWell | None:
    """Return a well with a drop, or None when its outcome cannot be seen."""
    vessel, optics = drawn_vessel(shared, frame, rng), drawn_optics(shared)
    splashed = outcome == "null_experiment" and rng.random() < SPLASHED_SHARE
    drop = drawn_splashes(rng, frame, vessel) if splashed else drawn_drop(rng, frame, vessel, optics.aperture)
    look = bare(drop, vessel, optics, "null_experiment" if splashed else "clear")
    single: tuple[CrystalTruth, ...] = ()
    if look is not None and not splashed and outcome != "clear":
        filled = _with_contents(rng, look, outcome)
        if filled is not None and crystals and OUTCOME_NAMES.index(outcome) < CRYSTALS:
            single = crystals_of(filled.layer, filled.before, filled.after)
        look = None if filled is None else filled.after
    return None if look is None else replace(_recorded(rng, frame, vessel, look, outcome), crystals=single)


class _Filled(NamedTuple):
    """The outcome's own thing, and the look without and with it."""

    layer: Layer
    before: Look
    after: Look


def _with_contents(rng: np.random.Generator, look: Look, outcome: str) -> _Filled | None:
    """Return the look with the outcome's own thing on top of less important ones, or None when it stays unseen."""
    for companion in drawn_companions(rng, outcome):
        look = with_layer(look, features.built(companion, rng, look.drop).stronger(rng.uniform(*COMPANION_STRENGTH)))
    layer = features.built(outcome, rng, look.drop)
    share, objects = LEAST[outcome]
    for strength in STRENGTHS:
        filled = with_layer(look, layer.stronger(strength))
        if filled.share_of(outcome) >= share and filled.objects >= objects:
            return _Filled(layer, look, filled)
    return None


def drawn_companions(rng: np.random.Generator, outcome: str) -> list[str]:
    """Return less important outcomes that a drop shows too, from low to high priority."""
    names = [name for name, share in COMPANIONS[outcome_named(outcome).group] if rng.random() < share]
    if outcome in LOST_IN_PRECIPITATE:
        names = [name for name in names if name != "precipitate"]
    return sorted(names, key=OUTCOME_NAMES.index, reverse=True)


def _recorded(rng: np.random.Generator, frame: Frame, vessel: Vessel, look: Look, outcome: str) -> RenderedWell:
    """Return the photograph and the truth of a well whose drop is seen as `look`."""
    drop = look.drop
    window = drop.frame.slices
    dirt = vessel.dirt
    if rng.random() < CLEAN_SHARE:
        dirt[window] = torch.where(drop.inside, 1.0, dirt[window])
    levels = camera.exposed(vessel.light * dirt, vessel.tint, look.optics.gamma)
    cut = (slice(None), *window)
    levels[cut] = levels[cut] * torch.where(drop.reach < BEYOND_CONTOUR, look.colours(), 1.0)
    drop_mask = np.zeros(frame.shape, dtype=np.bool_)
    drop_mask[window] = drop.inside.cpu().numpy()
    outcome_map = np.full(frame.shape, NOTHING, dtype=np.uint8)
    outcome_map[window] = np.where(drop_mask[window], look.seen.cpu().numpy(), NOTHING)
    present = tuple(OUTCOME_NAMES[index] for index in np.unique(outcome_map[drop_mask]))
    image = camera.photographed(rng, levels, look.optics)
    return RenderedWell(image, outcome, present, drop_mask, outcome_map, outcome_map < CRYSTALS)
