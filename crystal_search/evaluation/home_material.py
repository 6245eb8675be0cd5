"""What people scored in the viewer of an installation, with what its models said of one imager's images."""

from collections import Counter
from collections.abc import Callable, Collection

import numpy as np

from crystal_search.adaptation.labelled import Seen
from crystal_search.errors import UnknownNameError, UserError
from crystal_search.evaluation.label_material import Material, together
from crystal_search.model import default_models
from crystal_search.server.feature_store.feature_store import FeatureStore, stores_in
from crystal_search.server.feature_store.stored_readout import seen_in
from crystal_search.server.imaging.imaging_database import ImagingDatabase, StoredImage
from crystal_search.server.installation import Installation
from crystal_search.server.services.own_labels import own_labels

SAMPLE = 4096  #: rows of the store, of all imagers, among which images without labels are looked for


def imager_meant(site: Installation, named: str) -> str:
    """Return the imager of this name, of whose images people scored some; for an empty name the only one.

    Raises
    ------
    UserError
        If nobody has scored anything, or images of several imagers were scored and none is named.
    UnknownNameError
        If nobody has scored an image of that imager; the message lists those there are.
    """
    labels = Counter(site.imagers.of(image) for image, _ in site.imaging.newest_by_hand())
    if not labels:
        raise UserError("nobody has scored an image in the viewer yet; score some, or name --folder and --labels")
    listed = ", ".join(f"{name!r} ({count})" for name, count in sorted(labels.items()))
    if named and named not in labels:
        raise UnknownNameError(f"nobody has scored an image of the imager {named!r}; labels are of {listed}")
    if not named and len(labels) > 1:
        raise UserError(f"labels are of {len(labels)} imagers, {listed}; choose one by --imager")
    return named or next(iter(labels))


def home_material(site: Installation, imager: str) -> Material:
    """Return people's scores of an imager's images, and what the models in use said of those and some others.

    No image is opened: the home's store of features has all of it.

    Raises
    ------
    UserError
        If nothing of what people scored has features by the models in use.
    DatabaseError
        If the database or the store cannot be read.
    """

    def is_of_imager(image: StoredImage) -> bool:
        return site.imagers.of(image) == imager

    store = store_in_use(site)
    found = own_labels(site.imaging, store, is_of_imager)
    if not found.images:
        raise UserError(
            f"not one of {found.left_out} images of {imager!r} that people scored has features by the models in use; "
            "let those be scored first"
        )
    others = sample_of(site.imaging, store, is_of_imager, but=set(found.images))
    return Material(
        labelled=found.labelled,
        names=found.images,
        everything=together(found.labelled.seen, others),
        left_out=found.left_out,
    )


def store_in_use(site: Installation) -> FeatureStore:
    """Return the store of what the models in use said.

    Raises
    ------
    UserError
        If there is none: they have scored nothing yet, or give no features.
    """
    in_use = {model.card.sha256 for model in default_models(site.models)}
    for store in stores_in(site.home.features):
        if {model.sha256 for model in store.models} <= in_use:
            return store
    raise UserError(
        f"there are no features by the models in use in {site.home.features}; they come with scores, if the classifier "
        "gives any: let images be scored first"
    )


def sample_of(
    imaging: ImagingDatabase, store: FeatureStore, is_of_imager: Callable[[StoredImage], bool], but: Collection[str]
) -> Seen:
    """Return what a store says of some images of an imager, evenly out of all that it has, without those at `but`."""
    rows = store.rows(np.unique(np.linspace(0, store.count - 1, SAMPLE).astype(np.int64)))
    images = imaging.images(set(rows["image_id"].tolist()))
    wanted = {image.id for image in images.values() if is_of_imager(image) and image.path not in but}
    return seen_in(rows[np.isin(rows["image_id"], list(wanted))])
