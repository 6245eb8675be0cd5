"""Whole well images with exact truth: the pipeline from a seed to a picture and its masks."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crystal_search.errors import CrystalSearchError
from crystal_search.known_names import check_among
from crystal_search.outcomes import IMAGE_OUTCOMES, OUTCOME_NAMES
from crystal_search.synthesis.frames import Frame
from crystal_search.synthesis.pictures import camera
from crystal_search.synthesis.seeds import WellSeed
from crystal_search.synthesis.wells.crystal_truth import CrystalTruth, crystals_of
from crystal_search.synthesis.wells.scenes import CRYSTALS, Scene, drawn_scene
from crystal_search.synthesis.wells.visits import HEIGHT_PX, WIDTH_PX, Settings

NOTHING = 255  #: in an outcome map: no drop here
EMPTY_SHARE = 0.12  # of wells without a drop
BEYOND_CONTOUR = 1.3  # of the way to the contour: up to here a drop changes the light
ATTEMPTS = 16


@dataclass(frozen=True, slots=True, eq=False)
class RenderedImage:
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
    height_px: int = HEIGHT_PX,
    width_px: int = WIDTH_PX,
    device: str = "cpu",
    imager: WellSeed | None = None,
    crystals: bool = False,
    plate_type: str | None = None,
) -> RenderedImage:
    """Return the well that `seed` names.

    Parameters
    ----------
    outcome
        What the well shall show: one of `IMAGE_OUTCOMES`, None for an empty well, or "any" to draw it.
    imager
        The seed of lens, lamp and kind of well, for wells that share them; by default the well's own.
    crystals
        Whether the truth about each single crystal is wanted too.
    plate_type
        One of `plate_types.PLATE_TYPES`; None for any.

    Raises
    ------
    UnknownNameError
        If a well cannot have that outcome, or there is no such plate.
    CrystalSearchError
        If the outcome could not be made visible.
    """
    settings = Settings(size=(height_px, width_px), device=device, plate_type=plate_type)
    scene, rng = staged(seed, outcome, imager, settings)
    return photograph(rng, scene, crystals=crystals)


def staged(
    seed: WellSeed, outcome: str | Literal["any"] | None, imager: WellSeed | None, settings: Settings
) -> tuple[Scene, np.random.Generator]:
    """Return what stands in the well that `seed` names, and the stream that its picture is taken with.

    Parameters and errors are those of `render_well`; size, device, plate and equipment are those of the settings.

    Raises
    ------
    CrystalSearchError
        If no attempt made the outcome visible; errors of a wrong call are those of `render_well`.
    """
    if outcome == "any":
        outcome = drawn_outcome(seed.generator("outcome"))
    if outcome is not None:
        check_among(IMAGE_OUTCOMES, outcome, "outcome", which="of a well")
    height, width = settings.size
    frame = Frame(0, 0, height, width, width / settings.view_units, torch.device(settings.device))
    for attempt in range(ATTEMPTS):
        rng = seed.generator(f"well {attempt}")
        shared = imager.generator("imager") if imager else seed.generator(f"imager {attempt}")
        scene = drawn_scene(rng, shared, frame, outcome, plate_type=settings.plate_type, equipment=settings.equipment)
        if scene is not None:
            return scene, rng
    raise CrystalSearchError(f"{seed} shows no {outcome} at {width} x {height} px; take another number")


def drawn_outcome(rng: np.random.Generator) -> str | None:
    """Return a random outcome, None for an empty well; those of wells with a drop are equally frequent."""
    return None if rng.random() < EMPTY_SHARE else IMAGE_OUTCOMES[rng.integers(len(IMAGE_OUTCOMES))]


def photograph(rng: np.random.Generator, scene: Scene, *, crystals: bool = False) -> RenderedImage:
    """Return the picture of a scene and the truth about it."""
    frame, filling = scene.frame, scene.filling
    levels = levels_of(scene)
    drop_mask = np.zeros(frame.shape, dtype=np.bool_)
    outcome_map = np.full(frame.shape, NOTHING, dtype=np.uint8)
    single: tuple[CrystalTruth, ...] = ()
    if filling is not None:
        drop, window = filling.look.drop, filling.look.drop.frame.slices
        drop_mask[window] = drop.inside.cpu().numpy()
        outcome_map[window] = np.where(drop_mask[window], filling.look.seen.cpu().numpy(), NOTHING)
        if crystals and filling.content is not None:
            single = crystals_of(filling.content, filling.before, filling.look)
    present = tuple(OUTCOME_NAMES[index] for index in np.unique(outcome_map[drop_mask]))
    image = camera.photographed(rng, levels, scene.optics)
    return RenderedImage(image, scene.outcome, present, drop_mask, outcome_map, outcome_map < CRYSTALS, single)


def levels_of(scene: Scene) -> Tensor:
    """Return the grey levels (3, rows, columns) that reach the camera before a scene."""
    vessel, filling = scene.vessel, scene.filling
    levels = camera.exposed(vessel.light * vessel.dirt, vessel.tint, scene.optics.gamma)
    if filling is not None:
        drop = filling.look.drop
        cut = (slice(None), *drop.frame.slices)
        levels[cut] = levels[cut] * torch.where(drop.reach < BEYOND_CONTOUR, filling.look.colours(), 1.0)
    return levels
