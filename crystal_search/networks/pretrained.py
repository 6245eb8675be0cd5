"""ImageNet weights from torchvision, where it can be imported and can fetch them; else a training begins from scratch.

torchvision's networks are the published ones: padded, most without batch normalisation, for three colours and 1000
classes. What fits is taken, layer by layer:

* A convolution's weights as they are; for grey images, the first one's summed over the colours.
* Its bias, where torchvision has one and we have a batch normalisation: in the normalisation's shift if torchvision
  has none there, else taken off the normalisation's mean. Both give the same numbers as the bias.
* Everything from the first layer of the head on stays random: it has other shapes, or reads what has them.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pickle import UnpicklingError

import torch
from torch import Tensor, nn

from crystal_search.errors import UserError
from crystal_search.networks.network_kinds import classifier_named

log = logging.getLogger(__name__)

#: torchvision's names of the networks and of the enumerations that know where their weights are.
TORCHVISION = {
    "alexnet": "AlexNet_Weights",
    "vgg16": "VGG16_BN_Weights",
    "resnet50": "ResNet50_Weights",
    "squeezenet": "SqueezeNet1_1_Weights",
}
STATISTICS = ("weight", "bias", "running_mean", "running_var")

#: No network (URLError is an OSError) or a full disk; a file of another hash or a broken one; an old torchvision.
FETCH_ERRORS = (OSError, RuntimeError, UnpicklingError, EOFError, AttributeError)


class PretrainedUnavailableError(UserError):
    """No ImageNet weights can be had here; `load_imagenet` says why and the training begins from scratch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pretrained:
    """What a network got from ImageNet."""

    taken: int  #: tensors of the network that were set, those of batch normalisation among them
    random: tuple[str, ...]  #: names of the tensors that did not, in the network's order
    unavailable: str = ""  #: why nothing was taken: one sentence for people; empty when something was


@dataclass(frozen=True, slots=True)
class _Pair:
    """A convolution of ours with its batch normalisation, and theirs."""

    ours: str  #: prefix of a `layers.convolution`: layer 0 convolves, layer 1 normalises
    convolution: str  #: prefix in torchvision's state
    normalisation: str = ""  #: prefix in torchvision's state; empty: it has a bias instead


def load_imagenet(network: nn.Module, architecture: str) -> Pretrained:
    """Put ImageNet weights into `network`, built as `architecture`, or say why there are none.

    Without torchvision, or without a way to the weights, the network is left as it is, a warning is logged, and the
    same sentence is returned in ``unavailable``.

    Raises
    ------
    UnknownNameError
        If there is no such architecture.
    """
    classifier_named(architecture)
    try:
        state = download(architecture)
    except PretrainedUnavailableError as reason:
        log.warning("%s", reason)
        return Pretrained(taken=0, random=_names(network), unavailable=str(reason))
    found = take(network, architecture, state)
    log.info("took %d tensors of ImageNet weights; %d begin as drawn", found.taken, len(found.random))
    return found


def download(architecture: str) -> Mapping[str, Tensor]:
    """Return torchvision's ImageNet state of `architecture`; it keeps the file in torch's cache.

    Raises
    ------
    PretrainedUnavailableError
        If torchvision is missing, does not run beside this torch, or cannot fetch or check the file.
    """
    try:
        models = import_module("torchvision.models")
    except ImportError as error:
        raise _unavailable("torchvision is not installed", error) from error
    except (RuntimeError, OSError) as error:  # built for another torch: an operator or a library is missing
        raise _unavailable(f"the installed torchvision does not fit torch {torch.__version__}", error) from error
    try:
        weights = getattr(models, TORCHVISION[architecture]).IMAGENET1K_V1
        state: Mapping[str, Tensor] = weights.get_state_dict(progress=False, check_hash=True)
    except FETCH_ERRORS as error:
        raise _unavailable(f"torchvision could not fetch those of {architecture}", error) from error
    return state


def _unavailable(reason: str, error: Exception) -> PretrainedUnavailableError:
    return PretrainedUnavailableError(f"No ImageNet weights: {reason} ({error}); training from scratch.")


def take(network: nn.Module, architecture: str, state: Mapping[str, Tensor]) -> Pretrained:
    """Put into `network` what fits of torchvision's `state` of the same architecture.

    Raises
    ------
    UserError
        If the state is not that of torchvision's network; the network is then as it was.
    """
    own = network.state_dict()
    fitting: dict[str, Tensor] = {}
    for pair in PAIRS[architecture]():
        try:
            fitting |= _converted(pair, state, own)
        except KeyError as error:
            raise UserError(
                f"the ImageNet weights have no {error}, which torchvision's {architecture} has; "
                "install another torchvision"
            ) from error
    if wrong := [name for name, values in fitting.items() if values.shape != own[name].shape]:
        raise UserError(
            f"{wrong[0]} of {architecture} has shape {tuple(own[wrong[0]].shape)}, "
            f"the ImageNet weights {tuple(fitting[wrong[0]].shape)}; install another torchvision"
        )
    network.load_state_dict(fitting, strict=False)
    return Pretrained(taken=len(fitting), random=tuple(name for name in _names(network) if name not in fitting))


def _names(network: nn.Module) -> tuple[str, ...]:
    return tuple(name for name in network.state_dict() if not name.endswith("num_batches_tracked"))


def _converted(pair: _Pair, state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a pair's tensors under our names."""
    kernel = state[f"{pair.convolution}.weight"]  # (out, in, rows, columns)
    if own[f"{pair.ours}.0.weight"].shape[1] == 1 and kernel.shape[1] == 3:
        kernel = kernel.sum(dim=1, keepdim=True)  # (out, 1, rows, columns)
    if pair.normalisation:
        theirs = [state[f"{pair.normalisation}.{name}"] for name in STATISTICS]
        theirs[2] = theirs[2] - state.get(f"{pair.convolution}.bias", 0.0)
    else:
        shift = state[f"{pair.convolution}.bias"]
        theirs = [torch.ones_like(shift), shift, torch.zeros_like(shift), torch.ones_like(shift)]
    normalisation = {f"{pair.ours}.1.{name}": values for name, values in zip(STATISTICS, theirs, strict=True)}
    return {f"{pair.ours}.0.weight": kernel} | normalisation


def _alexnet() -> Iterator[_Pair]:
    for number, theirs in enumerate((0, 3, 6, 8, 10), start=1):
        yield _Pair(f"convolution_{number}", f"features.{theirs}")


def _vgg16() -> Iterator[_Pair]:
    position = 0  # in torchvision's list: convolution, normalisation, ReLU; a pooling after every block
    for block, convolutions in enumerate((2, 2, 3, 3, 3), start=1):
        for number in range(convolutions):
            yield _Pair(f"block_{block}.{number}", f"features.{position}", f"features.{position + 1}")
            position += 3
        position += 1


def _resnet50() -> Iterator[_Pair]:
    yield _Pair("stem", "conv1", "bn1")
    for stage, blocks in enumerate((3, 4, 6, 3), start=1):
        for block in range(blocks):
            ours, theirs = f"stage_{stage}.{block}", f"layer{stage}.{block}"
            for number, part in enumerate(("squeeze", "look", "expand"), start=1):
                yield _Pair(f"{ours}.{part}", f"{theirs}.conv{number}", f"{theirs}.bn{number}")
            if block == 0:
                yield _Pair(f"{ours}.shortcut", f"{theirs}.downsample.0", f"{theirs}.downsample.1")


def _squeezenet() -> Iterator[_Pair]:
    yield _Pair("stem", "features.0")
    fires = (("fires_2_3", (3, 4)), ("fires_4_5", (6, 7)), ("fires_6_9", (9, 10, 11, 12)))
    for group, positions in fires:
        for number, position in enumerate(positions):
            ours, theirs = f"{group}.{number}", f"features.{position}"
            yield _Pair(f"{ours}.squeeze", f"{theirs}.squeeze")
            yield _Pair(f"{ours}.expand_1x1", f"{theirs}.expand1x1")
            yield _Pair(f"{ours}.expand_3x3", f"{theirs}.expand3x3")


PAIRS: dict[str, Callable[[], Iterator[_Pair]]] = {
    "alexnet": _alexnet,
    "vgg16": _vgg16,
    "resnet50": _resnet50,
    "squeezenet": _squeezenet,
}
