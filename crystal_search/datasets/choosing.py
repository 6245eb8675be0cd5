"""Whether a chop is taken for training, and as what (Thielmann et al. 2023, section 2.2)."""

from dataclasses import dataclass

from crystal_search.datasets.chop_recipe import UV, Recipe
from crystal_search.outcomes import BY_NAME, Group

TOO_FEW_CONTOURS = "contours below the threshold"
NO_UV_CONTOUR = "no contour in the UV image"
NO_UV_IMAGE = "no UV image"
IN_DOUBT = "in doubt: the known outcomes hardly show"


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
