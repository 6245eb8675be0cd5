"""What labels of a foreign imager are worth: never tested on what was learnt from."""

from itertools import pairwise

import numpy as np
import pytest

from benchmarks.foreign import label_curve
from benchmarks.foreign.__main__ import rows_of, separation
from benchmarks.foreign.foreign_scores import NO_GROUP, ForeignScores
from benchmarks.foreign.label_curve import LABELS, TESTED, Curve, curve_of
from crystal_search.outcomes import GROUPS, OUTCOMES

WELLS, PLATES = 18, 8


def scores(telling: float, *, lost: float = 0.0) -> ForeignScores:
    """Return an imager whose shipped score says nothing, with one feature that tells crystals by so many deviations."""
    rng, count = np.random.default_rng(0), WELLS * PLATES
    groups = np.tile(np.repeat([0, 1, 2, 3, NO_GROUP], [6, 4, 4, 3, 1]), PLATES)
    features = rng.normal(size=(count, 8))
    features[:, 0] += telling * (groups == 0)
    return ForeignScores(
        groups=groups,
        plates=np.repeat(np.arange(PLATES).astype(np.str_), WELLS),
        called=np.full(count, 3),
        peaks=rng.uniform(0.2, 0.8, (count, len(GROUPS))),
        means=np.full((count, len(OUTCOMES)), 1 / len(OUTCOMES)),
        features=features,
        located=rng.random(count) >= lost,
    )


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_curve, "REPEATS", 3)
    monkeypatch.setattr(label_curve, "ADAPTED", 1)


def test_labels_are_of_other_plates_than_those_that_are_tested() -> None:
    wells = scores(0.0)
    divisions = list(label_curve._divisions(wells, np.random.default_rng(1)))
    assert len(divisions) == 3
    for test, order in divisions:
        assert len(set(wells.plates[test])) == TESTED
        assert not set(wells.plates[test]) & set(wells.plates[order])
        assert sorted([*np.flatnonzero(test), *order]) == list(range(WELLS * PLATES))
    assert any((one[0] != other[0]).any() for one, other in pairwise(divisions))


def test_what_features_tell_is_learnt_and_proven() -> None:
    curve = curve_of(scores(3.0), seed=0)
    assert curve.with_labels.shape == (3, len(LABELS))
    assert curve.gains[-1] > 0.2
    assert curve.proven[0, -1]
    assert curve.as_used[-1] > 0.1


def test_a_readout_that_is_not_proven_is_not_used() -> None:
    curve = Curve(
        without=np.array([0.8, 0.9]), with_labels=np.array([[0.7], [0.95]]), proven=np.array([[False], [True]])
    )
    assert curve.gains.tolist() == pytest.approx([-0.025])
    assert curve.as_used.tolist() == pytest.approx([0.025])


def test_wells_without_a_drop_keep_their_shipped_score() -> None:
    wells = scores(3.0, lost=0.3)
    taught = label_curve._taught(wells, np.arange(100), 100)
    assert len(taught.labelled) == wells.located[:100].sum() < 100
    said = label_curve._read_out(wells, taught)
    np.testing.assert_array_equal(said[~wells.located], label_curve._shipped(wells)[~wells.located])
    assert (said != label_curve._shipped(wells))[wells.located].all()


def test_the_table_tells_what_should_be_reached() -> None:
    found = {"a": scores(0.0), "b": scores(3.0)}
    rows = rows_of(found, {name: curve_of(each, 0) for name, each in found.items()})
    by_name = {row.what: row for row in rows}
    assert list(by_name)[:2] == ["a", "b"]
    assert by_name["mean without labels"].reached is False
    area = separation(found["a"])
    assert area.low <= area.value <= area.high
    assert by_name["a"].figure.startswith(f"{area.value:.3f} (")
