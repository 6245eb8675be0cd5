"""A running mean of the weights of the last steps, which answers better than the weights of any one step.

Exponential, as in Tarvainen and Valpola (2017), arXiv:1703.01780; statistics of batch normalisation go with them.
"""

from copy import deepcopy

import torch
from torch import nn


class MeanWeights:
    """A network whose weights follow those of another one slowly."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = deepcopy(network).requires_grad_(requires_grad=False)
        self.decay = decay

    def follow(self, network: nn.Module, step: int) -> None:
        """Take up the weights of `network` after step number `step`, from 0; the first steps are soon forgotten."""
        part = max(1 - self.decay, 9 / (10 + step))
        with torch.no_grad():
            for mean, new in zip(self.network.state_dict().values(), network.state_dict().values(), strict=True):
                if mean.is_floating_point():
                    mean.lerp_(new, part)
                else:
                    mean.copy_(new)
