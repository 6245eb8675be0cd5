"""Several processes at a time."""

import os
import signal
from functools import partial

import pytest

from crystal_search.errors import UserError
from crystal_search.processes import AHEAD, in_order, pool_of


def doubled(number: int) -> int:
    return 2 * number


def fatal(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


def halved(number: int) -> int:
    if number % 2:
        raise ValueError(f"{number} is odd")
    return number // 2


def told(number: int) -> str:
    if number < 0:
        os._exit(9)
    return f"{os.environ['CRYSTAL_SEARCH_BEGUN']} {number}"


def begun_with(name: str, value: str) -> None:
    os.environ[name] = value


def started(name: str) -> str:
    return os.environ[name]


@pytest.mark.parametrize("workers", [1, 2])
def test_answers_come_in_the_order_of_the_items(workers: int) -> None:
    count = 2 * AHEAD * workers + 3
    assert list(in_order(doubled, range(count), workers)) == [(each, 2 * each) for each in range(count)]
    assert list(in_order(doubled, [], workers)) == []


def test_a_process_that_is_killed_is_said() -> None:
    with pytest.raises(UserError, match="ended from outside"):
        list(in_order(fatal, [1, 2], 2))


@pytest.mark.parametrize("workers", [1, 2])
def test_items_that_end_their_process_are_told_and_all_others_computed(workers: int) -> None:
    begun = partial(pool_of, start=begun_with, arguments=("CRYSTAL_SEARCH_BEGUN", "yes"))
    items = [-1, 1, 2, -2, -3, 3, -4]
    found = in_order(told, items, workers, killed=lambda each: f"killed {each}", begun=begun)
    assert list(found) == [(each, f"{'killed' if each < 0 else 'yes'} {each}") for each in items]


def test_an_error_is_no_end_of_a_process() -> None:
    found = in_order(halved, [2, 3], 1, killed=lambda _: 0)
    assert next(found) == (2, 1)
    with pytest.raises(ValueError, match="3 is odd"):
        next(found)


def test_an_error_in_a_process_comes_through() -> None:
    found = in_order(halved, [2, 3, 4], 2)
    assert next(found) == (2, 1)
    with pytest.raises(ValueError, match="3 is odd"):
        next(found)


def test_every_process_begins_with_what_it_is_told() -> None:
    with pool_of(1, begun_with, ("CRYSTAL_SEARCH_BEGUN", "yes")) as pool:
        assert pool.submit(started, "CRYSTAL_SEARCH_BEGUN").result() == "yes"
    assert "CRYSTAL_SEARCH_BEGUN" not in os.environ
