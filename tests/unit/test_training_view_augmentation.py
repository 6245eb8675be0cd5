"""Views as they might have been recorded, turned and mirrored, many at once."""

import numpy as np
import pytest
import torch

from crystal_search.training import view_augmentation
from crystal_search.training.view_augmentation import blurred, recorded_differently, turned

VIEW = torch.from_numpy(np.random.default_rng(3).integers(0, 256, (96, 128), dtype=np.uint8))[None].float() / 255


def test_blurring_keeps_what_is_even_and_spreads_a_point() -> None:
    views = torch.full((2, 32, 32), 0.25)
    views[1] = 0
    views[1, 16, 16] = 1
    soft = blurred(views, torch.tensor([1.0, 1.0]), 5)
    np.testing.assert_allclose(soft[0], 0.25, rtol=1e-5)
    assert float(soft[1].sum()) > 0.999
    assert float(soft[1, 16, 17] / soft[1, 16, 16]) == np.float32(np.exp(-0.5)).item()


def test_an_eighth_each_is_turned_and_mirrored_differently() -> None:
    fields = torch.arange(9).reshape(3, 3).repeat(16, 1, 1)
    versions = turned(fields, np.arange(16) % 8)
    assert versions.shape == (16, 3, 3)
    assert len({tuple(each.flatten().tolist()) for each in versions}) == 8


def test_recording_differently_depends_on_the_seed_alone_and_stays_in_range() -> None:
    views = VIEW.repeat(16, 1, 1)

    def recorded(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return recorded_differently(views, np.random.default_rng(seed))

    first = recorded(5)
    assert torch.equal(first, recorded(5))
    assert not torch.equal(first, recorded(6))
    assert torch.equal(first, recorded_differently(views, np.random.default_rng(5)))  # nobody else's random numbers
    assert float(first.min()) >= 0
    assert float(first.max()) <= 1
    assert torch.equal(views, VIEW.repeat(16, 1, 1))


def test_of_few_pixels_and_of_many_a_share_is_badly_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[tuple[int, ...]] = []

    def compressed(views: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        sizes.append(tuple(views.shape))
        return views

    monkeypatch.setattr(view_augmentation, "compressed", compressed)
    recorded_differently(VIEW.repeat(16, 1, 1), np.random.default_rng(0), compressed_share=0.5)
    (few, height, width), whole = sizes
    assert (few, whole) == (3, (5, 96, 128))
    assert height < 0.95 * 96
    assert width < 0.95 * 128
    recorded_differently(VIEW.repeat(16, 1, 1), np.random.default_rng(0))
    assert len(sizes) == 2  # by default none


def test_the_noise_of_few_pixels_is_as_coarse_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view_augmentation, "NOISE_RANGE", (0.0399, 0.0401))
    monkeypatch.setattr(view_augmentation, "NOISY_SHARE", 1.0)
    monkeypatch.setattr(view_augmentation, "COARSER_RANGE", (0.25, 0.2501))
    grey = torch.full((4, 128, 128), 0.5)
    which, none = torch.arange(4), 0.0
    coarse = view_augmentation._coarser(grey, which, np.random.default_rng(0), none)
    neighbours = torch.corrcoef(torch.stack([coarse[:, :, 1:].flatten(), coarse[:, :, :-1].flatten()]))[0, 1]
    assert neighbours > 0.8
    fine = view_augmentation._noisy(grey, np.random.default_rng(0))
    assert float(fine.std()) == pytest.approx(0.04, rel=0.05)
    assert abs(float(torch.corrcoef(torch.stack([fine[:, :, 1:].flatten(), fine[:, :, :-1].flatten()]))[0, 1])) < 0.02
