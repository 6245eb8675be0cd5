"""Views of images whose crystals are known one by one, to train a detector on and to check it with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageFilter
from torch import Tensor

from crystal_search.archives.seen_objects import SeenObject
from crystal_search.crystal import Floats
from crystal_search.crystals.boxes import circle_of_directions
from crystal_search.crystals.decoding import STRIDE_PX
from crystal_search.datasets.drawn_masks import mask_over
from crystal_search.datasets.packed import DROPS, GREY, OBJECTS, PackedDataset, ShardFile, ShardsInUse, WellRow
from crystal_search.errors import ImageError, UserError
from crystal_search.images import Grey, Sight, decode, normalised, to_grey
from crystal_search.networks.network_kinds import CRYSTAL_NORMALISATION
from crystal_search.synthesis.wells.crystal_truth import smallest_box
from crystal_search.training.crystal_targets import KnownCrystals, target
from crystal_search.training.mask_source import at_size

SURROUNDINGS_PX = 64  #: what the local mean of ``local-contrast-1`` reaches
DROP_EVERY = 2  #: so many views, always the same of a batch, one shows a drop, where there are suspensions too
AIMED_SHARE = 0.6  #: of views in larger images that hold a certain crystal
SCALED_SHARE, SCALE_RANGE = 0.1, (0.6, 1.6)  #: of views of images that are reduced or enlarged first
GAMMA_LOG_RANGE, CONTRAST_RANGE, BRIGHTNESS_RANGE = 0.35, (0.6, 1.3), 20.0  #: brightness in grey levels
BLURRED_SHARE, BLUR_RANGE_PX = 0.15, (0.3, 1.2)
NOISY_SHARE, NOISE_RANGE = 0.3, (0.5, 8.0)  #: standard deviations in grey levels
TURNS = 8

Number = TypeVar("Number", bound=np.generic)


@dataclass(frozen=True, slots=True, eq=False)
class KnownImage:
    """An image at the width that a detector sees, and its crystals."""

    grey: Grey  #: (rows, columns)
    crystals: KnownCrystals
    covered: NDArray[np.uint8]  #: (rows / 4, columns / 4), what part of each cell crystals cover, 255 for all
    marked: tuple[SeenObject, ...] = ()  #: the same crystals as they were marked
    marked_scale: float = 1.0  #: pixels of the image for each pixel in which they were marked
    drop: Grey | None = None  #: how much of each pixel is drop, 0 to 255, where that was asked for and is known

    def scaled(self, scale: float) -> "KnownImage":
        """Return the image reduced or enlarged, both sides by the same factor, near `scale`."""
        cells = [max(1, round(scale * side)) for side in self.covered.shape]
        scale = min(to / side for to, side in zip(cells, self.covered.shape, strict=True))
        shape = [STRIDE_PX * side for side in cells]
        return KnownImage(
            grey=resampled(self.grey, shape, scale),
            crystals=self.crystals.scaled(scale),
            covered=resampled(self.covered, cells, scale),
            marked=self.marked,
            marked_scale=self.marked_scale * scale,
            drop=None if self.drop is None else resampled(self.drop, shape, scale),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """The crystals of an image, without its pixels."""

    crystals: KnownCrystals
    covered: NDArray[np.uint8]
    marked: tuple[SeenObject, ...] = ()  #: the same crystals as they were marked


@dataclass(frozen=True, slots=True)
class Window:
    """Which square of an image a view shows, and how it is turned."""

    top: int
    left: int
    side_px: int
    turn: int  #: one of the 8 turned and mirrored versions


def truth_of(objects: Sequence[SeenObject], shape: tuple[int, int]) -> Truth:
    """Return the crystals of an image of `shape`, which may be smaller or larger than the one they were marked in.

    One without an oriented box gets the smallest around its mask. Ignored are those that are too faint, and outlines
    around many. In a larger image each marked pixel is a square of several, and outermost pixels are theirs.
    """
    height, width = shape
    covered = np.zeros((height // STRIDE_PX, width // STRIDE_PX), np.uint8)
    marked = [each for each in objects if sum(each.runs[1::2])]
    if not marked:
        return Truth(KnownCrystals(np.zeros((0, 5)), np.zeros((0, 1, 2)), np.zeros(0, np.bool_)), covered)
    scale = width / marked[0].width_px
    extremes = np.stack([_extremes(each) for each in marked])
    boxes = np.array(
        [each.oriented_box or smallest_box(*(own.T - 0.5)) for each, own in zip(marked, extremes, strict=True)]
    )
    boxes *= (scale, scale, scale, scale, 1.0)
    boxes[:, 4] %= np.pi
    ignored = np.array([each.too_faint or each.crowd for each in marked])
    picture = Pillow.fromarray((255 * _together(marked)).astype(np.uint8))
    if scale > 1:  # of marked pixels that cells begin within, the box filter would take all or nothing
        picture = picture.resize((width, height), Pillow.Resampling.NEAREST)
    covered = np.asarray(picture.resize(covered.shape[::-1], Pillow.Resampling.BOX))
    points = scale * extremes + max(0.0, (scale - 1) / 2) * np.sign(circle_of_directions())
    return Truth(KnownCrystals(boxes, points, ignored), covered, tuple(marked))


def _together(marked: Sequence[SeenObject]) -> NDArray[np.bool_]:
    """Return the union of masks (rows, columns), from where their runs begin and end."""
    height, width = marked[0].height_px, marked[0].width_px
    edges = [np.cumsum((0, *each.runs)) for each in marked]
    begun, ended = (
        np.bincount(np.concatenate(each), minlength=height * width + 1)
        for each in ([own[1:-1:2] for own in edges], [own[2::2] for own in edges])
    )
    covered: NDArray[np.bool_] = (np.cumsum(begun - ended)[:-1] > 0).reshape(width, height).T
    return covered


def _extremes(seen: SeenObject) -> NDArray[np.float64]:
    """Return the point (DIRECTIONS, 2) of a mask that reaches farthest in each direction; px, as boxes count them."""
    edges = np.cumsum((0, *seen.runs))
    starts, ends = edges[1:-1:2], edges[2::2] - 1  # of each run of the mask, counted down column after column
    if ((starts <= ends) & (starts // seen.height_px == ends // seen.height_px)).all():
        columns, rows = np.divmod(np.concatenate((starts, ends)), seen.height_px)
    else:  # a run goes on in the next column, or is empty: its ends are not the outermost pixels of each column
        rows, columns = np.nonzero(seen.mask)
    points = np.stack((rows, columns), axis=1) + 0.5
    return np.asarray(points[(points @ circle_of_directions().T).argmax(axis=0)])


def dense_target(known: KnownImage, window: Window) -> Floats:
    """Return what a dense detector should answer to a view, (channels, side / 4, side / 4)."""
    top, left, side = window.top, window.left, window.side_px
    cells = side // STRIDE_PX
    covered = np.asarray(known.covered[top // STRIDE_PX :, left // STRIDE_PX :][:cells, :cells] / 255, np.float32)
    part = turned(np.pad(covered, [(0, cells - each) for each in covered.shape]), window.turn)
    return target(known.crystals.moved(top, left, side).turned(window.turn, side), part)


Target = Callable[[KnownImage, Window], NDArray[Any]]  #: what a network should answer to a view


@dataclass
class CrystalSource(ShardsInUse):
    """Draws batches of square views; the same step gives the same batch."""

    seed: int
    side_px: int
    sight: Sight  #: how large the detector sees images
    augmented: bool = True
    normalisation: str = CRYSTAL_NORMALISATION
    target: Target = dense_target
    with_drops: bool = False  #: targets have drops too
    _drops: list[WellRow] = field(default_factory=list)
    _suspensions: list[WellRow] = field(default_factory=list)
    _truths: dict[str, Truth] = field(default_factory=dict)  #: by the key of the image

    def _take_up(self, shard: ShardFile) -> None:
        for row in self.dataset.table(WellRow, shard):
            if row.part(OBJECTS):
                (self._drops if row.knows_drop else self._suspensions).append(row)

    def __len__(self) -> int:
        """Return how many images there are to draw from."""
        return len(self._drops) + len(self._suspensions)

    def batch(self, step: int, size: int) -> tuple[Tensor, Tensor]:
        """Return views (N, 1, side, side) float32 and what should be answered to each, (N, ...).

        Of targets with a plane for each thing, those with fewer things are filled up with planes of zeros.
        """
        generators = [np.random.default_rng([self.seed, step, number]) for number in range(size)]
        pairs = [self._sample(step * size + number, each) for number, each in enumerate(generators)]
        views, targets = zip(*pairs, strict=True)
        planes = max(len(each) for each in targets)
        filled = [np.pad(each, [(0, planes - len(each)), (0, 0), (0, 0)]) for each in targets]
        return torch.from_numpy(np.stack(views))[:, None], torch.from_numpy(np.stack(filled))

    def _sample(self, number: int, generator: np.random.Generator) -> tuple[Floats, NDArray[Any]]:
        row = self._row(number, generator)
        known = known_image(self.dataset, row, self.sight, self._truths, with_drop=self.with_drops)
        if self.augmented and generator.random() < SCALED_SHARE:
            known = known.scaled(float(np.exp(generator.uniform(*np.log(SCALE_RANGE)))))
        top, left = self._corner(known, generator)
        view = self._view(known.grey, top, left, generator)
        turn = int(generator.integers(TURNS)) if self.augmented else 0
        return turned(view, turn), self.target(known, Window(top, left, self.side_px, turn))

    def _row(self, number: int, generator: np.random.Generator) -> WellRow:
        if not self.augmented:
            rows = self._suspensions + self._drops
            order = np.random.default_rng(self.seed).permutation(len(rows))
            return rows[int(order[number % len(rows)])]
        drop = number % DROP_EVERY == 0 if self._drops and self._suspensions else bool(self._drops)
        rows = self._drops if drop else self._suspensions
        return rows[int(generator.integers(len(rows)))]

    def _corner(self, known: KnownImage, generator: np.random.Generator) -> tuple[int, int]:
        """Return row and column of a view's first pixel, multiples of the stride."""
        free = np.maximum(np.array(known.grey.shape) - self.side_px, 0)
        corner = generator.random(2) * (free + 1)
        seen = known.crystals.boxes[~known.crystals.ignored]
        if len(seen) and generator.random() < AIMED_SHARE:
            aim = seen[generator.integers(len(seen)), :2]
            corner = np.clip(aim - self.side_px * generator.uniform(0.2, 0.8, 2), 0, free)
        top, left = (corner // STRIDE_PX * STRIDE_PX).astype(int).tolist()
        return top, left

    def _view(self, grey: Grey, top: int, left: int, generator: np.random.Generator) -> Floats:
        """Return a view, recorded differently and then normalised; filled up if it is smaller.

        Where numbers depend on the surroundings alone, only those are normalised, else the whole image.
        """
        near = self.normalisation == CRYSTAL_NORMALISATION
        above, before = (min(top, SURROUNDINGS_PX), min(left, SURROUNDINGS_PX)) if near else (top, left)
        reach = self.side_px + SURROUNDINGS_PX if near else max(grey.shape)
        around = grey[top - above : top + reach, left - before : left + reach]
        if self.augmented:
            around = recorded_differently(around, generator)
        view = normalised(around, self.normalisation)[above:, before:][: self.side_px, : self.side_px]
        return np.pad(view, [(0, self.side_px - side) for side in view.shape], mode="edge")


def known_image(
    dataset: PackedDataset,
    row: WellRow,
    sight: Sight,
    truths: dict[str, Truth] | None = None,
    *,
    with_drop: bool = False,
) -> KnownImage:
    """Return an image as a detector sees it, with its crystals; `truths` are remembered ones.

    Raises
    ------
    UserError
        If it does not decode.
    """
    try:
        stored = dataset.array(row, GREY) if row.part(GREY) else to_grey(decode(dataset.image(row)).colour)
    except ImageError as error:
        raise UserError(f"{row.image}: {error}; take it out of the archive, and build the dataset again") from error
    grey = sight.of(np.asarray(stored))
    truths = {} if truths is None else truths
    if row.key not in truths:
        truths[row.key] = truth_of(dataset.objects(row) or (), (grey.shape[0], grey.shape[1]))
    return _known(grey, truths[row.key], _drop(dataset, row, stored, grey) if with_drop and row.knows_drop else None)


def marked_image(stored: Grey, objects: Sequence[SeenObject], sight: Sight) -> KnownImage:
    """Return an image of no dataset as a detector sees it, with its crystals."""
    grey = sight.of(stored)
    return _known(grey, truth_of(objects, (grey.shape[0], grey.shape[1])))


def _known(grey: Grey, truth: Truth, drop: Grey | None = None) -> KnownImage:
    scale = grey.shape[1] / truth.marked[0].width_px if truth.marked else 1.0
    return KnownImage(grey, truth.crystals, truth.covered, truth.marked, scale, drop)


def _drop(dataset: PackedDataset, row: WellRow, stored: Grey, grey: Grey) -> Grey:
    """Return how much of each pixel of an image is drop, 0 to 255."""
    if row.part(DROPS):
        share = np.array(dataset.array(row, DROPS))
    else:
        share = 255 * mask_over(dataset.mask(row) or b"", stored.shape).astype(np.uint8)
    return at_size(share, *grey.shape)


def recorded_differently(grey: Grey, generator: np.random.Generator) -> Grey:
    """Return an image as another lens, lamp and camera might have recorded it, so gently that small crystals stay."""
    picture = Pillow.fromarray(grey)
    if generator.random() < BLURRED_SHARE:
        picture = picture.filter(ImageFilter.GaussianBlur(float(generator.uniform(*BLUR_RANGE_PX))))
    levels = np.arange(256, dtype=np.float32) / 255
    levels = 255 * levels ** np.exp(generator.uniform(-GAMMA_LOG_RANGE, GAMMA_LOG_RANGE))
    seen = np.asarray(picture)
    middle = levels[seen].mean()
    levels = middle + generator.uniform(*CONTRAST_RANGE) * (levels - middle)
    changed = (levels + generator.uniform(-BRIGHTNESS_RANGE, BRIGHTNESS_RANGE)).astype(np.float32)[seen]
    if generator.random() < NOISY_SHARE:
        changed = changed + generator.uniform(*NOISE_RANGE) * generator.standard_normal(seen.shape, np.float32)
    return np.asarray(np.clip(np.rint(changed), 0, 255), np.uint8)


def resampled(field: NDArray[np.uint8], shape: Sequence[int], scale: float) -> NDArray[np.uint8]:
    """Return a field of `shape`, of which one pixel is 1 / `scale` of those it had; what lies beyond is left out."""
    height, width = (min(side / scale, had) for side, had in zip(shape, field.shape, strict=True))
    size = round(width * scale), round(height * scale)
    picture = Pillow.fromarray(field).resize(size, Pillow.Resampling.BILINEAR, (0, 0, width, height))
    return np.asarray(picture)


def turned(view: NDArray[Number], turn: int) -> NDArray[Number]:
    """Return a square in one of the 8 turned and mirrored versions, as `crystal_targets.KnownCrystals.turned`."""
    return np.ascontiguousarray(np.rot90(view[:, ::-1] if turn >= 4 else view, turn % 4))
