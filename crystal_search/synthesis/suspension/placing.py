"""From wanted crystals to bodies in an image: fitted to their rectangles, and placed without much overlap.

All crystals of a batch are rows of the same tensors; images are told apart by a number in each row.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crystal_search.synthesis.rays import Solids
from crystal_search.synthesis.suspension.crystal_model import SIDE_PX, TRIES, Wanted, library

ROUNDS = 16  #: of fitting a body to its rectangle
#: How far a rectangle may be from the one wanted (Bischoff et al. 2022, equation 6, and below it).
AREA_TOLERANCE_PX, RATIO_TOLERANCE, ANGLE_TOLERANCE = 2.0, 0.2, np.deg2rad(2)
FINISHED = 0.02  #: of these tolerances, at which a fit is not improved any more
CANDIDATES_AT_ONCE = [2, 6, 24, 64]  #: places looked at together, of `CANDIDATES`
SMALLEST = 1e-9
PROBES = (3, 9)  #: points of a rectangle, across and along, that are looked up in others


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """The crystals of a batch of images, one a row."""

    image: Tensor  #: (n,) int64, number within the batch
    solids: Solids
    boxes: Tensor  #: (n, 5): centre row and column, long and short side in px, angle in radians
    shift: Tensor  #: (n, 2), of the body's centre from the box's, px
    body: Tensor  #: (n,) int64, in the library
    depth: Tensor  #: (n,), 0 far, 1 near
    wanted: Tensor  #: (n, 3): ratio, area and angle as drawn


def placed(
    wanted: Sequence[Wanted[NDArray[Any]]], device: torch.device, *, overlap: float, across_border: bool
) -> Placed:
    """Return the crystals that images shall hold, fitted and placed; one for which there is no place is left out.

    Parameters
    ----------
    wanted
        Of each image.
    overlap
        Largest part of a crystal's rectangle that may lie on larger ones, in [0, 1].
    across_border
        Whether crystals may be cut by the border.
    """
    rows = _joined(wanted, device)
    counts = torch.tensor([len(each.ratio) for each in wanted], device=device)
    image = torch.arange(len(wanted), device=device).repeat_interleave(counts)
    target = torch.stack((rows.ratio, rows.area, rows.angle), dim=1)
    fit = _fitted(rows, target)
    rank = torch.arange(len(image), device=device) - (counts.cumsum(0) - counts)[image]
    far = reach(fit.boxes)
    free = torch.full_like(far, SIDE_PX) if across_border else SIDE_PX - 2 * far - 2
    start = torch.zeros_like(far) if across_border else far + 1
    centres, found = _centres(image, rank, fit.boxes, start[:, None] + rows.places * free[:, None], overlap)
    kept = (found & fit.good).nonzero()[:, 0]
    boxes = torch.cat((centres, fit.boxes[:, 2:]), dim=1)[kept]
    solids = Solids(fit.solids.normals[kept], fit.solids.distances[kept], rows.index[kept])
    shift = -fit.boxes[kept, :2]
    return Placed(image[kept], solids, boxes, shift, fit.body[kept], rows.depth[kept], target[kept])


def _joined(wanted: Sequence[Wanted[NDArray[Any]]], device: torch.device) -> Wanted[Tensor]:
    """Return what is wanted of all images, one after another, as tensors; fractions are float32."""

    def of(name: str) -> Tensor:
        values = np.concatenate([getattr(each, name) for each in wanted])
        return torch.from_numpy(values.astype(np.float32) if values.dtype == np.float64 else values).to(device)

    return Wanted(**{each.name: of(each.name) for each in fields(Wanted)})


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    solids: Solids
    boxes: Tensor  #: (n, 5), around the projected body whose centre is at 0
    body: Tensor
    good: Tensor  #: (n,) bool, within the tolerances


def _fitted(rows: Wanted[Tensor], target: Tensor) -> _Fit:
    """Return bodies whose smallest rectangles are those wanted; where one does not fit, the next is tried."""
    device = target.device
    lib = library()
    corners, edges = torch.from_numpy(lib.corners).float().to(device), torch.from_numpy(lib.edges).to(device)
    normals, distances = (torch.from_numpy(each).float().to(device) for each in (lib.normals, lib.distances))
    count = len(target)
    boxes, good = target.new_zeros(count, 5), torch.zeros(count, dtype=torch.bool, device=device)
    body = rows.body[:, 0].clone()
    unit, away = normals[body].clone(), distances[body].clone()
    left = torch.arange(count, device=device)
    for attempt in range(TRIES):
        if not len(left):
            break
        tried = rows.body[left, attempt]
        turned = _leaning(rows.roll[left, attempt], rows.tilt[left, attempt])
        axes, angle, found = _rounds(corners[tried], edges[tried], turned, rows.thickness[left], target[left])
        matrix = _in_plane(angle) @ turned  # (m, 3, 3), from the body's stretched axes to the image
        faces = (normals[tried] / axes[:, None]) @ matrix.transpose(1, 2)
        length = faces.norm(dim=2).clamp_min(1e-9)
        unit[left], away[left] = faces / length[..., None], distances[tried] / length
        boxes[left], body[left] = found, tried
        good[left] = _close(found, target[left])
        left = (~good).nonzero()[:, 0]
    return _Fit(Solids(unit, away, rows.index), boxes, body, good)


def _rounds(
    corners: Tensor, edges: Tensor, turned: Tensor, thickness: Tensor, target: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return half axes (m, 3), angle in the image (m,) and rectangle (m, 5) of bodies, fitted by repetition.

    A body's first axis is its long one. Sides that come out too long are shortened by as much; the angle likewise.
    """
    ratio, area, wanted = target.T
    long, short = (area * ratio).sqrt(), (area / ratio).sqrt()
    half = torch.stack((long / 2, short / 2), dim=1)
    angle = wanted.clone()
    for _ in range(ROUNDS):
        axes = torch.stack((half[:, 1] * thickness, half[:, 1], half[:, 0]), dim=1)[:, [1, 2, 0]]
        points = (corners * axes[:, None]) @ (_in_plane(angle) @ turned).transpose(1, 2)
        boxes = smallest_rectangles(points[:, :, :2], edges)
        half = half * torch.stack((long / boxes[:, 2], short / boxes[:, 3]), dim=1).clamp(0.5, 2)
        turn = wrapped(wanted - boxes[:, 4])
        done = _close(boxes, target, FINISHED)
        if bool(done.all()):
            break
        angle = torch.where(done, angle, angle + turn)
        half = torch.where(done[:, None], axes[:, [1, 0]], half)
    return axes, angle, boxes


def smallest_rectangles(points: Tensor, edges: Tensor) -> Tensor:
    """Return the rectangle of least area around each set of points.

    A side of it runs along an edge of their hull (Freeman and Shapira 1975), so only the directions of `edges` are
    tried; edges inside of the hull do no harm.

    Parameters
    ----------
    points
        (N, C, 2), row and column.
    edges
        (N, E, 2) int64, pairs of points; all edges of the hull are among them.

    Returns
    -------
    Tensor
        (N, 5): centre row and column, long side, short side, angle of the long side from columns towards rows in
        (-pi/2, pi/2].
    """
    index = edges[..., None].expand(*edges.shape, 2)
    ends = torch.gather(points[:, None].expand(-1, edges.shape[1], -1, -1), 2, index)  # (N, E, 2, 2)
    along = ends[:, :, 1] - ends[:, :, 0]
    along = along / along.norm(dim=2, keepdim=True).clamp_min(SMALLEST)  # (N, E, 2)
    across = torch.stack((along[..., 1], -along[..., 0]), dim=2)
    low_u, high_u = torch.aminmax(along @ points.transpose(1, 2), dim=2)  # (N, E)
    low_v, high_v = torch.aminmax(across @ points.transpose(1, 2), dim=2)
    area = (high_u - low_u) * (high_v - low_v)
    area = torch.where(along.norm(dim=2) < 0.5, torch.inf, area)  # an edge seen end on has no direction
    best = area.argmin(dim=1, keepdim=True)

    def of(values: Tensor) -> Tensor:
        return values.gather(1, best)[:, 0]

    side_u, side_v = of(high_u - low_u), of(high_v - low_v)
    middle_u, middle_v = of(high_u + low_u) / 2, of(high_v + low_v) / 2
    row, column = of(along[..., 0]), of(along[..., 1])
    centre_row, centre_column = middle_u * row + middle_v * column, middle_u * column - middle_v * row
    angle = torch.atan2(row, column) + torch.where(side_u < side_v, torch.pi / 2, 0.0)
    return torch.stack(
        (centre_row, centre_column, torch.maximum(side_u, side_v), torch.minimum(side_u, side_v), wrapped(angle)), dim=1
    )


def wrapped(angle: Tensor) -> Tensor:
    """Return angles of lines brought into (-pi/2, pi/2]."""
    return angle - torch.pi * torch.ceil(angle / torch.pi - 0.5)


def _close(boxes: Tensor, target: Tensor, part: float = 1.0) -> Tensor:
    """Return which rectangles (m, 5) are as wanted, within a part of the tolerances."""
    ratio, area, angle = target.T
    of_area = ((boxes[:, 2] * boxes[:, 3]).sqrt() - area.sqrt()).abs() < part * AREA_TOLERANCE_PX
    of_ratio = (boxes[:, 2] / boxes[:, 3] - ratio).abs() < part * RATIO_TOLERANCE
    of_angle = wrapped(boxes[:, 4] - angle).abs() < part * ANGLE_TOLERANCE
    close: Tensor = of_area & of_ratio & of_angle
    return close


def _matrices(*rows: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """Return matrices (n, 3, 3) from their rows of numbers (n,)."""
    return torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)


def _in_plane(angle: Tensor) -> Tensor:
    """Return matrices that turn columns towards rows by `angle` (n,): (n, 3, 3) on (row, column, depth)."""
    cosine, sine, none, one = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    return _matrices((cosine, sine, none), (-sine, cosine, none), (none, none, one))


def _leaning(roll: Tensor, tilt: Tensor) -> Tensor:
    """Return matrices (n, 3, 3) that roll a body around its columns and lean these out of the image."""
    none, one = torch.zeros_like(roll), torch.ones_like(roll)
    rolled = _matrices((roll.cos(), none, roll.sin()), (none, one, none), (-roll.sin(), none, roll.cos()))
    leaned = _matrices((one, none, none), (none, tilt.cos(), -tilt.sin()), (none, tilt.sin(), tilt.cos()))
    return leaned @ rolled


def _centres(image: Tensor, rank: Tensor, boxes: Tensor, candidates: Tensor, overlap: float) -> tuple[Tensor, Tensor]:
    """Return where each rectangle's centre lies, (n, 2) in px, and for which a place was found; the largest first.

    Parameters
    ----------
    image, rank
        (n,) int64, of each rectangle: its image, and its place there, the largest first.
    candidates
        (n, K, 2), the centres that each may have, px.
    """
    if not len(boxes):
        return boxes.new_zeros(0, 2), torch.zeros(0, dtype=torch.bool, device=boxes.device)
    images, most = int(image.max()) + 1, int(rank.max()) + 1
    taken = boxes.new_zeros(images, most, 5)  # a rectangle of no size holds no point
    centres, found = boxes.new_zeros(len(boxes), 2), torch.zeros(len(boxes), dtype=torch.bool, device=boxes.device)
    order = rank.argsort(stable=True)
    for number, now in enumerate(torch.split(order, rank.bincount().tolist())):
        left = now
        for few in torch.split(candidates, CANDIDATES_AT_ONCE, dim=1):
            fits = _covered(few[left], boxes[left], taken[image[left], :number]) <= overlap  # (m, k)
            centres[left] = few[left, fits.float().argmax(dim=1)]
            found[left] = fits.any(dim=1)
            left = left[~found[left]]
            if not len(left):
                break
        taken[image[now], number] = torch.cat((centres[now], boxes[now, 2:]), 1) * found[now, None]
    return centres, found


def reach(boxes: Tensor) -> Tensor:
    """Return how far rectangles reach from their centres along rows and columns, (n, 2)."""
    cosine, sine = boxes[:, 4].cos().abs(), boxes[:, 4].sin().abs()
    return torch.stack((boxes[:, 2] * sine + boxes[:, 3] * cosine, boxes[:, 2] * cosine + boxes[:, 3] * sine), 1) / 2


def _covered(centres: Tensor, boxes: Tensor, others: Tensor) -> Tensor:
    """Return which part of rectangles (m,) with centres (m, K, 2) lies on `others` (m, r, 5), the one most covering."""
    if not others.shape[1]:
        return centres.new_zeros(centres.shape[:2])
    across, along = (torch.linspace(-0.46, 0.46, n, device=boxes.device) for n in PROBES)
    grid = torch.cartesian_prod(across, along)  # (S, 2)
    u, v = grid[:, 1] * boxes[:, 2:3], grid[:, 0] * boxes[:, 3:4]  # (m, S)
    cosine, sine = boxes[:, 4:].cos(), boxes[:, 4:].sin()
    probes = torch.stack((u * sine + v * cosine, u * cosine - v * sine), dim=2)  # (m, S, 2)
    points = (centres[:, :, None] + probes[:, None]).flatten(1, 2)  # (m, K * S, 2)
    off = points[:, :, None] - others[:, None, :, :2]  # (m, K * S, r, 2)
    cosine, sine = others[:, None, :, 4].cos(), others[:, None, :, 4].sin()
    inside = (off[..., 0] * sine + off[..., 1] * cosine).abs() < others[:, None, :, 2] / 2
    inside &= (off[..., 0] * cosine - off[..., 1] * sine).abs() < others[:, None, :, 3] / 2
    covered: Tensor = inside.any(dim=2).view(*centres.shape[:2], -1).float().mean(dim=2)
    return covered
