"""What the cards of our networks say before anything was trained or measured."""

from collections.abc import Sequence

from crystal_search.images import WORKING_WIDTH_PX
from crystal_search.model import ModelCard
from crystal_search.networks.architectures import architecture_named
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
) -> ModelCard:
    """Return the card of a classifier of the registry, file and hash still to be filled in.

    Raises
    ------
    UnknownNameError
        If there is no such architecture.
    """
    network = architecture_named(architecture)
    return ModelCard(
        name=name,
        kind="classifier",
        file=f"{name}.onnx",
        sha256="0" * 64,
        architecture=network.name,
        classes=tuple(classes),
        working_width_px=working_width_px,
        normalisation=normalisation,
        side_px=network.side_px,
        output_stride_px=network.output_stride_px,
        cells_per_chop=network.cells_per_chop,
        chop_stride_px=network.chop_stride_px,
        padded=network.padded,
    )


def drop_locator_card(name: str) -> ModelCard:
    """Return the card of the U-Net, file and hash still to be filled in."""
    return ModelCard(
        name=name,
        kind="drop_locator",
        file=f"{name}.onnx",
        sha256="0" * 64,
        architecture="u-net",
        classes=("drop",),
        working_width_px=DROP_WIDTH_PX,
        normalisation=DROP_NORMALISATION,
        side_px=SIDE_MULTIPLE_PX,
        output_stride_px=1,
        cells_per_chop=1,
        chop_stride_px=1,
        padded=True,
    )
