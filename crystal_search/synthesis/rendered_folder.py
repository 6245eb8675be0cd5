"""A folder of rendered pictures: their files, COCO annotations of what is in them, a contact sheet.

Format: https://cocodataset.org/#format-data. Masks are uncompressed run lengths, which count background and object in
turn, column by column, starting with background; what else is known of an object stands beside its upright box.
``checksums.sha256`` names every picture and the annotations with their SHA-256, as ``sha256sum`` writes and checks it.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from crystal_search.direct.named_images import SHEETS, images_in
from crystal_search.errors import UserError
from crystal_search.files import write_whole
from crystal_search.hostile_json import printable
from crystal_search.images import contact_sheet
from crystal_search.plurals import counted

ANNOTATIONS, CHECKSUMS = "annotations.json", "checksums.sha256"
Record = dict[str, Any]  #: an object of the JSON file
CELL = "cell"  #: category of insect cells, in which crystals are


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """How a contact sheet looks."""

    cell_px: tuple[int, int]  #: width and height of a picture in it
    across: int  #: pictures in a row
    most: int  #: pictures; more are left out


@dataclass
class RenderedFolder:
    """A folder that is being written; the truth comes last, and whole."""

    folder: Path
    categories: Sequence[str]  #: of crystals, numbered from 1 in annotations
    sheet: Sheet | None  #: None for no contact sheet
    others: Sequence[str] = ()  #: categories of what is no crystal, numbered after those of crystals
    annotations: list[Record] = field(default_factory=list)
    images: list[Record] = field(default_factory=list)
    _cells: list[Pillow.Image] = field(default_factory=list)
    _hashes: dict[str, str] = field(default_factory=dict)

    def write(self, name: str, data: bytes, pixels: NDArray[np.uint8]) -> None:
        """Write the file of a picture, whose pixels go into the contact sheet while there is room."""
        place = self.folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        write_whole(place, data)
        self._hashes[name] = hashlib.sha256(data).hexdigest()
        if self.sheet and len(self._cells) < self.sheet.most:
            self._cells.append(Pillow.fromarray(pixels).resize(self.sheet.cell_px, Pillow.Resampling.BOX))

    def add_image(self, number: int, name: str, size: tuple[int, int], **more: object) -> None:
        """Say what picture `number` of the annotations is called, its height and width in px, and more of it."""
        self.images.append({"id": number, "file_name": name, "height": size[0], "width": size[1], **more})

    def annotate(self, image: int, category: str, found: Record, **more: object) -> int:
        """Say that a picture shows something, `found` as `annotation` has it, with what else is known of it.

        Returns
        -------
        The number of the annotation.
        """
        number = len(self.annotations) + 1
        categories = (*self.categories, *self.others)
        numbers = {"id": number, "image_id": image, "category_id": categories.index(category) + 1}
        self.annotations.append({**found, **numbers, **more})
        return number

    def finish(self) -> None:
        """Write the contact sheet, the checksums, then ``annotations.json``."""
        if self.sheet and self._cells:
            write_whole(self.folder / "contact-sheet.png", contact_sheet(self._cells, self.sheet.across))
        categories = [
            {"id": number, "name": name, "supercategory": name if name in self.others else "crystal"}
            for number, name in enumerate((*self.categories, *self.others), start=1)
        ]
        truth = {"images": self.images, "categories": categories, "annotations": self.annotations}
        text = json.dumps(truth, separators=(",", ":"))
        hashes = self._hashes | {ANNOTATIONS: hashlib.sha256(text.encode()).hexdigest()}
        write_whole(self.folder / CHECKSUMS, checksums_text(hashes))
        write_whole(self.folder / ANNOTATIONS, text)


def check_no_others(folder: Path, names: Iterable[str]) -> None:
    """Refuse a folder with pictures, at any depth, beside those called `names` that are to be written into it.

    Whatever takes a folder's images would take these, too, though no annotation tells of them.

    Raises
    ------
    UserError
        If there are some.
    """
    ours = {folder, *(folder / name for name in names)}
    others = [path for path in images_in(folder) if path not in ours and path.name not in SHEETS and path.is_file()]
    if others:
        first = printable(str(others[0].relative_to(folder)))
        raise UserError(
            f"{folder} holds {counted(len(others), 'picture')} already that would not be among those rendered now, "
            f"as {first}; choose another --out, or delete what is there"
        )


def checksums_text(hashes: Mapping[str, str]) -> str:
    r"""Return the text of ``checksums.sha256``: a line for each file, by name.

    >>> checksums_text({"b.png": "22", "a.png": "11"})
    '11  a.png\n22  b.png\n'
    """
    return "".join(f"{sha256}  {name}\n" for name, sha256 in sorted(hashes.items()))


def run_lengths(places: NDArray[np.int64], size: int) -> list[int]:
    """Return the run lengths of a mask of `size` pixels that is set at the sorted, distinct `places`.

    >>> run_lengths(np.array([0, 1, 4]), 6)
    [0, 2, 2, 1, 1]
    >>> run_lengths(np.array([], dtype=np.int64), 6)
    [6]
    """
    if not len(places):
        return [size]
    breaks = np.flatnonzero(np.diff(places) > 1)
    starts = np.concatenate(([places[0]], places[breaks + 1]))
    ends = np.concatenate((places[breaks], [places[-1]])) + 1
    edges = np.stack((starts, ends), axis=1).ravel()
    counts: list[int] = np.diff(np.concatenate(([0], edges, [size]))).tolist()
    return counts if counts[-1] else counts[:-1]


def mask_of(counts: list[int], height: int, width: int) -> NDArray[np.bool_]:
    """Return the mask (height, width) that run lengths say.

    >>> mask_of([0, 2, 2, 1, 1], 2, 3).astype(int).tolist()
    [[1, 0, 1], [1, 0, 0]]
    """
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape(width, height).T


def annotation(
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    size: tuple[int, int],
    oriented_box: NDArray[np.floating[Any]],
) -> Record:
    """Return the record of one object, without the numbers of itself, its image and its category.

    Parameters
    ----------
    rows, columns
        (M,), the pixels of its mask; may be none.
    size
        Height and width of the image, px.
    oriented_box
        (5,): centre row and column, long and short side in px, and the angle of the long side from columns towards
        rows in radians, as the renderer gives them.
    """
    places = np.sort(columns * size[0] + rows)
    row, column, long, short, angle = (round(float(value), 3) for value in oriented_box)
    upright = [0, 0, 0, 0]
    if len(rows):
        top, left = int(rows.min()), int(columns.min())
        upright = [left, top, int(columns.max()) + 1 - left, int(rows.max()) + 1 - top]
    return {
        "segmentation": {"size": list(size), "counts": run_lengths(places, size[0] * size[1])},
        "area": len(rows),
        "bbox": upright,
        "iscrowd": 0,
        "oriented_box": [column, row, long, short, angle],
    }
