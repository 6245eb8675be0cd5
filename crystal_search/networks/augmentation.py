"""Changes to a grey image that leave its labels alone or move them with it."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageFilter

from crystal_search.images import Grey

Value = TypeVar("Value", bound=np.generic)

GAMMA_LOG_RANGE = 0.3
CONTRAST_RANGE = (0.6, 1.3)
BRIGHTNESS_RANGE = 0.08  #: of full scale
BLUR_RANGE_PX = (0.3, 1.3)
NOISE_RANGE = (0.003, 0.02)  #: of full scale
BLURRED_SHARE, NOISY_SHARE = 0.15, 0.25


def recorded_differently(grey: Grey, generator: np.random.Generator) -> Grey:
    """Return `grey` as another lamp, lens, exposure or sensor might have recorded it."""
    if generator.random() < BLURRED_SHARE:
        blur = ImageFilter.GaussianBlur(generator.uniform(*BLUR_RANGE_PX))
        grey = np.asarray(Pillow.fromarray(grey).filter(blur))
    levels = np.arange(256, dtype=np.float32) / 255
    levels = levels ** np.exp(generator.uniform(-GAMMA_LOG_RANGE, GAMMA_LOG_RANGE))
    middle = float(levels[int(grey[::8, ::8].mean())])
    levels = middle + generator.uniform(*CONTRAST_RANGE) * (levels - middle)
    levels += generator.uniform(-BRIGHTNESS_RANGE, BRIGHTNESS_RANGE)
    g = (255 * levels.astype(np.float32))[grey]
    if generator.random() < NOISY_SHARE:
        g += 255 * generator.uniform(*NOISE_RANGE) * generator.standard_normal(g.shape, dtype=np.float32)
    return np.asarray(np.rint(np.clip(g, 0, 255)), dtype=np.uint8)


def turned(field: NDArray[Value], turn: int) -> NDArray[Value]:
    """Return one of the 8 turned and mirrored versions of a field of shape (rows, columns).

    >>> turned(np.array([[1, 2], [3, 4]]), 5).tolist()
    [[4, 2], [3, 1]]
    """
    field = np.rot90(field, turn % 4)
    return np.ascontiguousarray(field[:, ::-1] if turn >= 4 else field)


def enlarged(field: Grey, height: int, width: int, *, smooth: bool) -> Grey:
    """Return `field` at another size: averaged and interpolated if `smooth`, else nearest values kept."""
    if field.shape == (height, width):
        return field
    kind = Pillow.Resampling.BILINEAR if smooth else Pillow.Resampling.NEAREST
    return np.asarray(Pillow.fromarray(field).resize((width, height), kind))
