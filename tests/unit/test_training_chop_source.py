"""Which chops a step sees, and how."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from crystal_search.class_schemes import SCHEMES
from crystal_search.datasets.packed import PackedDataset, open_dataset
from crystal_search.errors import UnknownNameError, UserError
from crystal_search.outcomes import OUTCOME_NAMES
from crystal_search.training.chop_scores import chop_view
from crystal_search.training.chop_source import ChopSource, validation_chops
from crystal_search.training.epochs import class_shares, epoch_order
from crystal_search.training.task import batches
from tests.unit.dataset_files import ABOUT_SMALL, write_dataset


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    return open_dataset(write_dataset(tmp_path_factory.mktemp("chops")))


def source_of(dataset: PackedDataset, **options: object) -> ChopSource:
    return ChopSource(dataset, OUTCOME_NAMES, 0, **options)  # type: ignore[arg-type]


@given(counts=st.lists(st.integers(0, 60), min_size=2, max_size=6).filter(any), seed=st.integers(0, 9))
def test_an_epoch_without_balance_has_every_chop_once(counts: list[int], seed: int) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    order = epoch_order(labels, class_shares(np.array(counts), "none"), np.random.default_rng(seed))
    assert sorted(order.tolist()) == list(range(len(labels)))


@given(
    counts=st.lists(st.integers(0, 60), min_size=2, max_size=6).filter(any),
    balance=st.sampled_from(["none", "sqrt", "equal"]),
)
def test_an_epoch_has_classes_in_their_shares_and_their_chops_equally_often(counts: list[int], balance: str) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    shares = class_shares(np.array(counts), balance)
    order = epoch_order(labels, shares, np.random.default_rng(0))
    assert len(order) == len(labels)
    drawn = np.bincount(labels[order], minlength=len(counts))
    assert np.abs(drawn - shares * len(labels)).max() <= 1
    for label in range(len(counts)):
        times = np.bincount(order, minlength=len(labels))[labels == label]
        assert not len(times) or times.max() - times.min() <= 1


def test_balances_written_out() -> None:
    counts = np.array([900, 100, 0])
    assert class_shares(counts, "none").tolist() == [0.9, 0.1, 0.0]
    assert class_shares(counts, "sqrt").tolist() == [0.75, 0.25, 0.0]
    assert class_shares(counts, "equal").tolist() == [0.5, 0.5, 0.0]
    with pytest.raises(UnknownNameError, match="no class balance 'fair'; choose from none, sqrt, equal"):
        class_shares(counts, "fair")


def test_a_batch_depends_on_seed_and_step_alone(dataset: PackedDataset) -> None:
    views, labels = source_of(dataset).batch(5, 4)
    assert (views.shape, views.dtype, labels.dtype) == ((4, 1, 256, 256), torch.float32, torch.int64)
    later = source_of(dataset)
    later.batch(0, 4)
    same = later.batch(5, 4)
    assert torch.equal(same[0], views)
    assert torch.equal(same[1], labels)
    assert not torch.equal(later.batch(6, 4)[0], views)
    assert not torch.equal(ChopSource(dataset, OUTCOME_NAMES, 1).batch(5, 4)[0], views)


def test_labels_are_those_of_the_chops(dataset: PackedDataset) -> None:
    source = source_of(dataset)
    rows = [dataset.chops("train")[position] for position in source.positions(2, 6)]
    assert [OUTCOME_NAMES[label] for label in source.batch(2, 6)[1]] == [row.outcome for row in rows]


def test_no_chop_is_shown_as_it_is_nor_twice_alike(dataset: PackedDataset) -> None:
    source = source_of(dataset)
    for step in range(2):
        views = source.batch(step, 12)[0][:, 0].numpy()
        for view, position in zip(views, source.positions(step, 12), strict=True):
            assert np.abs(view - chop_view(dataset, source.rows[position])).mean() > 0.02
    first, second = (source._view(source.rows[0], place) for place in range(2))
    assert np.abs(first - second).mean() > 0.02


def test_an_epochs_batches_hold_classes_in_their_shares(dataset: PackedDataset) -> None:
    source = source_of(dataset, balance="equal")
    drawn = Counter(label for step in range(4) for label in source.labels[source.positions(step, 3)])
    assert sorted(drawn.values()) == [4, 4, 4]


def test_ranks_draw_the_parts_of_the_same_batch(dataset: PackedDataset) -> None:
    whole = source_of(dataset).batch(1, 4)
    parts = [next(batches(source_of(dataset), [1], 4, rank=rank, ranks=2)) for rank in (0, 1)]
    for one, several in zip(whole, zip(*parts, strict=True), strict=True):
        assert torch.equal(one[:2], several[0])
        assert torch.equal(one[2:], several[1])


def test_the_number_of_workers_changes_nothing(dataset: PackedDataset) -> None:
    here = list(batches(source_of(dataset), range(3, 6), 2))
    elsewhere = list(batches(source_of(dataset), range(3, 6), 2, workers=2))
    for one, other in zip(here, elsewhere, strict=True):
        assert torch.equal(one[0], other[0])
        assert torch.equal(one[1], other[1])


def test_validation_sees_chops_as_the_client_does_and_always_the_same(dataset: PackedDataset) -> None:
    chops = validation_chops(dataset, OUTCOME_NAMES, 5)
    assert len(chops.rows) == 5
    assert chops.rows == validation_chops(dataset, OUTCOME_NAMES, 5).rows
    views, labels = chops.batch(1, 3)  # the last two
    np.testing.assert_array_equal(views[0, 0].numpy(), chop_view(dataset, chops.rows[3]))
    assert [OUTCOME_NAMES[label] for label in labels] == [row.outcome for row in chops.rows[3:]]


def test_ranks_divide_the_validation_chops(dataset: PackedDataset) -> None:
    whole = validation_chops(dataset, OUTCOME_NAMES, 7)
    parts = [validation_chops(dataset, OUTCOME_NAMES, 7, rank=rank, ranks=2) for rank in (0, 1)]
    assert sorted(row.key for part in parts for row in part.rows) == sorted(row.key for row in whole.rows)


def test_fewer_classes_take_the_same_chops(dataset: PackedDataset) -> None:
    classes = SCHEMES["groups-4"].class_names
    source = ChopSource(dataset, classes, 0)
    outcomes = {row.outcome: classes[label] for row, label in zip(source.rows, source.labels, strict=True)}
    assert outcomes == {"clear": "clear", "crystal_harvestable": "crystal", "precipitate_bad": "precipitate"}


def test_chops_in_colour_have_three_channels(tmp_path: Path) -> None:
    about = replace(ABOUT_SMALL, normalisation="rgb-1")
    dataset = open_dataset(write_dataset(tmp_path, about=about))
    views = source_of(dataset).batch(0, 2)[0]
    assert views.shape == (2, 3, 256, 256)
    assert 0 <= views.min() <= views.max() <= 1


def test_a_dataset_of_one_class_is_refused(tmp_path: Path) -> None:
    dataset = open_dataset(write_dataset(tmp_path, {"train": {"clear": 3}, "validation": {"clear": 1}}))
    with pytest.raises(UserError, match=r"chops of one class only \(3 of clear\).*add images of another class"):
        source_of(dataset)


def test_a_dataset_without_validation_is_refused(tmp_path: Path) -> None:
    dataset = open_dataset(write_dataset(tmp_path, {"train": {"clear": 2, "other": 2}}))
    with pytest.raises(UserError, match="has no validation chops"):
        validation_chops(dataset, OUTCOME_NAMES, 5)


def test_another_dataset_is_refused_when_a_training_goes_on(dataset: PackedDataset) -> None:
    source = source_of(dataset)
    source.refresh()
    source.use(source.names())
    with pytest.raises(UserError, match="is not the dataset that the training began with"):
        source.use([*source.names()[:-1], "0" * 64])
