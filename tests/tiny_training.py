"""``crystal-search`` with two tiny networks beside its own: a program for tests that start and kill trainings."""

import sys
from collections.abc import Callable

from torch import Tensor, nn

from crystal_search.main import main
from crystal_search.networks.architectures import ARCHITECTURES, Architecture


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


def plain(classes: int, channels: int) -> nn.Module:
    """Return a network that gives the same numbers however a batch is divided."""
    return Tiny(classes, channels)


def random(classes: int, channels: int) -> nn.Module:
    """Return a network whose training draws random numbers and remembers statistics."""
    return Tiny(classes, channels, nn.BatchNorm2d(4), nn.Dropout(0.3))


def tiny(name: str, build: Callable[[int, int], nn.Module]) -> Architecture:
    """Return the entry of a tiny network for the registry."""
    return Architecture(
        name=name,
        build=build,
        paper="none",
        weight_layers=2,
        padded=True,
        side_px=256,
        output_stride_px=64,
        cells_per_chop=4,
        chop_stride_px=64,
    )


TINY = {each.name: each for each in (tiny("plain", plain), tiny("random", random))}

if __name__ == "__main__":
    ARCHITECTURES.update(TINY)
    sys.exit(main())
