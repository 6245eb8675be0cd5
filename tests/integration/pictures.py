"""Pictures of wells for tests: simple, but a drop is a drop."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def well(*, height: int = 600, width: int = 720, drop: bool = True, seed: int = 0) -> NDArray[np.uint8]:
    """Return a grey picture of a bright round well, with a dark-rimmed drop in it or without."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width] / width
    middle = height / width / 2
    wall = np.hypot(rows - middle, columns - 0.5)
    picture = np.where(wall < 0.38, 190.0, 30.0)
    if drop:
        away = np.hypot((rows - middle - 0.02) * 1.1, columns - 0.48) / 0.2
        lens = 150 - 60 * np.clip(away, 0, 1) ** 4
        picture = np.where(away < 1, lens, picture)
        picture = np.where((away > 0.97) & (away < 1.03), 60.0, picture)
    picture = picture + rng.normal(0, 2, picture.shape)
    return np.clip(picture, 0, 255).astype(np.uint8)


def encoded(pixels: NDArray[Any], kind: str = "JPEG") -> bytes:
    """Return the picture as the bytes of a file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()
