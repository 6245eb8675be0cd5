"""A contact sheet: some chops of each outcome, to see at a glance what a network will learn from."""

import random
from collections.abc import Sequence

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from crystal_search.datasets.packed import ChopRow, PackedDataset
from crystal_search.images import picture_file
from crystal_search.outcomes import OUTCOMES, Outcome
from crystal_search.wells import SPLITS

CELL_PX, GAP_PX, LABEL_PX, COLUMNS = 128, 4, 190, 10
PAPER, INK, FADED = (255, 255, 255), (20, 20, 20), (110, 110, 110)


def contact_sheet(dataset: PackedDataset) -> bytes:
    """Return a PNG with a row for each outcome of which there are chops, training chops first."""
    rows = [(outcome, _some(dataset, outcome.name)) for outcome in OUTCOMES]
    rows = [(outcome, found) for outcome, found in rows if found]
    step = CELL_PX + GAP_PX
    sheet = Pillow.new("RGB", (LABEL_PX + COLUMNS * step, GAP_PX + len(rows) * step), PAPER)
    for number, (outcome, found) in enumerate(rows):
        top = GAP_PX + number * step
        _label(sheet, top, outcome, _count(dataset, outcome.name))
        for column, row in enumerate(found):
            sheet.paste(_chop(dataset, row), (LABEL_PX + column * step, top))
    return picture_file(sheet)


def _some(dataset: PackedDataset, outcome: str) -> Sequence[ChopRow]:
    """Return up to a row's chops of an outcome, of different images as long as there are."""
    for split in SPLITS:
        found = [row for row in dataset.chops(split) if row.outcome == outcome]
        if found:
            random.Random(outcome).shuffle(found)
            of_images = {row.image: row for row in found}
            others = [row for row in found if of_images[row.image] is not row]
            return [*of_images.values(), *others][:COLUMNS]
    return []


def _count(dataset: PackedDataset, outcome: str) -> int:
    return sum(row.outcome == outcome for split in SPLITS for row in dataset.chops(split))


def _chop(dataset: PackedDataset, row: ChopRow) -> Pillow.Image:
    chop = np.ascontiguousarray(dataset.patch(row)[dataset.box(row).slices])
    return Pillow.fromarray(chop).resize((CELL_PX, CELL_PX), Pillow.Resampling.BOX)


def _label(sheet: Pillow.Image, top: int, outcome: Outcome, count: int) -> None:
    draw = ImageDraw.Draw(sheet)
    draw.rectangle((0, top, 7, top + CELL_PX - 1), fill=outcome.frame, outline=FADED)
    name = outcome.label.replace(", ", ",\n").replace(" with ", "\nwith ")
    draw.multiline_text((16, top + 24), name, fill=INK, font=ImageFont.load_default(17), spacing=3)
    draw.text((16, top + 84), f"{count} chops", fill=FADED, font=ImageFont.load_default(14))
