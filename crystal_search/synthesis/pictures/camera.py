"""From light to a stored picture: pixels, sharpening, tone, colour, noise, JPEG."""

import numpy as np
import simplejpeg
import torch
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont
from torch import Tensor
from torch.nn.functional import interpolate

from crystal_search.synthesis.pictures.optics import Optics
from crystal_search.synthesis.seeds import log_uniform
from crystal_search.synthesis.textures import blurred

SMALLEST_PX = 128  # side of a picture
CAPTION_SHARE = 0.04
NOISE, QUALITY = (0.0015, 0.012), (45, 100)  # of full scale; of JPEGs, half-open
DETAIL_PX = 1.2  # sigma of the blur that a sharpening camera compares with


def exposed(light: Tensor, tint: Tensor, gamma: float) -> Tensor:
    """Return grey levels in [0, 1.1], (3, rows, columns), of light (rows, columns) under a lamp's tint."""
    return tint * light.clamp(0, 4).pow(gamma)


def photographed(rng: np.random.Generator, levels: Tensor, optics: Optics) -> NDArray[np.uint8]:
    """Return what the camera stores of grey levels (3, rows, columns): (rows, columns, 3) RGB, after JPEG.

    A camera of fewer pixels than the image has sees, stores and compresses those, and its picture is enlarged.
    """
    rows, columns = levels.shape[1:]
    if optics.monochrome:
        levels = levels.mean(dim=0, keepdim=True)
    seen = (max(SMALLEST_PX, round(rows * optics.resolution)), max(SMALLEST_PX, round(columns * optics.resolution)))
    if seen[0] < rows:
        levels = interpolate(levels[None], size=seen, mode="area")[0]
    if optics.sharpening:
        levels = _sharpened(levels, optics.sharpening)
    pixels = _stored(rng, levels.expand(3, *levels.shape[1:]))
    if seen[0] >= rows:
        return pixels
    return np.asarray(Pillow.fromarray(pixels).resize((columns, rows), Pillow.Resampling.BILINEAR))


def _sharpened(levels: Tensor, amount: float) -> Tensor:
    common = levels.mean(dim=0)
    return levels + amount * (common - blurred(common, DETAIL_PX))


def _captioned(rng: np.random.Generator, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture with what some programs write into it: a name, and a scale bar."""
    picture = Pillow.fromarray(pixels)
    height, width, _ = pixels.shape
    draw, shade = ImageDraw.Draw(picture), int(rng.choice((0, 20, 235, 255)))
    size = height * rng.uniform(0.025, 0.06)
    row = height * rng.choice((0.02, 0.92))
    text = f"{'ABCDEFGH'[rng.integers(8)]}{rng.integers(1, 13):02d}  {rng.integers(1, 400)} um"
    draw.text((width * rng.uniform(0.01, 0.7), row), text, (shade,) * 3, ImageFont.load_default(size))
    left, bar = width * rng.uniform(0.05, 0.7), width * rng.uniform(0.05, 0.2)
    draw.rectangle((left, row, left + bar, row + max(2, 0.15 * size)), (shade,) * 3)
    return np.asarray(picture)


def _stored(rng: np.random.Generator, levels: Tensor) -> NDArray[np.uint8]:
    """Return grey levels (3, rows, columns) with noise, after JPEG, (rows, columns, 3)."""
    noise = rng.standard_normal(levels.shape[1:], dtype=np.float32) * np.float32(log_uniform(rng, *NOISE))
    if rng.random() < 0.4:  # of a colour camera: shared by neighbours
        noise = (noise + np.roll(noise, 1, 0) + np.roll(noise, 1, 1)) / np.float32(np.sqrt(3))
    noisy = levels + torch.from_numpy(noise).to(levels.device)
    pixels = (noisy * 255 + 0.5).clamp(0, 255).byte().permute(1, 2, 0).contiguous().cpu().numpy()
    quality = int(rng.integers(*QUALITY))
    if rng.random() < CAPTION_SHARE:
        pixels = _captioned(rng, pixels)
    data = simplejpeg.encode_jpeg(pixels, quality, "RGB", str(rng.choice(["420", "444"])))
    return np.asarray(simplejpeg.decode_jpeg(data, "RGB"))
