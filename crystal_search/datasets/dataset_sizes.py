"""How large a dataset is, beside the same chops kept as plain numbers in an HDF5 file."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crystal_search.datasets.packed import ChopRow, PackedDataset, Pixels
from crystal_search.wells import SPLITS

SAMPLE = 400  #: chops that are measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Bytes of all shards of chops, and of HDF5 files with the same, by a sample."""

    shards: int
    chops_hdf5: int  #: the chops alone
    patches_hdf5: int  #: the chops with their surroundings, as the shards hold them
    sample: int  #: chops that were measured

    @property
    def smaller(self) -> float:
        """How many times the HDF5 file of the same pixels is larger than the shards."""
        return self.patches_hdf5 / self.shards


def sizes(dataset: PackedDataset) -> Sizes:
    """Measure `dataset` on a sample of its chops."""
    rows = [row for split in SPLITS for row in dataset.chops(split)]
    sample = rows[:: max(1, len(rows) // SAMPLE)]
    patches = [dataset.patch(row) for row in sample]
    chops = [patch[dataset.box(row).slices] for patch, row in zip(patches, sample, strict=True)]
    return Sizes(
        shards=sum(shard.bytes for shard in dataset.about.shards if shard.file.startswith("chops-")),
        chops_hdf5=_scaled(_hdf5_bytes(chops), sample, rows),
        patches_hdf5=_scaled(_hdf5_bytes(patches), sample, rows),
        sample=len(sample),
    )


def _hdf5_bytes(pictures: Sequence[Pixels]) -> int:
    """Return the size of an HDF5 file with one data set of numbers for each shape of picture."""
    import h5py  # type: ignore[import-untyped]

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for shape in sorted({picture.shape for picture in pictures}):
            alike = np.stack([picture for picture in pictures if picture.shape == shape])
            file.create_dataset("x".join(map(str, shape)), data=alike)
    return len(buffer.getvalue())


def _scaled(size: int, sample: Sequence[ChopRow], rows: Sequence[ChopRow]) -> int:
    return round(size * len(rows) / len(sample))
