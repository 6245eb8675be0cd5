"""Views made many at once in a device's memory agree with those made one by one."""

import numpy as np
import torch

from crystal_search.images import normalised
from crystal_search.training.device_views import centred, local_contrast, looked_up, reduced, sampled

GREY = np.random.default_rng(3).integers(0, 256, (96, 128), dtype=np.uint8)
VIEW = torch.from_numpy(GREY)[None].float() / 255


def test_local_contrast_is_that_of_the_client() -> None:
    np.testing.assert_allclose(local_contrast(VIEW)[0], normalised(GREY, "local-contrast-1"), atol=1e-4)


def test_centring_is_that_of_the_client() -> None:
    np.testing.assert_allclose(centred(VIEW)[0], normalised(GREY, "centred-1"), atol=1e-4)


def test_whole_positions_are_pixels_and_halves_lie_between() -> None:
    store = torch.tensor([[[0, 100, 200], [50, 150, 250]]], dtype=torch.uint8)
    found = sampled(store, torch.tensor([[0.0, 0.5, 1.0]]), torch.tensor([[1.0, 1.5, 2.0]]))[0] * 255
    np.testing.assert_allclose(found, [[100, 150, 200], [125, 175, 225], [150, 200, 250]], rtol=1e-5)


def test_beyond_the_border_the_edge_goes_on() -> None:
    store = torch.tensor([[[10, 20], [30, 40]]], dtype=torch.uint8)
    found = sampled(store, torch.tensor([[-5.0, 9.0]]), torch.tensor([[-1.0, 7.0]]))[0] * 255
    np.testing.assert_allclose(found, [[10, 20], [30, 40]], rtol=1e-5)


def test_maps_are_looked_up_and_never_mixed() -> None:
    store = torch.tensor([[[1, 2], [3, 255]]], dtype=torch.uint8)
    found = looked_up(store, torch.tensor([[0.9, 1.0, 5.0]]), torch.tensor([[-1.0, 1.2]]))
    assert found.tolist() == [[[1, 2], [3, 255], [3, 255]]]


def test_fewer_pixels_are_means() -> None:
    assert reduced(torch.tensor([[[0, 2, 10, 10], [4, 6, 10, 20]]], dtype=torch.uint8), 2).tolist() == [[[3, 12]]]
