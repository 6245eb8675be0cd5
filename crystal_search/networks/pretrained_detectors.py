"""Published weights of detectors: of all of Mask R-CNN on COCO, or of what lies below it on ImageNet."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from crystal_search.errors import UserError
from crystal_search.networks.imagenet_layers import colours_summed
from crystal_search.networks.pretrained import fetched

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """Where weights of a detector are, and what of it they are."""

    module: str  #: of torchvision, which has the enumeration
    enumeration: str
    member: str
    prefix: str  #: of our names, before theirs


PUBLISHED: dict[str, Published] = {
    "mask-rcnn-resnet50": Published(
        module="torchvision.models.detection",
        enumeration="MaskRCNN_ResNet50_FPN_V2_Weights",
        member="COCO_V1",
        prefix="detector.",
    ),
    "mask-rcnn-light": Published(
        module="torchvision.models",
        enumeration="ResNet18_Weights",
        member="IMAGENET1K_V1",
        prefix="detector.backbone.body.",
    ),
}


def check_published(architecture: str) -> None:
    """Refuse an architecture of which no weights are published.

    Raises
    ------
    UserError
        That says of which there are some.
    """
    if architecture not in PUBLISHED:
        raise UserError(f"no weights of {architecture} are published, but of {', '.join(PUBLISHED)}")


def take_published(network: nn.Module, architecture: str) -> None:
    """Put published weights into `network`, built as `architecture`, as far as they fit.

    Of the first convolution they are summed over the colours; what tells their classes apart is left out.

    Raises
    ------
    PretrainedUnavailableError
        If they cannot be had here.
    """
    place = PUBLISHED[architecture]
    taken = take(network, fetched(place.module, place.enumeration, place.member, architecture), place)
    log.info("took %d of %d tensors of published weights", taken, len(network.state_dict()))


def take(network: nn.Module, state: Mapping[str, Tensor], place: Published) -> int:
    """Put into `network` what fits of a published `state`; return how many tensors that is.

    Raises
    ------
    UserError
        If nothing fits: the state is of another network.
    """
    own = network.state_dict()
    named = {f"{place.prefix}{name}": values for name, values in state.items()}
    summed = {name: colours_summed(values, own[name]) for name, values in named.items() if name in own}
    fitting = {name: values for name, values in summed.items() if values.shape == own[name].shape}
    if not fitting:
        raise UserError(f"{place.enumeration} of this torchvision are of another network; install another torchvision")
    network.load_state_dict(fitting, strict=False)
    return len(fitting)
