"""From light to a stored picture: tone, colour, noise, JPEG."""

import numpy as np
import simplejpeg
import torch
from numpy.typing import NDArray
from torch import Tensor

from crystal_search.synthesis.seeds import log_uniform


def exposed(light: Tensor, tint: Tensor, gamma: float) -> Tensor:
    """Return grey levels in [0, 1.1], (3, rows, columns), of light (rows, columns) under a lamp's tint."""
    return tint * light.clamp(0, 4).pow(gamma)


def photographed(rng: np.random.Generator, levels: Tensor, *, monochrome: bool) -> NDArray[np.uint8]:
    """Return what the camera stores of grey levels (3, rows, columns): (rows, columns, 3) RGB, after JPEG."""
    if monochrome:
        levels = levels.mean(dim=0, keepdim=True).expand_as(levels)
    noise = rng.standard_normal(levels.shape[1:], dtype=np.float32) * np.float32(log_uniform(rng, 0.0015, 0.012))
    if rng.random() < 0.4:  # of a colour camera: shared by neighbours
        noise = (noise + np.roll(noise, 1, 0) + np.roll(noise, 1, 1)) / np.float32(np.sqrt(3))
    noisy = levels + torch.from_numpy(noise).to(levels.device)
    pixels = (noisy * 255 + 0.5).clamp(0, 255).byte().permute(1, 2, 0).contiguous().cpu().numpy()
    quality = int(rng.integers(45, 100))
    data = simplejpeg.encode_jpeg(pixels, quality, "RGB", str(rng.choice(["420", "444"])))
    return np.asarray(simplejpeg.decode_jpeg(data, "RGB"))
