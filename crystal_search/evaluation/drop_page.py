"""The page about a drop locator: figures, how often it overlaps how well, and the images where it did worst."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
import simplejpeg
from jinja2 import Environment, StrictUndefined

from crystal_search.evaluation.drop_verdicts import DropVerdict, Figure
from crystal_search.training.run_record import RunRecord
from crystal_search.unet_drop.regions import Mask, labelled, outline_of

WORST = 24
BINS = 20
OUTLINE_POINTS = 160
SMALLEST_PART = 12  #: px; less has no outline worth drawing
BAR_HEIGHT = 180  #: px, of the highest bar
QUALITY = 85


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DropEvaluation:
    """Everything that the page tells."""

    record: RunRecord
    run: str  #: folder of the training
    data: str  #: folder of the dataset
    split: str
    verdicts: Sequence[DropVerdict]
    figures: Sequence[Figure]


def drop_page(evaluation: DropEvaluation) -> str:
    """Return the page as HTML that needs no other file."""
    verdicts = evaluation.verdicts
    full = [each for each in verdicts if not each.empty]
    worst = sorted(verdicts, key=lambda each: each.overlap)[:WORST]
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    source = files("crystal_search.evaluation") / "drop_page.html"
    return environment.from_string(source.read_text(encoding="utf-8")).render(
        told=evaluation,
        full=len(full),
        empty=len(verdicts) - len(full),
        bars=histogram([each.overlap for each in full]),
        bar_height=BAR_HEIGHT,
        worst=[_shown(each) for each in worst],
    )


def histogram(overlaps: Sequence[float]) -> list[dict[str, Any]]:
    """Return the bars of a histogram from 0 to 1: from, to, count, and height in px.

    >>> [bar["count"] for bar in histogram([0.0, 0.99, 1.0]) if bar["count"]]
    [1, 2]
    """
    counts, edges = np.histogram(overlaps, bins=BINS, range=(0, 1))
    highest = max(1, int(counts.max(initial=0)))
    return [
        {"low": float(low), "high": float(high), "count": int(count), "height": round(BAR_HEIGHT * count / highest, 1)}
        for count, low, high in zip(counts, edges[:-1], edges[1:], strict=True)
    ]


def _shown(verdict: DropVerdict) -> dict[str, Any]:
    height, width = verdict.grey.shape
    jpeg = simplejpeg.encode_jpeg(np.ascontiguousarray(verdict.grey[:, :, None]), quality=QUALITY, colorspace="GRAY")
    return {
        "row": verdict.row,
        "overlap": verdict.overlap,
        "empty": verdict.empty,
        "missed": verdict.found is None,
        "picture": base64.b64encode(jpeg).decode(),
        "height": height,
        "width": width,
        "true": outlines(verdict.true),
        "found": [] if verdict.found is None else outlines(verdict.found),
    }


def outlines(mask: Mask) -> list[str]:
    """Return the outer edges of the parts of a mask as points of SVG polygons, column before row.

    >>> outlines(np.ones((4, 5), bool))
    ['0,0 1,0 2,0 3,0 4,0 5,0 5,1 5,2 5,3 5,4 4,4 3,4 2,4 1,4 0,4 0,3 0,2 0,1']
    """
    labels, sizes = labelled(mask)
    parts = [number for number, size in enumerate(sizes, start=1) if size >= SMALLEST_PART]
    corners = [outline_of(labels == number, OUTLINE_POINTS) for number in parts]
    return [" ".join(f"{column},{row}" for row, column in each) for each in corners]
