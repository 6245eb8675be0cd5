"""Crystal wells that were missed, with small pictures, the worst first."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image as Pillow

from crystal_search.datasets.packed import PackedDataset
from crystal_search.errors import ImageError
from crystal_search.evaluation.judged_wells import JudgedWell
from crystal_search.images import decode, picture_file
from crystal_search.outcomes import BY_NAME, Group

WIDTH_PX, QUALITY = 280, 80
MOST = 24  #: shown for one network


@dataclass(frozen=True, slots=True)
class Miss:
    """A whole image with a crystal that was called something else."""

    image: str  #: its name in the archive
    truth: str  #: as people read it
    answer: str
    crystal_peak: float  #: how much its best chop spoke for a crystal, in [0, 1]
    jpeg: str  #: a small picture in base 64; empty where the image cannot be read


def missed(wells: Sequence[JudgedWell], threshold: float) -> list[JudgedWell]:
    """Return the crystal wells that are not called crystal at `threshold`, least crystal-like first."""
    found = (well for well in wells if well.truth is Group.CRYSTAL and well.answer(threshold) is not Group.CRYSTAL)
    return sorted(found, key=lambda well: (well.crystal_peak, well.row.key))


def shown(wells: Sequence[JudgedWell], dataset: PackedDataset) -> list[Miss]:
    """Return what the page shows of missed wells, the first `MOST` of them."""
    return [
        Miss(
            image=well.row.image,
            truth=_label(well.row.outcome),
            answer=_label(well.score.outcome),
            crystal_peak=well.crystal_peak,
            jpeg=base64.b64encode(thumbnail(dataset.image(well.row))).decode(),
        )
        for well in wells[:MOST]
    ]


def thumbnail(data: bytes) -> bytes:
    """Return an image file as a small JPEG; nothing where it cannot be read."""
    try:
        picture = Pillow.fromarray(decode(data, at_least_width_px=WIDTH_PX).colour)
    except ImageError:
        return b""
    picture.thumbnail((WIDTH_PX, WIDTH_PX))
    return picture_file(picture, "JPEG", quality=QUALITY)


def _label(answer: str) -> str:
    return BY_NAME[answer].label if answer in BY_NAME else answer.replace("_", " ").capitalize()
