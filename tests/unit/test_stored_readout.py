"""A readout applied to a whole store says of each row what it says of the row's numbers alone."""

from pathlib import Path

import numpy as np
import pytest

from crystal_search.adaptation.labelled import Seen
from crystal_search.adaptation.readout import ANSWERS, Readout, shipped_readout
from crystal_search.errors import ModelMismatchError
from crystal_search.outcomes import GROUPS, OUTCOMES
from crystal_search.server.feature_store import stored_readout
from crystal_search.server.feature_store.feature_store import FeatureStore, store_of
from crystal_search.server.feature_store.stored_readout import scores_in
from tests.unit.builders import MODELS

NUMBERS, IMAGES = 5, 10


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FeatureStore:
    """Return a store of ten images, of which three have an older picture, read four rows at a time."""
    monkeypatch.setattr(stored_readout, "AT_A_TIME", 4)
    found = store_of(tmp_path, MODELS, NUMBERS)
    rng = np.random.default_rng(0)
    rows = np.zeros(IMAGES + 3, found.kind)
    rows["image_id"] = [2, 4, 6, *range(1, IMAGES + 1)]
    rows["picture"][:, 0] = [1, 1, 1, *[2] * IMAGES]
    rows["peaks"] = rng.random((len(rows), len(GROUPS)))
    rows["means"] = rng.dirichlet(np.ones(len(OUTCOMES)), len(rows))
    rows["features"] = rng.normal(size=(len(rows), NUMBERS))
    assert found.append(rows) == len(rows)
    return found


def test_every_row_is_scored_in_order(store: FeatureStore) -> None:
    weights = np.random.default_rng(1).normal(size=(len(GROUPS), NUMBERS + ANSWERS))
    readout = Readout(bias=np.arange(len(GROUPS), dtype=float), weights=weights)
    found = list(scores_in(store, readout))
    assert [len(each.image_ids) for each in found] == [4, 4, 4, 1]
    ids, pictures = (np.concatenate(each) for each in zip(*((s.image_ids, s.pictures) for s in found), strict=True))
    places = store.find(ids, pictures)
    assert places.tolist() == list(range(IMAGES + 3))
    (rows,) = store.blocks()
    alone = [
        readout.probabilities(Seen(features=row["features"][None], peaks=row["peaks"][None], means=row["means"][None]))
        for row in rows
    ]
    np.testing.assert_allclose(np.concatenate([each.shares for each in found]), np.concatenate(alone), atol=1e-6)


def test_the_shipped_readout_says_what_the_shipped_models_said(store: FeatureStore) -> None:
    (rows,) = store.blocks()
    crystals = np.concatenate([each.shares[:, 0] for each in scores_in(store, shipped_readout(NUMBERS))])
    np.testing.assert_allclose(crystals, rows["peaks"][:, 0], atol=2e-3)  # no nearer to 0 or 1 than a readout has it


def test_a_readout_of_another_classifier_is_refused(store: FeatureStore) -> None:
    with pytest.raises(ModelMismatchError, match=r"reads 6 features, .* has 5"):
        next(scores_in(store, shipped_readout(6)))


def test_what_is_scored_does_not_change_with_the_store(store: FeatureStore) -> None:
    first = next(scores_in(store, shipped_readout(NUMBERS)))
    before = first.image_ids.tolist()
    rows = np.zeros(1, store.kind)
    rows["image_id"] = 99
    store.append(rows)
    assert first.image_ids.tolist() == before
    assert sum(len(each.image_ids) for each in scores_in(store, shipped_readout(NUMBERS))) == IMAGES + 4
