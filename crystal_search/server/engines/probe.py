"""A work unit that every sound client can score: it tells a broken client from a broken image."""

from pathlib import Path

from PIL import Image, ImageDraw

from crystal_search.images import picture_file
from crystal_search.work_unit import read_work_unit, write_work_unit

SIDE_PX = 600


def good_picture() -> bytes:
    """Return the JPEG of a bright field with a dark ring, the plainest well there is."""
    picture = Image.new("L", (SIDE_PX, SIDE_PX), 200)
    ImageDraw.Draw(picture).ellipse((150, 150, 450, 450), fill=180, outline=90, width=8)
    return picture_file(picture, "JPEG", quality=90)


def write_probe(path: Path, *, like: Path) -> Path:
    """Write a work unit of one good picture to `path`, with the models and parameters of the one at `like`."""
    unit = read_work_unit(like)
    write_work_unit(
        path,
        name="probe",
        models=unit.models,
        parameters=unit.parameters,
        images=[("probe", ".jpg", good_picture())],
    )
    return path
