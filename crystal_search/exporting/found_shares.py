"""How often a detector finds crystals of a size: measured where crystals are known, and the curve of a card.

The curve is logistic in the logarithm of the area of boxes, fitted to all crystals by the largest likelihood.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from crystal_search.crystals.border_weights import box_weights
from crystal_search.crystals.boxes import overlaps
from crystal_search.exporting.crystal_threshold import found_in
from crystal_search.exporting.fitted_temperature import figure
from crystal_search.exporting.marked_images import MarkedImages
from crystal_search.found_share import HALF_PX2, SPREAD, SURE_FROM, FoundShare
from crystal_search.images import Sight
from crystal_search.inference import Network, OnnxNetwork
from crystal_search.model import Model
from crystal_search.model_card import CrystalCard, Measurement
from crystal_search.plurals import counted
from crystal_search.training.crystal_source import KnownImage

OVERLAP = 0.25  #: intersection over union of a true box and a found one, at least
CLASSES_FROM_PX2 = 3.0  #: area at which a class of sizes begins, as at each of its doubles and halves
LEAST_AREA_PX2 = 1.0  #: below, a box is none
LEAST_CRYSTALS, LEAST_CLASSES = 50, 4  #: in a class that is measured; such classes in a row
LEAST_FOUND = 50  #: of all crystals
MOST_STEPS = 500  #: of the fit
MEASURE = "found_share:"  #: how figures begin that tell what the curve was fitted to


@dataclass(frozen=True, slots=True, eq=False)
class Sizes:
    """Crystals that are known by their size, and which of them were found."""

    areas_px2: NDArray[np.float64]  #: (N,), of their boxes, as the detector sees them
    found: NDArray[np.bool_]  #: (N,)


@dataclass(frozen=True, slots=True)
class SizeClass:
    """The crystals whose area lies from one bound to its double."""

    from_px2: float
    crystals: int
    found: float  #: share of them

    @property
    def said(self) -> str:
        """Its bounds in words."""
        return f"{self.from_px2:g} to {2 * self.from_px2:g} px²"


def card_with_share(model: Model[CrystalCard], images: MarkedImages) -> CrystalCard | str:
    """Return a detector's card with how often it finds crystals of a size, or why that cannot be told."""
    network = OnnxNetwork(model, threads=torch.get_num_threads())
    least = max(SURE_FROM, network.card.least_probability)
    sizes = sizes_in(images.images, network, least)
    share = share_of(sizes, least)
    if isinstance(share, str):
        return f"{share} ({counted(len(images.images), 'image')}: {images.name})"
    kept = [each for each in network.card.measured if not each.measure.startswith(MEASURE)]
    return replace(network.card, found_share=share, measured=(*kept, *_figures(sizes, images.name, share)))


def _figures(sizes: Sizes, data: str, share: FoundShare) -> Iterator[Measurement]:
    for each in classes_of(sizes):
        if each.crystals >= LEAST_CRYSTALS:
            measure = f"{MEASURE} crystals of {each.said} found from a probability of {share.from_probability:g}"
            yield figure(data, measure, each.found, each.crystals)


def sizes_in(images: Sequence[Callable[[Sight], KnownImage]], network: Network[CrystalCard], least: float) -> Sizes:
    """Return the crystals of images that lie wholly inside, and which of them a detector finds with a probability."""
    parts = [Sizes(np.zeros(0), np.zeros(0, np.bool_))]
    for image in tqdm(images, desc="looking for known crystals", unit="image", disable=None):
        known = image(network.card.sight)
        boxes, height, width = known.crystals.boxes, *known.grey.shape
        inside = ~known.crystals.ignored & (box_weights(boxes, (height, width)) > 0)
        inside &= boxes[:, 2:4].prod(axis=1) >= LEAST_AREA_PX2
        if inside.any():
            told = np.array([each.box for each in found_in(known, network, least)], np.float64).reshape(-1, 5)
            parts.append(Sizes(boxes[inside, 2:4].prod(axis=1), matched(boxes, told)[inside]))
    return Sizes(*(np.concatenate([getattr(each, name) for each in parts]) for name in ("areas_px2", "found")))


def matched(true: NDArray[np.float64], found: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which true boxes (N, 5) are found, (N,): each by one box (M, 5) at most, the most probable first.

    >>> true = np.array([[9.0, 9, 8, 4, 0], [9.0, 30, 8, 4, 0]])
    >>> matched(true, np.array([[9.0, 10, 8, 4, 0], [9.0, 9, 8, 4, 0]])).tolist()
    [True, False]
    """
    there = np.zeros(len(true), np.bool_)
    for box in found:
        shared = np.where(there, 0.0, overlaps(true, np.repeat(box[None], len(true), axis=0)))
        if shared.max(initial=0.0) >= OVERLAP:
            there[shared.argmax()] = True
    return there


def classes_of(sizes: Sizes) -> list[SizeClass]:
    """Return the classes of sizes that have crystals, the smallest first."""
    numbers = np.floor(np.log2(sizes.areas_px2 / CLASSES_FROM_PX2))
    return [
        SizeClass(float(CLASSES_FROM_PX2 * 2.0**number), int(among.sum()), float(sizes.found[among].mean()))
        for number in np.unique(numbers)
        if (among := numbers == number).any()
    ]


def share_of(sizes: Sizes, least: float) -> FoundShare | str:
    """Return the curve of the crystals that are found with a probability, or why there are too few for it."""
    row = _in_a_row(classes_of(sizes))
    if len(row) < LEAST_CLASSES:
        return (
            f"{LEAST_CRYSTALS} crystals or more of each of {LEAST_CLASSES} sizes are needed, each twice the area of "
            f"the one before, and {len(row)} such sizes are among the {len(sizes.areas_px2)} marked crystals"
        )
    large = sizes.areas_px2 >= row[0].from_px2
    areas, found = sizes.areas_px2[large], sizes.found[large]
    if found.sum() < LEAST_FOUND:
        return (
            f"{LEAST_FOUND} crystals or more must be found with a probability of {least:g}, and {found.sum()} are of "
            f"the {len(found)} marked ones of {row[0].from_px2:g} px² or more"
        )
    half, spread, _ = fitted(areas, found)
    return FoundShare(
        from_probability=least,
        from_area_px2=math.floor(10 * areas.min()) / 10,
        half_px2=round(half, 1),
        spread=round(spread, 3),
    ).where_told()


def _in_a_row(classes: Sequence[SizeClass]) -> list[SizeClass]:
    """Return the longest row of neighbouring classes with enough crystals; of two that are as long, the larger."""
    longest: list[SizeClass] = []
    row: list[SizeClass] = []
    for each in classes:
        follows = row and each.from_px2 == 2 * row[-1].from_px2
        row = [] if each.crystals < LEAST_CRYSTALS else [*row, each] if follows else [each]
        longest = row if len(row) >= len(longest) else longest
    return longest


def fitted(areas: NDArray[np.float64], found: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Return the area of which half are found, the spread, and the share of the largest that is found."""
    log_areas, hit = torch.from_numpy(np.log(areas)), torch.from_numpy(found).double()
    middle = math.log(float(np.clip(np.median(areas), 1, 1e5)) / HALF_PX2[0]) / math.log(HALF_PX2[1] / HALF_PX2[0])
    numbers = torch.tensor([math.log(middle / (1 - middle)), 0.0, 3.0], dtype=torch.float64, requires_grad=True)
    steps = torch.optim.LBFGS(
        [numbers], max_iter=MOST_STEPS, tolerance_grad=1e-9, tolerance_change=1e-12, line_search_fn="strong_wolfe"
    )

    def unlikely() -> float:
        steps.zero_grad()
        half, spread, most = _curve(numbers)
        share = most * torch.sigmoid((log_areas - torch.log(half)) / spread)
        loss = torch.nn.functional.binary_cross_entropy(share, hit)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.item()

    steps.step(unlikely)  # type: ignore[no-untyped-call]
    half, spread, most = (float(each) for each in _curve(numbers.detach()))
    return half, spread, most


def _curve(numbers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return half, spread and share of the largest, within their bounds whatever the numbers (3,) are."""
    parts = torch.sigmoid(numbers)
    half, spread = (low * (high / low) ** part for (low, high), part in zip((HALF_PX2, SPREAD), parts[:2], strict=True))
    return half, spread, parts[2]
