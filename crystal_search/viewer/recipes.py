"""Whose scores a plate shows: those that count, or those by one recipe of the ledger that somebody wants to see."""

from crystal_search.model_card import FirstLookCard
from crystal_search.server.imaging.imaging_database import Recipe
from crystal_search.server.services.readout_scores import RECIPE_DIGITS, recipe_digits
from crystal_search.viewer.parameters import key_of

SHOWN = ""  #: instead of a recipe: the scores that count
RECIPE = key_of("recipe", "whose scores; by default those that count", default=SHOWN, digits=RECIPE_DIGITS)


def recipe_record(recipe: Recipe) -> dict[str, object]:
    """Return what people tell recipes apart by."""
    classifier, readout = recipe.model("classifier"), recipe.readout
    first = next((each.name for each in recipe.models if each.role == FirstLookCard.role), None)
    return {
        "id": recipe_digits(recipe),
        "classifier": classifier.name,
        "sha256": classifier.sha256,
        "first_look": first,
        "readout": readout.name if readout else None,
        "threshold": recipe.threshold,
    }
