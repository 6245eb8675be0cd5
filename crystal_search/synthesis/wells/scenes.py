"""What stands in a well: the plate, the drop and what lies in it, before anyone takes a picture."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from crystal_search.outcomes import OUTCOME_NAMES, Group, outcome_named
from crystal_search.synthesis.frames import Frame
from crystal_search.synthesis.pictures.looks import Look, bare, with_layer
from crystal_search.synthesis.pictures.optics import Optics, drawn_optics
from crystal_search.synthesis.things.drop_contents import built
from crystal_search.synthesis.things.drops import drawn_drop, drawn_splashes
from crystal_search.synthesis.things.layers import Layer
from crystal_search.synthesis.things.vessel import Vessel, drawn_vessel
from crystal_search.synthesis.wells.equipment import Equipment

SPLASHED_SHARE = 0.4  # of null experiments; the others have dried out
CLEAN_SHARE = 0.6  # of drops without the plate's own dust and scratches in front of them
EMPTY_DIRT = 1.5  # on plates over empty wells; 1 is usual
CRYSTALS = 3  #: outcomes before this one are crystals
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
class Filling:
    """What lies in a drop, and how it is seen."""

    companions: tuple[Layer, ...]  #: less important things, lowest first
    before: Look  #: with the companions alone
    content: Layer | None  #: what makes the outcome, as strong as it is; None when that is the drop itself
    strength: float  #: by which the content was drawn stronger to be seen
    look: Look  #: with everything


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A well with what is in it, before a camera."""

    frame: Frame
    vessel: Vessel
    optics: Optics
    outcome: str | None  #: None for an empty well
    filling: Filling | None  #: None for an empty well


def drawn_scene(
    rng: np.random.Generator,
    shared: np.random.Generator,
    frame: Frame,
    outcome: str | None,
    *,
    plate_type: str | None,
    equipment: Equipment,
) -> Scene | None:
    """Return a random well that shows `outcome`, or None when it cannot be seen in the one that was drawn.

    Parameters
    ----------
    shared
        Draws what all wells of a plate share at one imager.
    plate_type
        One of `plate_types.PLATE_TYPES`; None for any.
    equipment
        Has the last word about lens, lamp and plate.
    """
    dirty = EMPTY_DIRT if outcome is None else 1.0
    vessel = drawn_vessel(shared, frame, rng, dirty=dirty, plate_type=plate_type)
    vessel, optics = equipment(vessel, drawn_optics(shared))
    if outcome is None:
        return Scene(frame, vessel, optics, None, None)
    splashed = outcome == "null_experiment" and rng.random() < SPLASHED_SHARE
    drop = drawn_splashes(rng, frame, vessel) if splashed else drawn_drop(rng, frame, vessel, optics.aperture)
    look = bare(drop, vessel, optics, "null_experiment" if splashed else "clear")
    if look is None:
        return None
    itself = splashed or outcome == "clear"
    filling = Filling((), look, None, 1.0, look) if itself else _filled(rng, look, outcome)
    if filling is None:
        return None
    if rng.random() < CLEAN_SHARE:
        window, dirt = drop.frame.slices, vessel.dirt.clone()
        dirt[window] = torch.where(drop.inside, 1.0, dirt[window])
        vessel = replace(vessel, dirt=dirt)
    return Scene(frame, vessel, optics, outcome, filling)


def _filled(rng: np.random.Generator, look: Look, outcome: str) -> Filling | None:
    """Return the outcome's own thing on top of less important ones, or None when it stays unseen."""
    companions = []
    for name in drawn_companions(rng, outcome):
        companions.append(built(name, rng, look.drop).stronger(rng.uniform(*COMPANION_STRENGTH)))
        look = with_layer(look, companions[-1])
    layer = built(outcome, rng, look.drop)
    share, objects = LEAST[outcome]
    for strength in STRENGTHS:
        content = layer.stronger(strength)
        filled = with_layer(look, content)
        if filled.share_of(outcome) >= share and filled.objects >= objects:
            return Filling(tuple(companions), look, content, strength, filled)
    return None


def drawn_companions(rng: np.random.Generator, outcome: str) -> list[str]:
    """Return less important outcomes that a drop shows too, from low to high priority."""
    names = [name for name, share in COMPANIONS[outcome_named(outcome).group] if rng.random() < share]
    if outcome in LOST_IN_PRECIPITATE:
        names = [name for name in names if name != "precipitate"]
    return sorted(names, key=OUTCOME_NAMES.index, reverse=True)
