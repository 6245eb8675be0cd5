"""Files that lie beside an image and belong to it: its ultraviolet mate, its drop's mask, its outcome map."""

from dataclasses import dataclass
from pathlib import Path

from crystal_search.images import SUFFIXES

MASK, OUTCOME_MAP, UV = ".mask.png", ".outcomes.png", ".uv"  #: of ``NAME.mask.png``, ``NAME.uv.jpg``
OUTLINES = ".json"  #: as labelme writes them


@dataclass(frozen=True, slots=True, kw_only=True)
class Mates:
    """What lies beside an image; None where there is no such file."""

    uv: Path | None = None
    drop_mask: Path | None = None
    outcome_map: Path | None = None
    outlines: Path | None = None


def is_image(name: str) -> bool:
    """Tell whether a file's name is that of a picture.

    >>> is_image("a.JPG"), is_image("truth.csv")
    (True, False)
    """
    return name.lower().endswith(SUFFIXES)


def is_mate(name: str) -> bool:
    """Tell whether a picture belongs to another one.

    >>> [is_mate(name) for name in ("a.uv.jpg", "a.mask.png", "a.outcomes.png", "a.jpg", "a.mask.jpg")]
    [True, True, True, False, False]
    """
    lower = name.lower()
    return lower.endswith((MASK, OUTCOME_MAP)) or Path(lower).stem.endswith(UV)


def is_outlines(path: Path) -> bool:
    """Tell whether a file is beside an image of the same name, as outlines are."""
    return path.suffix.lower() == OUTLINES and any(is_there(path.with_suffix(each)) for each in SUFFIXES)


def is_there(path: Path) -> bool:
    """Tell whether there is a file; a name that no file can have is none."""
    try:
        return path.is_file()
    except OSError:  # a name that is too long, or a folder that one may not enter
        return False


def mates_of(path: Path) -> Mates:
    """Return what lies beside the image at `path`."""

    def first(*endings: str) -> Path | None:
        candidates = (path.with_name(path.stem + ending) for ending in endings)
        return next((each for each in candidates if is_there(each)), None)

    suffixes = dict.fromkeys((path.suffix, *SUFFIXES))
    return Mates(
        uv=first(*(UV + suffix for suffix in suffixes)),
        drop_mask=first(MASK),
        outcome_map=first(OUTCOME_MAP),
        outlines=first(OUTLINES),
    )
