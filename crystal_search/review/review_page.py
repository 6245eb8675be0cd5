"""The page on which people look at doubted labels: one HTML file and a folder of pictures, no server needed.

Pictures are files of their own, which a browser loads when they come into sight: as part of the page, those of 200
images would make it 20 MB, all of it in memory at once.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
from jinja2 import Environment
from PIL import Image as Pillow

from crystal_search.class_schemes import Scheme
from crystal_search.datasets.packed import ChopRow, PackedDataset, WellRow
from crystal_search.errors import ImageError
from crystal_search.files import write_whole
from crystal_search.images import Colour, decode, resized
from crystal_search.outcomes import CHOPS_ONLY, KEYS, NO_DROP, NO_DROP_KEY, OUTCOME_NAMES, OUTCOMES
from crystal_search.review.doubts import DoubtedChop, Suspect

PAGE = "index.html"
SCRIPTS = ("choosing.js", "page.js")  #: in this order
NO_DROP_CHOICE = {"name": NO_DROP, "label": "No drop", "letter": "–", "frame": "#8c8c8c", "key": NO_DROP_KEY}

THUMBS = "thumbs"  #: folder of the pictures, beside the page
IMAGE_WIDTH_PX, CHOP_SIDE_PX = 720, 192
QUALITY = 80
CHOPS_SHOWN = 8


@dataclass(frozen=True, slots=True)
class ShownChop:
    """A chop on the page."""

    file: str  #: relative to the page
    place: tuple[float, float, float, float] | None  #: top, left, height, width as shares of the image, if it is shown
    chop: DoubtedChop


@dataclass(frozen=True, slots=True)
class Pictures:
    """What a review page shows of one image."""

    image: str | None  #: file of the whole image, relative to the page
    proportion: float  #: its height over its width
    chops: tuple[ShownChop, ...]  #: the few that speak most against the label


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What a review page shows, and of what."""

    run: str  #: folder of the training
    data: str  #: folder of the dataset
    split: str
    looked_through: int  #: images that were ranked
    scheme: Scheme  #: classes that the dataset's labels have
    suspects: Sequence[Suspect]
    pictures: Sequence[Pictures]  #: of the suspects


def choices(scheme: Scheme) -> list[dict[str, str]]:
    """Return what an image can be called where labels are those of `scheme`, as the page needs it.

    >>> from crystal_search.class_schemes import scheme_named
    >>> [each["label"] for each in choices(scheme_named("groups-4"))]
    ['crystal', 'precipitate', 'other', 'clear', 'No drop']
    """
    found = []
    for outcome in OUTCOMES:
        names = [each.name.replace("_", " ") for each in scheme.classes if each.outcome == outcome.name]
        if names and outcome.name != CHOPS_ONLY:
            label = outcome.label if scheme.class_names == OUTCOME_NAMES else " or ".join(names)
            found.append({"name": outcome.name, "label": label, "letter": outcome.letter, "frame": outcome.frame})
    return [*(each | {"key": key} for each, key in zip(found, KEYS, strict=False)), NO_DROP_CHOICE]


def write_page(folder: Path, review: Review) -> Path:
    """Write the page to `folder`, whole or not at all, and return its path; its pictures are there already."""
    items = [_item(*pair) for pair in zip(review.suspects, review.pictures, strict=True)]
    data = {"id": _identity(review), "classes": choices(review.scheme), "items": items}
    source = files("crystal_search.review")
    template = Environment(autoescape=True).from_string((source / "page.html").read_text(encoding="utf-8"))
    text = template.render(
        review=review,
        # Inside of a script only "<" could end it, or open a comment.
        data=json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"),
        style=(source / "page.css").read_text(encoding="utf-8"),
        script="\n".join((source / name).read_text(encoding="utf-8") for name in SCRIPTS),
    )
    write_whole(folder / PAGE, text)
    return folder / PAGE


def _identity(review: Review) -> str:
    """Return what a browser keeps decisions under: another review is another one, the same one again the same."""
    labels = [(each.image, each.outcome) for each in review.suspects]
    return hashlib.sha256(json.dumps([review.data, review.split, labels]).encode()).hexdigest()[:16]


def _item(suspect: Suspect, pictures: Pictures) -> dict[str, Any]:
    return {
        "image": suspect.image,
        "well": suspect.well,
        "plate": suspect.plate,
        "old": suspect.outcome,
        "suggestion": suspect.suggestion,
        "probability": round(suspect.probability, 3),
        "loss": round(suspect.loss, 2),
        "picture": pictures.image,
        "proportion": pictures.proportion,
        "chops": [_chop_item(each) for each in pictures.chops],
        "chopCount": len(suspect.chops),
    }


def _chop_item(shown: ShownChop) -> dict[str, Any]:
    probability = round(shown.chop.probability, 2)
    return {"file": shown.file, "place": shown.place, "says": shown.chop.says, "probability": probability}


def write_pictures(
    folder: Path, number: int, chops: Sequence[DoubtedChop], dataset: PackedDataset, well: WellRow | None
) -> Pictures:
    """Write the pictures of image `number` below `folder`, and return which they are.

    Raises
    ------
    UserError
        If a shard of the dataset is damaged.
    """
    (folder / THUMBS).mkdir(parents=True, exist_ok=True)
    whole = _whole(dataset, well)
    name = None
    if whole is not None:
        name = f"{THUMBS}/{number:05d}.jpg"
        write_whole(folder / name, _jpeg(resized(whole, min(IMAGE_WIDTH_PX, whole.shape[1]))))
    proportion = whole.shape[0] / whole.shape[1] if whole is not None else 1.0
    shown = []
    for index, chop in enumerate(chops[:CHOPS_SHOWN], start=1):
        file = f"{THUMBS}/{number:05d}-{index}.jpg"
        write_whole(folder / file, _chop_picture(dataset, chop.row))
        place = _place(chop.row, dataset, proportion) if name else None
        shown.append(ShownChop(file, place, chop))
    return Pictures(name, round(proportion, 4), tuple(shown))


def _whole(dataset: PackedDataset, well: WellRow | None) -> Colour | None:
    """Return a whole image, None where there is none that can be shown."""
    if well is None:
        return None
    try:
        return decode(dataset.image(well), at_least_width_px=IMAGE_WIDTH_PX).colour
    except ImageError:
        return None


def _chop_picture(dataset: PackedDataset, row: ChopRow) -> bytes:
    pixels = dataset.patch(row)[dataset.box(row).slices]
    colour = pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)
    side = (CHOP_SIDE_PX, CHOP_SIDE_PX)
    return _jpeg(np.asarray(Pillow.fromarray(colour).resize(side, Pillow.Resampling.BILINEAR)))


def _place(row: ChopRow, dataset: PackedDataset, proportion: float) -> tuple[float, float, float, float]:
    width, side = dataset.about.working_width_px, dataset.about.side_px
    height = width * proportion
    edges = (row.top / height, row.left / width, side / height, side / width)
    return tuple(round(edge, 4) for edge in edges)  # type: ignore[return-value]


def _jpeg(colour: Colour) -> bytes:
    data: bytes = simplejpeg.encode_jpeg(np.ascontiguousarray(colour), quality=QUALITY)
    return data
