"""Rendered wells on disk: folders of 64, written whole or not at all, read by mapping them into memory.

A shard is a folder ``SPLIT-00007`` with

* ``grey.npy``: (wells, rows, columns) uint8, the grey working view that the client would see;
* ``outcomes.npy``: (wells, rows/4, columns/4) uint8, the visible outcome of highest priority in each block of
  4 x 4 px as an index into ``OUTCOMES``, 255 outside of the drop;
* ``drops.npy``: (wells, rows/4, columns/4) uint8, how much of each block is drop, 0 to 255;
* ``wells.json``: the number of the first well, and each well's own outcome, null where there is no drop.
"""

import json
import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from crystal_search.datasets.outcome_maps import Bytes, KnownWell, coverage, highest_priority
from crystal_search.errors import UserError
from crystal_search.images import resized, to_grey
from crystal_search.networks.cards import CLASSIFIER_WIDTH_PX
from crystal_search.processes import in_order

WELLS_PER_SHARD = 64


class LabelledWell(KnownWell, Protocol):
    """What a shard keeps of a rendered well; its mask has the picture's rows and columns."""

    @property
    def outcome_map(self) -> Bytes:
        """(rows, columns), indices into ``OUTCOMES``, 255 outside of the drop."""


@dataclass(frozen=True, slots=True, eq=False)
class Shard:
    """The wells of one folder; arrays as the module describes them."""

    name: str
    grey: Bytes
    outcomes: Bytes
    drops: Bytes
    winners: tuple[str | None, ...]


def write_shard(folder: Path, name: str, first: int, wells: Sequence[LabelledWell]) -> Path:
    """Write `wells`, numbered from `first`, as shard `name` of `folder`; return its path.

    It is written under another name and renamed, so that a shard is there whole or not at all.
    """
    temporary = folder / f".{name}.{os.getpid()}"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    np.save(temporary / "grey.npy", np.stack([resized(to_grey(w.image), CLASSIFIER_WIDTH_PX) for w in wells]))
    np.save(temporary / "outcomes.npy", np.stack([highest_priority(well.outcome_map) for well in wells]))
    np.save(temporary / "drops.npy", np.stack([coverage(well.drop_mask) for well in wells]))
    about = {"first": first, "outcomes": [well.outcome for well in wells]}
    (temporary / "wells.json").write_text(json.dumps(about), encoding="utf-8")
    return temporary.rename(folder / name)


def read_shard(path: Path) -> Shard:
    """Return the shard in the folder `path`, its arrays mapped and not yet read."""
    grey, outcomes, drops = (np.load(path / f"{kind}.npy", mmap_mode="r") for kind in ("grey", "outcomes", "drops"))
    winners = json.loads((path / "wells.json").read_text(encoding="utf-8"))["outcomes"]
    return Shard(path.name, grey, outcomes, drops, tuple(winners))


def shard_names(folder: Path, split: str) -> list[str]:
    """Return the names of all whole shards of `split`, in order."""
    return sorted(path.name for path in folder.glob(f"{split}-[0-9]*") if path.is_dir())


@dataclass
class ShardsInUse(ABC):
    """Shards of a split that batches are drawn from; more are taken up while they are rendered."""

    folder: Path
    split: str
    shards: list[Shard] = field(default_factory=list, kw_only=True)

    def names(self) -> list[str]:
        """Return the names of the shards in use."""
        return [shard.name for shard in self.shards]

    def refresh(self) -> None:
        """Take up the shards that were written since."""
        self.use(shard_names(self.folder, self.split))

    def use(self, names: list[str]) -> None:
        """Draw from the shards `names`, which start with those in use already, from now on."""
        for name in names[len(self.shards) :]:
            shard = read_shard(self.folder / name)
            self._take_up(len(self.shards), shard)
            self.shards.append(shard)

    @abstractmethod
    def _take_up(self, number: int, shard: Shard) -> None:
        """Note what can be drawn from a shard, which is the one at `number` of those in use."""


def fill(
    folder: Path, split: str, wells: int, render: Callable[[int], LabelledWell], *, jobs: int = 1
) -> Iterator[str]:
    """Write the missing shards of the first `wells` wells of `split`; yield the name of each as it is there.

    Parameters
    ----------
    render
        Returns well N; for several processes it can be pickled.
    jobs
        Processes that render, each a shard at a time.

    Raises
    ------
    UserError
        If `wells` is no multiple of the wells in a shard, or a process was ended from outside.
    """
    if wells % WELLS_PER_SHARD:
        raise UserError(f"{wells} wells do not fill shards of {WELLS_PER_SHARD}; ask for a multiple")
    write = partial(_write_missing, folder, split, render)
    numbers = range(wells // WELLS_PER_SHARD)
    yield from (name for _, name in in_order(write, numbers, jobs))


def _write_missing(folder: Path, split: str, render: Callable[[int], LabelledWell], number: int) -> str:
    """Write shard `number` if it is not there, and return its name."""
    name, first = f"{split}-{number:05d}", number * WELLS_PER_SHARD
    if not (folder / name).exists():
        write_shard(folder, name, first, [render(first + each) for each in range(WELLS_PER_SHARD)])
    return name
