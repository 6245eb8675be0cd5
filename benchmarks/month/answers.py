"""What volunteers answer: good results without looking at a pixel, and bad ones of every kind."""

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from random import Random
from typing import Any

import numpy as np

from crystal_search.chopper.tiling import grid_over_drop
from crystal_search.exit_codes import BAD_MODEL
from crystal_search.features import as_text, packed
from crystal_search.geometry import Box
from crystal_search.model import default_models, default_models_folder, sha256_of
from crystal_search.model_card import ClassifierCard, DropCard
from crystal_search.outcomes import GROUPS, IMAGE_OUTCOMES, OUTCOME_NAMES, OUTCOMES
from crystal_search.result import (
    RESULT_FORMAT,
    RESULT_VERSION,
)
from crystal_search.work_unit import WorkUnit

SIDE_PX = 300  #: of all pictures
NOISE = 0.002  #: by which two honest hosts differ at most
FILE_BYTES_PER_IMAGE = 5100  #: of a client's result, which is written with spaces and has more chops; filled up to it
DROP_IN_MASK = Box(20, 20, 200, 200)  #: pixels of the drop locator


Answer = Callable[[WorkUnit, Random, str], bytes | int]  #: of a unit, by a host with a secret: a file or an exit code


def true_outcome(sha256: str) -> str:
    """Return what an honest client finds in the picture with this digest.

    >>> true_outcome("a" * 64)
    'other'
    """
    return IMAGE_OUTCOMES[int(sha256[:8], 16) % len(IMAGE_OUTCOMES)]


@cache
def _places() -> tuple[dict[str, Any], Box, int]:
    """Return what all scores have in common, a chop that the shipped models cut, and how many features they give."""
    cards = {model.card.role: model.card for model in default_models(default_models_folder())}
    classifier, locator = cards["classifier"], cards["drop"]
    if not (isinstance(classifier, ClassifierCard) and isinstance(locator, DropCard)):
        raise TypeError(f"cards of {', '.join(cards)}")
    width_px, scale = classifier.working_width_px, SIDE_PX / classifier.working_width_px
    grid = grid_over_drop(
        DROP_IN_MASK,
        mask_width=locator.working_width_px,
        view_height=width_px,
        view_width=width_px,
        side_px=classifier.side_px,
        stride_px=classifier.chop_stride_px,
    )
    top, left = grid.top, grid.left
    chop = Box(*(round(each * scale) for each in (top, left, top + grid.side_px, left + grid.side_px)))
    box = Box(*(round(each * SIDE_PX / locator.working_width_px) for each in DROP_IN_MASK))
    outline = [(box.top + n, box.left + n) for n in range(64)]
    return (
        {
            "height_px": SIDE_PX,
            "width_px": SIDE_PX,
            "error": None,
            "drop": {"box": box, "area_fraction": 0.5, "outline": outline},
            "chops": 1,
            "seconds": {},
        },
        chop,
        classifier.features.numbers if classifier.features else 0,
    )


def image_score(sha256: str, noise: float) -> dict[str, Any]:
    """Return an image's score as a result file has it; it follows from the digest, but for a little noise."""
    name = true_outcome(sha256)
    index = OUTCOME_NAMES.index(name)
    rest = next(place for place, each in enumerate(OUTCOMES) if each.group is not OUTCOMES[index].group)
    share = round(0.86 + int(sha256[8:12], 16) / 0xFFFF / 10 + noise, 6)
    groups = {OUTCOMES[index].group: share, OUTCOMES[rest].group: 1 - share}
    plain, chop, features = _places()
    return plain | {
        "score": {"outcome": name, "probability": share, "above_threshold": True},
        "class_probabilities": [{index: share, rest: 1 - share}.get(n, 0.0) for n in range(len(OUTCOMES))],
        "group_peaks": [groups.get(group, 0.0) for group in GROUPS],
        "best_chops": [{"box": chop, "outcome": name, "probability": share}],
        "features": as_text(packed(np.full(features, share))),
    }


def result_of(unit: WorkUnit, random: Random, secret: str = "") -> dict[str, Any]:
    """Return what a host's result file says; with a secret it is wrong, and what it says follows from the secret.

    It is built from plain values, since a month has hundreds of thousands.
    """
    noise = random.uniform(-NOISE, NOISE)
    seen = [sha256_of((secret + each.sha256).encode()) if secret else each.sha256 for each in unit.images]
    return {
        "format": RESULT_FORMAT,
        "version": RESULT_VERSION,
        "work_unit": unit.name,
        "client_version": "played",
        "models": [asdict(model) for model in unit.models],
        "images": [
            {"id": image.id, "sha256": image.sha256, "score": image_score(digest, noise), "overlay": None}
            for image, digest in zip(unit.images, seen, strict=True)
        ],
    }


def _file(told: dict[str, Any]) -> bytes:
    return json.dumps(told).encode().ljust(FILE_BYTES_PER_IMAGE * len(told["images"]))


def honest(unit: WorkUnit, random: Random, secret: str) -> bytes:
    """Answer as the client does."""
    return _file(result_of(unit, random))


def wrong_numbers(unit: WorkUnit, random: Random, secret: str) -> bytes:
    """Answer in the right form, with invented numbers."""
    return _file(result_of(unit, random, secret))


def another_units(unit: WorkUnit, random: Random, secret: str) -> bytes:
    """Answer with the result of another work unit."""
    return _file(result_of(unit, random) | {"work_unit": "another-one"})


def other_images(unit: WorkUnit, random: Random, secret: str) -> bytes:
    """Answer for fewer images than the work unit's, in another order."""
    told = result_of(unit, random)
    return _file(told | {"images": told["images"][:0:-1]})


def garbage(unit: WorkUnit, random: Random, secret: str) -> bytes:
    """Answer something else."""
    kinds = (b"", b"[" * 200_000, random.randbytes(3000), json.dumps({"format": "result"}).encode(), b"1e999")
    return random.choice(kinds)


def old_version(unit: WorkUnit, random: Random, secret: str) -> int:
    """End as a client does that was staged with other models."""
    return BAD_MODEL
