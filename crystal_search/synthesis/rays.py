"""Bright-field light through convex crystals by ray tracing: refraction, total reflection, and the condenser's cone.

Rays run from a telecentric camera, along the depth axis, backwards through the crystals to the lamp. At each face a
ray is partly refracted by Snell's law and partly reflected (Fresnel, both polarisations), totally beyond the critical
angle; both parts go on. A ray that leaves within the cone of light that the condenser sends is bright.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

BOUNCES = 5  #: reflections inside that a ray is followed through
FAINT = 0.01  #: share of the light below which a reflected ray is not followed
RAYS_AT_ONCE = {"cpu": 2**13, "cuda": 2**22}  #: a processor is fast where all about them stays in its cache
GRAZING = 1e-6  #: cosine to a face below which a ray runs beside it
BEHIND = 1e-4  #: units a ray must run before it can meet another face


@dataclass(frozen=True, slots=True, eq=False)
class Lamps:
    """Cones of light that a condenser sends through the liquor, one for each body, as sines of angles to the view."""

    condenser: Tensor  #: (N,), half angle of the cone
    softness: Tensor  #: (N,), over which its edge falls off
    offset: Tensor  #: (N, 2), by which it stands off the view, along rows and columns

    def of(self, which: Tensor) -> "Lamps":
        """Return the lamps at `which`, (M,) int64."""
        return Lamps(self.condenser[which], self.softness[which], self.offset[which])


@dataclass(frozen=True, slots=True, eq=False)
class Solids:
    """Convex bodies as half-spaces n x <= d about their own centres, one a row, padded by repeated faces."""

    normals: Tensor  #: (N, P, 3), unit length; (row, column, depth)
    distances: Tensor  #: (N, P), units
    index: Tensor  #: (N,), refractive index over that of the liquor, above 1


def light_along(solids: Solids, lamps: Lamps, bodies: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    """Return how bright rays are after one body each, and whether they meet it.

    Parameters
    ----------
    solids, lamps
        The bodies, and where the light of each comes from.
    bodies
        (M,) int64, which body each ray is for.
    rows, columns
        (M,), offset of each ray from the centre of its body, units.

    Returns
    -------
    light
        (M,) float32 in [0, 1]; that of the empty field is 1, also for rays that miss.
    hit
        (M,) bool.
    """
    some = RAYS_AT_ONCE[rows.device.type]
    parts = [
        _light_along(solids, lamps, *part)
        for part in zip(*(torch.split(each, some) for each in (bodies, rows, columns)), strict=True)
    ]
    return torch.cat([light for light, _ in parts]), torch.cat([hit for _, hit in parts])


def _light_along(solids: Solids, lamps: Lamps, bodies: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    normals = solids.normals.permute(2, 0, 1)[:, bodies]  # (3, M, P)
    distances = solids.distances[bodies]  # (M, P)
    enter, leave, first = _span(normals, distances, rows, columns)
    hit = leave > enter + BEHIND
    chosen = hit.nonzero()[:, 0]
    place = torch.stack((rows[chosen], columns[chosen], enter[chosen]), dim=1)
    mine, face = lamps.of(bodies[chosen]), _faces(normals[:, chosen], first[chosen])
    way, passed, mirrored = _entered(face, solids.index[bodies[chosen]])
    inside = _Rays(normals[:, chosen], distances[chosen], solids.index[bodies[chosen]], place, way, passed)
    light = torch.ones_like(rows)
    light[chosen] = (_followed(inside, mine) + (1 - passed) * arriving(mirrored, mine)).clamp(0, 1)
    return light, hit


@dataclass(frozen=True, slots=True, eq=False)
class _Rays:
    """Rays inside of bodies."""

    normals: Tensor  #: (3, M, P)
    distances: Tensor  #: (M, P)
    index: Tensor  #: (M,)
    place: Tensor  #: (M, 3)
    way: Tensor  #: (M, 3), unit length
    strength: Tensor  #: (M,), what partial reflection has left of the light

    def among(self, chosen: Tensor) -> "_Rays":
        return _Rays(
            self.normals[:, chosen],
            self.distances[chosen],
            self.index[chosen],
            self.place[chosen],
            self.way[chosen],
            self.strength[chosen],
        )


def _span(normals: Tensor, distances: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the depths (M,) at which straight rays enter and leave bodies, and the face of entry."""
    depth = normals[2]
    room = distances - normals[0] * rows[:, None] - normals[1] * columns[:, None]
    beside = depth.abs() < GRAZING
    crossing = room / torch.where(beside, torch.ones_like(depth), depth)
    far = torch.full_like(crossing, torch.inf)
    outside = (beside & (room < 0)).any(dim=1)
    enter, first = torch.where((depth < 0) & ~beside, crossing, -far).max(dim=1)
    leave = torch.where((depth > 0) & ~beside, crossing, far).min(dim=1).values
    return torch.where(outside, leave, enter), leave, first


def _refracted(way: Tensor, normal: Tensor, ratio: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return directions behind a face, the share of light that passes, and whether all is reflected.

    Parameters
    ----------
    way
        (M, 3), unit length.
    normal
        (M, 3), unit length, against the ray.
    ratio
        (M,), refractive index before the face over that behind it.
    """
    cosine = -(way * normal).sum(dim=1)
    squared = 1 - ratio**2 * (1 - cosine**2)
    total = squared < 0
    behind = squared.clamp_min(0).sqrt()
    onward = ratio[:, None] * way + (ratio * cosine - behind)[:, None] * normal
    across = (ratio * cosine - behind) / (ratio * cosine + behind).clamp_min(GRAZING)
    along = (cosine - ratio * behind) / (cosine + ratio * behind).clamp_min(GRAZING)
    return onward, 1 - 0.5 * (across**2 + along**2), total


def _entered(face: Tensor, index: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the ways (M, 3) of rays behind their first face, the share (M,) that passes, and the ways of the rest.

    A convex body never meets the rest again; off a steep face it goes on towards the lamp.
    """
    down = torch.tensor([0.0, 0.0, 1.0], device=face.device).expand_as(face)
    way, passed, _ = _refracted(down, face, 1 / index)
    return way, passed, down - 2 * face[:, 2:] * face


def _followed(rays: _Rays, lamps: Lamps) -> Tensor:
    """Return the light (M,) that rays inside find, until they are faint or were reflected too often."""
    light = torch.zeros_like(rays.strength)
    numbers = torch.arange(len(light), device=light.device)
    for _ in range(BOUNCES + 1):
        if not len(numbers):
            break
        place, face = _met(rays)
        onward, passed, total = _refracted(rays.way, -face, rays.index)
        passed = torch.where(total, 0.0, passed)
        light[numbers] += rays.strength * passed * arriving(onward, lamps)
        back = rays.way - 2 * (rays.way * face).sum(dim=1, keepdim=True) * face
        left = rays.strength * (1 - passed)
        inside = (left > FAINT).nonzero()[:, 0]
        numbers, lamps = numbers[inside], lamps.of(inside)
        rays = _Rays(rays.normals, rays.distances, rays.index, place, back, left).among(inside)
    return light


def _met(rays: _Rays) -> tuple[Tensor, Tensor]:
    """Return where rays meet the next face from inside, (M, 3), and its outward normal, (M, 3)."""
    towards, along = (_products(rays.normals, each) for each in (rays.way, rays.place))  # (M, P)
    room = rays.distances - along
    ahead = torch.where(towards > GRAZING, room.clamp_min(0) / towards.clamp_min(GRAZING), torch.inf)
    run, face = ahead.min(dim=1)
    place = rays.place + run.clamp(max=1e6)[:, None] * rays.way
    return place, _faces(rays.normals, face)


def _products(normals: Tensor, vectors: Tensor) -> Tensor:
    """Return the scalar products (M, P) of normals (3, M, P) and vectors (M, 3)."""
    row, column, depth = vectors.T[:, :, None]
    return torch.addcmul(torch.addcmul(normals[0] * row, normals[1], column), normals[2], depth)


def _faces(normals: Tensor, number: Tensor) -> Tensor:
    """Return the normals (M, 3) of one face each of (3, M, P)."""
    return normals.gather(2, number[None, :, None].expand(3, -1, 1))[:, :, 0].T


def arriving(way: Tensor, lamps: Lamps) -> Tensor:
    """Return the light (M,) that comes along directions (M, 3), seen backwards; along the view it is 1."""
    off = torch.hypot(way[:, 0] - lamps.offset[:, 0], way[:, 1] - lamps.offset[:, 1])
    straight = torch.sigmoid((lamps.condenser - lamps.offset.norm(dim=1)) / lamps.softness)
    seen = torch.sigmoid((lamps.condenser - off) / lamps.softness) / straight
    return seen.clamp(0, 1) * (way[:, 2] > 0)
