"""Compares the features of newly scored images with the history of their imager, and keeps what is strange."""

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from math import sqrt
from pathlib import Path

import numpy as np

from crystal_search.errors import DatabaseError
from crystal_search.model import ModelRef, answering
from crystal_search.sentinel.strange_images import FALSE_ALARMS, ordinary
from crystal_search.sentinel.strange_often import strange_often
from crystal_search.server.feature_store.feature_rows import Numbers, picture_of
from crystal_search.server.feature_store.feature_store import FeatureStore, kept_store
from crystal_search.server.imaging.imaging_database import DropScores, ImagingDatabase
from crystal_search.server.imaging.stored_images import StoredImage
from crystal_search.server.installation import Installation
from crystal_search.server.services import strange_records
from crystal_search.server.services.imager_records import RECENT, STANDING, Noticed
from crystal_search.server.services.strange_records import (
    KEPT,
    StrangeImage,
    StrangeRecord,
    read_strange,
    still_shown,
    write_strange,
)

log = logging.getLogger(__name__)

SEED = 1  #: of which half of a history tells centre and spread: each time the same


def compare(site: Installation, scored: Sequence[DropScores]) -> None:
    """Compare images that were scored, in the order in which they came, with their imagers' histories.

    Only features of the models that scored the last of an imager's images are compared with each other; with other
    models the imager is learnt anew. Images without features, such as those without a drop, are passed over.

    Where the features of an imager cannot be read, that is noted and said; its images are compared with the next ones,
    and the other imagers' now.
    """
    by_imager: defaultdict[str, list[tuple[tuple[ModelRef, ...], StoredImage]]] = defaultdict(list)
    for drop in scored:
        if drop.current:
            by_imager[site.imagers.of(drop.image)].append((answering(drop.current.recipe.models), drop.image))
    for imager, found in by_imager.items():
        _compare_one(site, imager, found)


def _compare_one(site: Installation, imager: str, found: Sequence[tuple[tuple[ModelRef, ...], StoredImage]]) -> None:
    """Compare images of one imager, each with the models that scored it."""
    folder, used = site.home.sentinel, found[-1][0]
    record = read_strange(folder, imager)
    images = [*site.imaging.images(record.missed).values(), *(image for models, image in found if models == used)]
    try:
        if store := kept_store(site.home.features, used):
            _go_on(folder, _of_store(record, store), store, images)
    except DatabaseError as error:
        log.error("images of %s are not compared: %s", imager, error)
        missed = tuple(image.id for image in images)[-KEPT:]
        write_strange(folder, replace(record, missed=missed, trouble=str(error)))


def noticed_strange(imaging: ImagingDatabase, record: StrangeRecord) -> list[Noticed]:
    """Return since when more images of an imager are strange than chance explains; none where that is not so, or was.

    Images that were taken back, or show another picture, count as ordinary ones.
    """
    start = max(0, record.compared - RECENT)
    strange = {each.number - start: each for each, _ in still_shown(imaging, record.strange) if each.number > start}
    images = range(1, record.compared - start + 1)
    alarms = strange_often([at in strange for at in images], FALSE_ALARMS, _distances(record)) if strange else []
    lasting = [alarm for alarm in alarms if alarm.image > len(images) - STANDING]
    return [_noticed(each.kind, strange[each.image], strange[each.since + 1]) for each in lasting[:1]]


def _noticed(kind: str, by: StrangeImage, began: StrangeImage) -> Noticed:
    return Noticed(kind=kind, what="", image_id=by.image_id, at=by.at, since_image_id=began.image_id, since=began.at)


def _distances(record: StrangeRecord) -> int:
    return len(record.learnt_ids) // 2


def _go_on(folder: Path, record: StrangeRecord, store: FeatureStore, images: Sequence[StoredImage]) -> None:
    """Learn from images, or compare them, and keep what is known then."""
    had_trouble, record = bool(record.trouble), replace(record, missed=(), trouble="")
    images = [image for image in images if image.id > record.last_id]  # else again, after this program was killed
    ids = np.array([image.id for image in images], np.int64)
    pictures = np.array([picture_of(image.sha256) for image in images], np.uint64).reshape(-1, 2)
    places = store.find(ids, pictures)
    there = np.flatnonzero(places >= 0)
    if not len(there):
        if had_trouble:
            write_strange(folder, record)
        return
    to_learn, later = np.split(there, [max(0, strange_records.HISTORY - len(record.learnt_ids))])
    record = replace(
        record,
        learnt_ids=(*record.learnt_ids, *ids[to_learn].tolist()),
        learnt_places=(*record.learnt_places, *places[to_learn].tolist()),
        last_id=int(ids[-1]),
    )
    if len(later):
        strange = _strange(record, store, [images[at] for at in later], places[later])
        record = replace(record, compared=record.compared + len(later), strange=(*record.strange, *strange)[-KEPT:])
    write_strange(folder, record)


def _of_store(record: StrangeRecord, store: FeatureStore) -> StrangeRecord:
    """Return what is known by the features of a store; nothing if it was of another, or that one's rows are gone."""
    places = np.array(record.learnt_places, np.int64)
    same = record.store == store.folder.name and bool((places < store.count).all())
    if same and store.rows(places)["image_id"].tolist() == [*record.learnt_ids]:
        return record
    return StrangeRecord(name=record.name, store=store.folder.name, last_id=record.last_id)


def _strange(
    record: StrangeRecord, store: FeatureStore, images: Sequence[StoredImage], places: Numbers
) -> list[StrangeImage]:
    """Return those of the images with rows in these places that are strange."""
    history = store.rows(np.array(record.learnt_places, np.int64))["features"]
    usual, features = ordinary(history, np.random.default_rng(SEED)), store.rows(places)["features"]
    p_values, distances = usual.p_values(features), usual.distance(features)
    return [
        StrangeImage(
            image_id=image.id,
            picture=image.sha256,
            at=_taken(image).isoformat(timespec="minutes"),
            p_value=float(p_values[at]),
            beyond=sqrt(distances[at] / usual.distances[-1]),
            number=record.compared + at + 1,
        )
        for at, image in enumerate(images)
        if p_values[at] <= FALSE_ALARMS
    ]


def _taken(image: StoredImage) -> datetime:
    return image.imaged_at or image.arrived_at or datetime.now(UTC)
