"""Light through crystals against Mitsuba 3, a renderer that nobody here wrote.

Both see the same body, camera and lamp. What remains between them is Mitsuba's noise, of 96 paths a pixel some
hundredths where light is reflected or refracted by chance, and pixels on edges, of which we take 16 samples. So a
body's pixels must be as bright to 0.03 on average, and 97 of 100 of them to 0.1. A correlation would say less of a
crystal that is everywhere as bright.
"""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from crystal_search.synthesis.polyhedra import HABITS, rotation
from crystal_search.synthesis.rays import Lamps, Solids, light_along

mitsuba = pytest.importorskip("mitsuba", reason="Mitsuba is not installed: make mitsuba")

SIDE, SAMPLES, SIZE = 64, 96, 24.0  # px, paths a pixel, units of half a crystal
SOFTNESS = 0.03
MEAN_DIFFERENCE, SAME, CORRELATION = 0.03, 0.97, 0.9
NEAR = 0.1  # light within which a pixel counts as the same

#: Habit, turn, index, half angle of the cone: a dozen scenes from faint to steep.
SCENES = (
    ("box", 1, 1.05, 0.1),
    ("box", 2, 1.2, 0.3),
    ("box", 3, 1.5, 0.5),
    ("hexagonal prism", 4, 1.1, 0.2),
    ("hexagonal prism", 5, 1.3, 0.4),
    ("octahedron", 6, 1.05, 0.15),
    ("octahedron", 7, 1.2, 0.5),
    ("hexagonal bipyramid", 8, 1.1, 0.3),
    ("capped prism", 9, 1.15, 0.25),
    ("lozenge", 10, 1.3, 0.6),
    ("tetrahedron", 11, 1.1, 0.3),
    ("triangular prism", 12, 1.4, 0.5),
)


def planes_of(habit: str, turn: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    normals, distances = HABITS[habit]
    length = np.linalg.norm(normals, axis=1)
    turned = (normals / length[:, None]) @ rotation(np.random.default_rng(turn)).T
    return turned, distances / length * SIZE


def ours(habit: str, turn: int, index: float, cone: float) -> NDArray[np.float32]:
    normals, distances = planes_of(habit, turn)
    solid = Solids(torch.tensor(normals)[None].float(), torch.tensor(distances)[None].float(), torch.tensor([index]))
    lamp = Lamps(torch.tensor([cone]), torch.tensor([SOFTNESS]), torch.zeros(1, 2))
    places = (torch.arange(4 * SIDE) + 0.5) / 4 - SIDE / 2  # four samples a pixel along a side, as there are more there
    rows, columns = torch.meshgrid(places, places, indexing="ij")
    bodies = torch.zeros(rows.numel(), dtype=torch.long)
    light, _ = light_along(solid, lamp, bodies, rows.flatten(), columns.flatten())
    return light.view(SIDE, 4, SIDE, 4).mean(dim=(1, 3)).numpy()


def mesh_of(normals: NDArray[np.float64], distances: NDArray[np.float64], file: Path) -> None:
    """Write the body as triangles, seen from outside counter-clockwise; x is columns, y is rows, z is depth."""
    triples = np.array(list(combinations(range(len(distances)), 3)))
    triples = triples[np.abs(np.linalg.det(normals[triples])) > 1e-4]
    found = np.linalg.solve(normals[triples], distances[triples][:, :, None])[:, :, 0]
    corners = np.unique(np.round(found[(found @ normals.T <= distances + 1e-6).all(axis=1)], 6), axis=0)
    faces = []
    for normal, distance in zip(normals[:, [1, 0, 2]], distances, strict=True):
        on = np.flatnonzero(np.abs(corners[:, [1, 0, 2]] @ normal - distance) < 1e-4)
        if len(on) < 3:
            continue
        middle = corners[on][:, [1, 0, 2]].mean(axis=0)
        along = np.linalg.svd(normal[None])[2][1]
        across = np.cross(normal, along)
        off = corners[on][:, [1, 0, 2]] - middle
        ring = on[np.argsort(np.arctan2(off @ across, off @ along))]
        faces += [(ring[0], ring[n], ring[n + 1]) for n in range(1, len(ring) - 1)]
    header = (
        f"ply\nformat ascii 1.0\nelement vertex {len(corners)}\nproperty float x\nproperty float y\nproperty float z\n"
    )
    header += f"element face {len(faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    points = "".join(f"{column} {row} {depth}\n" for row, column, depth in corners)
    file.write_text(header + points + "".join(f"3 {a} {b} {c}\n" for a, b, c in faces))


def theirs(habit: str, turn: int, index: float, cone: float, folder: Path) -> NDArray[np.float32]:
    mitsuba.set_variant("scalar_rgb")
    transform = mitsuba.ScalarTransform4f
    mesh_of(*planes_of(habit, turn), folder / "crystal.ply")
    angle = (np.arange(2048) + 0.5) / 2048 * np.pi  # from the axis of the map
    bright = (
        (1 / (1 + np.exp((np.sin(angle) - cone) / SOFTNESS))) * (1 + np.exp(-cone / SOFTNESS)) * (angle < np.pi / 2)
    )
    lamp = np.repeat(np.clip(bright, 0, 1)[:, None, None], 16, axis=1).repeat(3, axis=2).astype(np.float32)
    scene = mitsuba.load_dict(
        {
            "type": "scene",
            "integrator": {"type": "path", "max_depth": 24, "rr_depth": 100},
            "sensor": {
                "type": "orthographic",
                "to_world": transform().look_at(origin=[0, 0, -200], target=[0, 0, 0], up=[0, -1, 0])
                @ transform().scale([SIDE / 2, SIDE / 2, 1]),
                "film": {"type": "hdrfilm", "width": SIDE, "height": SIDE, "rfilter": {"type": "box"}},
                "sampler": {"type": "independent", "sample_count": SAMPLES},
            },
            "lamp": {
                "type": "envmap",
                "bitmap": mitsuba.Bitmap(lamp),
                "to_world": transform().rotate([1, 0, 0], 90),  # the axis of the map is y; it becomes z
            },
            "crystal": {
                "type": "ply",
                "filename": str(folder / "crystal.ply"),
                "face_normals": True,
                "bsdf": {"type": "dielectric", "int_ior": index, "ext_ior": 1.0},
            },
        }
    )
    return np.asarray(mitsuba.render(scene))[:, :, 0]


@pytest.mark.parametrize(("habit", "turn", "index", "cone"), SCENES)
def test_both_renderers_see_the_same(habit: str, turn: int, index: float, cone: float, tmp_path: Path) -> None:
    mine, other = ours(habit, turn, index, cone), theirs(habit, turn, index, cone, tmp_path)
    body = (mine < 0.999) | (np.abs(other - 1) > 0.02)
    difference = np.abs(mine - other)[body]
    assert np.count_nonzero(body) > 200
    assert np.abs(other - 1)[~body].max() < 0.05
    assert difference.mean() <= MEAN_DIFFERENCE
    assert (difference < NEAR).mean() >= SAME
    assert np.corrcoef(mine[body], other[body])[0, 1] >= CORRELATION
