"""What the cards of our networks say before anything was trained or measured."""

from crystal_search.artefacts import ModelCard
from crystal_search.networks import squeezenet
from crystal_search.outcomes import OUTCOME_NAMES
from crystal_search.unet_drop.network import SIDE_MULTIPLE_PX

CLASSIFIER_WIDTH_PX, CLASSIFIER_NORMALISATION = 1224, "local-contrast-1"
DROP_WIDTH_PX, DROP_NORMALISATION = 256, "centred-1"
CHOP_STRIDE_PX = 48  #: three cells; about the 50 px that Thielmann et al. (2023) found best


def classifier_card(name: str) -> ModelCard:
    """Return the card of an unpadded SqueezeNet, file and hash still to be filled in."""
    return ModelCard(
        name=name,
        kind="classifier",
        file=f"{name}.onnx",
        sha256="0" * 64,
        architecture="squeezenet",
        classes=OUTCOME_NAMES,
        working_width_px=CLASSIFIER_WIDTH_PX,
        normalisation=CLASSIFIER_NORMALISATION,
        side_px=squeezenet.CHOP_SIDE_PX,
        output_stride_px=squeezenet.OUTPUT_STRIDE_PX,
        cells_per_chop=squeezenet.CELLS_PER_CHOP,
        chop_stride_px=CHOP_STRIDE_PX,
        padded=False,
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
