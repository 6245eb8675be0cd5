"""Between the rows of the imaging database and its nouns."""

import hashlib
import json
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from crystal_search.geometry import Box
from crystal_search.result import BestChop, DropRegion
from crystal_search.server.imaging.adding_rules import in_utc
from crystal_search.server.imaging.imaging_database import AutoScore, ManualScore, Recipe, StoredImage
from crystal_search.wells import WellKey

Values = dict[str, Any]
AnyRow = Row[*tuple[Any, ...]]


def digest_of(path: str) -> str:
    """Return the short name under which a path of any length is found; 32 hex digits."""
    return hashlib.blake2b(path.encode(), digest_size=16).hexdigest()


def time_text(time: datetime | None) -> str:
    """Return a time as the database keeps it; empty for None.

    Raises
    ------
    ValueError
        If the time has no time zone.

    >>> from datetime import UTC
    >>> time_text(datetime(2026, 1, 31, 12, tzinfo=UTC))
    '2026-01-31T12:00:00.000000Z'
    """
    if time is None:
        return ""
    return in_utc(time).isoformat(timespec="microseconds").replace("+00:00", "Z")


def time_of(text: str) -> datetime | None:
    """Return the time that `time_text` wrote; None for the empty text."""
    return datetime.fromisoformat(text) if text else None


def known_time_of(text: str) -> datetime:
    """Return the time that `time_text` wrote of a time."""
    return datetime.fromisoformat(text)


def key_values(key: WellKey) -> Values:
    """Return the columns of table image that a key fills, all but the plate."""
    return {
        "well_row": key.row,
        "well_column": key.column,
        "drop_number": key.drop,
        "inspection": key.inspection,
        "channel": key.channel,
    }


def stored_image(row: AnyRow) -> StoredImage:
    """Return the image in a row of `sql_statements.images`."""
    key = WellKey(
        plate=row.barcode,
        row=row.well_row,
        column=row.well_column,
        drop=row.drop_number,
        inspection=row.inspection,
        channel=row.channel,
    )
    return StoredImage(id=row.id, key=key, path=row.path, imaged_at=time_of(row.imaged_at))


def recipe_of(row: AnyRow) -> Recipe:
    """Return the recipe in a row that has its columns."""
    return Recipe(
        classifier_name=row.classifier_name,
        classifier_sha256=row.classifier_sha256,
        drop_sha256=row.drop_sha256,
        threshold=row.threshold,
    )


def score_of(row: AnyRow) -> AutoScore | ManualScore:
    """Return the score in a row of `sql_statements.scores`."""
    return manual_score(row) if row.person is not None else auto_score(row)


def manual_score(row: AnyRow) -> ManualScore:
    """Return a person's score."""
    return ManualScore(
        image_id=row.image_id,
        person=row.person,
        scored_at=known_time_of(row.scored_at),
        outcome=row.outcome,
        comment=row.comment,
    )


def manual_values(score: ManualScore) -> Values:
    """Return the row of a person's score."""
    return {
        "image_id": score.image_id,
        "person": score.person,
        "scored_at": time_text(score.scored_at),
        "outcome": score.outcome,
        "comment": score.comment,
    }


def auto_score(row: AnyRow) -> AutoScore:
    """Return a machine's score."""
    drop = json.loads(row.drop_region) if row.drop_region else None
    return AutoScore(
        image_id=row.image_id,
        work_unit=row.work_unit,
        recipe=recipe_of(row),
        scored_at=known_time_of(row.scored_at),
        outcome=row.outcome,
        probability=row.probability,
        above_threshold=bool(row.above_threshold),
        class_probabilities=tuple(json.loads(row.class_probabilities)),
        group_peaks=tuple(json.loads(row.group_peaks)),
        best_chops=tuple(_chop(each) for each in json.loads(row.best_chops)),
        drop=_drop(drop) if drop else None,
        height_px=row.height_px,
        width_px=row.width_px,
        error=row.error,
    )


def auto_values(score: AutoScore, recipe_id: int) -> Values:
    """Return the row of a machine's score."""
    chops = [{"box": chop.box, "outcome": chop.outcome, "probability": chop.probability} for chop in score.best_chops]
    drop = score.drop
    region = drop and {"box": drop.box, "area_fraction": drop.area_fraction, "outline": drop.outline}
    return {
        "image_id": score.image_id,
        "work_unit": score.work_unit,
        "recipe_id": recipe_id,
        "scored_at": time_text(score.scored_at),
        "outcome": score.outcome,
        "probability": score.probability,
        "above_threshold": score.above_threshold,
        "class_probabilities": _json(score.class_probabilities),
        "group_peaks": _json(score.group_peaks),
        "best_chops": _json(chops),
        "drop_region": _json(region) if region else None,
        "height_px": score.height_px,
        "width_px": score.width_px,
        "error": score.error,
    }


def _json(value: Any) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


def _chop(value: Values) -> BestChop:
    return BestChop(box=Box(*value["box"]), outcome=value["outcome"], probability=value["probability"])


def _drop(value: Values) -> DropRegion:
    outline = tuple((row, column) for row, column in value["outline"])
    return DropRegion(box=Box(*value["box"]), area_fraction=value["area_fraction"], outline=outline)
