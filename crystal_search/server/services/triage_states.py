"""Which drops of a plate need no look, by the readouts in use that promise something (docs/adaptation.md)."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from crystal_search.adaptation.rescoring import NOTHING, Answer, rescored
from crystal_search.errors import DatabaseError, ModelError
from crystal_search.model import ModelRef, answering, looks_of
from crystal_search.server.feature_store.feature_rows import Rows, picture_of
from crystal_search.server.feature_store.feature_store import FeatureStore, kept_store
from crystal_search.server.feature_store.stored_readout import seen_in
from crystal_search.server.imaging.imaging_database import DropScores
from crystal_search.server.installation import Installation
from crystal_search.server.services.readout_scores import CHANNEL, ReadoutAtWork, readouts_at_work

log = logging.getLogger(__name__)


def triage_states(site: Installation, drops: Iterable[DropScores]) -> dict[int, Answer]:
    """Return by image what is promised of the drops of one inspection of a plate.

    Only images of imagers are in it whose readout in use promises something. Whether the plate is like those that the
    promise is of shows in all of these drops together. What has no features, as without a drop, is promised nothing.

    Parameters
    ----------
    site
        Whose readouts and features.
    drops
        All of one inspection of a plate in one channel.
    """
    try:
        at_work = [each for each in readouts_at_work(site) if each.rescoring.triage.threshold is not None]
    except ModelError as error:
        log.error("nothing is promised: %s", error)
        return {}
    by_imager: defaultdict[str, list[DropScores]] = defaultdict(list)
    for drop in drops if at_work else ():
        if drop.image.key.channel == CHANNEL:
            by_imager[site.imagers.of(drop.image)].append(drop)
    found: dict[int, Answer] = {}
    for readout in at_work:
        if mine := by_imager.get(readout.used.imager):
            found |= _answers(site, readout, mine)
    return found


def _answers(site: Installation, readout: ReadoutAtWork, drops: Sequence[DropScores]) -> dict[int, Answer]:
    answers: dict[int, Answer] = {drop.image.id: NOTHING for drop in drops if drop.current}
    by_models: defaultdict[tuple[ModelRef, ...], list[DropScores]] = defaultdict(list)
    for drop in drops:
        if drop.current and readout.card.looks.fit(looks_of(drop.current.recipe.models)):
            by_models[answering(drop.current.recipe.models)].append(drop)
    try:
        for models, mine in by_models.items():
            if store := kept_store(site.home.features, models):
                rows = _rows(store, mine)
                new = rescored(readout.rescoring, seen_in(rows), [drops[0].image.key.plate] * len(rows))
                answers |= dict(zip(rows["image_id"].tolist(), new.answers, strict=True))
    except DatabaseError as error:
        log.error("nothing is promised of plate %s: %s", drops[0].image.key.plate, error)
    return answers


def _rows(store: FeatureStore, drops: Sequence[DropScores]) -> Rows:
    """Return the rows of the pictures that these images show now, as far as there are any."""
    versions = [drop.image.version for drop in drops]
    pictures = np.array([picture_of(each.sha256 if each else "") for each in versions], np.uint64).reshape(-1, 2)
    places = store.find(np.array([drop.image.id for drop in drops], np.int64), pictures)
    return store.rows(places[places >= 0])
