"""Mask R-CNN: it proposes boxes, then says of each what it holds, where exactly, and which of its pixels.

He et al. (2017), arXiv:1703.06870, on a feature pyramid, Lin et al. (2017), arXiv:1612.03144, of the parts of
torchvision; its version 2 of the one on ResNet50 has the heads of Li et al. (2021), arXiv:2111.11429. The light one has
ResNet18 below and heads a quarter as wide. torchvision is imported where one is built, and nowhere else.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from crystal_search.crystals.instances import CORNERS, INSTANCES, MASK_SIDE, MASKS
from crystal_search.errors import UserError
from crystal_search.model_card import Output

SIDE_MULTIPLE_PX = 32
#: Sides of anchors at strides of 4, 8, 16, 32 and 64 px: crystals are smaller than what these networks were made for
#: (Bischoff et al. 2022, Table 1), and drops, which the coarsest level is left to, larger.
ANCHORS_PX, RATIOS = (8, 16, 32, 96, 384), (0.5, 1.0, 2.0)
MOST_INSTANCES, LEAST_PROBABILITY = 300, 0.05  #: of an image, in its answer
LIGHT_WIDTH, LIGHT_HEAD = 64, 256  #: channels of the light one's pyramid and masks; of what its boxes are read from
LOSSES = {  # by what they are called here
    "loss_objectness": "proposed",
    "loss_rpn_box_reg": "proposed_box",
    "loss_classifier": "class",
    "loss_box_reg": "box",
    "loss_mask": "mask",
}


def outputs(classes: tuple[str, ...]) -> tuple[Output, ...]:
    """Return what such a network answers that tells `classes` apart, the first of them crystals."""
    return (
        Output(name=INSTANCES, classes=classes),
        Output(name=CORNERS, numbers=4),
        Output(name=MASKS, numbers=MASK_SIDE**2),
    )


class MaskRcnn(nn.Module):
    """A detector of torchvision that sees normalised views as they are, and answers as model files do.

    Parameters
    ----------
    detector
        A `torchvision.models.detection.MaskRCNN`.
    classes
        How many it tells apart, without the background.
    """

    def __init__(self, detector: nn.Module, classes: int) -> None:
        super().__init__()
        self.detector, self.classes = detector, classes

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return what is found in one view (1, channels, H, W), whose sides are multiples of `SIDE_MULTIPLE_PX`.

        Returns
        -------
        tuple of Tensor
            Of n instances the probabilities of the classes (1, classes, n, 1); top, left, bottom and right
            (1, 4, n, 1), px; and the probabilities of the cells of their masks (1, `MASK_SIDE` squared, n, 1).
        """
        from torchvision.models.detection.image_list import ImageList

        parts: Any = self.detector
        shape = [(x.shape[2], x.shape[3])]
        features = parts.backbone(x)
        proposals, _ = parts.rpn(ImageList(x, shape), features)
        (found,), _ = parts.roi_heads(features, proposals, shape)
        kinds = torch.arange(1, self.classes + 1, device=x.device)[:, None]
        probabilities = torch.where(found["labels"] == kinds, found["scores"], torch.zeros_like(found["scores"]))
        corners = found["boxes"].T[[1, 0, 3, 2]]  # (4, n)
        masks = found["masks"].flatten(1).T  # (MASK_SIDE squared, n)
        answers = tuple(each[None, :, :, None] for each in (probabilities, corners, masks))
        return answers[0], answers[1], answers[2]

    def losses(self, views: Tensor, instances: Tensor) -> dict[str, Tensor]:
        """Return what the network is charged for views (N, channels, S, S), by the names of `LOSSES`.

        Of the boxes that are proposed some are drawn to learn from; while the network is only judged, always the same.

        Parameters
        ----------
        instances
            (N, most instances of a view, S, S): each plane is one instance, of class 1 or 2 where it is, else 0.
        """
        targets = [_told(each) for each in instances]
        if self.training:
            found = self.detector(list(views), targets)
        else:
            with _taught(self.detector), torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                found = self.detector(list(views), targets)
        return {name: found[theirs] for theirs, name in LOSSES.items()}


@contextmanager
def _taught(detector: nn.Module) -> Iterator[None]:
    """Have a detector answer with losses, its layers as they are when it is used."""
    parts: Any = detector
    switched = (detector, parts.transform, parts.rpn, parts.roi_heads)
    for each in switched:
        each.training = True
    try:
        yield
    finally:
        for each in switched:
            each.training = False


def _told(instances: Tensor) -> dict[str, Tensor]:
    """Return boxes, classes and masks of the instances (M, S, S) of a view, as torchvision wants them."""
    kinds = instances.flatten(1).amax(dim=1) if len(instances) else instances.new_zeros(0)
    there = kinds > 0
    masks = (instances[there] > 0).to(torch.uint8)  # (n, S, S)
    rows, columns = masks.amax(dim=2), masks.amax(dim=1)  # (n, S) each
    edges = [edge for each in (columns, rows) for edge in _first_and_last(each)]
    boxes = torch.stack((edges[0], edges[2], edges[1] + 1, edges[3] + 1), dim=1).float()  # left, top, right, bottom
    return {"boxes": boxes, "labels": kinds[there].long(), "masks": masks}


def _first_and_last(covered: Tensor) -> tuple[Tensor, Tensor]:
    """Return the first and the last place that is covered, of each of (n, S)."""
    if not len(covered):
        nothing = torch.zeros(0, dtype=torch.long, device=covered.device)
        return nothing, nothing
    return covered.argmax(dim=1), covered.shape[1] - 1 - covered.flip(1).argmax(dim=1)


def mask_rcnn_resnet50(classes: int, channels: int) -> MaskRcnn:
    """Return torchvision's Mask R-CNN of version 2 on ResNet50, weights drawn anew.

    Raises
    ------
    UserError
        If torchvision is not installed, or does not fit torch.
    """
    detection = torchvision().models.detection
    detector = detection.maskrcnn_resnet50_fpn_v2(
        weights=None, weights_backbone=None, num_classes=classes + 1, **_SETTINGS
    )
    detector.backbone.body.conv1 = _stem(channels)
    detector.rpn.anchor_generator = _anchors(detection)
    return MaskRcnn(detector, classes)


def mask_rcnn_light(classes: int, channels: int) -> MaskRcnn:
    """Return a Mask R-CNN on ResNet18 with narrow heads, weights drawn anew.

    Raises
    ------
    UserError
        If torchvision is not installed, or does not fit torch.
    """
    models = torchvision().models
    parts, width = models.detection, LIGHT_WIDTH
    body = models.resnet18(weights=None)
    body.conv1 = _stem(channels)
    levels = {f"layer{number}": str(number - 1) for number in (1, 2, 3, 4)}
    detector = parts.MaskRCNN(
        parts.backbone_utils.BackboneWithFPN(body, levels, [64, 128, 256, 512], width),
        rpn_anchor_generator=_anchors(parts),
        box_head=parts.faster_rcnn.TwoMLPHead(width * 7**2, LIGHT_HEAD),
        box_predictor=parts.faster_rcnn.FastRCNNPredictor(LIGHT_HEAD, classes + 1),
        mask_head=parts.mask_rcnn.MaskRCNNHeads(width, (width,) * 4, 1),
        mask_predictor=parts.mask_rcnn.MaskRCNNPredictor(width, width, classes + 1),
        **_SETTINGS,
    )
    return MaskRcnn(detector, classes)


_SETTINGS: dict[str, Any] = {
    "image_mean": [0.0],  # views are normalised as the card says, and keep their pixels
    "image_std": [1.0],
    "_skip_resize": True,
    "box_detections_per_img": MOST_INSTANCES,
    "box_score_thresh": LEAST_PROBABILITY,
}


def _stem(channels: int) -> nn.Conv2d:
    return nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)


def _anchors(detection: Any) -> Any:
    sizes = tuple((side,) for side in ANCHORS_PX)
    return detection.anchor_utils.AnchorGenerator(sizes, (RATIOS,) * len(sizes))


def torchvision() -> Any:
    """Return the library.

    Raises
    ------
    UserError
        If it is not installed, or was built for another torch.
    """
    try:
        import torchvision
    except ImportError as error:
        raise UserError("torchvision, of whose parts Mask R-CNN is made, is missing: " + INSTALL) from error
    except (RuntimeError, OSError) as error:  # built for another torch: an operator or a library is missing
        raise UserError(f"the torchvision here does not fit torch {torch.__version__} ({error}): {INSTALL}") from error
    return torchvision


INSTALL = "pip install 'crystal-search[mask-rcnn]', which takes a torch that fits it"
