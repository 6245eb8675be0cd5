"""Crystals found in image files, one by one: rows of a CSV file, COCO annotations, pictures with boxes."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
from PIL import Image as Pillow
from PIL import ImageDraw

from crystal_search.columns import Cell
from crystal_search.crystal import Crystal
from crystal_search.crystals.boxes import corners
from crystal_search.crystals.coco import CATEGORY, measured
from crystal_search.crystals.crystal_cells import PLACE_COLUMNS, crystal_cells
from crystal_search.crystals.finding import find_crystals
from crystal_search.direct.scored_files import content_in
from crystal_search.errors import ImageError
from crystal_search.hostile_json import printable
from crystal_search.images import DecodedImage, decode
from crystal_search.inference import Network
from crystal_search.model_card import CrystalCard

COLUMNS = ("path", *PLACE_COLUMNS, "image_height_px", "image_width_px", "error")
BOX, CASING = "#f0a000", "#000000"
JPEG_QUALITY = 85


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchedFile:
    """One file with the crystals that were found in it."""

    path: Path
    height_px: int = 0
    width_px: int = 0
    crystals: tuple[Crystal, ...] = ()
    picture: bytes = b""  #: JPEG with a box around each crystal, where one is wanted
    error: str | None = None  #: why it could not be read


def searched(path: Path, network: Network[CrystalCard], *, picture: bool = False) -> SearchedFile:
    """Return the crystals in a file; what is wrong with it is its error, so that the others are searched."""
    try:
        image = decode(content_in(path), at_least_width_px=network.card.working_width_px)
    except (OSError, ImageError) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        return SearchedFile(path=path, error=printable(said or type(error).__name__))
    found = find_crystals(image, network)
    return SearchedFile(
        path=path,
        height_px=image.height_px,
        width_px=image.width_px,
        crystals=found,
        picture=boxed(image, found) if picture else b"",
    )


def rows_of(found: SearchedFile, um_per_px: float | None) -> Iterator[dict[str, Cell]]:
    """Yield a row for each crystal, or one for a file without any, by the names of `COLUMNS`."""
    nothing: dict[str, Cell] = dict.fromkeys(COLUMNS) | {"path": str(found.path), "um_per_px": um_per_px}
    if found.error is None:
        nothing |= {"image_height_px": found.height_px, "image_width_px": found.width_px}
    if not found.crystals:
        yield nothing | {"error": found.error}
    for number, crystal in enumerate(found.crystals, start=1):
        told = crystal_cells(crystal, (found.height_px, found.width_px), um_per_px)
        yield nothing | {"crystal": number} | told


def coco_text(found: Sequence[SearchedFile]) -> str:
    """Return the annotations file of what was found; files that could not be read are not in it."""
    there = [each for each in found if each.error is None]
    images = [
        {"id": number, "file_name": str(each.path), "height": each.height_px, "width": each.width_px}
        for number, each in enumerate(there, start=1)
    ]
    crystals = (
        measured(each, number, (file.height_px, file.width_px))
        for number, file in enumerate(there, start=1)
        for each in file.crystals
    )
    annotations: list[dict[str, Any]] = [{"id": number, **each} for number, each in enumerate(crystals, start=1)]
    return json.dumps({"images": images, "categories": [CATEGORY], "annotations": annotations}) + "\n"


def boxed(image: DecodedImage, crystals: Sequence[Crystal]) -> bytes:
    """Return a JPEG of an image, as large as it was decoded, with the box of each crystal."""
    picture = Pillow.fromarray(image.colour)
    draw = ImageDraw.Draw(picture)
    for crystal in crystals:
        points = [(column / image.scale, row / image.scale) for row, column in corners(np.array([crystal.box]))[0]]
        for colour, width in ((CASING, 4), (BOX, 2)):
            draw.line([*points, points[0]], fill=colour, width=width)
    return bytes(simplejpeg.encode_jpeg(np.asarray(picture), quality=JPEG_QUALITY, colorspace="RGB"))
