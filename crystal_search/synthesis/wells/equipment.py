"""What an imager makes of the lens, the lamp and the plate that were drawn for it; needs no torch by itself."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from crystal_search.synthesis.pictures.optics import Optics
    from crystal_search.synthesis.things.vessel import Vessel


class Equipment(Protocol):
    """Makes an imager's own lens, lamp and plate of those that were drawn."""

    def __call__(self, vessel: "Vessel", optics: "Optics", /) -> tuple["Vessel", "Optics"]:
        """Return the plate, and lens and lamp."""


def as_drawn(vessel: "Vessel", optics: "Optics") -> tuple["Vessel", "Optics"]:
    """Return the equipment as it is."""
    return vessel, optics
