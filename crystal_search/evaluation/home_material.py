"""What people scored in the viewer of an installation, with what its models said of one imager's images."""

from collections import Counter

from crystal_search.adaptation.labelled import together
from crystal_search.errors import UserError
from crystal_search.evaluation.label_material import Material
from crystal_search.known_names import unknown_name
from crystal_search.server.installation import Installation
from crystal_search.server.services.hand_labels import labels_by_imager
from crystal_search.server.services.imager_features import sample_of, store_in_use
from crystal_search.server.services.own_labels import own_labels


def imager_meant(site: Installation, named: str) -> str:
    """Return the imager of this name, of whose images people scored some; for an empty name the only one.

    Raises
    ------
    UserError
        If nobody has scored anything, or images of several imagers were scored and none is named.
    UnknownNameError
        If nobody has scored an image of that imager; the message lists those there are.
    """
    labels: Counter[str] = Counter()
    for (imager, _), images in labels_by_imager(site).items():
        labels[imager] += images
    if not labels:
        raise UserError("nobody has scored an image in the viewer yet; score some, or name --folder and --labels")
    there = [f"{name!r} ({count})" for name, count in sorted(labels.items())]
    if named and named not in labels:
        raise unknown_name(there, named, "imager", which="of which somebody has scored images")
    if not named and len(labels) > 1:
        raise UserError(f"labels are of {len(labels)} imagers, {', '.join(there)}; choose one by --imager")
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
    store = store_in_use(site)
    found = own_labels(site.imaging, store, lambda image: site.imagers.of(image) == imager)
    if not found.images:
        raise UserError(
            f"not one of {found.left_out} images of {imager!r} that people scored has features by the models in use; "
            "let those be scored first"
        )
    others = sample_of(site, store, imager, but=found.ids)
    return Material(
        labelled=found.labelled,
        names=found.images,
        everything=together(found.labelled.seen, others.seen),
        left_out=found.left_out,
    )
