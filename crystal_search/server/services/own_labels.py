"""Labels that people gave in the viewer, with what the models answered to the same pictures, for a readout to learn."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from crystal_search.adaptation.labelled import NOT_CRYSTAL, Labelled
from crystal_search.outcomes import GROUPS, NO_DROP, outcome_named
from crystal_search.server.feature_store.feature_rows import picture_of
from crystal_search.server.feature_store.feature_store import FeatureStore
from crystal_search.server.feature_store.stored_readout import seen_in
from crystal_search.server.imaging.imaging_database import ImagingDatabase, ManualScore
from crystal_search.server.imaging.stored_images import StoredImage


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class OwnLabels:
    """What people said of one imager's images, and the images' paths in the order of the labels."""

    labelled: Labelled
    images: tuple[str, ...]
    ids: tuple[int, ...]  #: of these images
    left_out: int  #: labels of images without such features


def own_labels(imaging: ImagingDatabase, store: FeatureStore, is_of_imager: Callable[[StoredImage], bool]) -> OwnLabels:
    """Return the labels of an imager's images, as far as the features of what they show now are in a store.

    A person's score is a label; the one that came last counts. Images that were taken back have none, and neither has
    one whose picture has changed since it was scored by the store's models.

    Parameters
    ----------
    imaging
        Whose ledger it is.
    store
        Of the models whose answers are wanted.
    is_of_imager
        Tells of an image whether it is one of the imager's.

    Raises
    ------
    DatabaseError
        If the database or the store cannot be read.
    """
    told = [(image, score) for image, score in imaging.newest_by_hand() if is_of_imager(image)]
    ids = np.array([image.id for image, _ in told], np.int64)
    pictures = np.array([picture_of(image.sha256) for image, _ in told], np.uint64)
    places = store.find(ids, pictures.reshape(len(told), 2))
    there = [pair for pair, place in zip(told, places, strict=True) if place >= 0]
    labelled = Labelled(
        seen=seen_in(store.rows(places[places >= 0])),
        groups=np.array([_group(score) for _, score in there], np.int64),
        plates=tuple(image.key.plate for image, _ in there),
        drops=tuple(f"{image.key.plate} {image.key.well} {image.key.drop}" for image, _ in there),
    )
    return OwnLabels(
        labelled=labelled,
        images=tuple(image.path for image, _ in there),
        ids=tuple(image.id for image, _ in there),
        left_out=len(told) - len(there),
    )


def _group(score: ManualScore) -> int:
    """Return which group a person saw; an image without a drop has no crystal, and belongs to no group."""
    return NOT_CRYSTAL if score.outcome == NO_DROP else GROUPS.index(outcome_named(score.outcome).group)
