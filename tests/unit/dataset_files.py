"""Small packed datasets, written as the builder writes them: chops with a pattern that tells their outcome."""

import csv
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image as Pillow

from crystal_search.class_schemes import SCHEMES
from crystal_search.datasets.packed import ABOUT, About, ChopRow, ShardFile, WellRow, about_json
from crystal_search.files import write_whole
from crystal_search.outcomes import OUTCOME_NAMES
from crystal_search.wells import SPLITS

Sample = dict[str, Any]  #: of a tar shard, by the ends of its files' names

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
        for kind, counts in (("chops", chops.get(split, {})), ("wells", (wells or {}).get(split, {}))):
            if counts:
                shards.append(_write_part(folder, kind, split, counts, about))
    write_whole(folder / ABOUT, about_json(replace(about, shards=tuple(shards))))
    return folder


def _write_part(folder: Path, kind: str, split: str, counts: Mapping[str, int], about: About) -> ShardFile:
    numbered = enumerate(outcome for outcome, count in counts.items() for _ in range(count))
    first = 1000 * SPLITS.index(split)
    shard = f"{kind}-{split}-00000.tar"
    rows: list[Any] = []
    if kind == "chops":
        chops = [_chop(first + number, outcome, split, shard, about) for number, outcome in numbered]
        lies = _write_tar(folder / shard, [sample for _, sample in chops])
        rows = [_lying(row, lies, jpg=("offset", "size")) for row, _ in chops]
    else:
        wells = [_well(first + number, outcome, split, shard) for number, outcome in numbered]
        lies = _write_tar(folder / shard, [sample for _, sample in wells])
        rows = [_lying(row, lies, **{"image": ("offset", "size"), "mask.png": ("mask_offset", "mask_size")})
                for row, _ in wells]  # fmt: skip
    _write_table(folder / f"{kind}-{split}.csv", rows)
    data = (folder / shard).read_bytes()
    return ShardFile(file=shard, bytes=len(data), sha256=hashlib.sha256(data).hexdigest())


def _chop(number: int, outcome: str, split: str, shard: str, about: About) -> tuple[ChopRow, Sample]:
    margin = about.margin_px - (16 if number % 3 == 0 and about.margin_px >= 16 else 0)  # less where the image ends
    grey = pattern(outcome, number, about.side_px + margin + about.margin_px)
    row = ChopRow(
        key=f"{split}-{number:06d}",
        outcome=outcome,
        image=f"{split}/{number}.jpg",
        well=f"W{number:04d}",
        plate=f"P{number // 4:04d}",
        top=100,
        left=200,
        chop_top=margin,
        chop_left=about.margin_px,
        contours=0.5,
        shard=shard,
        offset=0,
        size=0,
    )
    return row, {"__key__": row.key, "jpg": _jpeg(grey, colour=about.normalisation == "rgb-1")}


def _well(number: int, outcome: str, split: str, shard: str) -> tuple[WellRow, Sample]:
    has_drop = outcome != "no_drop"
    grey = np.random.default_rng(number).integers(90, 110, (WELL_ROWS, WELL_COLUMNS)).astype(np.uint8)
    row, column = np.mgrid[:WELL_ROWS, :WELL_COLUMNS]
    drop = ((row - WELL_ROWS / 2) ** 2 + (column - WELL_COLUMNS / 2) ** 2 < (WELL_ROWS * 0.45) ** 2) & has_drop
    texture = pattern(outcome, number, max(WELL_ROWS, WELL_COLUMNS)) if has_drop else grey
    grey = np.where(drop, texture[:WELL_ROWS, :WELL_COLUMNS], grey)
    sample: Sample = {"__key__": f"{split}-well-{number:06d}", "image": _jpeg(grey, colour=True)}
    if has_drop:
        sample["mask.png"] = _png(255 * drop.astype(np.uint8))
    table_row = WellRow(
        key=sample["__key__"],
        outcome=outcome,
        image=f"{split}/well-{number}.jpg",
        well=f"V{number:04d}",
        plate=f"P{number // 4:04d}",
        shard=shard,
        offset=0,
        size=0,
        mask_offset=0,
        mask_size=0,
    )
    return table_row, sample


def _jpeg(grey: NDArray[np.uint8], *, colour: bool) -> bytes:
    if colour:
        return bytes(simplejpeg.encode_jpeg(np.repeat(grey[:, :, None], 3, axis=2), quality=92))
    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(grey[:, :, None]), quality=92, colorspace="GRAY"))


def _png(grey: NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    Pillow.fromarray(grey).save(stream, "PNG")
    return stream.getvalue()


def _write_tar(path: Path, samples: Iterable[Sample]) -> dict[str, tuple[int, int]]:
    """Write a WebDataset shard; return where the content of each of its files lies, and its size."""
    from webdataset import TarWriter

    with TarWriter(str(path), mtime=0) as writer:
        for sample in samples:
            writer.write(sample | {"json": json.dumps({"key": sample["__key__"]}).encode()})
    with tarfile.open(path) as shard:
        return {member.name: (member.offset_data, member.size) for member in shard.getmembers()}


def _lying(row: Any, lies: Mapping[str, tuple[int, int]], **names: tuple[str, str]) -> Any:
    for end, (offset, size) in names.items():
        if (name := f"{row.key}.{end}") in lies:
            row = replace(row, **{offset: lies[name][0], size: lies[name][1]})
    return row


def _write_table(path: Path, rows: list[Any]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(rows[0])])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def coarse(about: About = ABOUT_SMALL) -> About:
    """Return `about` with labels of four groups only."""
    return replace(about, scheme=SCHEMES["groups-4"].name)
