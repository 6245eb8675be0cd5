"""Between the rows of the imaging database and its nouns."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, fields
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Row

from crystal_search.model import ModelRef, hashes_of
from crystal_search.result import ImageScore, image_score_of
from crystal_search.server.imaging.adding_rules import in_utc
from crystal_search.server.imaging.imaging_database import AutoScore, ManualScore, Recipe
from crystal_search.server.imaging.stored_images import FileVersion, Postponement, StoredImage, Taken
from crystal_search.wells import WellKey

Values = dict[str, Any]
AnyRow = Row[*tuple[Any, ...]]
KEPT_RECIPES = 256  #: that need not be read from JSON again: hundreds of scores of a plate are by the same
DAY_LETTERS = len("2026-01-31")  #: so long is a day in the database

#: The columns of table image that with the plate make its key, and what they are in it; in the order of lists.
KEY_COLUMNS = {
    "inspection": "inspection",
    "channel": "channel",
    "well_row": "row",
    "well_column": "column",
    "drop_number": "drop",
}

VERSION_COLUMNS = tuple(field.name for field in fields(FileVersion))  #: of table image, score and work_unit_image


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


def taken_text(time: datetime | None, *, day_only: bool) -> str:
    """Return when an image was taken as the database keeps it: a time, a day, or nothing.

    >>> from datetime import UTC
    >>> taken_text(datetime(2012, 11, 21, tzinfo=UTC), day_only=True)
    '2012-11-21'
    """
    text = time_text(time)
    return text[:DAY_LETTERS] if day_only else text


def time_of(text: str) -> datetime | None:
    """Return the time that `time_text` or `taken_text` wrote; None for the empty text."""
    if not text:
        return None
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def taken_of(text: str) -> Taken:
    """Return when an image was taken that has this, as `taken_text` wrote it; it is not empty.

    >>> taken_of("2012-11-21").day_only
    True
    """
    at = datetime.fromisoformat(text)
    return Taken(at=at if at.tzinfo else at.replace(tzinfo=UTC), day_only=len(text) == DAY_LETTERS)


def key_values(key: WellKey) -> Values:
    """Return the columns of table image that a key fills, all but the plate."""
    return {column: getattr(key, part) for column, part in KEY_COLUMNS.items()}


def stored_image(row: AnyRow) -> StoredImage:
    """Return the image in a row of `sql_statements.images`."""
    key = WellKey(plate=row.barcode, **{part: getattr(row, column) for column, part in KEY_COLUMNS.items()})
    return StoredImage(
        id=row.id,
        key=key,
        path=row.path,
        imaged_at=time_of(row.imaged_at),
        day_only=len(row.imaged_at) == DAY_LETTERS,
        version=version_of(row),
        scores_before=row.scores_before,
        arrived_at=time_of(row.arrived_at),
    )


def version_of(row: AnyRow) -> FileVersion | None:
    """Return which file a row of an image, a score or a work unit's image speaks of; None where it does not say."""
    if not row.sha256:
        return None
    remarks = tuple((row.remarks or "").splitlines())
    return FileVersion(sha256=row.sha256, size_bytes=row.size_bytes, mtime_ns=row.mtime_ns, remarks=remarks)


def version_values(version: FileVersion | None) -> Values:
    """Return the columns that say which file a row speaks of."""
    if version is None:
        return dict.fromkeys(VERSION_COLUMNS)
    return asdict(version) | {"remarks": "\n".join(version.remarks) or None}


def postponement_of(row: AnyRow) -> Postponement:
    """Return why an image waits."""
    told = {field.name: getattr(row, field.name) for field in fields(Postponement)}
    times = {name: datetime.fromisoformat(told[name]) for name in ("since", "next_at")}
    return Postponement(**told | times)


def postponement_values(postponement: Postponement) -> Values:
    """Return the row of why an image waits."""
    times = {name: time_text(getattr(postponement, name)) for name in ("since", "next_at")}
    return asdict(postponement) | times


def recipe_of(row: AnyRow) -> Recipe:
    """Return the recipe in a row that has its columns."""
    return _recipe(row.models, row.threshold)


@lru_cache(KEPT_RECIPES)
def _recipe(models: str, threshold: float) -> Recipe:
    return Recipe(models=tuple(ModelRef(**model) for model in json.loads(models)), threshold=threshold)


def recipe_values(recipe: Recipe) -> Values:
    """Return the row of a recipe."""
    return {
        "models": _json(recipe.models),
        "models_digest": models_digest(recipe.models),
        "threshold": recipe.threshold,
    }


def models_digest(models: Iterable[ModelRef]) -> str:
    """Return what two recipes share when their models do, whatever the models are called; 32 hex digits."""
    return digest_of(json.dumps(hashes_of(models), sort_keys=True))


def score_of(row: AnyRow) -> AutoScore | ManualScore:
    """Return the score in a row of `sql_statements.scores`."""
    return manual_score(row) if row.person is not None else auto_score(row)


def manual_score(row: AnyRow) -> ManualScore:
    """Return a person's score."""
    return ManualScore(
        id=row.id,
        image_id=row.image_id,
        person=row.person,
        scored_at=datetime.fromisoformat(row.scored_at),
        outcome=row.outcome,
        comment=row.comment,
        taken_back_at=time_of(row.taken_back_at or ""),
        pulled_from=row.pulled_from,
        late=row.late,
    )


def manual_values(score: ManualScore) -> Values:
    """Return the row of a person's score."""
    told = {name: getattr(score, name) for name in ("image_id", "person", "outcome", "comment", "pulled_from", "late")}
    return told | {"scored_at": time_text(score.scored_at)}


def auto_score(row: AnyRow) -> AutoScore:
    """Return a machine's score; rows of version 1 have it in columns of their own."""
    return AutoScore(
        image_id=row.image_id,
        work_unit=row.work_unit,
        recipe=recipe_of(row),
        scored_at=datetime.fromisoformat(row.scored_at),
        found=image_score_of(json.loads(row.found) if row.found else _found_before(row)),
        version=version_of(row),
        counts=bool(row.counts),
    )


def auto_values(score: AutoScore, recipe_id: int) -> Values:
    """Return the row of a machine's score: what is asked for in columns, and all of it as one value."""
    return {
        "image_id": score.image_id,
        "work_unit": score.work_unit,
        "recipe_id": recipe_id,
        "scored_at": time_text(score.scored_at),
        "outcome": score.outcome,
        "probability": score.found.probability,
        "above_threshold": score.found.above_threshold,
        "found": _json(_found(score.found)),
    } | version_values(score.version)


def _found(score: ImageScore) -> Values:
    """Return what the ledger keeps of an image's score: all but the features, which have a store of their own."""
    found = _members(score)
    del found["packed_features"]
    return found


def _json(value: Any) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"), default=_members)


def _members(noun: Any) -> Values:
    """Return what is in a noun; `asdict` would copy all that is in that, too, which takes ten times as long."""
    return {field.name: getattr(noun, field.name) for field in fields(noun)}


def _found_before(row: AnyRow) -> Values:
    ranked = {name: getattr(row, name) for name in ("outcome", "probability", "above_threshold")}
    lists = {name: json.loads(getattr(row, name)) for name in ("class_probabilities", "group_peaks", "best_chops")}
    return lists | {
        "height_px": row.height_px,
        "width_px": row.width_px,
        "error": row.error,
        "drop": json.loads(row.drop_region) if row.drop_region else None,
        "score": None if row.probability is None else ranked | {"above_threshold": bool(row.above_threshold)},
    }
