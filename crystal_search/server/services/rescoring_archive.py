"""Readouts in use applied to what the models answered: to new images at once, to the archive block by block.

The archive is scored from its newest image to its oldest; a small file says how far. It may be killed at any moment:
what was scored is in the ledger, once, and the next block begins there or a block before.
"""

import json
import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from crystal_search.adaptation.readout import ANSWERS
from crystal_search.errors import DatabaseError, ModelError
from crystal_search.files import write_whole
from crystal_search.hostile_json import Reader, read_whole
from crystal_search.model import answering, looks_of
from crystal_search.server.feature_store.feature_rows import picture_of
from crystal_search.server.feature_store.feature_store import FeatureStore, stores_in
from crystal_search.server.home import Home
from crystal_search.server.imaging.imaging_database import Age, AutoScore, Recipe
from crystal_search.server.imaging.stored_images import StoredImage
from crystal_search.server.installation import Installation
from crystal_search.server.locks import only_service
from crystal_search.server.services.keeping_features import rows_of, with_features
from crystal_search.server.services.readout_scores import (
    ReadoutAtWork,
    readout_scores,
    readouts_at_work,
    recipe_digits,
    shown_rows,
)

log = logging.getLogger(__name__)

AT_A_TIME = 2048  #: images of a block, so that new ones need not wait for long
FORMAT, VERSION = "crystal-search rescored", 1
MOST_PLACES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How far a use of a readout came through the images of one recipe."""

    readout: str  #: its hash
    since: str  #: when it was put to use
    recipe: str  #: digits of the shipped recipe
    arrived_at: str  #: of the last image that was looked at, ISO 8601; empty when all were
    image_id: int  #: of that image

    @property
    def older_than(self) -> Age:
        """Where to go on."""
        return datetime.fromisoformat(self.arrived_at), self.image_id


Key = tuple[str, str, str]  #: readout, since, recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescored:
    """What one block was."""

    used: ReadoutAtWork
    looked_at: int  #: images
    new: int  #: scores
    oldest: datetime | None  #: when the last of them arrived


def score_by_readouts(site: Installation, scores: Iterable[AutoScore], images: Mapping[int, StoredImage]) -> int:
    """Add what readouts in use say of images that were just scored; return how many scores were new.

    A readout that cannot be used is logged: the shipped scores are in the ledger already, and stand.

    Raises
    ------
    DatabaseError
        If the database cannot take them now.
    """
    kinds, new = with_features(scores), 0
    try:
        readouts = readouts_at_work(site) if kinds else []
    except ModelError as error:
        log.error("no readout scores: %s", error)
        return 0
    for readout in readouts:
        for (recipe, numbers), some in kinds.items():
            if reads(readout, recipe, numbers):
                rows = shown_rows(site, readout, rows_of(some, numbers), images)
                mine = readout.recipe(recipe.models)
                new += site.imaging.add_auto_scores(readout_scores(readout, rows, images, mine))
    return new


def reads(readout: ReadoutAtWork, recipe: Recipe, numbers: int) -> bool:
    """Tell whether a readout reads what a recipe's models answer, with so many features of an image."""
    mine = readout.rescoring.readout.weights.shape[1] - ANSWERS
    return readout.card.looks.fit(looks_of(recipe.models)) and mine == numbers


def rescore_all(site: Installation, *, at_a_time: int = AT_A_TIME) -> Iterator[Rescored]:
    """Yield each block that was rescored, until all of the archive is; others take their steps in between."""
    while True:
        with only_service(site.home):
            block = rescore_block(site, at_a_time=at_a_time)
        if block is None:
            return
        yield block


def rescore_some(site: Installation) -> None:
    """Rescore the next block of the archive, if there is one; what keeps it from that is logged."""
    try:
        with only_service(site.home):
            block = rescore_block(site)
    except (ModelError, DatabaseError) as error:
        log.warning("the archive is not rescored now: %s", error)
        return
    if block:
        log.info("rescored %d images by %s", block.looked_at, block.used.used.name, extra={"action": "rescored"})


def rescore_block(site: Installation, *, at_a_time: int = AT_A_TIME) -> Rescored | None:
    """Rescore the next block of the archive; None when there is none. The caller holds the services' lock.

    Raises
    ------
    ModelError
        If it cannot be read which readouts are in use.
    DatabaseError
        If the ledger or the store of features cannot be used now.
    """
    readouts = readouts_at_work(site)
    if not readouts:
        return None
    places = read_places(site.home)
    for readout in readouts:
        for recipe, store in _answers_to(site, readout):
            key = readout.used.sha256, readout.used.since, recipe_digits(recipe)
            if (place := places.get(key)) is None or place.arrived_at:
                older_than = place.older_than if place else None
                images = site.imaging.scored_images(recipe, older_than=older_than, limit=at_a_time)
                new = _rescored(site, readout, recipe, store, images)
                _note(site.home, readouts, [*places.values(), _place(key, images)])
                if images:
                    return Rescored(used=readout, looked_at=len(images), new=new, oldest=images[-1].arrived_at)
    return None


def _answers_to(site: Installation, readout: ReadoutAtWork) -> Iterator[tuple[Recipe, FeatureStore]]:
    """Yield recipes whose models' answers a readout reads, with the store of these, the newest recipe first."""
    stores = {store.models: store for store in stores_in(site.home.features)}
    for recipe in reversed(site.imaging.recipes()):
        store = stores.get(answering(recipe.models))
        if store and reads(readout, recipe, store.numbers):
            yield recipe, store


def _rescored(
    site: Installation, readout: ReadoutAtWork, recipe: Recipe, store: FeatureStore, images: Sequence[StoredImage]
) -> int:
    mine = [image for image in images if site.imagers.of(image) == readout.used.imager]
    ids = np.array([image.id for image in mine], np.int64)
    pictures = np.array([picture_of(image.sha256) for image in mine], np.uint64)
    places = store.find(ids, pictures.reshape(-1, 2))
    rows = store.rows(places[places >= 0])
    by_id = {image.id: image for image in mine}
    scores = readout_scores(readout, rows, by_id, readout.recipe(recipe.models))
    return site.imaging.add_auto_scores(scores)


def _place(key: Key, images: Sequence[StoredImage]) -> Place:
    last = images[-1] if images else None
    arrived_at = last.arrived_at.isoformat() if last and last.arrived_at else ""
    return Place(readout=key[0], since=key[1], recipe=key[2], arrived_at=arrived_at, image_id=last.id if last else 0)


def read_places(home: Home) -> dict[Key, Place]:
    """Return how far each use of a readout came; a file that cannot be read is none, for all can be done again."""
    try:
        text = home.rescored.read_bytes()
        found = read_whole(text, str(home.rescored), DatabaseError, _places)
    except FileNotFoundError:
        return {}
    except (OSError, DatabaseError) as error:
        log.warning("%s; rescoring begins anew", error)
        return {}
    return {(each.readout, each.since, each.recipe): each for each in found}


def _places(read: Reader) -> tuple[Place, ...]:
    read.format(FORMAT, VERSION)
    return read.objects("places", _one_place, limit=MOST_PLACES)


def _one_place(read: Reader) -> Place:
    place = Place(
        readout=read.sha256("readout"),
        since=read.text("since", limit=40),
        recipe=read.text("recipe", limit=40),
        arrived_at=read.text("arrived_at", limit=40),
        image_id=read.integer("image_id", 0, 2**62),
    )
    if place.arrived_at and datetime.fromisoformat(place.arrived_at).tzinfo is None:
        read.fail("arrived_at", "a time with its zone", place.arrived_at)
    return place


def _note(home: Home, readouts: Collection[ReadoutAtWork], places: Iterable[Place]) -> None:
    """Keep how far the uses of these readouts came, of each the last place."""
    used = {(each.used.sha256, each.used.since) for each in readouts}
    kept = {(each.readout, each.since, each.recipe): each for each in places if (each.readout, each.since) in used}
    listed = [{name: getattr(each, name) for name in Place.__slots__} for each in kept.values()]
    write_whole(home.rescored, json.dumps({"format": FORMAT, "version": VERSION, "places": listed}, indent=1) + "\n")
