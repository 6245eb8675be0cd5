"""Training of the drop locator: on photographs with masks in a packed dataset, or on rendered wells."""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from crystal_search.datasets.packed import ABOUT, open_dataset, sampled
from crystal_search.datasets.rendered_shards import Shard, ShardsInUse, read_shard, shard_names
from crystal_search.errors import UserError
from crystal_search.images import Grey, resized
from crystal_search.model import default_model
from crystal_search.model_card import DropCard
from crystal_search.networks.cards import DROP_NORMALISATION, DROP_WIDTH_PX
from crystal_search.training.cell_training import Plan, Training, Whereabouts
from crystal_search.training.checkpoints import BEST, save_checkpoint
from crystal_search.training.learning_curve import draw_curve
from crystal_search.training.mask_source import (
    EMPTY_SHARE,
    MaskSource,
    known_drop,
    masked_wells,
    seen_differently,
    stacked,
)
from crystal_search.training.resident_images import ResidentImages
from crystal_search.training.run_record import RunRecord
from crystal_search.training.schedules import Stagnation
from crystal_search.training.shipped_weights import begin_with
from crystal_search.training.trained_locator import locator
from crystal_search.unet_drop.locate import locate_drop
from crystal_search.unet_drop.network import UNet
from crystal_search.unet_drop.regions import Mask, overlap

log = logging.getLogger(__name__)

DICE_SMOOTHING = 50.0  #: pixels; makes the Dice of an empty well well-defined
MOST_VALIDATED = 256  #: images that are looked at in every validation
STEADYING = 32  #: images from which the shipped weights get their statistics
LOSSES: dict[str, tuple[str, ...]] = {"loss": ("loss", "entropy", "dice")}
VALIDATION: dict[str, tuple[str, ...]] = {"intersection over union": ("validation_iou",)}


@dataclass
class ImageSource(ShardsInUse):
    """Draws batches of whole images from the shards that are there; the same step gives the same batch."""

    seed: int
    _full: list[tuple[int, int]] = field(default_factory=list)
    _empty: list[tuple[int, int]] = field(default_factory=list)

    def _take_up(self, number: int, shard: Shard) -> None:
        for well, winner in enumerate(shard.winners):
            (self._empty if winner is None else self._full).append((number, well))

    def batch(self, step: int, size: int) -> tuple[Tensor, Tensor]:
        """Return views (N, 1, 224, 256) float32 and how much of each pixel is drop, the same shape."""
        generator = np.random.default_rng([self.seed, step])
        return stacked(seen_differently(*self._draw(generator), generator) for _ in range(size))

    def _draw(self, generator: np.random.Generator) -> tuple[Grey, Grey]:
        wells = self._empty if self._empty and generator.random() < EMPTY_SHARE else self._full
        shard, well = wells[int(generator.integers(len(wells)))]
        return self.shards[shard].grey[well], self.shards[shard].drops[well]


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """An image that is not trained on, at the width that the network sees, and where its drop is."""

    grey: Grey
    mask: Mask


@dataclass
class DropExaminer:
    """Looks how well drops are found, keeps the best weights, and tells when nothing more is gained."""

    held: Sequence[Held]
    folder: Path
    patience: int  #: examinations without a better one after which to stop; 0: never
    stagnation: Stagnation = field(default_factory=Stagnation)

    @property
    def ended(self) -> bool:
        """Whether nothing more is to be gained."""
        return bool(self.patience) and self.stagnation.since >= self.patience

    def examine(self, step: int, network: nn.Module) -> dict[str, float]:
        """Return the mean intersection over union; weights that did better than all before are kept."""
        if not self.held:
            return {}
        asked = locator(network)
        found = [locate_drop(each.grey, asked) for each in self.held]
        each_iou = [
            overlap(each.mask, drop.mask if drop else None) for each, drop in zip(self.held, found, strict=True)
        ]
        iou = round(float(np.mean(each_iou)), 5)
        if self._seen(iou):
            save_checkpoint(self.folder, step, network, None, {"validation_iou": iou}, name=BEST)
        return {"validation_iou": iou}

    def state(self) -> dict[str, float]:
        """Return what is remembered, for a checkpoint."""
        return asdict(self.stagnation)

    def restore(self, state: Mapping[str, float]) -> None:
        """Remember what a checkpoint says."""
        self.stagnation = Stagnation(state["best"], int(state["since"]))

    def _seen(self, iou: float) -> bool:
        self.stagnation.see(1 - iou)
        return self.stagnation.since == 0


def drop_losses(network: nn.Module, views: Tensor, drops: Tensor) -> dict[str, Tensor]:
    """Return binary cross-entropy and Dice loss by name, their sum as ``loss``; all shapes (N, 1, H, W)."""
    logits = network(views).float()  # (N, 1, H, W)
    entropy = binary_cross_entropy_with_logits(logits, drops)
    found = logits.sigmoid()
    shared, both = (found * drops).sum(dim=(1, 2, 3)), (found + drops).sum(dim=(1, 2, 3))  # (N,)
    dice = 1 - ((2 * shared + DICE_SMOOTHING) / (both + DICE_SMOOTHING)).mean()
    return {"loss": entropy + dice, "entropy": entropy, "dice": dice}


def train_drop_locator(
    data: Path,
    plan: Plan,
    where: Whereabouts,
    *,
    shipped: bool = False,
    patience: int = 0,
    device: torch.device | None = None,
    command: str = "",
) -> nn.Module:
    """Train the U-Net on the split ``train`` of `data` and return it; checkpoints go where `where` says.

    Parameters
    ----------
    data
        Folder of a packed dataset with masks, or of rendered shards.
    plan
        How long and how fast.
    where
        Folder of the training, and a training to begin with.
    shipped
        Begin with the weights that come with the program.
    patience
        Validations without a better one after which to stop; 0: never.
    device
        In whose memory rendered wells are kept and where the training runs; None: on the processor, a few at a time.
    command
        As it was typed, for the record.

    Raises
    ------
    UserError
        If `data` is neither, or has nothing to train on, or `where` holds a training that was not to be resumed.
    """
    source, held = taught_by(data, plan.seed, device)
    if not held:
        log.warning("%s has no validation images with a known drop: the last weights are kept, not the best", data)
    torch.manual_seed(plan.seed)
    network = UNet()
    if shipped and not where.resume:
        source.refresh()
        begin_with(default_model(DropCard), network, source.batch(0, STEADYING)[0])
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    examiner = DropExaminer(held, where.folder, patience)
    record = _record(data, plan.seed, command)
    trained: nn.Module = Training(
        network, source, drop_losses, plan, where, record, examiner, device=device or torch.device("cpu")
    ).run()
    draw_curve(where.folder, f"drop locator on {data}", LOSSES | VALIDATION if held else LOSSES)
    return trained


def taught_by(
    data: Path, seed: int, device: torch.device | None = None
) -> tuple[ImageSource | ResidentImages | MaskSource, list[Held]]:
    """Return what to train on and what to validate on in the folder `data`.

    Raises
    ------
    UserError
        If it is neither a packed dataset with masks nor a folder of rendered shards, or no shards for a `device`.
    """
    if (data / ABOUT).exists():
        if device is not None:
            raise UserError(f"{data}: masks are learnt from on the processor; leave out --device")
        dataset = open_dataset(data)
        rows = sampled(masked_wells(dataset, "validation"), MOST_VALIDATED)
        known = (known_drop(dataset, row, DROP_WIDTH_PX) for row in rows)
        return MaskSource(dataset, seed), [Held(each.grey, each.mask) for each in known]
    if not shard_names(data, "train"):
        raise UserError(
            f"{data} is neither a packed dataset nor a folder of rendered wells; build one (crystal-search dataset "
            f"build), or render some (crystal-search train shards)"
        )
    held = list(islice(_rendered(data), MOST_VALIDATED))
    if device is not None:
        return ResidentImages(data, "train", seed, device), held
    return ImageSource(data, "train", seed), held


def _rendered(folder: Path) -> Iterator[Held]:
    for name in shard_names(folder, "validation"):
        shard = read_shard(folder / name)
        for grey, drop in zip(shard.grey, shard.drops, strict=True):
            yield Held(resized(np.asarray(grey), DROP_WIDTH_PX), np.asarray(drop) > 127)


def _record(data: Path, seed: int, command: str) -> RunRecord:
    return RunRecord(
        kind="drop_locator",
        architecture="u-net",
        classes=("drop",),
        normalisation=DROP_NORMALISATION,
        working_width_px=DROP_WIDTH_PX,
        data=os.path.abspath(data),
        taught_by="masks",
        command=command,
        seed=seed,
    )
