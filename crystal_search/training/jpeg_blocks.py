"""What JPEG leaves of grey images, many at once on whatever device they are: blocks of 8 x 8 px, coarsely quantised.

Wallace (1992), IEEE Transactions on Consumer Electronics 38, xviii-xxxiv. The table of luminance is that of Annex K of
the standard, ITU-T T.81, scaled by quality as the library of the Independent JPEG Group does.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

BLOCK_PX = 8
MIDDLE = 128.0  #: grey level that a block is told from
LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)


def steps_of(quality: Tensor) -> Tensor:
    """Return the steps, (N, 8, 8), by which coefficients are quantised at a `quality` (N,) of 1 to 100.

    >>> steps_of(torch.tensor([50.0, 100.0]))[:, 0, 0].tolist()
    [16.0, 1.0]
    """
    scale = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality)
    table = torch.tensor(LUMINANCE, dtype=torch.float32, device=quality.device)
    return ((table * scale[:, None, None] + 50) / 100).floor().clamp(1, 255)


def cosines() -> Tensor:
    """Return the orthonormal discrete cosine transform of 8 numbers, (8, 8), a wave in each row."""
    waves, places = np.arange(BLOCK_PX)[:, None], np.arange(BLOCK_PX)[None, :]
    matrix = np.sqrt(2 / BLOCK_PX) * np.cos((2 * places + 1) * waves * np.pi / (2 * BLOCK_PX))
    matrix[0] /= np.sqrt(2)
    return torch.from_numpy(matrix.astype(np.float32))


def compressed(views: Tensor, quality: Tensor) -> Tensor:
    """Return views (N, h, w) in [0, 1] as JPEGs of a `quality` (N,) would hold them; any height and width."""
    count, height, width = views.shape
    right, bottom = -width % BLOCK_PX, -height % BLOCK_PX
    whole = pad(views[None], (0, right, 0, bottom), mode="replicate")[0] * 255 - MIDDLE
    rows, columns = (side // BLOCK_PX for side in whole.shape[1:])
    blocks = whole.reshape(count, rows, BLOCK_PX, columns, BLOCK_PX).transpose(2, 3)  # (N, rows, columns, 8, 8)
    transform, steps = cosines().to(views.device), steps_of(quality)[:, None, None]
    waves = ((transform @ blocks @ transform.T) / steps).round() * steps
    kept = (transform.T @ waves @ transform).transpose(2, 3).reshape(whole.shape)
    return ((kept + MIDDLE).round() / 255).clamp(0, 1)[:, :height, :width]
