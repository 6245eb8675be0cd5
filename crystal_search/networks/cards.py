"""What the cards of our networks say before anything was trained or measured."""

from collections.abc import Sequence

from crystal_search.images import WORKING_WIDTH_PX
from crystal_search.model_card import ClassifierCard, DropCard, Output
from crystal_search.networks.architectures import classifier_named
from crystal_search.outcomes import OUTCOME_NAMES
from crystal_search.unet_drop.network import SIDE_MULTIPLE_PX

CLASSIFIER_WIDTH_PX, CLASSIFIER_NORMALISATION = WORKING_WIDTH_PX, "local-contrast-1"
DROP_WIDTH_PX, DROP_NORMALISATION = 256, "centred-1"


def classifier_card(
    name: str,
    architecture: str = "squeezenet",
    *,
    classes: Sequence[str] = OUTCOME_NAMES,
    normalisation: str = CLASSIFIER_NORMALISATION,
    working_width_px: int = CLASSIFIER_WIDTH_PX,
) -> ClassifierCard:
    """Return the card of a classifier of the registry, file and hash still to be filled in.

    Raises
    ------
    UnknownNameError
        If there is no such architecture.
    """
    network = classifier_named(architecture)
    return ClassifierCard(
        name=name,
        file=f"{name}.onnx",
        sha256="0" * 64,
        architecture=network.name,
        outputs=(Output(classes=tuple(classes), stride_px=network.output_stride_px),),
        working_width_px=working_width_px,
        normalisation=normalisation,
        side_px=network.side_px,
        cells_per_chop=network.cells_per_chop,
        chop_stride_px=network.chop_stride_px,
        padded=network.padded,
    )


def drop_locator_card(name: str) -> DropCard:
    """Return the card of the U-Net, file and hash still to be filled in."""
    return DropCard(
        name=name,
        file=f"{name}.onnx",
        sha256="0" * 64,
        architecture="u-net",
        outputs=(Output(classes=("drop",)),),
        working_width_px=DROP_WIDTH_PX,
        normalisation=DROP_NORMALISATION,
        side_multiple_px=SIDE_MULTIPLE_PX,
    )
