"""Whether more images are strange than the bound explains."""

import numpy as np
import pytest

from crystal_search.sentinel.strange_often import STRANGE, UNLUCKY, strange_at_most, strange_often

DISTANCES = 999


@pytest.mark.parametrize("distances", [20, 999])
def test_a_history_is_rarely_so_unlucky(distances: int) -> None:
    assert (1 - strange_at_most(distances)) ** distances == pytest.approx(UNLUCKY)


def test_chance_is_said_rarely_even_after_an_unlucky_history() -> None:
    rng = np.random.default_rng(0)
    images = rng.random(100_000) < strange_at_most(DISTANCES)
    assert len(strange_often(images.tolist(), DISTANCES)) <= 10


def test_single_strange_images_are_explained() -> None:
    images = np.arange(5000) % 150 == 0
    assert strange_often(images.tolist(), DISTANCES) == []


@pytest.mark.parametrize(("every", "within"), [(1, 4), (2, 10), (5, 40), (10, 150)])
def test_many_are_noticed_with_the_first_of_them(every: int, within: int) -> None:
    images = np.concatenate([np.zeros(300, bool), np.arange(400) % every == 0])
    first = strange_often(images.tolist(), DISTANCES)[0]
    assert (first.kind, first.since) == (STRANGE, 300)
    assert 300 < first.image <= 300 + within
