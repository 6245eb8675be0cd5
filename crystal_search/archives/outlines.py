"""Outlines that people drew around drops and crystals: polygons, and the files of labelme."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow

from crystal_search.archives.seen_objects import SeenObject, filled, of_mask
from crystal_search.errors import CrystalSearchError, UserError
from crystal_search.formats.picture import MAX_SIDE_PX
from crystal_search.hostile_json import loads
from crystal_search.images import picture_file
from crystal_search.unet_drop.regions import Mask

DROP, CRYSTAL = "drop", "crystal"  #: what is in the label of a shape; other shapes are of other things

BAD_OUTLINES = "its outlines cannot be used"


@dataclass(frozen=True, slots=True)
class Outlines:
    """What outlines in one image tell; None where nothing of the kind was drawn."""

    drop_mask: bytes | None = None  #: PNG, white where the drop is
    objects: tuple[SeenObject, ...] | None = None


def read_outlines(path: Path | None) -> Outlines:
    """Return what the file of labelme at `path` tells; nothing if there is none, or it is that of another program.

    Raises
    ------
    UserError
        If it is no JSON, or a shape cannot be used.
    """
    if path is None:
        return Outlines()
    try:
        told = loads(path.read_bytes(), UserError)
        if not (isinstance(told, dict) and isinstance(told.get("shapes"), list)):
            return Outlines()
        return _outlines(told["shapes"], int(told["imageHeight"]), int(told["imageWidth"]))
    except OSError as error:
        raise UserError(f"cannot read {path.name}: {error.strerror}") from error
    except (CrystalSearchError, MemoryError):
        raise
    except Exception as error:  # whatever stands in the place of what is read
        raise UserError(f"{path.name} lacks or misnames {error}; save it again with labelme") from error


def _outlines(shapes: Sequence[Mapping[str, Any]], height: int, width: int) -> Outlines:
    if not (0 < height <= MAX_SIDE_PX and 0 < width <= MAX_SIDE_PX):
        raise UserError(f"outlines in an image of {height} x {width} px; each side has 1 to {MAX_SIDE_PX}")
    labels = [str(shape["label"]) for shape in shapes]
    masks = [
        (label, _mask(shape, label, height, width))
        for label, shape in zip(labels, shapes, strict=True)
        if DROP in label.casefold() or CRYSTAL in label.casefold()
    ]
    if shapes and not masks:
        known = ", ".join(sorted(set(labels)))[:200]
        raise UserError(
            f"the shapes are called {known}; call the outline of the drop {DROP}, and of each crystal {CRYSTAL}"
        )
    drops = [mask for label, mask in masks if DROP in label.casefold()]
    crystals = [of_mask(mask, label) for label, mask in masks if DROP not in label.casefold()]
    return Outlines(_png(drops) if drops else None, tuple(crystals) if crystals else None)


def _mask(shape: Mapping[str, Any], label: str, height: int, width: int) -> Mask:
    kind, points = str(shape.get("shape_type") or "polygon"), [(float(x), float(y)) for x, y in shape["points"]]
    if kind == "rectangle" and len(points) == 2:
        (left, top), (right, bottom) = points
        points = [(left, top), (right, top), (right, bottom), (left, bottom)]
    elif kind == "circle" and len(points) == 2:
        centre, edge = np.array(points)
        angles = np.linspace(0, 2 * np.pi, 181)[:-1]
        around = centre + np.hypot(*(edge - centre)) * np.stack((np.cos(angles), np.sin(angles)), axis=1)
        points = [(float(x), float(y)) for x, y in around]
    elif kind != "polygon":
        raise UserError(f"the shape {label} is a {kind}; draw a polygon, rectangle or circle")
    return filled([points], height, width)


def _png(masks: Iterable[Mask]) -> bytes:
    return picture_file(Pillow.fromarray(np.logical_or.reduce(list(masks))))
