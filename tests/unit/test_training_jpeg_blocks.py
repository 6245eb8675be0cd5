"""What JPEG leaves of grey images, against a library that writes JPEGs."""

import numpy as np
import pytest
import simplejpeg
import torch

from crystal_search.training.jpeg_blocks import compressed, cosines, steps_of


def picture(height_px: int, width_px: int) -> np.ndarray:
    """Return smooth shades with an edge and noise."""
    rows, columns = np.mgrid[:height_px, :width_px]
    shades = 120 + 60 * np.sin(rows / 9) * np.cos(columns / 13) + 50 * (rows + columns > 70)
    noisy = shades + np.random.default_rng(1).normal(0, 6, shades.shape)
    return np.asarray(np.clip(noisy, 0, 255).round().astype(np.uint8))


@pytest.mark.parametrize("quality", [10, 25, 50])
def test_it_is_what_a_jpeg_library_leaves(quality: int) -> None:
    """But for blocks with a wave half-way between two steps, which the library's whole numbers round the other way."""
    pixels = picture(61, 83)
    data = simplejpeg.encode_jpeg(np.ascontiguousarray(pixels[:, :, None]), quality, "GRAY", fastdct=False)
    expected = simplejpeg.decode_jpeg(data, "GRAY", fastdct=False)[:, :, 0].astype(int)
    found = compressed(torch.from_numpy(pixels)[None].float() / 255, torch.tensor([float(quality)]))[0]
    differences = np.abs((found.numpy() * 255).round().astype(int) - expected)
    assert found.shape == (61, 83)
    assert np.mean(differences <= 1) > 0.8
    assert np.abs(expected - pixels.astype(int)).mean() > 5 * differences.mean()


def test_each_view_has_its_own_quality() -> None:
    views = torch.from_numpy(picture(32, 40))[None].float().repeat(2, 1, 1) / 255
    poor, good = compressed(views, torch.tensor([10.0, 95.0]))
    assert (good - views[1]).abs().mean() < 0.3 * (poor - views[0]).abs().mean()


def test_the_transform_is_orthonormal_and_an_even_block_stays() -> None:
    np.testing.assert_allclose(cosines() @ cosines().T, np.eye(8), atol=1e-6)
    even = torch.full((1, 8, 8), 128 / 255)
    assert torch.equal(compressed(even, torch.tensor([30.0])), even)


def test_steps_are_those_of_the_library() -> None:
    """By hand: 16 at quality 25 becomes 16 x 200 / 100, 61 at 75 becomes floor(61 x 50 / 100 + 0.5)."""
    assert steps_of(torch.tensor([25.0]))[0, 0, 0] == 32
    assert steps_of(torch.tensor([75.0]))[0, 0, 7] == 31
