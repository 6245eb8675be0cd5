"""Datasets with a part to train on: one may have validation or test images alone."""

from pathlib import Path

from crystal_search.datasets.packed import PackedDataset, open_dataset
from crystal_search.errors import UserError


def open_to_train(folder: Path) -> PackedDataset:
    """Return the dataset in `folder`, which has something to train on.

    Raises
    ------
    UserError
        As `open_dataset`, or if it has no training part.
    """
    dataset = open_dataset(folder)
    if not any(shard.split == "train" for shard in dataset.about.shards):
        there = sorted({shard.split for shard in dataset.about.shards})
        raise UserError(
            f"{folder} has nothing to train on, only {' and '.join(there) or 'a report'}; name a dataset with a "
            "part for training, as --shares 80/10/10 gives it one"
        )
    return dataset
