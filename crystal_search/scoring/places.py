"""Where the chops of an image can lie, for whoever must not believe a result.

A result says where the drop is; the rules by which `pipeline` cuts chops then leave few places for them.
"""

from collections.abc import Iterator
from itertools import combinations, product
from math import ceil, floor

from crystal_search.chopper.tiling import ChopGrid, grid_over_drop
from crystal_search.geometry import Box, intersection_over_union
from crystal_search.model_card import ClassifierCard, DropCard
from crystal_search.result import BestChop, ImageScore
from crystal_search.scoring.ranking import MOST_SHARED

Starts = dict[tuple[int, int], int]  #: where a chop starts in the view, by its two edges in stored pixels


def misplaced(found: ImageScore, classifier: ClassifierCard, drop: DropCard) -> str:
    """Return what these models cannot have answered about where chops are; nothing when all of it can be.

    Parameters
    ----------
    found
        The score of an image of the size that it says.
    classifier, drop
        Cards of the models that scored it.
    """
    if found.score is None:
        return ""
    width_px = classifier.working_width_px
    scale = found.width_px / width_px
    troubles = []
    for height_px, box in product(_heights(found, width_px), _drops(found, drop)):
        grid = grid_over_drop(
            box,
            mask_width=drop.working_width_px,
            view_height=height_px,
            view_width=width_px,
            side_px=classifier.side_px,
            stride_px=classifier.chop_stride_px,
        )
        if not (trouble := _off_grid(found, grid, scale)):
            return ""
        troubles.append(trouble)
    return (
        troubles[0] if troubles else f"the drop's box {tuple(found.drop.box) if found.drop else ()} is none of a mask"
    )


def _heights(found: ImageScore, width_px: int) -> list[int]:
    """Return how many rows the image may have at a working width, the likeliest first.

    A picture that was reduced while it was decoded has up to one row and one column more than its share.
    """
    exact = found.height_px * width_px / found.width_px
    rows = range(max(1, floor(exact - exact / width_px)), ceil(exact) + 2)
    return sorted(rows, key=lambda row: abs(row - exact))


def _drops(found: ImageScore, drop: DropCard) -> Iterator[Box | None]:
    """Yield the boxes in the locator's pixels that may be the drop's; None for an image without."""
    if found.drop is None:
        yield None
        return
    scale = found.width_px / drop.working_width_px
    rows, columns = max(_heights(found, drop.working_width_px)), drop.working_width_px
    top, left, bottom, right = found.drop.box
    edges = (
        _edges(top, scale, rows, found.height_px),
        _edges(left, scale, columns, found.width_px),
        _edges(bottom, scale, rows, found.height_px),
        _edges(right, scale, columns, found.width_px),
    )
    for box in map(Box._make, product(*edges)):
        if box.top < box.bottom and box.left < box.right:
            yield box


def _edges(stored: int, scale: float, most: int, limit: int) -> list[int]:
    """Return the edges in the locator's pixels that come to lie on a stored one."""
    middle, reach = round(stored / scale), 1 + ceil(1 / scale)
    near = range(max(0, middle - reach), min(most, middle + reach) + 1)
    return [edge for edge in near if min(round(edge * scale), limit) == stored]


def _off_grid(found: ImageScore, grid: ChopGrid, scale: float) -> str:
    """Return which of the chops cannot be of a grid, nothing when all can."""
    rows = _starts(grid.top, grid.rows, grid, scale, found.height_px)
    columns = _starts(grid.left, grid.columns, grid, scale, found.width_px)
    if found.chops > grid.rows * grid.columns:
        return f"{found.chops} chops, of {grid.rows * grid.columns} that the drop has"
    views = [(chop, _in_view(chop.box, rows, columns, grid.side_px)) for chop in found.best_chops]
    for chop, view in views:
        if view is None:
            return f"the box {tuple(chop.box)} is no chop of the drop"
    return _crowded(views)


def _starts(first: int, count: int, grid: ChopGrid, scale: float, limit: int) -> Starts:
    starts, side_px = range(first, first + count * grid.stride_px, grid.stride_px), grid.side_px
    lows = [max(round(start * scale), 0) for start in starts]
    highs = [min(round((start + side_px) * scale), limit) for start in starts]
    return dict(zip(zip(lows, highs, strict=True), starts, strict=True))


def _in_view(box: Box, rows: Starts, columns: Starts, side_px: int) -> Box | None:
    top, left = rows.get((box.top, box.bottom)), columns.get((box.left, box.right))
    return None if top is None or left is None else Box(top, left, top + side_px, left + side_px)


def _crowded(views: list[tuple[BestChop, Box | None]]) -> str:
    for (one, first), (other, second) in combinations(views, 2):
        if first and second and intersection_over_union(first, second) > MOST_SHARED:
            return f"the boxes {tuple(one.box)} and {tuple(other.box)} lie too much on one another"
    return ""
