"""``crystal-search`` with tiny networks beside its own: a program for tests that start and kill trainings.

``python -m tests.tiny_training train ... AND train ...`` runs one after the other, until one fails.
"""

import sys
from collections.abc import Callable, Sequence
from itertools import count, groupby

from torch import Tensor, distributed, nn
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous
from torch.nn.functional import adaptive_avg_pool2d

from crystal_search.main import main
from crystal_search.networks.image_classifier import ImageClassifier
from crystal_search.networks.network_kinds import (
    CLASSIFIERS,
    DROP_LOCATORS,
    IMAGE_CLASSIFIERS,
    Architecture,
    Classifier,
)


class Tiny(nn.Module):
    """Logits of every class in 4 x 4 cells of a chop."""

    def __init__(self, classes: int, channels: int, *middle: nn.Module) -> None:
        super().__init__()
        self.entrance = nn.AvgPool2d(8)
        self.first = nn.Conv2d(channels, 4, 4, stride=4)
        self.middle = nn.Sequential(nn.ReLU(), *middle)
        self.head = nn.Conv2d(4, classes, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, classes, 4, 4) for chops (N, channels, 256, 256)."""
        logits: Tensor = self.head(self.middle(self.first(self.entrance(x))))
        return logits

    def at_two_depths(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return maps of as many cells as SqueezeNet's have for crops (N, channels, 288, 288)."""
        logits = self(x)
        return adaptive_avg_pool2d(logits, 6), adaptive_avg_pool2d(logits, 29)


def plain(classes: int, channels: int) -> nn.Module:
    """Return a network that gives the same numbers however a batch is divided."""
    return Tiny(classes, channels)


def random(classes: int, channels: int) -> nn.Module:
    """Return a network whose training draws random numbers and remembers statistics."""
    return Tiny(classes, channels, nn.BatchNorm2d(4), nn.Dropout(0.3))


def random_locator(classes: int, channels: int) -> nn.Module:
    """Return such a network that answers for every pixel."""
    layers = (nn.Conv2d(channels, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.3))
    return nn.Sequential(*layers, nn.Conv2d(4, classes, 1))


def random_of_images(classes: int, channels: int) -> nn.Module:
    """Return such a network that answers once for a whole image."""
    return ImageClassifier(nn.Sequential(nn.Conv2d(channels, 6, 8, 8), nn.BatchNorm2d(6), nn.ReLU()), 6, classes)


def tiny(name: str, build: Callable[[int, int], nn.Module]) -> Classifier:
    """Return the entry of a tiny classifier for the registry."""
    return Classifier(
        name=name,
        build=build,
        tasks=("chops", "cells"),
        paper="none",
        weight_layers=2,
        padded=True,
        side_px=256,
        output_stride_px=64,
        cells_per_chop=4,
    )


TINY = {each.name: each for each in (tiny("plain", plain), tiny("random", random))}
TINY_LOCATOR = Architecture(
    name="random-locator", build=random_locator, tasks=("drops",), paper="none", weight_layers=2, padded=True
)
TINY_IMAGE = Architecture(
    name="random-image", build=random_of_images, tasks=("images",), paper="none", weight_layers=3, padded=True
)

AND = "AND"  #: between the words of one command and those of the next


def in_turn(*commands: Sequence[str]) -> list[str]:
    """Return the words of commands as `main_of_each` takes them."""
    return [word for command in commands for word in (AND, *command)][1:]


def main_of_each(words: Sequence[str]) -> int:
    """Run commands until one fails, and return its exit code."""
    groups = [list(group) for different, group in groupby(words, key=AND.__ne__) if different]
    if len(groups) > 1:
        join_again_and_again()
    return next(filter(None, map(main, groups)), 0)


def join_again_and_again() -> None:
    """Let processes that ``torchrun`` started join for each training anew: what they told each other then is over."""
    (store, rank, size), join, number = next(rendezvous("env://")), distributed.init_process_group, count()

    def joined(backend: str) -> None:
        told_apart = PrefixStore(f"training {next(number)}", store)
        join(backend, store=told_apart, rank=rank, world_size=size)

    distributed.init_process_group = joined  # type: ignore[assignment]


if __name__ == "__main__":
    CLASSIFIERS.update(TINY)
    IMAGE_CLASSIFIERS[TINY_IMAGE.name] = TINY_IMAGE
    DROP_LOCATORS[TINY_LOCATOR.name] = TINY_LOCATOR
    sys.exit(main_of_each(sys.argv[1:]))
