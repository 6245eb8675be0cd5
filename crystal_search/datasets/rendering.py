"""A dataset of rendered wells, shard by shard: trainings may draw from it while it grows."""

import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crystal_search.annotations.coco_json import object_in
from crystal_search.archives.seen_objects import SeenObject, objects_json, seen
from crystal_search.class_schemes import TRAINABLE
from crystal_search.datasets.chop_recipe import GREY_NORMALISATION, MARGIN_PX, SIDE_PX
from crystal_search.datasets.packed import ABOUT, IMAGES, OBJECTS, RENDERED, About, ShardFile, about_json, open_dataset
from crystal_search.datasets.packing_shards import Shard
from crystal_search.datasets.whole_images import mapped_parts
from crystal_search.errors import UserError
from crystal_search.files import write_whole
from crystal_search.images import WORKING_WIDTH_PX, resized, to_grey
from crystal_search.outcomes import IMAGE_OUTCOMES, NO_DROP
from crystal_search.processes import in_order
from crystal_search.server.locks import FileLock
from crystal_search.synthesis.rendered_folder import annotation

if TYPE_CHECKING:
    from crystal_search.synthesis.wells.rendered_well import RenderedImage

WELLS_PER_SHARD = 64
LOCK, PATIENCE_S = ".dataset.lock", 60.0  #: two splits may be rendered side by side; each adds its shards in turn

#: What well N shows, N modulo the length: every outcome of a well, some more often, and wells without a drop.
ROTA: tuple[str | None, ...] = (
    *IMAGE_OUTCOMES,
    "crystal_harvestable",
    "crystal_bad_form",
    "clear_with_features",
    None,
    None,
)


@dataclass(frozen=True, slots=True)
class Rendering:
    """Renders well N of a split, its outcome taken from `ROTA`; to be called, in other processes too."""

    split: str
    device: str = "cpu"
    objects: bool = False  #: whether each single crystal is wanted too

    def __call__(self, number: int) -> "RenderedImage":
        """Return the well with this number."""
        import torch

        from crystal_search.synthesis.seeds import WellSeed
        from crystal_search.synthesis.wells.rendered_well import render_well

        torch.set_num_threads(1)  # processes beside each other are faster
        seed, outcome = WellSeed(self.split, number), ROTA[number % len(ROTA)]
        return render_well(seed, outcome=outcome, device=self.device, crystals=self.objects)


def fill(
    folder: Path,
    split: str,
    wells: int,
    render: Callable[[int], "RenderedImage"],
    *,
    jobs: int = 1,
    objects: bool = False,
) -> Iterator[ShardFile]:
    """Render the missing ones of the first `wells` wells of `split`; yield each shard as the dataset has it.

    Parameters
    ----------
    render
        Returns well N; for several processes it can be pickled.
    jobs
        Processes that render, each a shard at a time.
    objects
        Whether samples hold their crystals one by one.

    Raises
    ------
    UserError
        If `wells` is no multiple of the wells in a shard, or `folder` holds a dataset that was not rendered.
    """
    if wells % WELLS_PER_SHARD:
        raise UserError(f"{wells} wells do not fill shards of {WELLS_PER_SHARD}; ask for a multiple")
    _add(folder, ())
    there = len(open_dataset(folder).shards(IMAGES, split))
    write = partial(_shard, folder, split, render, objects)
    for _, shard in in_order(write, range(there, wells // WELLS_PER_SHARD), jobs):
        _add(folder, (shard,))
        yield shard


def _add(folder: Path, shards: tuple[ShardFile, ...]) -> None:
    """Put shards into ``dataset.json``, which is there from now on."""
    with FileLock(folder / LOCK, "another rendering", patience_s=PATIENCE_S):
        about = open_dataset(folder).about if (folder / ABOUT).exists() else _nothing_yet()
        if about.sources != (RENDERED,):
            raise UserError(f"{folder} holds a dataset of {', '.join(about.sources)}; name a folder for rendered wells")
        write_whole(folder / ABOUT, about_json(replace(about, shards=(*about.shards, *shards))))


def _nothing_yet() -> About:
    return About(
        scheme=TRAINABLE[13],
        side_px=SIDE_PX,
        margin_px=MARGIN_PX,
        working_width_px=WORKING_WIDTH_PX,
        normalisation=GREY_NORMALISATION,
        sources=(RENDERED,),
        command=shlex.join(["crystal-search", *sys.argv[1:]]),
    )


def _shard(folder: Path, split: str, render: Callable[[int], "RenderedImage"], objects: bool, number: int) -> ShardFile:
    """Write shard `number`; what lies there without being listed is half written and goes."""
    with Shard(folder, IMAGES, split, number) as shard:
        for each in range(number * WELLS_PER_SHARD, (number + 1) * WELLS_PER_SHARD):
            shard.write(*sample_of(render(each), f"{split}-{each:08d}", objects=objects))
        return shard.close()


def sample_of(well: "RenderedImage", key: str, *, objects: bool = False) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the row of a rendered well, but for where it lies, and its parts."""
    known = {"key": key, "outcome": well.outcome or NO_DROP, "image": key, "well": key, "plate": ""}
    grey = resized(to_grey(well.image), WORKING_WIDTH_PX)
    parts = mapped_parts(grey, well.outcome_map, well.drop_mask)
    return known, parts | ({OBJECTS: objects_json(objects_of(well))} if objects else {})


def objects_of(well: "RenderedImage") -> Iterator[SeenObject]:
    """Yield the crystals of a rendered well."""
    size = (well.image.shape[0], well.image.shape[1])
    for each in well.crystals:
        known = annotation(each.rows, each.columns, size, each.oriented_box)
        yield seen(object_in(known | {"too_faint": each.too_faint}, each.outcome), *size)
