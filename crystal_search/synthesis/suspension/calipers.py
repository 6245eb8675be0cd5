"""Smallest rectangles around projected crystals, many at once."""

import torch
from torch import Tensor

SMALLEST = 1e-9


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
