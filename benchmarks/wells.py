"""A well picture of any size with a drop of known size, drawn without the training extra."""

import io

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image


def drawn_well(*, height: int = 2056, width: int = 2452, drop_px: int = 1200, seed: int = 1) -> NDArray[np.uint8]:
    """Return an RGB picture: a bright round well, and in it a drop of `drop_px` diameter with fine texture."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width]
    from_middle = np.hypot(rows - height / 2, columns - width / 2)
    picture = np.where(from_middle < 0.8 * drop_px, 190.0, 30.0)
    away = from_middle / (drop_px / 2)
    lens = 165 - 50 * np.clip(away, 0, 1) ** 4
    texture = np.kron(rng.normal(0, 14, (height // 8 + 1, width // 8 + 1)), np.ones((8, 8)))[:height, :width]
    picture = np.where(away < 1, lens + texture, picture)
    picture = np.where((away > 0.98) & (away < 1.02), 60.0, picture) + rng.normal(0, 2, picture.shape)
    grey = np.clip(picture, 0, 255).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def drawn_tiff(**options: int) -> bytes:
    """Return the picture as a grey TIFF file of 16 bit."""
    buffer = io.BytesIO()
    Image.fromarray(drawn_well(**options)[:, :, 0].astype(np.uint16) << 8).save(buffer, "TIFF")
    return buffer.getvalue()


def drawn_jpeg(**options: int) -> bytes:
    """Return the picture as a JPEG file."""
    return bytes(simplejpeg.encode_jpeg(drawn_well(**options), quality=90))
