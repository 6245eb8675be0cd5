"""Networks by name."""

from collections.abc import Callable

from torch import nn

from crystal_search.errors import UnknownNameError
from crystal_search.networks.squeezenet import SqueezeNet

#: What makes a classifier of so many classes, by the name that a model card gives as ``architecture``.
BUILDERS: dict[str, Callable[[int], nn.Module]] = {
    "squeezenet": SqueezeNet,
}


def build(name: str, classes: int) -> nn.Module:
    """Return a new network `name` for `classes` classes, its weights drawn from torch's global generator.

    Raises
    ------
    UnknownNameError
        If there is no such network; the message lists those there are.
    """
    if name not in BUILDERS:
        raise UnknownNameError(f"no network {name!r}; choose from {', '.join(sorted(BUILDERS))}")
    return BUILDERS[name](classes)
