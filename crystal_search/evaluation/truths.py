"""What models are judged on: a dataset, photographs, the demo plate, rendered wells."""

from pathlib import Path

from crystal_search.datasets.packed import PackedDataset
from crystal_search.errors import UserError
from crystal_search.evaluation.judging import Truth
from crystal_search.evaluation.known_images import (
    demo_plate,
    labelled_photographs,
    of_dataset,
    photographs,
    rendered,
)
from crystal_search.wells import SPLITS


def dataset_truth(dataset: PackedDataset, split: str | None, *, of_drops: bool) -> Truth:
    """Return the whole images of a split of a dataset: of the one that was asked for, else of ``test``.

    Where only drops are judged and no test image has a mask, validation images do.

    Raises
    ------
    UserError
        If there are no images that can be judged.
    """
    split = _masked_split(dataset, split) if of_drops else split or "test"
    if not dataset.wells(split):
        there = ", ".join(f"{each} {len(dataset.wells(each))}" for each in SPLITS)
        raise UserError(f"{dataset.folder} has no whole images in the split {split} ({there}); name another --split")
    return Truth(
        name=f"{dataset.folder.resolve().name}, {split}",
        source=f"Dataset {dataset.folder}: {'; '.join(dataset.about.sources)}.",
        images=of_dataset(dataset, dataset.wells(split)),
        split=split,
        dataset=dataset,
    )


def _masked_split(dataset: PackedDataset, asked: str | None) -> str:
    for split in ("test", "validation") if asked is None else (asked,):
        if any(row.knows_drop for row in dataset.wells(split)):
            return split
    raise UserError(
        f"no {asked or 'test or validation'} image of {dataset.folder} has a mask of its drop; "
        "draw some (docs/training-drops.md)"
    )


def photograph_truth(folder: Path, labels: Path | None, name: str | None) -> Truth:
    """Return the photographs in `folder` with what the table `labels` says of them; of nothing, where there is none.

    Raises
    ------
    UserError
        If `folder` is none, or the table cannot be used.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder; name the one with the photographs")
    name = name or folder.resolve().name
    if labels is None:
        return Truth(
            name=name, source=f"Photographs in {folder}; nobody says what they show.", images=photographs(folder)
        )
    images, ignored = labelled_photographs(labels, folder)
    source = f"Photographs in {folder}, labels of {labels}."
    return Truth(name=name, source=source, images=images, ignored=ignored, sheets=True)


def demo_truth() -> Truth:
    """Return the demo plate."""
    return Truth(name="demo plate (rendered)", source="The demo plate, which is rendered.", images=demo_plate())


def rendered_truth(wells: int) -> Truth:
    """Return rendered wells that no network was trained on."""
    return Truth(name="rendered test wells", source="Rendered wells of the split test.", images=rendered(wells))
