"""Small packed datasets, written as the builder writes them: chops with a pattern that tells their outcome."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from crystal_search.class_schemes import SCHEMES
from crystal_search.datasets.drawn_masks import mask_png
from crystal_search.datasets.packed import (
    ABOUT,
    CHOPS,
    IMAGE,
    IMAGES,
    JPEG,
    MASK,
    RENDERED,
    About,
    ShardFile,
    about_json,
)
from crystal_search.datasets.packing_shards import Shard
from crystal_search.datasets.rendering import sample_of
from crystal_search.files import write_whole
from crystal_search.outcomes import OUTCOME_NAMES
from crystal_search.synthesis.wells.rendered_well import RenderedImage
from crystal_search.wells import SPLITS

Sample = tuple[dict[str, Any], dict[str, bytes]]  #: its row but for where it lies, and its parts

ABOUT_SMALL = About(
    scheme="outcomes-13",
    side_px=256,
    margin_px=64,
    working_width_px=1224,
    normalisation="local-contrast-1",
    sources=("patterns",),
    command="crystal-search dataset build",
    shards=(),
)
#: By split, how many chops of each outcome.
FEW = {
    "train": {"clear": 6, "crystal_harvestable": 4, "precipitate_bad": 2},
    "validation": {"clear": 3, "crystal_harvestable": 3, "precipitate_bad": 2},
    "test": {"clear": 1, "crystal_harvestable": 1},
}
WELL_ROWS, WELL_COLUMNS = 512, 612


def pattern(outcome: str, number: int, side: int = 384) -> NDArray[np.uint8]:
    """Return grey noise (side, side) with stripes whose width tells the outcome."""
    generator = np.random.default_rng(number)
    grey = generator.normal(120, 4, (side, side))
    width_px = 2 + 3 * OUTCOME_NAMES.index(outcome)
    grey += 25 * ((np.arange(side)[:, None] + generator.integers(width_px)) // width_px % 2)
    return np.asarray(np.clip(grey, 0, 255), dtype=np.uint8)


def write_dataset(
    folder: Path,
    chops: Mapping[str, Mapping[str, int]] = FEW,
    *,
    wells: Mapping[str, Mapping[str, int]] | None = None,
    about: About = ABOUT_SMALL,
) -> Path:
    """Write a dataset with so many chops and whole images of each outcome to `folder`, and return it.

    Images of the outcome ``no_drop`` have no mask. `about` decides scheme, side, margin, and whether it is in colour.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shards = []
    for split in SPLITS:
        first = 1000 * SPLITS.index(split)
        samples = [_chop(number, outcome, split, about) for number, outcome in _numbered(chops.get(split, {}), first)]
        wholes = [_whole(number, outcome, split) for number, outcome in _numbered((wells or {}).get(split, {}), first)]
        shards += [
            write_shard(folder, kind, split, each) for kind, each in ((CHOPS, samples), (IMAGES, wholes)) if each
        ]
    write_about(folder, shards, about)
    return folder


def write_shard(folder: Path, kind: str, split: str, samples: Iterable[Sample], number: int = 0) -> ShardFile:
    """Write samples, each its row and its parts, as one shard."""
    shard = Shard(folder, kind, split, number)
    for known, parts in samples:
        shard.write(known, parts)
    return shard.close()


def write_rendered(folder: Path, **wells: Sequence[Sequence[RenderedImage]]) -> Path:
    """Write a dataset of rendered wells, of each split a shard for each sequence of wells, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    shards = []
    for split, each in wells.items():
        for number, some in enumerate(each):
            samples = [sample_of(well, f"{split}-{number}-{place}") for place, well in enumerate(some)]
            shards.append(write_shard(folder, IMAGES, split, samples, number))
    write_about(folder, shards, replace(ABOUT_SMALL, sources=(RENDERED,)))
    return folder


def write_about(folder: Path, shards: Iterable[ShardFile], about: About = ABOUT_SMALL) -> None:
    """Write what a dataset is, so that its `shards` are there."""
    write_whole(folder / ABOUT, about_json(replace(about, shards=tuple(shards))))


def _numbered(counts: Mapping[str, int], first: int) -> Iterable[tuple[int, str]]:
    return enumerate((outcome for outcome, count in counts.items() for _ in range(count)), first)


def _chop(number: int, outcome: str, split: str, about: About) -> Sample:
    margin = about.margin_px - (16 if number % 3 == 0 and about.margin_px >= 16 else 0)  # less where the image ends
    grey = pattern(outcome, number, about.side_px + margin + about.margin_px)
    known = {
        "key": f"{split}-{number:06d}",
        "outcome": outcome,
        "image": f"{split}/{number}.jpg",
        "well": f"W{number:04d}",
        "plate": f"P{number // 4:04d}",
        "top": 100,
        "left": 200,
        "chop_top": margin,
        "chop_left": about.margin_px,
        "contours": 0.5,
    }
    return known, {JPEG: _jpeg(grey, colour=about.normalisation == "rgb-1")}


def _whole(number: int, outcome: str, split: str) -> Sample:
    has_drop = outcome != "no_drop"
    grey = np.random.default_rng(number).integers(90, 110, (WELL_ROWS, WELL_COLUMNS)).astype(np.uint8)
    row, column = np.mgrid[:WELL_ROWS, :WELL_COLUMNS]
    drop = ((row - WELL_ROWS / 2) ** 2 + (column - WELL_COLUMNS / 2) ** 2 < (WELL_ROWS * 0.45) ** 2) & has_drop
    texture = pattern(outcome, number, max(WELL_ROWS, WELL_COLUMNS)) if has_drop else grey
    grey = np.where(drop, texture[:WELL_ROWS, :WELL_COLUMNS], grey)
    known = {
        "key": f"{split}-well-{number:06d}",
        "outcome": outcome,
        "image": f"{split}/well-{number}.jpg",
        "well": f"V{number:04d}",
        "plate": f"P{number // 4:04d}",
    }
    return known, {IMAGE: _jpeg(grey, colour=True)} | ({MASK: mask_png(drop)} if has_drop else {})


def _jpeg(grey: NDArray[np.uint8], *, colour: bool) -> bytes:
    if colour:
        return bytes(simplejpeg.encode_jpeg(np.repeat(grey[:, :, None], 3, axis=2), quality=92))
    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(grey[:, :, None]), quality=92, colorspace="GRAY"))


def coarse(about: About = ABOUT_SMALL) -> About:
    """Return `about` with labels of four groups only."""
    return replace(about, scheme=SCHEMES["groups-4"].name)
