"""Which drops of an installation a person should score next, so that few scores teach a readout much."""

from crystal_search.adaptation.imager_prior import prior_in
from crystal_search.adaptation.teaching import asked_for
from crystal_search.server.feature_store.feature_store import FeatureStore
from crystal_search.server.imaging.stored_images import StoredImage
from crystal_search.server.installation import Installation
from crystal_search.server.services.imager_features import sample_of
from crystal_search.server.services.own_labels import own_labels


def drops_to_label(site: Installation, store: FeatureStore, imager: str, *, count: int) -> list[StoredImage]:
    """Return images of an imager that nobody has scored, those whose score would teach most first.

    People's scores are the labels that there are, and the store has what the models said: no image is opened.

    Parameters
    ----------
    site
        Where images and people's scores are.
    store
        What the models said of the images.
    imager
        Whose images.
    count
        How many are wanted; there may be fewer.

    Raises
    ------
    DatabaseError
        If the database or the store cannot be read.
    """
    labels = own_labels(site.imaging, store, lambda image: site.imagers.of(image) == imager)
    scored = {image.id for image, _ in site.imaging.newest_by_hand()}
    there = sample_of(site, store, imager, but=scored)
    if not there.images:
        return []
    plates = [image.key.plate for image in there.images]
    prior = prior_in(site.models, there.seen.features.shape[1])
    return [there.images[at] for at in asked_for(labels.labelled, there.seen, plates, count, prior=prior)]
