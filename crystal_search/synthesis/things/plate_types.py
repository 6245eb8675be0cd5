"""Plates by name, and what their wells look like from above."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PlateType:
    """How the wells of a plate look from above."""

    floor: str  #: ring: round and whole in the view; cut: larger than the view; square; open: no wall near
    radius: tuple[float, float]  #: of the floor, range, shares of the view's short side; of its width if open
    ring: tuple[float, float] | float  #: width of the dark wall around it, units; a range


#: By floor, for wells of any plate.
FLOORS = {
    "ring": PlateType("ring", (0.36, 0.47), (40, 190)),
    "cut": PlateType("cut", (0.45, 0.75), (60, 260)),
    "square": PlateType("square", (0.38, 0.49), (300, 900)),
    "open": PlateType("open", (0.9, 1.4), 400.0),
}
SHARES_OF_FLOORS = (0.38, 0.26, 0.16, 0.2)
OFF_CENTRE = {"ring": 0.05, "cut": 0.22, "square": 0.06, "open": 0.1}  # share of the view

#: By name; the proportions are as pictures show them, not measured.
PLATE_TYPES = {
    "mrc-2": PlateType("ring", (0.4, 0.47), (40, 110)),
    "swissci-3": PlateType("ring", (0.36, 0.44), (90, 190)),
    "mrc-maxi": PlateType("cut", (0.55, 0.75), (100, 260)),
    "square": PlateType("square", (0.38, 0.49), (300, 900)),
    "hanging-drop": PlateType("open", (0.9, 1.4), 400.0),
}
