"""What the feature store of an installation has of one imager's images."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from crystal_search.adaptation.labelled import Seen
from crystal_search.errors import UserError
from crystal_search.known_names import unknown_name
from crystal_search.model import default_models, references
from crystal_search.server.feature_store.feature_rows import Rows, picture_of
from crystal_search.server.feature_store.feature_store import FeatureStore, kept_store
from crystal_search.server.feature_store.stored_readout import seen_in
from crystal_search.server.imaging.imaging_database import ImagingDatabase
from crystal_search.server.imaging.stored_images import StoredImage
from crystal_search.server.installation import Installation
from crystal_search.wells import REMOVED

LOOKED_AT = 16_384  #: rows of the store, of all imagers, among which images of one are looked for
SAMPLE = 4096  #: images of an imager that stand for all of them


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SampledImages:
    """Images of one imager, and what the models in use said of the pictures that they show now."""

    images: tuple[StoredImage, ...]
    seen: Seen


def store_in_use(site: Installation) -> FeatureStore:
    """Return the store of what the models in use said.

    Raises
    ------
    UserError
        If there is none: they have scored nothing yet, or give no features.
    """
    if store := kept_store(site.home.features, references(default_models(site.models))):
        return store
    raise UserError(
        f"there are no features by the models in use in {site.home.features}; they come with scores, if the classifier "
        "gives any: let images be scored first"
    )


def imagers_with_features(site: Installation, store: FeatureStore) -> Counter[str]:
    """Return how many of the images of each imager are among the rows that are looked at."""
    return Counter(site.imagers.of(image) for image, _ in _shown(site.imaging, _evenly(store, LOOKED_AT)))


def imager_with_features(site: Installation, store: FeatureStore, named: str) -> str:
    """Return the imager of this name, of whose images a store has features; for an empty name the only one.

    Raises
    ------
    UserError
        If there are several imagers and none is named, or no images at all.
    UnknownNameError
        If there are no features of that imager's images; the message lists those there are.
    """
    there = imagers_with_features(site, store)
    listed = ", ".join(map(repr, sorted(there))) or "none"
    if named and named not in there:
        raise unknown_name(map(repr, sorted(there)), named, "imager", which="with features of its images")
    if not named and len(there) != 1:
        raise UserError(f"features are of images of {len(there)} imagers, {listed}; choose one by --imager")
    return named or next(iter(there))


def sample_of(site: Installation, store: FeatureStore, imager: str, *, but: Collection[int] = ()) -> SampledImages:
    """Return some images in visible light of an imager, evenly out of all that a store has, without those in `but`.

    Images that were taken back, and rows of pictures that are no longer shown, are left out.

    Parameters
    ----------
    site
        Where images are.
    store
        What the models said of them.
    imager
        Whose images.
    but
        Ids of images.
    """
    rows = _evenly(store, LOOKED_AT)
    but = set(but)
    found = [
        (image, at)
        for image, at in _shown(site.imaging, rows)
        if site.imagers.of(image) == imager and image.key.channel == "visible" and image.id not in but
    ]
    found = [found[at] for at in _spread(len(found), SAMPLE)]
    return SampledImages(
        images=tuple(image for image, _ in found), seen=seen_in(rows[np.array([at for _, at in found], np.int64)])
    )


def _evenly(store: FeatureStore, most: int) -> Rows:
    return store.rows(np.array(_spread(store.count, most), np.int64))


def _spread(count: int, most: int) -> list[int]:
    """Return at most `most` of the numbers below `count`, evenly.

    >>> _spread(3, 5), _spread(9, 3)
    ([0, 1, 2], [0, 4, 8])
    """
    return [*range(count)] if count <= most else np.linspace(0, count - 1, most).astype(np.int64).tolist()


def _shown(imaging: ImagingDatabase, rows: Rows) -> list[tuple[StoredImage, int]]:
    """Return the images that show the pictures of rows now, with the place of each row."""
    images = imaging.images(set(rows["image_id"].tolist()))
    pairs = [(images.get(image_id), at) for at, image_id in enumerate(rows["image_id"].tolist())]
    there = [(image, at) for image, at in pairs if image is not None and image.key.channel != REMOVED]
    return [(image, at) for image, at in there if picture_of(image.sha256) == tuple(rows["picture"][at].tolist())]
