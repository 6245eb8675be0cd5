"""A classifier of whole images: features of a published network, averaged, and a head of two layers.

King, Levik, Sandy and Basham (2024), Acta Cryst. D80, 744-764, section 3.1.4: in place of the network's own last layer
stand two fully connected ones with batch normalisation, and a dropout of 0.4 before the last. In the first epoch they
learn alone, on features as ImageNet left them.
"""

import torch
from torch import Tensor, nn

HIDDEN, DROPPED = 512, 0.4  #: width of the first layer; share of its numbers that are left out while it learns


class ImageClassifier(nn.Module):
    """Logits of the classes of whole images, a map of one cell each."""

    def __init__(self, features: nn.Module, width: int, classes: int) -> None:
        """Put a head for `classes` on a network whose last map has `width` channels."""
        super().__init__()
        self.features = features
        self.first = nn.Sequential(nn.BatchNorm2d(width), nn.Conv2d(width, HIDDEN, 1, bias=False), nn.ReLU())
        self.second = nn.Sequential(nn.BatchNorm2d(HIDDEN), nn.Dropout(DROPPED))
        self.head = nn.Conv2d(HIDDEN, classes, 1)
        self._head_alone = False

    def teach(self, *, head_alone: bool) -> None:
        """Have everything learn from now on, or the head alone; to be said after `train`, for each step.

        Features that do not learn keep the statistics of their batch normalisations, too.
        """
        self._head_alone = head_alone
        if head_alone:
            self.features.eval()

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (N, classes, 1, 1) of images (N, channels, side, side)."""
        seen = self._seen(x).mean(dim=(2, 3), keepdim=True)  # (N, width, 1, 1), from 16 x 16
        logits: Tensor = self.head(self.second(self.first(seen)))  # (N, classes, 1, 1)
        return logits

    def _seen(self, x: Tensor) -> Tensor:
        if not (self._head_alone and self.training):
            return self.features(x)  # type: ignore[no-any-return]
        with torch.no_grad():
            return self.features(x)  # type: ignore[no-any-return]
