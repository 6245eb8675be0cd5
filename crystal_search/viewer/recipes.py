"""Whose scores a plate shows: those that count, or those by one recipe of the ledger that somebody wants to see."""

import hashlib
import json
from functools import lru_cache

from crystal_search.model import hashes_of
from crystal_search.model_card import FirstLookCard
from crystal_search.server.imaging.imaging_database import Recipe
from crystal_search.viewer.parameters import key_of

KEY_DIGITS = 12  #: of the hash that names a recipe
SHOWN = ""  #: instead of a recipe: the scores that count
RECIPE = key_of("recipe", "whose scores; by default those that count", default=SHOWN, digits=KEY_DIGITS)


@lru_cache(256)
def recipe_key(recipe: Recipe) -> str:
    """Return a name for a recipe that is the same wherever models and threshold are the same."""
    told = json.dumps([hashes_of(recipe.models), recipe.threshold], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:KEY_DIGITS]


def recipe_record(recipe: Recipe) -> dict[str, object]:
    """Return what people tell recipes apart by."""
    classifier, readout = recipe.model("classifier"), recipe.readout
    first = next((each.name for each in recipe.models if each.role == FirstLookCard.role), None)
    return {
        "id": recipe_key(recipe),
        "classifier": classifier.name,
        "sha256": classifier.sha256,
        "first_look": first,
        "readout": readout.name if readout else None,
        "threshold": recipe.threshold,
    }
