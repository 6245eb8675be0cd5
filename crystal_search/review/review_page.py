"""The page on which people look at doubted labels: one HTML file and a folder of pictures, no server needed."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment

from crystal_search.class_schemes import Scheme
from crystal_search.files import write_whole
from crystal_search.outcomes import CHOPS_ONLY, NO_DROP, OUTCOME_NAMES, OUTCOMES
from crystal_search.review.doubts import Suspect
from crystal_search.review.review_pictures import Pictures, ShownChop

PAGE = "index.html"
KEYS = ("1", "2", "3", "4", "5", "6", "7", "8", "9", "0", "-", "=")  #: the number row, as in the plate viewer
CODES = (*(f"Digit{digit}" for digit in "1234567890"), "Minus", "Equal")  #: where these keys are, on any keyboard
NO_DROP_CHOICE = {"name": NO_DROP, "label": "No drop", "letter": "–", "frame": "#8c8c8c", "key": "x", "code": "KeyX"}


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
    keyed = [each | {"key": key, "code": code} for each, key, code in zip(found, KEYS, CODES, strict=False)]
    return [*keyed, NO_DROP_CHOICE]


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
        script=(source / "page.js").read_text(encoding="utf-8"),
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
