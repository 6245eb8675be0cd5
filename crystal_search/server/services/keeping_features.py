"""Features of scores, kept in the home's store before the scores come into the ledger.

So whatever is killed, the features of every score in the ledger are kept; what is kept already is not kept again.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from crystal_search.server.feature_store.feature_rows import Rows, picture_of, row_type
from crystal_search.server.feature_store.feature_store import store_of
from crystal_search.server.home import Home
from crystal_search.server.imaging.imaging_database import AutoScore, Recipe


def keep_features(home: Home, scores: Iterable[AutoScore]) -> int:
    """Keep the features of scores that have some and are not kept yet; return how many those were.

    Raises
    ------
    DatabaseError
        If they cannot be written now.
    """
    return sum(
        store_of(home.features, recipe.models, numbers).append(rows_of(each, numbers))
        for (recipe, numbers), each in with_features(scores).items()
    )


def with_features(scores: Iterable[AutoScore]) -> dict[tuple[Recipe, int], list[AutoScore]]:
    """Return the scores that have features, by recipe and the number of these."""
    kinds: dict[tuple[Recipe, int], list[AutoScore]] = defaultdict(list)
    for score in scores:
        if score.found.features is not None:
            kinds[score.recipe, len(score.found.features)].append(score)
    return kinds


def rows_of(scores: Sequence[AutoScore], numbers: int) -> Rows:
    """Return the rows of scores that all have so many features."""
    rows = np.zeros(len(scores), row_type(numbers))
    rows["image_id"] = [score.image_id for score in scores]
    rows["picture"] = [picture_of(score.version.sha256 if score.version else "") for score in scores]
    rows["peaks"] = [score.found.group_peaks for score in scores]
    rows["means"] = [score.found.class_probabilities for score in scores]
    rows["features"] = [score.found.features for score in scores]
    return rows
