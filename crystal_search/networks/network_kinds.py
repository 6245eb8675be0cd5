"""Networks by name, and what each is to the client: sides, strides, padding; its card before it is measured."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from torch import nn

from crystal_search.images import WORKING_WIDTH_PX
from crystal_search.known_names import among
from crystal_search.model_card import DENSE, INSTANCES, ClassifierCard, CrystalCard, DropCard, ImageCard, Output
from crystal_search.networks import (
    alexnet,
    convnext,
    dense_crystals,
    efficientnet_lite,
    mask_rcnn,
    resnet50,
    squeezenet,
    vgg16,
)
from crystal_search.networks.alexnet import AlexNet
from crystal_search.networks.convnext import ConvNextTiny
from crystal_search.networks.dense_crystals import DenseCrystals
from crystal_search.networks.efficientnet_lite import EfficientNetLite0
from crystal_search.networks.image_classifier import ImageClassifier
from crystal_search.networks.resnet50 import ResNet50, ResNet50Features
from crystal_search.networks.squeezenet import CHOP_SIDE_PX, SqueezeNet, wide_squeezenet
from crystal_search.networks.vgg16 import Vgg16
from crystal_search.outcomes import OUTCOME_NAMES
from crystal_search.unet_drop.network import SIDE_MULTIPLE_PX, UNet

BEST_STRIDE_PX = 50  #: between chops
CLASSIFIER_WIDTH_PX, CLASSIFIER_NORMALISATION = WORKING_WIDTH_PX, "local-contrast-1"
DROP_WIDTH_PX, DROP_NORMALISATION = 256, "centred-1"
CRYSTAL_NORMALISATION = "local-contrast-1"
CRYSTAL, DROP = "crystal", "drop"  #: what detectors tell apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A network that can be built and trained."""

    name: str
    build: Callable[[int, int], nn.Module]  #: from numbers of classes and of input channels (1 or 3)
    paper: str
    weight_layers: int  #: convolutional and fully connected layers, as Table 2 of Thielmann et al. (2023) counts
    padded: bool = False  #: convolutions pad with zeros
    tasks: tuple[str, ...] = ("chops",)  #: in which it can be trained, by the names that ``crystal-search train`` takes


Kind = TypeVar("Kind", bound=Architecture)


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector(Architecture):
    """A detector of single crystals."""

    decoding: str  #: how crystals are read from its answers, a key of `crystals.finding.DECODINGS`
    outputs: Callable[[tuple[str, ...]], tuple[Output, ...]]  #: from the names of its classes
    side_multiple_px: int  #: of what it sees
    margin_px: int = 0  #: of its surroundings that a tile needs
    classes: int = 1  #: that it can tell apart at most
    peak_rate: float  #: of one cycle, where no other is asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Classifier(Architecture):
    """A classifier of chops, for any number of classes; a padded one is scored windowed."""

    side_px: int = CHOP_SIDE_PX  #: of a chop
    output_stride_px: int
    cells_per_chop: int  #: cells of the output map on a side of a chop; their mean is the chop's logits

    @property
    def chop_stride_px(self) -> int:
        """Return what lies between neighbouring chops in scoring.

        It is the multiple of the output stride that is nearest to the 50 px which Thielmann et al. (2023) found best.
        """
        return self.output_stride_px * round(BEST_STRIDE_PX / self.output_stride_px)


_SQUEEZENET = Classifier(
    name="squeezenet",
    build=SqueezeNet,
    tasks=("chops", "cells"),
    paper="Iandola et al. (2017), arXiv:1602.07360",
    weight_layers=18,
    output_stride_px=squeezenet.OUTPUT_STRIDE_PX,
    cells_per_chop=squeezenet.CELLS_PER_CHOP,
)
#: All classifiers by the name that a model card gives as ``architecture``.
CLASSIFIERS: dict[str, Classifier] = {
    each.name: each
    for each in (
        Classifier(
            name="alexnet",
            build=AlexNet,
            paper="Krizhevsky et al. (2012), Advances in Neural Information Processing Systems 25",
            weight_layers=8,
            output_stride_px=alexnet.OUTPUT_STRIDE_PX,
            cells_per_chop=alexnet.CELLS_PER_CHOP,
        ),
        Classifier(
            name="vgg16",
            build=Vgg16,
            paper="Simonyan and Zisserman (2015), arXiv:1409.1556",
            weight_layers=16,
            output_stride_px=vgg16.OUTPUT_STRIDE_PX,
            cells_per_chop=vgg16.CELLS_PER_CHOP,
        ),
        Classifier(
            name="resnet50",
            build=ResNet50,
            paper="He et al. (2016), arXiv:1512.03385",
            weight_layers=50,
            padded=True,
            output_stride_px=resnet50.OUTPUT_STRIDE_PX,
            cells_per_chop=resnet50.CELLS_PER_CHOP,
        ),
        _SQUEEZENET,
        replace(_SQUEEZENET, name="squeezenet-wide", build=wide_squeezenet),
    )
}


#: All drop locators. They answer with one map, of grey images.
DROP_LOCATORS: dict[str, Architecture] = {
    "u-net": Architecture(
        name="u-net",
        build=lambda classes, channels: UNet(),
        tasks=("drops",),
        paper="Ronneberger, Fischer and Brox (2015), arXiv:1505.04597",
        weight_layers=25,
        padded=True,
    )
}


def _image_classifier(name: str, features: Callable[[int], nn.Module], width: int, **about: Any) -> Architecture:
    """Return the entry of a network that classifies whole images by the mean of features of so many channels."""

    def built(classes: int, channels: int) -> nn.Module:
        return ImageClassifier(features(channels), width, classes)

    return Architecture(name=name, build=built, tasks=("images",), padded=True, **about)


#: All classifiers of whole images.
IMAGE_CLASSIFIERS: dict[str, Architecture] = {
    each.name: each
    for each in (
        _image_classifier(
            "efficientnet-lite0",
            EfficientNetLite0,
            efficientnet_lite.FEATURES,
            paper="Tan and Le (2019), arXiv:1905.11946",
            weight_layers=51,
        ),
        _image_classifier(
            "convnext-tiny",
            ConvNextTiny,
            convnext.FEATURES,
            paper="Liu et al. (2022), arXiv:2201.03545",
            weight_layers=60,
        ),
        _image_classifier(
            "resnet50-image",
            ResNet50Features,
            resnet50.FEATURES,
            paper="He et al. (2016), arXiv:1512.03385",
            weight_layers=51,
        ),
    )
}
_MASK_RCNN = Detector(
    name="mask-rcnn-resnet50",
    build=mask_rcnn.mask_rcnn_resnet50,
    tasks=("crystals",),
    paper="He et al. (2017), arXiv:1703.06870; Li et al. (2021), arXiv:2111.11429",
    weight_layers=78,
    padded=True,
    decoding=INSTANCES,
    outputs=mask_rcnn.outputs,
    side_multiple_px=mask_rcnn.SIDE_MULTIPLE_PX,
    classes=2,
    peak_rate=5e-4,
)
#: All detectors of single crystals, of grey images. They answer with several maps, or with instances.
CRYSTAL_DETECTORS: dict[str, Detector] = {
    each.name: each
    for each in (
        Detector(
            name="dense-crystals",
            build=lambda classes, channels: DenseCrystals(),
            tasks=("crystals",),
            paper="Tian et al. (2019), arXiv:1904.01355; Zhou et al. (2019), arXiv:1904.07850",
            weight_layers=27,
            padded=True,
            decoding=DENSE,
            outputs=lambda classes: dense_crystals.OUTPUTS,
            side_multiple_px=dense_crystals.SIDE_MULTIPLE_PX,
            margin_px=dense_crystals.MARGIN_PX,
            peak_rate=3e-3,
        ),
        _MASK_RCNN,
        replace(_MASK_RCNN, name="mask-rcnn-light", build=mask_rcnn.mask_rcnn_light, weight_layers=41, peak_rate=1e-3),
    )
}
#: All networks, by the role of the models that become of them.
NETWORKS: dict[str, Mapping[str, Architecture]] = {
    "classifier": CLASSIFIERS,
    "drop": DROP_LOCATORS,
    "image": IMAGE_CLASSIFIERS,
    "crystals": CRYSTAL_DETECTORS,
}


def classifier_named(name: str) -> Classifier:
    """Return the classifier called `name`.

    Raises
    ------
    UnknownNameError
        If there is no such network; the message lists those there are.
    """
    return among(CLASSIFIERS, name, "network")


def network_for(task: str, name: str) -> Architecture:
    """Return the network called `name`, which can be trained in a task.

    Raises
    ------
    UnknownNameError
        If there is no such network, or it does not claim that task; the message lists those that do.
    """
    known = _all()
    fitting = {each: network for each, network in known.items() if task in network.tasks}
    return among(fitting, name, "network", which=f"that can be trained on {task}" if name in known else "")


def build(name: str, classes: int, channels: int = 1) -> nn.Module:
    """Return a new network `name`, its weights drawn from torch's global generator.

    A classifier maps images (N, channels, H, W) to logits (N, classes, h, w), one cell for every output stride.

    Raises
    ------
    UnknownNameError
        If there is no such network.
    """
    return among(_all(), name, "network").build(classes, channels)


def _all() -> dict[str, Architecture]:
    return {name: network for kind in NETWORKS.values() for name, network in kind.items()}


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


def image_classifier_card(
    name: str, architecture: str, *, classes: Sequence[str], normalisation: str, side_px: int
) -> ImageCard:
    """Return the card of a classifier of whole images, file and hash still to be filled in."""
    return ImageCard(
        name=name,
        file=f"{name}.onnx",
        sha256="0" * 64,
        architecture=architecture,
        outputs=(Output(classes=tuple(classes)),),
        working_width_px=side_px,
        normalisation=normalisation,
    )


def detector_named(name: str) -> Detector:
    """Return the detector of single crystals called `name`.

    Raises
    ------
    UnknownNameError
        If there is no such network; the message lists those there are.
    """
    return among(CRYSTAL_DETECTORS, name, "network")


def crystal_detector_card(
    name: str, architecture: str, *, normalisation: str, working_width_px: int, classes: Sequence[str] = (CRYSTAL,)
) -> CrystalCard:
    """Return the card of a detector of single crystals, file and hash still to be filled in.

    Raises
    ------
    UnknownNameError
        If there is no such architecture.
    """
    network = detector_named(architecture)
    return CrystalCard(
        name=name,
        file=f"{name}.onnx",
        sha256="0" * 64,
        architecture=architecture,
        outputs=network.outputs(tuple(classes)),
        working_width_px=working_width_px,
        normalisation=normalisation,
        side_multiple_px=network.side_multiple_px,
        margin_px=network.margin_px,
        decoding=network.decoding,
    )
