"""How a drop and what lies in it are seen, layer by layer.

What cannot be seen is not a label: every layer is drawn with and without, and it counts where the two pictures
differ by more than `VISIBLE_LEVELS` grey levels.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from crystal_search.outcomes import OUTCOME_NAMES
from crystal_search.synthesis.pictures.optics import Optics, transmission
from crystal_search.synthesis.textures import blurred, spread
from crystal_search.synthesis.things.drops import Drop
from crystal_search.synthesis.things.layers import Layer
from crystal_search.synthesis.things.vessel import Vessel

VISIBLE_LEVELS = 13.0  # grey levels
VISIBLE_SHARE = 0.06  # of an object's pixels, for the object to count
EDGE_LEVELS = 7.0  # least mean difference along a drop's contour, grey levels
EDGE_UNITS = 10.0  # of the contour that must be seen
SHADE_UNITS = 3.0  # over which the liquid's own shade sets in
RIM_UNITS = (9.0, 40.0)  # least and most width of the rim
RIM_LIGHT = 0.55  # what is darker than this share of the floor, and near the contour, is rim
STEEPER = 1.6  # a drop that cannot be seen is made so much higher, up to `STEEPER_TIMES`
STEEPER_TIMES = 4


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """A drop as it is seen. All fields have the shape of the drop's frame."""

    drop: Drop
    optics: Optics
    floor: Tensor  #: grey levels of the well without the drop, 0 to 255
    phase: Tensor  #: optical path, units
    density: Tensor  #: absorbance
    light: Tensor  #: grey level over `floor`
    hues: Tensor | None  #: (3, rows, columns), absorbance in red, green, blue beyond `density`
    seen: Tensor  #: uint8, position in OUTCOMES of what is visible
    objects: int  #: visible separate objects of the topmost layer

    def share_of(self, outcome: str) -> float:
        """Return the share of the drop where `outcome` is visible."""
        inside = self.drop.inside
        shown = (self.seen == OUTCOME_NAMES.index(outcome)) & inside
        return float(shown.sum() / inside.sum().clamp_min(1))

    def colours(self) -> Tensor:
        """Return red, green and blue over those of the well without the drop, (3, rows, columns)."""
        if self.hues is None:
            return self.light.expand(3, *self.drop.frame.shape)
        return self.light * torch.exp(-self.optics.gamma * self.hues)


def _tone(phase: Tensor, density: Tensor, drop: Drop, optics: Optics) -> Tensor:
    """Return grey level over that of the floor beneath, (rows, columns)."""
    light = transmission(phase, drop.frame.px_per_unit, optics) * torch.exp(-density)
    return blurred(light, optics.blur * drop.frame.px_per_unit).clamp(0, 4).pow(optics.gamma)


def bare(drop: Drop, vessel: Vessel, optics: Optics, outcome: str) -> Look | None:
    """Return a drop with nothing in it, or None when it cannot be seen.

    Parameters
    ----------
    outcome
        What the drop itself shows; a "clear" one has a rim.
    """
    window = drop.frame.slices
    floor = 255 * vessel.tint[1][window] * vessel.light[window].clamp(0, 4).pow(optics.gamma)
    depth = (1 - drop.reach) * drop.radius
    edge = drop.inside & (depth < EDGE_UNITS)
    if not bool(edge.any()):
        return None
    phase = drop.phase
    density = drop.shade * ((1 - drop.reach) * drop.radius / SHADE_UNITS).clamp(0, 1)
    for _ in range(STEEPER_TIMES):
        light = _tone(phase, density, drop, optics)
        if float(((1 - light).abs() * floor)[edge].mean()) > EDGE_LEVELS:
            break
        phase = phase * STEEPER
    else:
        return None
    seen = torch.full(drop.frame.shape, OUTCOME_NAMES.index(outcome), dtype=torch.uint8, device=light.device)
    if outcome == "clear":
        rim = (depth < RIM_UNITS[0]) | ((depth < RIM_UNITS[1]) & (light < RIM_LIGHT))
        seen[rim] = OUTCOME_NAMES.index("rim")
    return Look(drop, optics, floor, phase, density, light, None, seen, 0)


def within(drop: Drop) -> Tensor:
    """Return 1 in a drop and 0 outside; what lies in it thins out along the contour, (rows, columns)."""
    return ((1 - drop.reach) * 25).clamp(0, 1)


def with_layer(look: Look, layer: Layer) -> Look:
    """Return the look with one more thing in the drop, which hides what is less important."""
    drop = look.drop
    soft = within(drop)
    phase, density, hues = look.phase, look.density, look.hues
    if layer.phase is not None:
        phase = phase + layer.phase * soft
    if layer.density is not None:
        density = density + layer.density * soft
        if layer.colour != (1.0, 1.0, 1.0):
            more = torch.stack([layer.density * soft * (part - 1) for part in layer.colour])
            hues = more if hues is None else hues + more
    light = _tone(phase, density, drop, look.optics)
    differs = ((light - look.light).abs() * look.floor > VISIBLE_LEVELS) & drop.inside
    where, objects = _visible(layer, differs, drop)
    seen = look.seen.clone()
    seen[where & drop.inside] = OUTCOME_NAMES.index(layer.outcome)
    return replace(look, phase=phase, density=density, hues=hues, light=light, seen=seen, objects=objects)


def _visible(layer: Layer, differs: Tensor, drop: Drop) -> tuple[Tensor, int]:
    """Return the pixels where a layer counts as visible, and the number of visible objects."""
    if not layer.stamps:
        return spread(differs, layer.spread * drop.frame.px_per_unit), 0
    where = torch.zeros_like(differs)
    count = 0
    for stamps in layer.stamps:
        shown = stamps.share_of(differs.float()) > VISIBLE_SHARE
        where |= stamps.chosen(shown, drop.frame.shape)
        count += int(shown.sum())
    return where, count
