"""Whether more images are strange than the bound explains."""

import numpy as np
import pytest

from crystal_search.sentinel.strange_often import STRANGE, UNLUCKY, strange_at_most, strange_often

RARE, DISTANCES = 0.05, 288


@pytest.mark.parametrize(("rare", "distances"), [(0.05, 20), (0.05, 288), (0.01, 999)])
def test_a_history_is_rarely_so_unlucky(rare: float, distances: int) -> None:
    rng, called = np.random.default_rng(0), int(rare * (distances + 1))
    rates = rng.beta(called, distances + 1 - called, 200_000)
    assert np.mean(rates > strange_at_most(rare, distances)) == pytest.approx(UNLUCKY, rel=0.3)
    assert rates.mean() == pytest.approx(called / (distances + 1), rel=0.02)


def test_chance_is_said_rarely_even_after_an_unlucky_history() -> None:
    images = np.random.default_rng(0).random(50_000) < strange_at_most(RARE, DISTANCES)
    assert len(strange_often(images.tolist(), RARE, DISTANCES)) <= 5


def test_as_many_as_are_allowed_are_explained() -> None:
    images = np.arange(5000) % 15 == 0
    assert strange_often(images.tolist(), RARE, DISTANCES) == []


@pytest.mark.parametrize(("every", "within"), [(1, 10), (2, 40), (3, 100)])
def test_many_are_noticed_with_the_first_of_them(every: int, within: int) -> None:
    images = np.concatenate([np.zeros(300, bool), np.arange(400) % every == 0])
    first = strange_often(images.tolist(), RARE, DISTANCES)[0]
    assert (first.kind, first.since) == (STRANGE, 300)
    assert 300 < first.image <= 300 + within
