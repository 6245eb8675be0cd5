"""Wells scored in batches with torch: the steps of `scoring.pipeline.score_image`, on a GPU where there is one."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from benchmarks.gpu_images import centred, drops_in, local_contrast, resized
from benchmarks.onnx_in_torch import OnnxGraph
from crystal_search.chopper.cutting import chops_of_drop
from crystal_search.chopper.tiling import ChopGrid, grid_over
from crystal_search.geometry import Box
from crystal_search.images import Grey, decode, to_grey
from crystal_search.model import Model
from crystal_search.model_card import ClassifierCard, DropCard
from crystal_search.result import RankedScore
from crystal_search.scoring.ranking import ranked_score

BUCKET_CHOPS = 4  #: regions are padded to multiples of this many strides, so that they share batches
REGIONS_AT_ONCE = 32

Found = tuple[RankedScore, NDArray[np.float64]] | None  #: the score and its chops' probabilities; None without a drop


class Clock:
    """Wall time by stage, each ended when the device has done its work."""

    def __init__(self, device: torch.device) -> None:
        self.seconds: dict[str, float] = {}
        self._device = device

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time spent inside to `name`."""
        start = perf_counter()
        yield
        if self._device.type == "cuda":
            torch.cuda.synchronize()
        self.seconds[name] = self.seconds.get(name, 0.0) + perf_counter() - start


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuScorer:
    """Both networks on a device."""

    classifier: Model[ClassifierCard]
    drop: Model[DropCard]
    device: torch.device
    half: bool  #: convolutions in 16 bits
    classify: OnnxGraph
    locate: OnnxGraph

    @classmethod
    def of(
        cls, classifier: Model[ClassifierCard], drop: Model[DropCard], device: torch.device, *, half: bool = False
    ) -> "GpuScorer":
        """Return a scorer with two models of the normalisations that the shipped ones have."""
        graphs = [OnnxGraph(model.onnx).to(device) for model in (classifier, drop)]
        return cls(classifier=classifier, drop=drop, device=device, half=half, classify=graphs[0], locate=graphs[1])

    def decoded(self, data: bytes) -> Grey:
        """Return the grey image, about as wide as the networks need."""
        width = max(self.classifier.card.working_width_px, self.drop.card.working_width_px)
        return to_grey(decode(data, at_least_width_px=width).colour)

    def scored(self, images: Sequence[Grey], clock: Clock, threshold: float = 0.85) -> list[Found]:
        """Return the scores of images of one size."""
        with torch.inference_mode(), torch.autocast(self.device.type, torch.float16, enabled=self.half):
            with clock.stage("to the device, resize, normalise"):
                grey = torch.from_numpy(np.stack(images)).to(self.device).float()  # (N, H, W)
                with torch.autocast(self.device.type, enabled=False):
                    views = local_contrast(resized(grey, self.classifier.card.working_width_px))  # (N, h, w)
            with clock.stage("drops: U-Net and masks"):
                masks = self._masks(grey).cpu().numpy()  # (N, 215, 256)
            with clock.stage("chops (Python)"):
                chosen = [_chops(mask, views.shape[1:], self.classifier) for mask in masks]
            with clock.stage("chops: SqueezeNet"):
                probabilities = self._probabilities(views, chosen)
            with clock.stage("ranking (Python)"):
                return [None if each is None else (ranked_score(each, threshold), each) for each in probabilities]

    def _masks(self, grey: Tensor) -> Tensor:
        card = self.drop.card
        with torch.autocast(self.device.type, enabled=False):
            view = centred(resized(grey, card.working_width_px))
        height, width = view.shape[1:]
        padded = functional.pad(view, (0, -width % card.side_multiple_px, 0, -height % card.side_multiple_px))
        logits = self.locate(padded[:, None])[:, 0, :height, :width].float()  # (N, h, w)
        with torch.autocast(self.device.type, enabled=False):
            return drops_in(logits)

    def _probabilities(
        self, views: Tensor, chosen: Sequence[tuple[ChopGrid, list[int]] | None]
    ) -> list[NDArray[np.float64] | None]:
        found: list[NDArray[np.float64] | None] = [None] * len(views)
        buckets: dict[tuple[int, int], list[int]] = {}
        for number, each in enumerate(chosen):
            if each:
                buckets.setdefault((_bucket(each[0].rows), _bucket(each[0].columns)), []).append(number)
        for (rows, columns), members in buckets.items():
            for start in range(0, len(members), REGIONS_AT_ONCE):
                part = members[start : start + REGIONS_AT_ONCE]
                kept = [each for each in (chosen[number] for number in part) if each]
                regions = _regions(views[part], [grid._replace(rows=rows, columns=columns) for grid, _ in kept])
                answers = self._of_regions(regions)
                for number, answer, (grid, chops) in zip(part, answers, kept, strict=True):
                    found[number] = answer[:, : grid.rows, : grid.columns].reshape(len(answer), -1).T[chops]
        return found

    def _of_regions(self, regions: Tensor) -> NDArray[np.float64]:
        card = self.classifier.card
        cells = self.classify(regions).float()  # (n, classes, h, w)
        step = card.chop_stride_px // card.output_stride_px
        logits = functional.avg_pool2d(cells, card.cells_per_chop, step)  # (n, classes, rows, columns)
        found: NDArray[np.float64] = (logits.double() / card.temperature).softmax(dim=1).cpu().numpy()
        return found


def _bucket(chops: int) -> int:
    return -(-chops // BUCKET_CHOPS) * BUCKET_CHOPS


def _chops(
    mask: NDArray[np.bool_], shape: Sequence[int], classifier: Model[ClassifierCard]
) -> tuple[ChopGrid, list[int]] | None:
    """Return the grid over a drop and which of its chops show it, as `scoring.pipeline.scored_chops` has them."""
    if not mask.any():
        return None
    height, width = shape
    scale = width / mask.shape[1]
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = Box(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)
    side, stride = classifier.card.side_px, classifier.card.chop_stride_px
    area = box.scaled(scale).clipped(height, width)
    grid = grid_over(area, image_height=height, image_width=width, side_px=side, stride_px=stride)
    return grid, chops_of_drop(mask, [each.scaled(1 / scale) for each in grid.boxes()])


def _regions(views: Tensor, grids: Sequence[ChopGrid]) -> Tensor:
    """Return (n, 1, rows, columns): the regions of grids of one size, 0 outside of the views (n, h, w)."""
    size = grids[0].region
    found = views.new_zeros(len(grids), 1, size.height, size.width)
    for view, grid, target in zip(views, grids, found, strict=True):
        inside = grid.region.clipped(*view.shape)
        target[0][inside.shifted(-grid.top, -grid.left).slices] = view[inside.slices]
    return found


def stream(
    wells: Sequence[bytes], scorer: GpuScorer, clock: Clock, *, batch: int, threads: Executor
) -> Iterator[list[Found]]:
    """Yield the scores of `wells`, images of one size, batch by batch; the next batch is decoded meanwhile."""
    parts = [wells[start : start + batch] for start in range(0, len(wells), batch)]
    waiting = _decoding(parts[0], scorer, threads) if parts else []
    for number in range(len(parts)):
        with clock.stage("waiting for decoded JPEGs"):
            images = [each.result() for each in waiting]
        waiting = _decoding(parts[number + 1], scorer, threads) if number + 1 < len(parts) else []
        yield scorer.scored(images, clock)


def _decoding(wells: Sequence[bytes], scorer: GpuScorer, threads: Executor) -> list[Future[Grey]]:
    return [threads.submit(scorer.decoded, data) for data in wells]
