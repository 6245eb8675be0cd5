"""How chops are chosen for training, and as what (Thielmann et al. 2023, section 2.2)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from crystal_search.errors import UserError
from crystal_search.known_names import check_among
from crystal_search.model import default_models_folder
from crystal_search.outcomes import BY_NAME, Group

SIDE_PX, MARGIN_PX = 256, 64
GREY_NORMALISATION, COLOUR_NORMALISATION = "local-contrast-1", "rgb-1"
UV_CHOICES = ("require", "prefer", "ignore")
UV = "uv"  #: key of the threshold of a UV mate

TOO_FEW_CONTOURS = "contours below the threshold"
NO_UV_CONTOUR = "no contour in the UV image"
NO_UV_IMAGE = "no UV image"
IN_DOUBT = "in doubt: the known outcomes hardly show"

#: Least length of contours, in px, of a chop that is to count as what people said of the whole drop
#: (`chopper.contours`). That of ``rim`` makes a rim of a chop at the border of a clear drop.
THRESHOLDS: dict[str, float] = {
    "crystal_harvestable": 60.0,
    "crystal_bad_form": 60.0,
    "crystal_overnucleated": 60.0,
    "precipitate": 150.0,
    "precipitate_bad": 150.0,
    "precipitate_good": 150.0,
    "null_experiment": 60.0,
    "other": 60.0,
    "spherulites": 60.0,
    "phase_separation": 60.0,
    "clear": 0.0,
    "clear_with_features": 40.0,
    "rim": 150.0,
    UV: 40.0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How an image becomes chops."""

    thresholds: Mapping[str, float] = field(default_factory=THRESHOLDS.copy)
    uv: str = "prefer"  #: one of `UV_CHOICES`
    in_colour: bool = False
    models: Path = field(default_factory=default_models_folder)  #: where the drop locator lies

    @property
    def normalisation(self) -> str:
        """Of the view that a network is to read."""
        return COLOUR_NORMALISATION if self.in_colour else GREY_NORMALISATION


def thresholds_with(changes: Iterable[str]) -> dict[str, float]:
    """Return the thresholds with `changes`, each written ``OUTCOME=VALUE``.

    Raises
    ------
    UserError
        If one is not written so, or names no outcome.

    >>> thresholds_with(["rim=200"])["rim"]
    200.0
    """
    thresholds = THRESHOLDS.copy()
    for change in changes:
        name, _, value = change.partition("=")
        check_among(thresholds, name, "outcome", where=f"--contours {change}")
        try:
            thresholds[name] = float(value)
        except ValueError:
            raise UserError(f"--contours {change}: expected OUTCOME=VALUE with a length in px, as in rim=150") from None
        if not 0 <= thresholds[name] < float("inf"):
            raise UserError(f"--contours {change}: expected a length in px of at least 0")
    return thresholds


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is known of a chop. Lengths of contours are in px."""

    inside: float  #: contours inside of the drop
    everywhere: float  #: contours, the drop's rim among them
    at_border: bool  #: it lies at the border of the drop's rectangle
    uv: float | None  #: contours in the UV image at this place; None where there is no UV image


def as_people_said(outcome: str, seen: Seen, recipe: Recipe) -> tuple[str | None, str]:
    """Return what a chop of a drop that people called `outcome` is trained as.

    Returns
    -------
    outcome
        None if it is left out.
    reason
        Why it is left out; empty if it is not.
    """
    if outcome == "clear" and seen.at_border and seen.everywhere > recipe.thresholds["rim"]:
        return "rim", ""
    least = recipe.thresholds[outcome]
    if least and seen.inside <= least:
        return None, TOO_FEW_CONTOURS
    if BY_NAME[outcome].group is Group.CRYSTAL and recipe.uv != "ignore":
        if seen.uv is None:
            return (None, NO_UV_IMAGE) if recipe.uv == "require" else (outcome, "")
        if seen.uv <= recipe.thresholds[UV]:
            return None, NO_UV_CONTOUR
    return outcome, ""
