"""What crystals are made of: protein or salt, and what that does in polarised and ultraviolet light."""

from dataclasses import dataclass

import numpy as np

from crystal_search.synthesis.seeds import log_uniform

SALT_SHARE = 0.2
ISOTROPIC_SHARE = 0.1  # of crystals are cubic, and stay dark between crossed polars
CHROMOPHORE_SHARE = 0.12  # of proteins carry something that swallows the light


@dataclass(frozen=True, slots=True)
class Material:
    """The one substance of all crystals in a drop, and of what is dissolved."""

    kind: str  #: protein or salt
    birefringence: float  #: difference of refractive indices; 0 for cubic crystals
    fluorescence: float  #: of a thick crystal, 1 for the brightest protein; 0 for salt
    chromophore: bool  #: whether something in the protein dims its fluorescence
    dissolved: float = 0.03  #: fluorescence of the liquor where the drop is highest


def drawn_material(rng: np.random.Generator) -> Material:
    """Return a random substance.

    Crystals of protein hold much water: their birefringence is a tenth of that of salts, and less. Salts do not
    fluoresce; proteins do so by their tryptophan, some with much, some with little.
    """
    salt, isotropic, chromophore = rng.random(3) < (SALT_SHARE, ISOTROPIC_SHARE, CHROMOPHORE_SHARE)
    birefringence = log_uniform(rng, 0.01, 0.15) if salt else log_uniform(rng, 0.001, 0.02)
    tryptophan = log_uniform(rng, 0.3, 1.0) * (rng.uniform(0.05, 0.35) if chromophore else 1.0)
    return Material(
        kind="salt" if salt else "protein",
        birefringence=0.0 if isotropic else birefringence,
        fluorescence=0.0 if salt else tryptophan,
        chromophore=bool(chromophore and not salt),
        dissolved=log_uniform(rng, 0.005, 0.2),
    )
