"""Networks by name, and what each is to the client: sides, strides, padding."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from crystal_search.errors import UnknownNameError
from crystal_search.networks import alexnet, resnet50, squeezenet, vgg16
from crystal_search.networks.alexnet import AlexNet
from crystal_search.networks.resnet50 import ResNet50
from crystal_search.networks.squeezenet import CHOP_SIDE_PX, SqueezeNet, wide_squeezenet
from crystal_search.networks.vgg16 import Vgg16


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A classifier of chops that can be built for any number of classes."""

    name: str
    build: Callable[[int, int], nn.Module]  #: from numbers of classes and of input channels (1 or 3)
    paper: str
    weight_layers: int  #: convolutional and fully connected layers, as Table 2 of Thielmann et al. (2023) counts
    padded: bool  #: convolutions pad with zeros, so that it is scored windowed
    side_px: int  #: of a chop
    output_stride_px: int
    cells_per_chop: int  #: cells of the output map on a side of a chop; their mean is the chop's logits
    chop_stride_px: int  #: between neighbouring chops in scoring; a multiple of the output stride


#: All classifiers by the name that a model card gives as ``architecture``. Chops lie at the multiple of the output
#: stride that is nearest to the 50 px which Thielmann et al. (2023) found best.
ARCHITECTURES: dict[str, Architecture] = {
    each.name: each
    for each in (
        Architecture(
            name="alexnet",
            build=AlexNet,
            paper="Krizhevsky et al. (2012), Advances in Neural Information Processing Systems 25",
            weight_layers=8,
            padded=False,
            side_px=CHOP_SIDE_PX,
            output_stride_px=alexnet.OUTPUT_STRIDE_PX,
            cells_per_chop=alexnet.CELLS_PER_CHOP,
            chop_stride_px=64,
        ),
        Architecture(
            name="vgg16",
            build=Vgg16,
            paper="Simonyan and Zisserman (2015), arXiv:1409.1556",
            weight_layers=16,
            padded=False,
            side_px=CHOP_SIDE_PX,
            output_stride_px=vgg16.OUTPUT_STRIDE_PX,
            cells_per_chop=vgg16.CELLS_PER_CHOP,
            chop_stride_px=64,
        ),
        Architecture(
            name="resnet50",
            build=ResNet50,
            paper="He et al. (2016), arXiv:1512.03385",
            weight_layers=50,
            padded=True,
            side_px=CHOP_SIDE_PX,
            output_stride_px=resnet50.OUTPUT_STRIDE_PX,
            cells_per_chop=resnet50.CELLS_PER_CHOP,
            chop_stride_px=64,
        ),
        Architecture(
            name="squeezenet",
            build=SqueezeNet,
            paper="Iandola et al. (2017), arXiv:1602.07360",
            weight_layers=18,
            padded=False,
            side_px=CHOP_SIDE_PX,
            output_stride_px=squeezenet.OUTPUT_STRIDE_PX,
            cells_per_chop=squeezenet.CELLS_PER_CHOP,
            chop_stride_px=48,
        ),
        Architecture(
            name="squeezenet-wide",
            build=wide_squeezenet,
            paper="Iandola et al. (2017), arXiv:1602.07360",
            weight_layers=18,
            padded=False,
            side_px=CHOP_SIDE_PX,
            output_stride_px=squeezenet.OUTPUT_STRIDE_PX,
            cells_per_chop=squeezenet.CELLS_PER_CHOP,
            chop_stride_px=48,
        ),
    )
}


def architecture_named(name: str) -> Architecture:
    """Return the architecture called `name`.

    Raises
    ------
    UnknownNameError
        If there is no such network; the message lists those there are.
    """
    if name not in ARCHITECTURES:
        raise UnknownNameError(f"no network {name!r}; choose from {', '.join(sorted(ARCHITECTURES))}")
    return ARCHITECTURES[name]


def build(name: str, classes: int, channels: int = 1) -> nn.Module:
    """Return a new network `name`, its weights drawn from torch's global generator.

    It maps images (N, channels, H, W) to logits (N, classes, h, w), one cell for every output stride.

    Raises
    ------
    UnknownNameError
        If there is no such network.
    """
    return architecture_named(name).build(classes, channels)
