"""What a panel's folder holds about its images: ``panel.json``, and the pictures beside it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from crystal_search.errors import UserError
from crystal_search.files import write_whole
from crystal_search.hostile_json import Reader, read_whole
from crystal_search.outcomes import GROUPS

SET_FILE, PICTURES = "panel.json", "images"
FORMAT, VERSION = "crystal-search panel", 1
MAX_IMAGES = 100_000
CLASSES = tuple(map(str, GROUPS))  #: what an image can be called: the four classes of King et al. (2024), Table 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelImage:
    """One image of a panel."""

    file: str  #: in the panel's folder; its name says nothing of where it is from
    path: str  #: the file that it is a copy of
    image_id: int  #: in the imaging database; 0 where it is from a list
    plate: str
    well: str  #: name, such as ``C07``
    drop: int  #: from 1
    inspection: int  #: from 1
    drawn_as: str  #: class that the images were balanced by; no expert is shown it


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelSet:
    """The images of a panel, and how each expert is shown them."""

    name: str
    drawn_at: str  #: ISO 8601, UTC
    seed: int
    repeats: int  #: images that each expert is shown twice
    images: tuple[PanelImage, ...]


def write_set(folder: Path, panel: PanelSet) -> None:
    """Write ``panel.json``, whole or not at all."""
    value = {"format": FORMAT, "version": VERSION, **asdict(panel)}
    write_whole(folder / SET_FILE, json.dumps(value, ensure_ascii=False, indent=1) + "\n")


def read_set(folder: Path) -> PanelSet:
    """Return the images of the panel in a folder.

    Raises
    ------
    UserError
        If there is no panel, or its file says what no panel can be.
    """
    path = folder / SET_FILE
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{folder} holds no panel ({error.strerror}); draw one: crystal-search panel draw") from error
    return read_whole(data, str(path), UserError, _panel)


def _panel(read: Reader) -> PanelSet:
    read.format(FORMAT, VERSION)
    images = read.objects("images", _image, limit=MAX_IMAGES)
    return PanelSet(
        name=read.text("name"),
        drawn_at=read.text("drawn_at"),
        seed=read.integer("seed", 0, 2**63),
        repeats=read.integer("repeats", 0, len(images)),
        images=images,
    )


def _image(read: Reader) -> PanelImage:
    return PanelImage(
        file=read.text("file"),
        path=read.text("path", limit=5000),
        image_id=read.integer("image_id", 0, 2**53),
        plate=read.text("plate"),
        well=read.text("well"),
        drop=read.integer("drop", 1, 10_000),
        inspection=read.integer("inspection", 0, 10**6),
        drawn_as=read.choice("drawn_as", CLASSES),
    )
