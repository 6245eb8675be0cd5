"""A folder of rendered pictures: their files, COCO annotations of the crystals in them, a contact sheet."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as Pillow

from crystal_search.errors import UserError
from crystal_search.files import write_whole
from crystal_search.images import contact_sheet
from crystal_search.synthesis.coco import Record


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
    annotations: list[Record] = field(default_factory=list)
    _images: list[Record] = field(default_factory=list)
    _cells: list[Pillow.Image] = field(default_factory=list)

    def write(self, name: str, data: bytes, pixels: NDArray[np.uint8]) -> None:
        """Write the file of a picture, whose pixels go into the contact sheet while there is room."""
        place = self.folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        write_whole(place, data)
        if self.sheet and len(self._cells) < self.sheet.most:
            self._cells.append(Pillow.fromarray(pixels).resize(self.sheet.cell_px, Pillow.Resampling.BOX))

    def add_image(self, number: int, name: str, size: tuple[int, int]) -> None:
        """Say what picture `number` of the annotations is called, and its height and width in px."""
        self._images.append({"id": number, "file_name": name, "height": size[0], "width": size[1]})

    def annotate(self, image: int, category: str, found: Record, **more: object) -> None:
        """Say that a picture shows a crystal, `found` as `coco.annotation` has it, with what else is known of it."""
        numbers = {
            "id": len(self.annotations) + 1,
            "image_id": image,
            "category_id": self.categories.index(category) + 1,
        }
        self.annotations.append({**found, **numbers, **more})

    def finish(self) -> None:
        """Write the contact sheet, then ``annotations.json``."""
        if self.sheet and self._cells:
            write_whole(self.folder / "contact-sheet.png", contact_sheet(self._cells, self.sheet.across))
        categories = [
            {"id": number, "name": name, "supercategory": "crystal"}
            for number, name in enumerate(self.categories, start=1)
        ]
        truth = {"images": self._images, "categories": categories, "annotations": self.annotations}
        write_whole(self.folder / "annotations.json", json.dumps(truth, separators=(",", ":")))


def check_device(device: str) -> None:
    """Refuse a device that is not there.

    Raises
    ------
    UserError
        If torch does not know it, or it is a GPU and there is none.
    """
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"no device {device!r} here; choose cpu, or cuda where there is a GPU") from error
