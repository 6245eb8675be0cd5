"""A readout applied to a whole store of features: an archive scored anew without opening one image."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from crystal_search.adaptation.labelled import Seen
from crystal_search.adaptation.readout import ANSWERS, Readout, shares_of
from crystal_search.errors import ModelMismatchError
from crystal_search.metrics import Floats
from crystal_search.server.feature_store.feature_rows import Numbers, Rows
from crystal_search.server.feature_store.feature_store import FeatureStore, Pictures

AT_A_TIME = 8192  #: rows, so that what is computed of them fits into a processor's cache


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ReadoutScores:
    """What a readout says of N rows of a store."""

    image_ids: Numbers  #: (N,), in the imaging database
    pictures: Pictures  #: (N, 2), which picture of the image
    logits: Floats  #: (N, groups), log-odds of each group against the rest

    @property
    def shares(self) -> Floats:
        """Probabilities of the groups, (N, groups), rows adding up to 1."""
        return shares_of(self.logits)


def seen_in(rows: Rows) -> Seen:
    """Return what the shipped models say in rows of a store."""
    return Seen(
        features=rows["features"].astype(np.float64),
        peaks=rows["peaks"].astype(np.float64),
        means=rows["means"].astype(np.float64),
    )


def scores_in(store: FeatureStore, readout: Readout) -> Iterator[ReadoutScores]:
    """Yield what a readout says of all rows of a store, `AT_A_TIME` at a time, in the order of rows.

    An image of which another picture was scored before has several rows: whoever uses these scores takes that of the
    picture that it shows now.

    Raises
    ------
    ModelMismatchError
        If the readout reads another number of features.
    DatabaseError
        If the store cannot be read.
    """
    if (reads := readout.weights.shape[1] - ANSWERS) != store.numbers:
        raise ModelMismatchError(f"the readout reads {reads} features, {store.folder} has {store.numbers}; fit it anew")
    for block in store.blocks():
        for start in range(0, len(block), AT_A_TIME):
            rows = block[start : start + AT_A_TIME]
            logits = readout.logits(seen_in(rows))
            yield ReadoutScores(image_ids=rows["image_id"].copy(), pictures=rows["picture"].copy(), logits=logits)
