"""What the pages' programs get: plain records of plates, drops and scores, ready for JSON."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from types import MappingProxyType
from typing import Any

from crystal_search.outcomes import (
    GROUPS,
    IMAGE_OUTCOMES,
    KEYS,
    NO_DROP,
    NO_DROP_KEY,
    OUTCOMES,
    UNREADABLE,
    UNSURE,
    Group,
    Outcome,
)
from crystal_search.result import ImageScore
from crystal_search.score_cells import count_cells
from crystal_search.server.imaging.comments import Comment
from crystal_search.server.imaging.imaging_database import AutoScore, DropScores, ManualScore, PlateSummary
from crystal_search.server.imaging.marks import Mark
from crystal_search.server.imaging.stored_images import Postponement, StoredImage
from crystal_search.server.services.readout_scores import recipe_digits
from crystal_search.viewer.about_plates import AboutPlate, condition_record, facts_record
from crystal_search.viewer.crystal_records import crystal_records
from crystal_search.viewer.frame_colours import UNSCORED, Frames
from crystal_search.viewer.made_once import made_once
from crystal_search.viewer.reading import Before, Board
from crystal_search.wells import WellKey

Record = dict[str, Any]
Version = Callable[[StoredImage], str]  #: what changes when the image file does

#: Outcomes that a person can give: every class of a whole image, and no drop (a rim is only ever a chop).
BY_HAND = (*IMAGE_OUTCOMES, NO_DROP)
KEY_OF = dict(zip(BY_HAND, (*KEYS, NO_DROP_KEY), strict=True))

DARK_INK, LIGHT_INK = "#000000", "#ffffff"
NO_DROP_FRAME, UNREADABLE_FRAME, UNSCORED_FRAME = "#8c8c8c", "#e8b33c", "#4a4f57"
CLASS_DIGITS, GROUP_DIGITS = 3, 4  #: of probabilities in the overview, which has hundreds of drops
KEPT_RECORDS = 6_000  #: of scores, each held with all that it says: of some 20 plates that are open
KEY_FIELDS = tuple(each.name for each in fields(WellKey))
NO_FRAMES: Frames = MappingProxyType({})


def luminance(colour: str) -> float:
    """Return the relative luminance of ``#rrggbb`` (WCAG 2.1), in [0, 1].

    >>> luminance("#ffffff"), luminance("#000000")
    (1.0, 0.0)
    """
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return math.fsum((0.2126 * red, 0.7152 * green, 0.0722 * blue))


def ink_on(colour: str) -> str:
    """Return black or white, whichever reads better on `colour`.

    >>> ink_on("#e02020"), ink_on("#8c8c8c")
    ('#ffffff', '#000000')
    """
    light = luminance(colour)
    return LIGHT_INK if 1.05 / (light + 0.05) >= (light + 0.05) / 0.05 else DARK_INK


def outcome_table(frames: Frames = NO_FRAMES) -> list[Record]:
    """Return what the pages show for every answer: the 13 classes, no drop, unreadable, unscored.

    Parameters
    ----------
    frames
        Frame colours that a facility has set.
    """
    table = [_outcome_record(outcome, frames) for outcome in OUTCOMES]
    for name, label, letter, frame in (
        (NO_DROP, "No drop", "–", NO_DROP_FRAME),
        (UNREADABLE, "Unreadable", "!", UNREADABLE_FRAME),
        (UNSCORED, "Not scored", "·", UNSCORED_FRAME),
    ):
        table.append(_answer(name, label, letter, frames.get(name, frame)) | {"group": None, "score_number": None})
    return table


def _outcome_record(outcome: Outcome, frames: Frames) -> Record:
    answer = _answer(outcome.name, outcome.label, outcome.letter, frames.get(outcome.name, outcome.frame))
    return answer | {"group": outcome.group.value, "score_number": outcome.score_number}


def _answer(name: str, label: str, letter: str, frame: str) -> Record:
    key = KEY_OF.get(name)
    return {"name": name, "label": label, "letter": letter, "frame": frame, "ink": ink_on(frame), "key": key}


def moment(at: datetime | None) -> str | None:
    """Return a time as ISO 8601, or None."""
    return at.isoformat(timespec="seconds") if at else None


def taken(image: StoredImage) -> str | None:
    """Return when an image was taken, by the robot's clock: a time, a day where no more is known, or None."""
    if image.imaged_at is None:
        return None
    return image.imaged_at.date().isoformat() if image.day_only else moment(image.imaged_at)


def counts_record(drops: Iterable[DropScores]) -> Record:
    """Return how many drops the machine put into each group, and how many a person has looked at."""
    drops = list(drops)
    auto = Counter(drop.current.found.counted_as if drop.current else "unscored" for drop in drops)
    names = [*(group.value for group in GROUPS), UNSURE, NO_DROP, UNREADABLE, "unscored"]
    return {
        "drops": len(drops),
        "auto": {name: auto[name] for name in names if auto[name]},
        "manual": sum(1 for drop in drops if drop.manual),
    }


def board_record(
    board: Board,
    summary: PlateSummary,
    about: AboutPlate,
    drops: Iterable[DropScores],
    before: Before,
    *,
    version: Version,
) -> Record:
    """Return everything that the plate overview shows."""
    drops = list(drops)
    times = [drop.current.scored_at for drop in drops if drop.current]
    return (
        asdict(summary)
        | facts_record(about.facts)
        | {
            "inspection": board.inspection,
            "channel": board.channel,
            "images": len(drops),
            "scored": len(times),
            "last_scored_at": moment(max(times, default=None)),
            "drops": [
                drop_record(drop, before, version) | condition_record(about.condition(drop.image.key)) for drop in drops
            ],
        }
    )


def drop_record(drop: DropScores, before: Before | None, version: Version) -> Record:
    """Return one drop as the overview shows it, with what was said of it at earlier inspections."""
    place = drop.image.key.place
    earlier = before.people.get(place) if before else None
    machine = before.machine.get(place) if before else None
    return image_record(drop.image, version) | {
        "auto": auto_record(drop.current) if drop.current else None,
        "why_unscored": drop.why_unscored,
        "people": [manual_record(score) for score in drop.people],
        "comments": [comment_record(comment) for comment in drop.comments],
        "marks": [mark_record(mark) for mark in drop.marks],
        "earlier": manual_record(earlier[1]) | {"inspection": earlier[0]} if earlier and not drop.people else None,
        "before": answer_record(machine[1]) | {"inspection": machine[0]} if machine else None,
    }


def image_record(image: StoredImage, version: Version) -> Record:
    """Return which drop an image shows, rows and columns from 1, and when it was made."""
    key = image.key
    told = {"id": image.id, "well": key.well, "imaged_at": taken(image), "version": version(image)}
    place = {name: getattr(key, name) for name in KEY_FIELDS}
    return place | {"row": key.row + 1, "column": key.column + 1} | told


@made_once(limit=KEPT_RECORDS)
def auto_record(score: AutoScore) -> Record:
    """Return a machine's score in short."""
    found = score.found
    return answer_record(score) | {
        "readout": score.recipe.readout.name if score.recipe.readout else None,
        "probability": found.probability,
        "class_probabilities": _rounded(found.class_probabilities, CLASS_DIGITS),
        "threshold": score.recipe.threshold,
        "recipe": recipe_digits(score.recipe),
        "looks": found.looks,
        **count_cells(found.crystals),
        "p_crystal": found.group_peaks[GROUPS.index(Group.CRYSTAL)] if found.group_peaks else None,
        "scored_at": moment(score.scored_at),
        "drop_box": _relative_box(found),
        "aspect": found.width_px / found.height_px if found.height_px else None,
    }


def answer_record(score: AutoScore) -> Record:
    """Return what a machine answered: an outcome, and how likely each group is in its best chop."""
    found = score.found
    return {
        "outcome": score.outcome,
        "above_threshold": found.above_threshold,
        "group_peaks": _rounded(found.group_peaks, GROUP_DIGITS),
    }


def _rounded(probabilities: Iterable[float], digits: int) -> list[float]:
    return [round(each, digits) for each in probabilities]


def _relative_box(found: ImageScore) -> list[float] | None:
    """Return the drop's top, left, bottom and right as fractions of the image."""
    if found.drop is None or not found.height_px or not found.width_px:
        return None
    top, left, bottom, right = found.drop.box
    edges = (top / found.height_px, left / found.width_px, bottom / found.height_px, right / found.width_px)
    return [round(edge, 4) for edge in edges]


def manual_record(score: ManualScore) -> Record:
    """Return a person's score."""
    told = {name: getattr(score, name) for name in ("id", "outcome", "person", "comment")}
    return told | {"scored_at": moment(score.scored_at)}


def comment_record(comment: Comment) -> Record:
    """Return what a person wrote, and whether it was taken back."""
    told = {name: getattr(comment, name) for name in ("id", "person", "text")}
    return told | {"written_at": moment(comment.written_at), "taken_back_at": moment(comment.taken_back_at)}


def mark_record(mark: Mark) -> Record:
    """Return what a person marked."""
    told = {name: getattr(mark, name) for name in ("id", "person", "kind", "place")}
    return told | {"marked_at": moment(mark.marked_at)}


def full_manual_record(score: ManualScore) -> Record:
    """Return a person's score, and whether it was taken back."""
    told = {"by": "person", "counts": score.counts, "taken_back_at": moment(score.taken_back_at)}
    return manual_record(score) | told


def full_auto_record(score: AutoScore, um_per_px: float | None) -> Record:
    """Return all that a machine's score says, of an image with this scale."""
    found = asdict(score.found)
    drop = found["drop"] or {"outline": None, "area_fraction": None}
    told = ("class_probabilities", "group_peaks", "best_chops", "height_px", "width_px", "error")
    return (
        auto_record(score)
        | {"remarks": score.version.remarks if score.version else ()}
        | {"by": "machine", "counts": score.counts, "work_unit": score.work_unit}
        | {"models": [asdict(model) for model in score.recipe.models]}
        | {name: found[name] for name in told}
        | {name: drop[name] for name in ("outline", "area_fraction")}
        | {"crystals": crystal_records(score.found, um_per_px)}
    )


def ledger_record(
    image: StoredImage,
    ledger: Sequence[AutoScore | ManualScore],
    shown: AutoScore | None,
    postponed: Postponement | None,
    version: Version,
    *,
    um_per_px: float | None,
) -> Record:
    """Return one image with every score it ever got, newest first, and why it has none that counts.

    Of the machine's scores the one that is `shown` on plates, if it counts, is marked.
    """
    drop = DropScores(image=image, auto=shown, postponed=postponed)
    unit = drop.current.work_unit if drop.current else ""
    entries = [
        full_auto_record(score, um_per_px) | {"shown": score.counts and score.work_unit == unit}
        if isinstance(score, AutoScore)
        else full_manual_record(score)
        for score in ledger
    ]
    return image_record(image, version) | {"why_unscored": drop.why_unscored, "ledger": entries[::-1]}
