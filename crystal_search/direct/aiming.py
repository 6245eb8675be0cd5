"""How to aim at crystals, in micrometres as people say it, and in pixels as it is done."""

from dataclasses import dataclass

from crystal_search.crystals.targets import Shooting


@dataclass(frozen=True, slots=True, kw_only=True)
class ShootingUm:
    """How targets are laid, in micrometres; only what is said needs a scale."""

    spacing_um: float | None = None
    margin_um: float | None = None
    apart_um: float | None = None

    def in_px(self, um_per_px: float | None) -> Shooting | None:
        """Return the same in pixels; None where that needs a scale and there is none."""
        lengths = (self.spacing_um, self.margin_um, self.apart_um)
        if um_per_px is None:
            return Shooting() if lengths == (None, None, None) else None
        spacing, margin, apart = (None if each is None else each / um_per_px for each in lengths)
        return Shooting(spacing_px=spacing, margin_px=margin or 0.0, apart_px=apart)
