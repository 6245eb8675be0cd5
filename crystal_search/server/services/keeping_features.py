"""Features of scores, kept in the home's store before the scores come into the ledger.

So whatever is killed, the features of every score in the ledger are kept; what is kept already is not kept again.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from crystal_search.model import ModelRef
from crystal_search.server.feature_store.feature_rows import Rows, picture_of, row_type
from crystal_search.server.feature_store.feature_store import store_of
from crystal_search.server.home import Home
from crystal_search.server.imaging.imaging_database import AutoScore


def keep_features(home: Home, scores: Iterable[AutoScore]) -> int:
    """Keep the features of scores that have some and are not kept yet; return how many those were.

    Raises
    ------
    DatabaseError
        If they cannot be written now.
    """
    kinds: dict[tuple[tuple[ModelRef, ...], int], list[AutoScore]] = defaultdict(list)
    for score in scores:
        if score.found.features is not None:
            kinds[score.recipe.models, len(score.found.features)].append(score)
    return sum(
        store_of(home.features, models, numbers).append(rows_of(each, numbers))
        for (models, numbers), each in kinds.items()
    )


def rows_of(scores: Sequence[AutoScore], numbers: int) -> Rows:
    """Return the rows of scores that all have so many features."""
    rows = np.zeros(len(scores), row_type(numbers))
    rows["image_id"] = [score.image_id for score in scores]
    rows["picture"] = [picture_of(score.version.sha256 if score.version else "") for score in scores]
    rows["peaks"] = [score.found.group_peaks for score in scores]
    rows["means"] = [score.found.class_probabilities for score in scores]
    rows["features"] = [score.found.features for score in scores]
    return rows
